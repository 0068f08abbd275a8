// What servers and lines do to calls that are under way, and how little of it their callers see.
import { type AddressInfo, createServer } from 'node:net'
import t from 'tap'
import {
  bytesCodec,
  defineService,
  dial,
  RpcError,
  Server,
  type ServerOptions,
  unary,
} from '../../../lib/grpc/index.ts'
import { ErrorCode, Http2Server, type Stream } from '../../../lib/transport/index.ts'
import { RpcBench } from '../../support/rpc-bench.ts'

const Work = defineService('spec.Work', { once: unary(bytesCodec, bytesCodec) })
const octets = Buffer.from('x')

/** As many callers as that make calls one after the other; what they got. */
async function load(
  port: number,
  callers: number,
  callsEach: number,
): Promise<{ errors: unknown[]; calls: number }> {
  const conn = dial(`127.0.0.1:${port}`)
  const errors: unknown[] = []
  let calls = 0
  const caller = async (): Promise<void> => {
    for (let n = 0; n < callsEach; n++) {
      const metadata = { call: String(calls++) }
      await conn
        .invoke(Work.methods.once, octets, { metadata })
        .catch((error) => errors.push(error))
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  conn.close()
  return { errors, calls }
}

t.test('a server that goes away over and over, under load: no call fails', async (t) => {
  let handled = 0
  const server = new Server()
  server.register(Work, {
    once: async (request) => {
      if (++handled % 250 === 0) for (const connection of server.connections) connection.drain()
      await new Promise((resolve) => setImmediate(resolve))
      return request
    },
  })
  const seen = new Set<unknown>()
  const { port } = await server.listen('127.0.0.1:0')
  const watch = setInterval(() => {
    for (const each of server.connections) seen.add(each)
  }, 1)
  const { errors, calls } = await load(port, 64, 50)
  clearInterval(watch)
  t.strictSame(errors, [])
  t.equal(handled, calls, 'each call was handled once')
  t.ok(seen.size > 5, `${seen.size} connections`)
  await server.stop()
})

t.test('a server that refuses half of the calls at first, under load: no call fails', async (t) => {
  const refused = new Set<string>()
  const answer = (stream: Stream): void => {
    stream.headers([':status', '200', 'content-type', 'application/grpc'], false)
    stream.data(Buffer.alloc(5), 0, 5, false)
    stream.trailers(['grpc-status', '0'])
  }
  const server = new Http2Server({
    onStream: (stream, { fields }) => {
      const call = fields[fields.indexOf('call') + 1] as string
      const isFirst = Number(call) % 2 === 0 && !refused.has(call)
      if (isFirst) {
        refused.add(call)
        stream.reset(ErrorCode.REFUSED_STREAM, 'spec')
      } else answer(stream)
      return { onHeaders() {}, onData() {}, onEnd() {}, onWritable() {}, onClosed() {} }
    },
  })
  const { address } = await server.listen({ host: '127.0.0.1', port: 0 })
  const { errors, calls } = await load((address as { port: number }).port, 64, 30)
  t.strictSame(errors, [])
  t.equal(refused.size, calls / 2)
  await server.close()
})

t.test('too_many_pings: the next connection pings half as often', async (t) => {
  const server: ServerOptions = { minPingIntervalMs: 15_000, permitPingWithoutStream: true }
  const bench = new RpcBench({
    server,
    channel: { keepalive: { timeMs: 10_000, permitWithoutStream: true } },
  })
  const startsMs: number[] = []
  bench.conn.onStateChange((state) => {
    if (state === 'READY') startsMs.push(bench.clock.nowMs())
    if (state === 'IDLE') bench.conn.connect()
  })
  bench.conn.connect()
  await bench.advance(200_000)
  t.equal(startsMs.length, 2, 'the second one keeps to what the server permits')
  t.equal(startsMs[1], 40_000, 'the third strike, at pings 10 s apart')
  t.equal(bench.conn.getState(), 'READY')
  await bench.assertQuiet(t)
})

t.test('errors tell the address, the attempts and what failed last', async (t) => {
  const closed = createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  const { port } = closed.address() as AddressInfo
  await new Promise((resolve) => closed.close(resolve))
  const conn = dial(`127.0.0.1:${port}`, { backoff: { baseMs: 1, maxMs: 1 } })
  const error = await conn.invoke(Work.methods.once, octets).catch((thrown) => thrown)
  t.type(error, RpcError)
  t.match(error, {
    code: 14,
    method: '/spec.Work/Once',
    attempts: 0,
    message: new RegExp(`could not connect: 127.0.0.1:${port}: .*ECONNREFUSED`),
  })
  const patient = { waitForReady: true, timeoutMs: 100 }
  const late = await conn.invoke(Work.methods.once, octets, patient).catch((thrown) => thrown)
  t.match(late, {
    code: 4,
    message: new RegExp(`latest failure: .*127.0.0.1:${port}.*ECONNREFUSED.*\\(attempt \\d+\\)`),
  })
  conn.close()
})
