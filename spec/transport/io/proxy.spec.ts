import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import t, { type Test } from 'tap'
import { systemClock } from '../../../lib/base/clock.ts'
import { FakeClock } from '../../../lib/testing/index.ts'
import { connect, Http2Server, handleRequests, request } from '../../../lib/transport/index.ts'
import {
  type HttpProxy,
  openTunnel,
  ProxyError,
  parseProxy,
  type TunnelOptions,
} from '../../../lib/transport/io/proxy.ts'
import { proxyFromEnvironment } from '../../../lib/transport/io/proxy-rules.ts'
import { ca, serverIdentity } from '../../support/certs.ts'
import { connectProxy } from '../../support/connect-proxy.ts'
import { handlesBackTo, openHandles } from '../../support/handles.ts'

const TARGET = { host: 'target.test', port: 443 }
const HOSTS = { 'target.test': '127.0.0.1' }

t.test('a proxy’s URL', (t) => {
  const rows: readonly (readonly [string, HttpProxy])[] = [
    ['http://proxy:3128', { host: 'proxy', port: 3128 }],
    ['proxy:3128', { host: 'proxy', port: 3128 }],
    ['http://proxy', { host: 'proxy', port: 80 }],
    ['HTTP://proxy:80/', { host: 'proxy', port: 80 }],
    ['http://[::1]:8080', { host: '::1', port: 8080 }],
    ['http://u:p%40ss@proxy:1', { host: 'proxy', port: 1, username: 'u', password: 'p@ss' }],
    ['u@proxy:1', { host: 'proxy', port: 1, username: 'u', password: '' }],
  ]
  for (const [text, expected] of rows) t.strictSame(parseProxy(text), expected, text)
  for (const text of [
    '',
    'https://u:secret@proxy:1',
    'socks5://u:secret@x',
    'http://',
    'a b:secret@',
  ]) {
    t.throws(() => parseProxy(text), /^(?!.*secret)proxy: got .*, want http/)
  }
  t.end()
})

t.test('which targets the environment sends through a proxy', (t) => {
  const excluded: readonly (readonly [noProxy: string, without: string[], through: string[]])[] = [
    ['', ['localhost:1', '127.0.0.1:1', '127.9.9.9:1', '::1:1'], ['a.test:443', '10.0.0.1:1']],
    ['*', ['a.test:1', '8.8.8.8:1'], []],
    ['foo.test', ['foo.test:1', 'FOO.test:1', 'x.foo.test:1'], ['xfoo.test:1', 'foo.test.org:1']],
    ['.foo.test', ['x.foo.test:1', 'y.x.foo.test:1'], ['foo.test:1']],
    ['*.foo.test', ['x.foo.test:1'], ['foo.test:1']],
    ['foo.test:80', ['foo.test:80', 'x.foo.test:80'], ['foo.test:81']],
    [' a.test , b.test,', ['a.test:1', 'b.test:1'], ['c.test:1']],
    ['10.1.2.3', ['10.1.2.3:1', '::ffff:10.1.2.3:1'], ['10.1.2.4:1']],
    ['10.1.2.3:80', ['10.1.2.3:80'], ['10.1.2.3:81']],
    ['10.1.2.3/8', ['10.9.9.9:1'], ['11.1.2.3:1', 'ten.test:1']],
    ['fd00::/8', ['fd12::1:1'], ['fe80::1:1']],
    ['[fd00::1]:80', ['fd00::1:80'], ['fd00::1:81', 'fd00::2:80']],
    ['fd00::1', ['fd00::1:81'], []],
    ['10.0.0.0/99, 1.2.3/8, [::1, :80', [], ['10.0.0.1:80']],
    ['bücher.test', ['xn--bcher-kva.test:1', 'Bücher.test:1'], []],
  ]
  for (const [noProxy, without, through] of excluded) {
    const choose = proxyFromEnvironment({ https_proxy: 'proxy:1', no_proxy: noProxy })
    for (const [texts, isThrough] of [
      [without, false],
      [through, true],
    ] as const) {
      for (const text of texts) {
        const [, host = '', port] = /^(.*):(\d+)$/.exec(text) ?? []
        const chosen = choose({ host, port: Number(port) })
        t.equal(chosen !== undefined, isThrough, `no_proxy=${noProxy} ${text}`)
      }
    }
  }
  t.end()
})

