// A connection and its three tasks: the reader, the loopy writer, keepalive; and activeStreams, which
// they share. When it is closed nothing of them is left.
import t from 'tap'
import { EchoBench } from '../support/echo-service.ts'

t.test('the reader fills activeStreams, the writer empties it', async (t) => {
  const answers: (() => void)[] = []
  const bench = new EchoBench({
    unary: (request) =>
      new Promise((resolve) => {
        answers.push(() => resolve(request))
      }),
  })
  const calls = [1, 2, 3].map((n) => bench.client.unary({ n }))
  await bench.settle()
  const [client] = bench.transports
  const [server] = bench.server.connections
  t.equal(client?.openStreams, 3)
  t.equal(server?.openStreams, 3)
  answers[1]?.()
  t.strictSame(await bench.run(calls[1] as Promise<unknown>), { n: 2 })
  await bench.settle()
  t.equal(client?.openStreams, 2)
  t.equal(server?.openStreams, 2)
  answers[0]?.()
  answers[2]?.()
  await bench.run(Promise.all(calls))
  await bench.settle()
  t.equal(bench.openStreams, 0)
  await bench.assertQuiet(t)
})

t.test(
  'the reader runs on what arrives, the writer on what is asked for, keepalive on time',
  async (t) => {
    const keepalive = { timeMs: 10_000, timeoutMs: 1000 }
    const bench = new EchoBench({ unary: () => new Promise(() => {}) }, { channel: { keepalive } })
    const call = bench.error(bench.client.unary({}))
    await bench.settle()
    const { client, server } = bench.pairs[0] ?? t.fail('no connection')
    client.takeSent()
    server.takeSent()
    await bench.advance(9999)
    t.equal(client.takeSent().length, 0, 'an open call alone sends nothing')
    await bench.advance(1)
    const ping = 17
    t.equal(client.takeSent().length, ping, 'keepalive: a PING')
    t.equal(server.takeSent().length, ping, 'the reader had it answered by the writer')
    t.equal(client.flushRequested, undefined)
    bench.pairs[0]?.cut(new Error('gone'))
    t.match(await call, { code: 14, message: /gone/ })
    t.equal(client.listenerCount + server.listenerCount, 0, 'nobody listens to the wire')
    await bench.assertQuiet(t)
  },
)

t.test('a server that does not answer the PING is given up', async (t) => {
  const keepalive = { timeMs: 10_000, timeoutMs: 1000 }
  const bench = new EchoBench({ unary: () => new Promise(() => {}) }, { channel: { keepalive } })
  const failed = bench.error(bench.client.unary({}))
  await bench.settle()
  // What the server sends from here on is never delivered.
  const { client } = bench.pairs[0] ?? t.fail('no connection')
  client.pauseReading()
  await bench.advance(11_000)
  t.match(await failed, { code: 14, message: /keepalive ping failed/ })
  await bench.assertQuiet(t)
})

t.test('without a call keepalive sleeps', async (t) => {
  const keepalive = { timeMs: 10_000, timeoutMs: 1000 }
  const bench = new EchoBench({}, { channel: { keepalive, idleTimeoutMs: 0 } })
  await bench.run(bench.client.unary({}))
  await bench.settle()
  bench.pairs[0]?.client.takeSent()
  await bench.advance(60_000)
  t.equal(bench.pairs[0]?.client.takeSent().length, 0)
  await bench.assertQuiet(t)
})

t.test('however a connection ends, no timer, stream or listener stays', async (t) => {
  const ends: Record<string, (bench: EchoBench) => void> = {
    'the channel closes': (bench) => bench.conn.close(),
    'the server stops': (bench) => void bench.server.stop(),
    'the line breaks': (bench) => bench.pairs[0]?.cut(),
    'the client says nonsense': (bench) =>
      bench.pairs[0]?.server.deliver(Buffer.from('ffffffffffffffffff', 'hex')),
  }
  for (const [name, end] of Object.entries(ends)) {
    const bench = new EchoBench({ unary: () => new Promise(() => {}) })
    const failed = bench.error(bench.client.unary({}))
    await bench.settle()
    end(bench)
    t.match(await failed, { code: 14 }, name)
    await bench.advance(2000)
    const { client, server } = bench.pairs[0] ?? t.fail('no connection')
    t.equal(client.listenerCount + server.listenerCount, 0, name)
    await bench.assertQuiet(t)
  }
})
