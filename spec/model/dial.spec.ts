// Dial: blocking and not, and a channel that is asked to be ready.
import t from 'tap'
import { dial } from '../../lib/grpc/channel/client-conn.ts'
import { createClient } from '../../lib/grpc/client/client.ts'
import { Server } from '../../lib/grpc/server/server.ts'
import { Echo, EchoBench } from '../support/echo-service.ts'
import { handlesBackTo, openHandles } from '../support/handles.ts'

const handlers = { unary: () => ({ n: 1 }), list: () => [], sum: async () => ({}), chat: () => [] }

t.test('dial does no I/O until the first call', async (t) => {
  const conn = dial('dns:///nobody.invalid:1')
  t.equal(conn.getState(), 'IDLE')
  conn.close()
  t.equal(conn.getState(), 'SHUTDOWN')
})

t.test('a blocking dial gives a channel that is ready', async (t) => {
  const before = openHandles()
  const server = new Server().register(Echo, handlers)
  const { port } = await server.listen('127.0.0.1:0')
  const conn = await dial(`127.0.0.1:${port}`, { block: true, blockTimeoutMs: 5000 })
  t.equal(conn.getState(), 'READY')
  t.strictSame(await createClient(Echo, conn).unary({}), { n: 1 })
  conn.close()
  await server.stop()
  await handlesBackTo(before)
})

t.test('a blocking dial that fails says what failed, and leaves nothing', async (t) => {
  const before = openHandles()
  const server = new Server()
  const { port } = await server.listen('127.0.0.1:0')
  await server.stop()
  const dialled = dial(`127.0.0.1:${port}`, { block: true, blockTimeoutMs: 100 })
  await t.rejects(dialled, { code: 4, message: /ECONNREFUSED/ } as never)
  await handlesBackTo(before)
})

t.test('waitForReady waits failures out, and can be given up', async (t) => {
  let refusals = 3
  const bench = new EchoBench(
    {},
    { refuse: () => (refusals-- > 0 ? new Error('connection refused') : undefined) },
  )
  const ready = bench.conn.waitForReady({ timeoutMs: 60_000 })
  await bench.advance(10_000)
  await bench.run(ready)
  t.equal(bench.conn.getState(), 'READY')
  await bench.run(bench.conn.waitForReady())
  t.strictSame(await bench.run(bench.client.unary({ n: 1 })), { n: 1 })
  await bench.assertQuiet(t)

  const never = new EchoBench({}, { refuse: () => new Error('connection refused') })
  const late = never.error(never.conn.waitForReady({ timeoutMs: 500 }))
  await never.advance(600)
  t.match(await late, { code: 4, message: /connection refused/ })
  const abort = new AbortController()
  const aborted = never.error(never.conn.waitForReady({ signal: abort.signal }))
  await never.settle()
  abort.abort()
  t.match(await aborted, { code: 1 })
  await never.assertQuiet(t)
})

t.test('calls that wait for ready go out in order once there is a connection', async (t) => {
  let refusals = 1
  const order: (number | undefined)[] = []
  const bench = new EchoBench(
    {
      unary(request) {
        order.push(request.n)
        return request
      },
    },
    { refuse: () => (refusals-- > 0 ? new Error('not yet') : undefined) },
  )
  const calls = [1, 2, 3].map((n) => bench.client.unary({ n }, { waitForReady: true }))
  await bench.advance(3000)
  await bench.run(Promise.all(calls))
  t.strictSame(order, [1, 2, 3])
  await bench.assertQuiet(t)
})
