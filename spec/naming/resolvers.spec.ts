import t from 'tap'
import { Code } from '../../lib/base/status.ts'
import {
  type Address,
  addressesOf,
  endpointsOf,
  findResolver,
  getResolver,
  ManualResolver,
  type ResolverBuilder,
  type ResolverState,
  registerResolver,
  sameAddress,
  staticResolver,
} from '../../lib/naming/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { RecordingConn } from '../support/recording-conn.ts'

const OPTIONS = { clock: new FakeClock(), random: () => 0.5 }

function resolve(text: string, own: readonly ResolverBuilder[] = []): RecordingConn {
  const { target, builder } = findResolver(text, own)
  const cc = new RecordingConn()
  const resolver = builder.build(target, cc, OPTIONS)
  resolver.resolveNow()
  resolver.close()
  return cc
}

function authorityOf(text: string): string | undefined {
  const { target, builder } = findResolver(text)
  return builder.defaultAuthority?.(target)
}

const FIXED: readonly (readonly [target: string, addresses: readonly string[]])[] = [
  ['passthrough:///a:1', ['a:1']],
  ['ipv4:1.2.3.4', ['1.2.3.4:443']],
  ['ipv4:1.2.3.4:80,5.6.7.8', ['1.2.3.4:80', '5.6.7.8:443']],
  ['ipv4:///1.2.3.4:80', ['1.2.3.4:80']],
  ['ipv6:[::1]:80,fe80::1', ['[::1]:80', '[fe80::1]:443']],
  ['ipv6:[::1%25lo]:80', ['[::1%lo]:80']],
  ['unix:a/b', ['unix:a/b']],
  ['unix:/a/b', ['unix:/a/b']],
  ['unix:///a/b', ['unix:/a/b']],
  ['unix:///a%3Fb?query', ['unix:/a?b']],
  ['unix-abstract:name', ['unix-abstract:name']],
  ['unix-abstract:///name', ['unix-abstract:/name']],
  ['ipv4:1.2.3.4:80?query', ['1.2.3.4:80']],
  ['dns:///1.2.3.4', ['1.2.3.4:443']],
  ['dns:///1.2.3.4:80', ['1.2.3.4:80']],
  ['[::1]:80', ['[::1]:80']],
  ['::1', ['[::1]:443']],
]

for (const [target, addresses] of FIXED) {
  t.test(`${JSON.stringify(target)} is resolved once, without a look-up`, async (t) => {
    t.strictSame(resolve(target).log, [addresses])
    t.equal(OPTIONS.clock.pending, 0)
  })
}

const REFUSED: readonly (readonly [target: string, token: RegExp])[] = [
  ['passthrough:///', /^passthrough_empty: /],
  ['ipv4:::1', /^ip_target_address: /],
  ['ipv4:host:80', /^ip_target_address: /],
  ['ipv4:1.2.3.4:80,', /^ip_target_address: /],
  ['ipv6:1.2.3.4', /^ip_target_address: /],
  ['ipv4://authority/1.2.3.4', /^ip_target_authority: /],
  ['unix:', /^unix_target: /],
  ['unix:///', /^unix_target: /],
  ['unix://host/path', /^unix_target: /],
  ['unix-abstract:', /^unix_target: /],
  ['unix-abstract:a%00b', /^unix_nul: /],
  ['', /^dns_target: /],
  ['dns:///host:99999', /^dns_target: /],
  ['dns:///a b:c', /^dns_target: /],
  ['dns://ns.example/host', /^dns_server: /],
]

for (const [target, token] of REFUSED) {
  t.test(`${JSON.stringify(target)} is refused`, async (t) => {
    t.throws(() => resolve(target), { message: token })
  })
}

