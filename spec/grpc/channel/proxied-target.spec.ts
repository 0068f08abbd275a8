import t from 'tap'
import { codeName } from '../../../lib/base/status.ts'
import { proxyChoice, proxyOf, throughProxy } from '../../../lib/grpc/channel/proxied-target.ts'
import { bytesCodec, defineService, dial, Server, unary } from '../../../lib/grpc/index.ts'
import {
  createDnsResolver,
  findResolver,
  ManualResolver,
  type ResolverBuilder,
  type ResolverState,
} from '../../../lib/naming/index.ts'
import { FakeClock } from '../../../lib/testing/index.ts'
import { connectProxy } from '../../support/connect-proxy.ts'

const PROXY = { host: 'proxy', port: 3128 }

/** Says that it was asked. */
const dnsAsked = createDnsResolver({
  lookup: () => {
    const ask = (): Promise<never> => Promise.reject(new Error('asked'))
    return { addresses: ask, srv: ask, txt: ask }
  },
})

/** What a resolver tells behind a proxy, as text. */
class Resolved {
  public readonly log: string[] = []
  public states: ResolverState[] = []

  public constructor(
    target: string,
    environment: Record<string, string>,
    resolvers: readonly ResolverBuilder[] = [dnsAsked],
  ) {
    const choose = proxyChoice(undefined, environment)
    const { target: parsed, builder } = throughProxy(findResolver(target, resolvers), choose)
    const tell = (state: ResolverState): void => {
      this.states.push(state)
      const addresses = state.endpoints.flatMap((endpoint) => endpoint.addresses)
      for (const address of addresses) {
        const proxy = proxyOf(address)
        const way = proxy === undefined ? 'directly' : `through ${proxy.host}:${proxy.port}`
        this.log.push(`${address.address} ${way}`)
      }
    }
    const clock = new FakeClock()
    builder.build(
      parsed,
      {
        updateState: tell,
        newAddress: (addresses) => tell({ endpoints: [{ addresses }] }),
        reportError: ({ code, message }) => this.log.push(`${codeName(code)} ${message}`),
      },
      { clock, random: () => 0.5 },
    )
  }
}

const ENVIRONMENT = { https_proxy: 'http://proxy:3128', no_proxy: 'local.test,10.0.0.0/8' }

t.test('a dns target that needs the proxy is not looked up', (t) => {
  const rows = [
    ['dns:///far.test:50051', 'far.test:50051 through proxy:3128'],
    ['dns://8.8.8.8/far.test', 'far.test:443 through proxy:3128'],
    ['far.test', 'far.test:443 through proxy:3128'],
    ['9.9.9.9:1', '9.9.9.9:1 through proxy:3128'],
    ['[fd00::1]:1', '[fd00::1]:1 through proxy:3128'],
    ['10.0.0.1:1', '10.0.0.1:1 directly'],
  ] as const
  for (const [target, expected] of rows) {
    t.strictSame(new Resolved(target, ENVIRONMENT).log, [expected], target)
  }
  t.end()
})

t.test('a dns target that needs none is', async (t) => {
  for (const [target, environment] of [
    ['dns:///local.test:1', ENVIRONMENT],
    ['dns:///localhost:1', ENVIRONMENT],
    ['dns:///far.test:1', {}],
  ] as const) {
    const { log } = new Resolved(target, environment)
    await new Promise((resolve) => setImmediate(resolve))
    t.match(log, [/^UNAVAILABLE dns_lookup: .*asked$/], target)
  }
})

t.test('a name of a service is looked up: only its hosts can be connected to', async (t) => {
  const srv = createDnsResolver({
    srv: true,
    serviceConfig: false,
    lookup: () => ({
      addresses: () => Promise.resolve(['9.9.9.9']),
      srv: () => Promise.resolve([{ host: 'a.test', port: 7, priority: 0, weight: 0 }]),
      txt: () => Promise.resolve([]),
    }),
  })
  const { log } = new Resolved('dns:///_grpc._tcp.far.test', ENVIRONMENT, [srv])
  await new Promise((resolve) => setImmediate(resolve))
  t.strictSame(log, ['9.9.9.9:7 through proxy:3128'])
})