t.test('which variables count', (t) => {
  const host = (environment: Parameters<typeof proxyFromEnvironment>[0]): string | undefined =>
    proxyFromEnvironment(environment)(TARGET)?.host
  t.equal(host({}), undefined)
  t.equal(host({ HTTPS_PROXY: 'upper:1' }), 'upper')
  t.equal(host({ HTTPS_PROXY: 'upper:1', https_proxy: 'lower:1' }), 'lower')
  t.equal(host({ HTTPS_PROXY: 'upper:1', https_proxy: '' }), 'upper')
  t.equal(host({ HTTPS_PROXY: 'upper:1', NO_PROXY: 'target.test' }), undefined)
  t.equal(host({ HTTPS_PROXY: 'upper:1', NO_PROXY: '*', no_proxy: 'x' }), 'upper')
  t.equal(host({ http_proxy: 'plain:1' } as never), undefined)
  const choose = proxyFromEnvironment({ https_proxy: 'ftp://x', no_proxy: 'a.test' })
  t.equal(choose({ host: 'a.test', port: 1 }), undefined, 'a proxy that is not needed may be wrong')
  t.throws(() => choose(TARGET), /proxy: got scheme ftp:/)
  const good = proxyFromEnvironment({ https_proxy: 'proxy:1' })
  t.equal(good(TARGET), good({ host: 'other', port: 2 }), 'one object for one proxy')
  t.end()
})

/** An HTTP/2 server that answers with the request's authority. */
async function origin(t: Test, isSecure = false): Promise<number> {
  const server = new Http2Server({
    onStream: handleRequests(() => ({ status: 200, body: 'hello' })),
  })
  const tls = isSecure ? { tls: serverIdentity } : {}
  const { address } = await server.listen({ host: '127.0.0.1', port: 0 }, tls)
  t.teardown(() => server.close())
  return (address as { port: number }).port
}

t.test('HTTP/2 through a proxy, in plain text and with TLS', async (t) => {
  const proxy = await connectProxy(t, { hosts: { localhost: '127.0.0.1' } })
  for (const isSecure of [false, true]) {
    const port = await origin(t, isSecure)
    const transport = await connect(`localhost:${port}`, {
      proxy: { host: '127.0.0.1', port: proxy.port, username: 'üser', password: 'p:w' },
      ...(isSecure ? { tls: { ca } } : {}),
    })
    t.equal(transport.peer.address, `localhost:${port}`, 'the peer is the target')
    const response = await request(transport, { path: '/', authority: 'x' })
    t.equal(await response.body.text(), 'hello')
    t.strictSame(proxy.heads.pop(), [
      `CONNECT localhost:${port} HTTP/1.1`,
      `Host: localhost:${port}`,
      `Proxy-Authorization: Basic ${Buffer.from('üser:p:w').toString('base64')}`,
    ])
    transport.close()
  }
})

function tunnel(port: number, options: Partial<TunnelOptions> = {}) {
  return openTunnel({ host: '127.0.0.1', port }, TARGET, {
    clock: systemClock,
    timeoutMs: 10_000,
    ...options,
  })
}

t.test('what a proxy may answer', async (t) => {
  const greeter = createServer((socket) => socket.end())
  await new Promise<void>((resolve) => greeter.listen(0, '127.0.0.1', resolve))
  t.teardown(() => greeter.close())
  const { port } = greeter.address() as AddressInfo
  const target = { host: 'target.test', port }
  for (const head of [
    'HTTP/1.0 200 OK\r\n\r\n',
    'HTTP/1.1 200 OK\r\nVia: x\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 \r\n\r\n',
  ]) {
    const proxy = await connectProxy(t, { hosts: HOSTS, answer: () => `${head}first octets` })
    const socket = await openTunnel({ host: '127.0.0.1', port: proxy.port }, target, {
      clock: systemClock,
      timeoutMs: 10_000,
    })
    t.strictSame(proxy.heads, [
      [`CONNECT target.test:${port} HTTP/1.1`, `Host: target.test:${port}`],
    ])
    let text = ''
    for await (const chunk of socket) text += chunk
    t.equal(text, 'first octets', 'what follows the head is the target’s')
  }
})

