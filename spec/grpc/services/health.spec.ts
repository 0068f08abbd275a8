import t, { type Test } from 'tap'
import { createClient, dial, Server } from '../../../lib/grpc/index.ts'
import { addHealth, Health, loadHealthService } from '../../../lib/grpc/services/health.ts'

async function serve(t: Test) {
  const server = new Server()
  const health = await addHealth(server)
  const { port } = await server.listen('127.0.0.1:0')
  const conn = dial(`127.0.0.1:${port}`)
  t.teardown(async () => {
    conn.close()
    await server.stop()
  })
  return { server, health, client: createClient(await loadHealthService(), conn) }
}

t.test('a server is SERVING from the start, other services are not known', async (t) => {
  const { health, client } = await serve(t)
  t.strictSame(await client.check({ service: '' }), { status: 'SERVING' })
  await t.rejects(client.check({ service: 'a.B' }), { code: 5 } as never)
  health.setStatus('a.B', 'NOT_SERVING')
  t.strictSame(await client.check({ service: 'a.B' }), { status: 'NOT_SERVING' })
})

t.test(
  'watch tells the status at once, and each change; equal ones are not told twice',
  async (t) => {
    const { health, client } = await serve(t)
    const watch = client.watch({ service: 'a.B' })[Symbol.asyncIterator]()
    t.same(await watch.next(), { done: false, value: { status: 'SERVICE_UNKNOWN' } })
    for (const status of ['SERVING', 'NOT_SERVING', 'SERVING'] as const) {
      const told = watch.next()
      health.setStatus('a.B', status)
      health.setStatus('a.B', status)
      t.same(await told, { done: false, value: { status } })
    }
    await watch.return?.()
  },
)

t.test('shutdown makes all NOT_SERVING for good, until resumed', async (t) => {
  const health = new Health()
  health.setStatus('a.B', 'SERVING')
  health.shutdown()
  health.setStatus('a.B', 'SERVING')
  t.equal(health.status('a.B'), 'NOT_SERVING')
  t.equal(health.status(''), 'NOT_SERVING')
  health.resume()
  t.equal(health.status('a.B'), 'SERVING')
})

t.test('a watch ends with its signal and leaves nothing behind', async (t) => {
  const health = new Health()
  const controller = new AbortController()
  const statuses = health.watch('', controller.signal)
  t.same(await statuses.next(), { done: false, value: 'SERVING' })
  const end = statuses.next()
  controller.abort()
  t.same(await end, { done: true, value: undefined })
})