t.test('what another resolver tells goes through the proxy address by address', (t) => {
  t.strictSame(new Resolved('passthrough:///far.test:1', ENVIRONMENT).log, [
    'far.test:1 through proxy:3128',
  ])
  t.strictSame(new Resolved('unix:/tmp/s', ENVIRONMENT).log, ['unix:/tmp/s directly'])
  const names = new ManualResolver('spec')
  const resolved = new Resolved('spec:x', ENVIRONMENT, [names])
  const attributes = { zone: 'a' }
  names.updateState({
    endpoints: [
      { addresses: [{ address: '9.9.9.9:1', attributes }], attributes },
      { addresses: [{ address: '10.0.0.1:1' }, { address: 'unix:s' }] },
    ],
    serviceConfig: { a: 1 },
  })
  t.strictSame(resolved.log, [
    '9.9.9.9:1 through proxy:3128',
    '10.0.0.1:1 directly',
    'unix:s directly',
  ])
  t.strictSame(resolved.states[0], {
    endpoints: [
      {
        addresses: [{ address: '9.9.9.9:1', attributes: { zone: 'a', proxy: PROXY } }],
        attributes,
      },
      { addresses: [{ address: '10.0.0.1:1' }, { address: 'unix:s' }] },
    ],
    serviceConfig: { a: 1 },
  })
  t.end()
})

t.test('an environment that names no proper proxy fails the calls that need it', (t) => {
  const environment = { https_proxy: 'https://u:secret@proxy' }
  t.throws(() => new Resolved('dns:///far.test', environment), /^proxy: got scheme https:/)
  t.match(new Resolved('passthrough:///far.test:1', environment).log, [
    /^UNAVAILABLE proxy: got scheme https:, want http.*port/,
  ])
  t.throws(() => dial('dns:///far.test', { proxy: 'ftp://x' }), /^proxy: got scheme ftp:/)
  t.end()
})

const Work = defineService('spec.Work', { once: unary(bytesCodec, bytesCodec) })
const octets = Buffer.from('x')

t.test('a channel through a proxy that knows the name', async (t) => {
  const server = new Server()
  server.register(Work, { once: (request) => request })
  const { port } = await server.listen('127.0.0.1:0')
  const proxy = await connectProxy(t, { hosts: { 'service.test': '127.0.0.1' } })
  const conn = dial(`dns:///service.test:${port}`, {
    proxy: `http://me:secret@127.0.0.1:${proxy.port}`,
    resolvers: [dnsAsked],
  })
  t.same(await conn.invoke(Work.methods.once, octets), octets)
  t.match(proxy.heads, [
    [`CONNECT service.test:${port} HTTP/1.1`, /^Host/, /^Proxy-Authorization: Basic bWU6c2VjcmV0$/],
  ])
  t.equal(conn.authority, `service.test:${port}`)
  conn.close()
  await server.stop()
})

t.test('a proxy that refuses: the call’s error says which, and what it answered', async (t) => {
  const proxy = await connectProxy(t, {
    answer: () => 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n',
  })
  const where = `127.0.0.1:${proxy.port}`
  const conn = dial('dns:///service.test:443', { proxy: where })
  await t.rejects(conn.invoke(Work.methods.once, octets), {
    code: 14,
    message: new RegExp(
      `could not connect: service.test:443: proxy_refused: the proxy ${where} answered "HTTP/1.1 407 `,
    ),
  } as never)
  conn.close()
})

t.test('proxy: false goes past the environment', async (t) => {
  const server = new Server()
  server.register(Work, { once: (request) => request })
  const { port } = await server.listen('127.0.0.1:0')
  t.equal(proxyChoice(false, ENVIRONMENT), undefined)
  const conn = dial(`127.0.0.1:${port}`, { proxy: false })
  t.same(await conn.invoke(Work.methods.once, octets), octets)
  conn.close()
  await server.stop()
})