t.test('a proxy that makes no tunnel: a typed error, and nothing left open', async (t) => {
  const rows: readonly (readonly [answer: string, token: string, message: RegExp])[] = [
    [
      'HTTP/1.1 407 Proxy Authentication Required\r\n\r\nwhy',
      'proxy_refused',
      /answered "HTTP\/1.1 407 Proxy Authentication Required", want 2xx$/,
    ],
    ['HTTP/1.1 503\r\n\r\n', 'proxy_refused', /"HTTP\/1.1 503"/],
    ['SSH-2.0-x\x1b[1m\r\n\r\n', 'proxy_malformed_answer', /"SSH-2.0-x.\[1m", want HTTP/],
    ['HTTP/2 502 no\r\n\r\n', 'proxy_malformed_answer', /"HTTP\/2 502 no"/],
    [`HTTP/1.1 302 no\r\nA: ${'a'.repeat(20_000)}`, 'proxy_head_too_large', /over 16384 octets/],
    ['HTTP/1.1 302 no\r\n', 'proxy_closed', /closed the connection before it answered/],
    ['', 'proxy_closed', /closed/],
  ]
  const handles = openHandles()
  for (const [answer, token, message] of rows) {
    const proxy = await connectProxy(t, { answer: () => answer })
    const error = (await tunnel(proxy.port).catch((thrown) => thrown)) as Error
    t.match(error, { name: 'TransportClosed', address: 'target.test:443' })
    t.match(error.message, message)
    const cause = error.cause as ProxyError
    t.type(cause, ProxyError)
    t.match(cause, { token, proxyAddress: `127.0.0.1:${proxy.port}` })
    t.equal(cause.statusLine === undefined, !/refused|answer$/.test(token))
    proxy.close()
  }
  await handlesBackTo(handles)
})

t.test('a real proxy that knows no CONNECT', async (t) => {
  const server = createHttpServer((_request, response) => response.end('web'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  await t.rejects(tunnel(port), /proxy_closed/)
})

t.test('nobody is there, or nobody answers in time', async (t) => {
  const mute = await connectProxy(t, { answer: () => undefined })
  await t.rejects(tunnel(1), { message: /proxy_failed: .*ECONNREFUSED/, cause: { cause: Error } })
  const clock = new FakeClock()
  const waiting = tunnel(mute.port, { clock, timeoutMs: 500 })
  clock.advance(499)
  clock.advance(1)
  await t.rejects(waiting, /^target.test:443: proxy_timeout: .* within 500 ms$/)
  t.equal(clock.pending, 0)
})

t.test('an attempt that is not wanted any more', async (t) => {
  const mute = await connectProxy(t, { answer: () => undefined })
  const reason = new Error('enough')
  const controller = new AbortController()
  const clock = new FakeClock()
  const waiting = tunnel(mute.port, { clock, signal: controller.signal })
  controller.abort(reason)
  await t.rejects(waiting, { message: /connect_aborted/, cause: reason })
  const late = tunnel(mute.port, { clock, signal: AbortSignal.abort(reason) })
  await t.rejects(late, { cause: reason })
  t.equal(clock.pending, 0)
})

t.test('one deadline for the proxy, TLS and SETTINGS', async (t) => {
  const silentTls = createTlsServer({ ...serverIdentity, ALPNProtocols: ['h2'] }, (socket) => {
    socket.on('error', () => {})
  })
  const silent = createServer((socket) => socket.on('error', () => {}))
  for (const server of [silentTls, silent]) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => server.close())
  }
  const proxy = await connectProxy(t, { hosts: { localhost: '127.0.0.1' } })
  const stages = [
    ['no SETTINGS over TLS', silentTls, /handshake|SETTINGS/],
    ['no TLS', silent, /connect_timeout/],
  ] as const
  for (const [name, server, message] of stages) {
    const { port } = server.address() as AddressInfo
    const startMs = systemClock.nowMs()
    await t.rejects(
      connect(`localhost:${port}`, {
        proxy: { host: '127.0.0.1', port: proxy.port },
        tls: { ca },
        connectTimeoutMs: 300,
        closeGraceMs: 0,
      }),
      message,
      name,
    )
    const tookMs = systemClock.nowMs() - startMs
    t.ok(tookMs >= 299 && tookMs < 5000, `${tookMs}`)
  }
  proxy.close()
})

t.test('a host that would end the request line is refused', async (t) => {
  for (const host of ['a b', 'a\r\nX: y', '']) {
    const opening = openTunnel(
      { host: '127.0.0.1', port: 1 },
      { host, port: 1 },
      {
        clock: new FakeClock(),
        timeoutMs: 1000,
      },
    )
    await t.rejects(opening, { token: 'proxy_target_malformed' } as never)
  }
  const proxy = await connectProxy(t, { answer: () => 'HTTP/1.1 403 no\r\n\r\n' })
  const asked = openTunnel(
    { host: '127.0.0.1', port: proxy.port },
    { host: 'bücher.test', port: 1 },
    {
      clock: systemClock,
      timeoutMs: 1000,
    },
  )
  await t.rejects(asked)
  const other = openTunnel(
    { host: '127.0.0.1', port: proxy.port },
    { host: 'fd00::1', port: 1 },
    {
      clock: systemClock,
      timeoutMs: 1000,
    },
  )
  await t.rejects(other)
  t.strictSame(
    proxy.heads.map(([line]) => line),
    ['CONNECT xn--bcher-kva.test:1 HTTP/1.1', 'CONNECT [fd00::1]:1 HTTP/1.1'],
  )
})
