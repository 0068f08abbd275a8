// Which :path reaches a handler: the exact octets, and nothing that only looks like them.
import t from 'tap'
import type { Interceptor } from '../../../lib/grpc/call/interceptor.ts'
import { jsonCodec } from '../../../lib/grpc/protocol/codec.ts'
import { defineService, unary } from '../../../lib/grpc/protocol/method.ts'
import { RpcError } from '../../../lib/grpc/protocol/rpc-error.ts'
import { RegistrationError, Router } from '../../../lib/grpc/server/router.ts'
import { EchoBench } from '../../support/echo-service.ts'
import { rawCall } from '../../support/raw-call.ts'

const EXACT = '/spec.Echo/Unary'
const BODY = Buffer.from('\0\0\0\0\x02{}', 'latin1')

/** The client's own transport may refuse to send, or the server's to take: neither is a handler. */
const OTHERS: readonly string[] = [
  '',
  '/',
  '//',
  '*',
  'spec.Echo/Unary',
  '//spec.Echo/Unary',
  '/spec.Echo//Unary',
  '/spec.Echo/Unary/',
  '/spec.Echo/Unary//',
  '/spec.Echo/unary',
  '/spec.echo/Unary',
  '/SPEC.ECHO/UNARY',
  '/spec.Echo/Unar',
  '/spec.Echo/Unary2',
  '/spec.Echo',
  '/spec.Echo/',
  '/Unary',
  '/spec/Echo/Unary',
  '/spec.Echo.Unary',
  '/spec.Echo/Unary?x',
  '/spec.Echo/Unary?',
  '/spec.Echo/Unary#x',
  '/spec.Echo/Unary;x',
  '/spec.Echo%2fUnary',
  '/spec.Echo/%55nary',
  '/spec%2eEcho/Unary',
  '/./spec.Echo/Unary',
  '/spec.Echo/./Unary',
  '/x/../spec.Echo/Unary',
  '/spec.Echo/../spec.Echo/Unary',
  'http://spec/spec.Echo/Unary',
  'spec/spec.Echo/Unary',
  '/spec.Echo\\Unary',
  '\\spec.Echo\\Unary',
  '/spec.Echo/Unary ',
  ' /spec.Echo/Unary',
  '/spec.Echo/ Unary',
  '/spec.Echo/Unary\0',
  '/spec.Echo/Un\tary',
  '/spec.Echo/Unary\r\n',
  '/spec.Echo/constructor',
  '/spec.Echo/__proto__',
  '/__proto__/toString',
  '/constructor/prototype',
  '/spec.Echo/Ünary',
  `/spec.Echo/${'U'.repeat(5000)}`,
]

t.test(
  'of all these paths none reaches the handler, and an interceptor sees none as it',
  async (t) => {
    const seen = new Set<string>()
    let handled = 0
    const denying: Interceptor = (request, next) => {
      seen.add(request.call.method.path)
      return next(request)
    }
    const handlers = {
      unary: () => {
        handled++
        return {}
      },
    }
    const bench = new EchoBench(handlers, { server: { interceptors: [denying] } })
    for (const path of OTHERS) {
      // A connection of its own each: some of them are malformed HTTP.
      const client = await bench.rawClient()
      const { status, closed } = await rawCall(bench, client, { path, body: BODY })
      const name = JSON.stringify(path.slice(0, 40))
      t.ok(status === '12' || (status === undefined && closed.by !== 'end'), `${name}: ${status}`)
    }
    t.equal(handled, 0)
    t.equal(seen.size, 0)
    const client = await bench.rawClient()
    t.match(await rawCall(bench, client, { path: EXACT, body: BODY }), { status: '0' })
    t.equal(handled, 1)
    t.strictSame([...seen], [EXACT])
    await bench.assertQuiet(t)
  },
)

t.test('a rule that denies the exact path cannot be passed by', async (t) => {
  let handled = 0
  const denying: Interceptor = (request, next) => {
    if (request.call.method.path === EXACT) throw new RpcError(7)
    return next(request)
  }
  const bench = new EchoBench(
    {
      unary: () => {
        handled++
        return {}
      },
    },
    { server: { interceptors: [denying] } },
  )
  for (const path of [EXACT, ...OTHERS]) {
    const client = await bench.rawClient()
    const { status } = await rawCall(bench, client, { path, body: BODY })
    t.not(status, '0', JSON.stringify(path.slice(0, 40)))
  }
  t.equal(handled, 0)
  await bench.assertQuiet(t)
})

t.test('why there is no route', (t) => {
  const router = new Router()
  const note = jsonCodec<object>()
  router.register(defineService('a.B', { get: unary(note, note) }), { get: () => ({}) })
  const rows: [string, RegExp][] = [
    ['/a.B/Put', /unknown method Put for service a\.B/],
    ['/a.C/Get', /unknown service a\.C/],
    ['a.B/Get', /malformed method name: "a\.B\/Get"/],
    ['/', /malformed method name/],
    ['', /malformed method name/],
  ]
  for (const [path, text] of rows) {
    t.equal(router.lookup(path), undefined)
    t.match(router.missing(path), { code: 12, message: text }, path)
  }
  t.equal(router.lookup('/a.B/Get')?.method.name, 'get')
  t.end()
})

t.test('a service that cannot be registered leaves nothing behind', (t) => {
  const router = new Router()
  const note = jsonCodec<object>()
  const service = defineService('a.B', { get: unary(note, note), put: unary(note, note) })
  const errors: [object, string][] = [
    [{}, 'handler_missing'],
    [{ get: () => ({}) }, 'handler_missing'],
    [{ get: () => ({}), put: 5 }, 'handler_missing'],
  ]
  for (const [handlers, token] of errors) {
    t.throws(() => router.register(service, handlers), { token } as never)
  }
  t.equal(router.lookup('/a.B/Get'), undefined)
  router.register(service, { get: () => ({}), put: () => ({}) })
  t.throws(() => router.register(service, { get: () => ({}), put: () => ({}) }), {
    token: 'register_twice',
  } as never)
  router.freeze()
  const other = defineService('a.C', {})
  t.throws(() => router.register(other, {}), { token: 'register_late' } as never)
  t.ok(new RegistrationError('x', 'y') instanceof Error)
  t.end()
})

t.test('handlers are called as methods of the object that has them', async (t) => {
  const { Echo } = await import('../../support/echo-service.ts')
  class Service {
    private readonly text = 'mine'
    public unary(): { text: string } {
      return { text: this.text }
    }
    public list(): never[] {
      return []
    }
    public async sum(): Promise<object> {
      return {}
    }
    public chat(): never[] {
      return []
    }
  }
  const { RpcBench } = await import('../../support/rpc-bench.ts')
  const bench = new RpcBench()
  bench.server.register(Echo, new Service())
  t.strictSame(await bench.run(bench.conn.invoke(Echo.methods.unary, {})), { text: 'mine' })
  await bench.assertQuiet(t)
})