t.test('a scheme says what its :authority is', async (t) => {
  t.equal(authorityOf('unix:///a'), 'localhost')
  t.equal(authorityOf('unix-abstract:a'), 'localhost')
  t.equal(authorityOf('ipv4:1.2.3.4:80,5.6.7.8'), '1.2.3.4:80')
  t.equal(authorityOf('dns://8.8.8.8/host'), undefined)
})

t.test('a channel’s own resolvers go before the registered ones', async (t) => {
  const own = staticResolver('dns', [{ address: 'mine:1' }])
  t.strictSame(resolve('dns:///x', [own]).log, [['mine:1']])
  t.strictSame(resolve('x', [own]).log, [['mine:1']])
})

t.test('a registered scheme is known to all, in lower case', async (t) => {
  registerResolver({ ...staticResolver('Spec-Only', [{ address: 'b:2' }]) })
  t.strictSame(resolve('spec-only:x').log, [['b:2']])
  t.not(getResolver('Spec-Only'), undefined)
})

t.test('capital letters in a scheme mean nothing', async (t) => {
  const own = staticResolver('Mine', [{ address: 'c:3' }])
  t.strictSame(resolve('MINE:x', [own]).log, [['c:3']])
  t.equal(findResolver('x', [own], 'Mine').builder, own)
})

t.test('a default scheme that nobody resolves is refused', async (t) => {
  t.throws(() => findResolver('x', [], 'nobody'), { message: /^resolver_unknown: / })
})

t.test('a manual resolver tells each of its channels, now and later', async (t) => {
  const events: string[] = []
  const manual = new ManualResolver('manual', {
    built: ({ endpoint }) => events.push(`built ${endpoint}`),
    resolveNow: () => events.push('resolveNow'),
    closed: () => events.push('closed'),
  })
  const { target } = findResolver('manual:x', [manual])
  const early = new RecordingConn()
  const first = manual.build(target, early)
  manual.newAddress([{ address: 'a:1' }])
  const late = new RecordingConn()
  manual.build(target, late)
  first.resolveNow()
  first.close()
  manual.reportError({ code: Code.Unavailable, message: 'down' })
  t.strictSame(early.log, [['a:1']])
  t.strictSame(late.log, [['a:1'], 'UNAVAILABLE: down'])
  t.strictSame(events, ['built x', 'built x', 'resolveNow', 'closed'])
})

t.test('two addresses are the same when a connection to one is one to the other', async (t) => {
  const base: Address = { address: 'a:1', serverName: 's', attributes: { zone: 1 } }
  const rows: readonly (readonly [string, Address, boolean])[] = [
    ['equal', { address: 'a:1', serverName: 's', attributes: { zone: 1 } }, true],
    ['another port', { ...base, address: 'a:2' }, false],
    ['another name', { ...base, serverName: 'z' }, false],
    ['another attribute', { ...base, attributes: { zone: 2 } }, false],
    ['one attribute more', { ...base, attributes: { zone: 1, rack: 1 } }, false],
    ['no attributes', { address: 'a:1', serverName: 's' }, false],
    ['metadata', { ...base, metadata: {} }, false],
  ]
  for (const [name, other, same] of rows) t.equal(sameAddress(base, other), same, name)
})

t.test('the addresses of endpoints are in order, each once', async (t) => {
  const state: ResolverState = {
    endpoints: [
      { addresses: [{ address: 'a:1' }, { address: 'b:1' }] },
      ...endpointsOf([{ address: 'a:1' }, { address: 'c:1' }]),
    ],
  }
  t.strictSame(
    addressesOf(state.endpoints).map(({ address }) => address),
    ['a:1', 'b:1', 'c:1'],
  )
})

t.test('many addresses are gone through once, not each with each', async (t) => {
  let reads = 0
  const count = 2000
  const addresses = Array.from({ length: count }, (_, i) => ({
    get address(): string {
      reads++
      return `10.0.0.1:${i}`
    },
  }))
  t.equal(addressesOf([{ addresses }, { addresses }]).length, count)
  t.ok(reads < 20 * count, `${reads} looks`)
})
