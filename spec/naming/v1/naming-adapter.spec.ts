import t from 'tap'
import {
  createDnsNaming,
  findResolver,
  type NamingResolver,
  type Resolver,
  resolverFromNaming,
} from '../../../lib/naming/index.ts'
import { FakeClock } from '../../../lib/testing/index.ts'
import { settle } from '../../support/fake-network.ts'
import { RecordingConn } from '../../support/recording-conn.ts'
import { ScriptedNaming } from '../../support/scripted-naming.ts'

class Bench {
  public readonly clock = new FakeClock()
  public readonly cc = new RecordingConn()
  public readonly resolver: Resolver

  public constructor(naming: NamingResolver, text = 'v1:///host:80') {
    const builder = resolverFromNaming('v1', naming)
    const { target } = findResolver(text, [builder])
    this.resolver = builder.build(target, this.cc, { clock: this.clock, random: () => 0.5 })
  }
}

t.test('changes add up to what a channel is told', async (t) => {
  const naming = new ScriptedNaming()
  const bench = new Bench(naming)
  t.strictSame(naming.targets, ['host:80'])
  await naming.tell({ op: 'add', address: 'a:1' }, { op: 'add', address: 'b:1', metadata: 7 })
  await naming.tell({ op: 'delete', address: 'a:1' }, { op: 'add', address: 'c:1' })
  await naming.tell({ op: 'delete', address: 'nobody:1' }, { op: 'add', address: 'b:1' })
  bench.resolver.resolveNow()
  await naming.tell({ op: 'delete', address: 'b:1' }, { op: 'delete', address: 'c:1' })
  t.strictSame(bench.cc.log, [['a:1', 'b:1'], ['b:1', 'c:1'], ['b:1', 'c:1'], []])
})

t.test('metadata is handed on; balancers of grpclb are no servers', async (t) => {
  const naming = new ScriptedNaming()
  const bench = new Bench(naming)
  let told: unknown
  bench.cc.newAddress = (addresses) => {
    told = addresses
  }
  await naming.tell(
    { op: 'add', address: 'a:1', metadata: { zone: 'z' } },
    { op: 'add', address: 'b:1', metadata: { addressType: 'grpclb', serverName: 'lb' } },
  )
  t.strictSame(told, [{ address: 'a:1', metadata: { zone: 'z' } }])
})

t.test('after the end of a watcher the channel is told, and another one is tried', async (t) => {
  const naming = new ScriptedNaming()
  const bench = new Bench(naming)
  await naming.tell({ op: 'add', address: 'a:1' })
  await naming.end('no more')
  const ENDED = 'UNAVAILABLE: naming_watcher: watching "host:80" ended: '
  t.strictSame(bench.cc.log.splice(0), [['a:1'], `${ENDED}no more`])
  t.equal(naming.closes, 1)
  naming.refusal = 'not now'
  bench.clock.advance(1000)
  t.strictSame(bench.cc.log.splice(0), [`${ENDED}not now`])
  naming.refusal = undefined
  bench.clock.advance(1599)
  t.equal(naming.targets.length, 1)
  bench.clock.advance(1)
  t.equal(naming.targets.length, 2)
  await naming.tell({ op: 'add', address: 'b:1' })
  t.strictSame(bench.cc.log, [['b:1']], 'the first answer of a watcher is the whole')
})

t.test('close closes the watcher, and nothing is told afterwards', async (t) => {
  for (const how of ['tell', 'end'] as const) {
    const naming = new ScriptedNaming()
    const bench = new Bench(naming)
    bench.resolver.close()
    t.equal(naming.closes, 1)
    if (how === 'tell') await naming.tell({ op: 'add', address: 'a:1' })
    else await naming.end('closed')
    t.strictSame(bench.cc.log, [])
    t.equal(bench.clock.pending, 0)
  }
})

t.test('close forgets a watcher that is due', async (t) => {
  const naming = new ScriptedNaming()
  const bench = new Bench(naming)
  await naming.end('no more')
  bench.resolver.close()
  t.equal(bench.clock.pending, 0)
})

t.test('a target that the v1 resolver refuses is refused', async (t) => {
  t.throws(() => new Bench(createDnsNaming(), 'v1:///host:port'), { message: /^naming_target: / })
})

t.test('a literal address goes all the way', async (t) => {
  const bench = new Bench(createDnsNaming(), 'v1:///1.2.3.4')
  await settle()
  t.strictSame(bench.cc.log, [['1.2.3.4:443']])
  bench.resolver.close()
  await settle()
  t.equal(bench.cc.log.length, 1)
})
