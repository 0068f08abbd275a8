// Invoke and NewClientStream: calls without a generated client, through interceptors or not.
import t from 'tap'
import type { Interceptor } from '../../lib/grpc/call/interceptor.ts'
import { Echo, EchoBench } from '../support/echo-service.ts'
import { collect } from '../support/rpc-bench.ts'

const { unary, list, sum, chat } = Echo.methods

t.test('invoke: one request, one response', async (t) => {
  const bench = new EchoBench()
  t.strictSame(await bench.run(bench.conn.invoke(unary, { text: 'hi' })), { text: 'hi' })
  await bench.assertQuiet(t)
})

const through: Interceptor = (request, next) => next(request)

t.test('newStream: any kind as a stream of messages, intercepted or not', async (t) => {
  for (const interceptors of [[], [through]]) {
    const bench = new EchoBench({}, { channel: { interceptors } })
    for (const [method, requests, responses] of [
      [unary, [{ n: 1 }], [{ n: 1 }]],
      [list, [{ n: 2 }], [{ n: 0 }, { n: 1 }]],
      [sum, [{ n: 1 }, { n: 2 }], [{ n: 3 }]],
      [chat, [{ n: 1 }, { n: 2 }], [{ n: 1 }, { n: 2 }]],
    ] as const) {
      const stream = bench.conn.newStream(method)
      for (const request of requests) await bench.run(stream.send(request))
      stream.end()
      t.strictSame(await collect(bench, stream), responses, method.name)
    }
    const empty = bench.conn.newStream(unary)
    empty.end()
    t.match(await bench.error(collect(bench, empty)), { code: 12 }, 'no request where one is due')
    await bench.assertQuiet(t)
  }
})

t.test('the chain of interceptors is around both, the first outermost', async (t) => {
  const log: string[] = []
  const named =
    (name: string): Interceptor =>
    (request, next) => {
      log.push(`${name} ${request.call.method.path}`)
      return next(request)
    }
  const bench = new EchoBench({}, { channel: { interceptors: [named('outer'), named('inner')] } })
  await bench.run(bench.conn.invoke(unary, {}))
  const stream = bench.conn.newStream(chat)
  stream.end()
  await collect(bench, stream)
  t.strictSame(log, [
    'outer /spec.Echo/Unary',
    'inner /spec.Echo/Unary',
    'outer /spec.Echo/Chat',
    'inner /spec.Echo/Chat',
  ])
  await bench.assertQuiet(t)
})

t.test('options: those of the channel, of the client, of the call', async (t) => {
  const seen: (number | undefined)[] = []
  const bench: EchoBench = new EchoBench(
    {
      unary(request, call) {
        seen.push(call.deadline && call.deadline.getTime() - bench.clock.wallMs())
        return request
      },
    },
    { channel: { callOptions: { timeoutMs: 3000 } } },
    { timeoutMs: 2000 },
  )
  await bench.run(bench.conn.invoke(unary, {}))
  await bench.run(bench.client.unary({}))
  await bench.run(bench.client.unary({}, { timeoutMs: 1000 }))
  t.strictSame(seen, [3000, 2000, 1000])
  await bench.assertQuiet(t)
})
