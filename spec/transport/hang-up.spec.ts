// A peer that hangs up after each single octet of an exchange: whatever it breaks off, nothing is
// thrown, every stream ends once, and no stream, timer, listener or handle is left.
import { connect as connectSocket, createServer, type Socket } from 'node:net'
import t from 'tap'
import { ErrorCode, Setting } from '../../lib/frame/index.ts'
import { MemoryWire, ScriptedPeer } from '../../lib/testing/index.ts'
import {
  type ClientTransport,
  connect,
  Http2Server,
  TransportClosed,
} from '../../lib/transport/index.ts'
import { handlesBackTo, openHandles } from '../support/handles.ts'
import { RecordingStream } from '../support/recording-stream.ts'
import { ClientBench, REQUEST, RESPONSE, ServerBench } from '../support/transport-bench.ts'

/** A peer that only makes octets. */
const writer = (role: 'client' | 'server'): ScriptedPeer =>
  ScriptedPeer.onWire(new MemoryWire(), role)

/** What a client sends: requests of every shape, control frames, a reset, a fault, an end. */
function clientScript(): Buffer {
  const peer = writer('client')
  const split = peer.block([...REQUEST, 'x-split', 'value'])
  return Buffer.concat([
    peer.preface(),
    peer.settings([[Setting.INITIAL_WINDOW_SIZE, 20]]),
    peer.settingsAck(),
    peer.headers(1, split.subarray(0, 5), { endHeaders: false }),
    peer.continuation(1, split.subarray(5)),
    peer.data(1, 'hello', { padLength: 4 }),
    peer.headers(3, REQUEST, { endStream: true, padLength: 2, dependsOn: 1 }),
    peer.data(1, Buffer.alloc(40), { endStream: true }),
    peer.windowUpdate(1, 100),
    peer.headers(5, REQUEST),
    peer.headers(5, ['x', 'y'], { endStream: true }),
    peer.ping(),
    peer.headers(7, REQUEST),
    peer.rstStream(7, ErrorCode.CANCEL),
    peer.headers(9, [...REQUEST, 'Bad', 'name']),
    peer.headers(11, [...REQUEST, 'content-length', '9'], { endStream: true }),
    peer.frame(0x77, 0, 0, 'abcdef'),
    peer.goAway(0, ErrorCode.NO_ERROR, 'bye'),
  ])
}

/** What a server sends to a client with seven calls. */
function serverScript(): Buffer {
  const peer = writer('server')
  const split = peer.block([...RESPONSE, 'x-split', 'value'])
  return Buffer.concat([
    peer.settings([
      [Setting.MAX_CONCURRENT_STREAMS, 4],
      [Setting.INITIAL_WINDOW_SIZE, 20],
    ]),
    peer.settingsAck(),
    peer.headers(1, [':status', '103', 'link', '</a>']),
    peer.headers(1, split.subarray(0, 3), { endHeaders: false }),
    peer.continuation(1, split.subarray(3)),
    peer.data(1, 'hello', { padLength: 4 }),
    peer.headers(1, ['x', 'y'], { endStream: true }),
    peer.windowUpdate(0, 1000),
    peer.headers(3, RESPONSE, { endStream: true }),
    peer.rstStream(5, ErrorCode.REFUSED_STREAM),
    peer.headers(7, [...RESPONSE, 'Bad', 'name']),
    peer.ping(),
    peer.goAway(11, ErrorCode.NO_ERROR, 'bye'),
    peer.headers(9, RESPONSE),
    peer.data(9, Buffer.alloc(50), { endStream: true }),
  ])
}

type End = 'FIN' | 'cut'
const ends: readonly End[] = ['FIN', 'cut']

function hangUp(wire: MemoryWire, end: End): void {
  if (end === 'FIN') wire.deliverEnd()
  else wire.fail()
  wire.drive()
}

/** Answers each request with headers, data and trailers, some of it too much for the window. */
function answer({ stream }: RecordingStream): void {
  stream.headers(RESPONSE, false)
  stream.data(Buffer.alloc(30), 0, 30, false)
  stream.trailers(['x', 'y'])
}

t.test('the scripts are what they should be', (t) => {
  const server = new ServerBench()
  server.onStream = answer
  server.peer.take()
  server.wire.deliver(clientScript())
  t.equal(server.served.length, 4, 'and two malformed requests')
  t.notMatch(server.peer.take().join('\n'), /GOAWAY/)
  server.finish()
  const client = new ClientBench()
  const calls = Array.from({ length: 7 }, () => client.open(true))
  client.wire.deliver(serverScript())
  client.wire.drive()
  t.strictSame(
    calls.map(({ closedBy }) => closedBy?.by),
    ['end', 'end', 'reset', 'reset', 'end', undefined, 'goaway'],
  )
  client.finish()
  t.end()
})

t.test('a client that hangs up after each octet leaves nothing at a server', (t) => {
  const script = clientScript()
  for (let length = 0; length <= script.length; length++) {
    for (const end of ends) {
      for (const chunks of [1, 2]) {
        const bench = new ServerBench()
        bench.onStream = answer
        const cut = chunks === 1 ? 0 : length >> 1
        bench.wire.deliver(script.subarray(0, cut))
        if (length % 2 === 0) bench.wire.drive()
        bench.wire.deliver(script.subarray(cut, length))
        if (length % 3 === 0) bench.wire.drive()
        hangUp(bench.wire, end)
        bench.finish()
        const once = bench.served.every(({ closedTimes }) => closedTimes === 1)
        if (!once || bench.ended === undefined || !bench.isClosed) {
          t.fail(`${end} after ${length} octets: a stream or the connection did not end once`)
        }
      }
    }
  }
  t.pass(`${script.length} octets`)
  t.end()
})

t.test('a server that hangs up after each octet leaves nothing at a client', (t) => {
  const script = serverScript()
  for (let length = 0; length <= script.length; length++) {
    for (const end of ends) {
      const bench = new ClientBench()
      const calls = Array.from({ length: 7 }, (_, i) => bench.open(i % 2 === 0))
      for (const { stream } of calls) stream.data(Buffer.alloc(30), 0, 30, true)
      if (length % 2 === 0) bench.wire.drive()
      bench.wire.deliver(script.subarray(0, length))
      if (length % 3 === 0) bench.wire.drive()
      hangUp(bench.wire, end)
      bench.finish()
      const once = calls.every(({ closedTimes }) => closedTimes === 1)
      const ended = bench.events.filter((event) => event.startsWith('closed')).length
      if (!once || ended !== 1) {
        t.fail(`${end} after ${length} octets: a stream or the connection did not end once`)
      }
    }
  }
  t.pass(`${script.length} octets`)
  t.end()
})

t.test('a peer that hangs up while the grace of a GOAWAY runs', (t) => {
  for (const end of ends) {
    const bench = ServerBench.ready()
    bench.peer.send(bench.peer.headers(1, REQUEST), bench.peer.frame(0x6, 0, 0, '00'))
    bench.peer.expect(/^GOAWAY/)
    hangUp(bench.wire, end)
    bench.finish()
    t.ok(bench.isClosed)
  }
  t.end()
})

t.test('a wire that was broken before its connection began', (t) => {
  const bench = new ClientBench()
  bench.wire.fail()
  const call = bench.open()
  bench.wire.drive()
  t.equal(call.closedTimes, 1)
  t.equal(bench.open().closedBy?.processed, false)
  bench.finish()
  t.end()
})

/** Every `step`th length of a script, and its ends. */
function sample(script: Buffer, step: number): number[] {
  const lengths = [0, 1, 23, 24, script.length]
  for (let length = 2; length < script.length; length += step) lengths.push(length)
  return lengths
}

function drop(socket: Socket, end: End): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve())
    socket.on('error', () => {})
    socket.resume()
    if (end === 'FIN') socket.end()
    else socket.resetAndDestroy()
  })
}

t.test('over real sockets, at a server', async (t) => {
  const before = openHandles()
  const script = clientScript()
  const streams: RecordingStream[] = []
  const server = new Http2Server({
    onStream: (stream) => {
      const recording = new RecordingStream()
      recording.stream = stream
      streams.push(recording)
      queueMicrotask(() => answer(recording))
      return recording
    },
  })
  const { address } = await server.listen('127.0.0.1:0')
  const { port } = address as { port: number }
  for (const length of sample(script, 7)) {
    for (const end of ends) {
      const socket = connectSocket(port, '127.0.0.1')
      await new Promise((resolve) => socket.once('connect', resolve))
      await new Promise((resolve) => socket.write(script.subarray(0, length), resolve))
      await drop(socket, end)
    }
  }
  await server.closeGracefully(1000)
  t.equal(server.connections.length, 0)
  t.ok(streams.length > 0)
  t.ok(streams.every(({ closedTimes }) => closedTimes === 1))
  await handlesBackTo(before)
})

t.test('over real sockets, at a client', async (t) => {
  const before = openHandles()
  const script = serverScript()
  let next: [length: number, end: End] = [0, 'FIN']
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      const [length, end] = next
      socket.write(script.subarray(0, length), () => void drop(socket, end))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  for (const length of sample(script, 5)) {
    for (const end of ends) {
      next = [length, end]
      await attempt(port).catch((error: unknown) => t.type(error, TransportClosed))
    }
  }
  await new Promise((resolve) => server.close(resolve))
  await handlesBackTo(before)

  async function attempt(port: number): Promise<void> {
    let transport: ClientTransport | undefined
    const closed = new Promise<void>((resolve) => {
      connect(`127.0.0.1:${port}`, { listener: { onClosed: () => resolve() } }).then(
        (connected) => {
          transport = connected
          for (let i = 0; i < 3; i++) {
            const call = new RecordingStream()
            call.stream = connected.openStream(REQUEST, call, undefined, true)
            calls.push(call)
          }
        },
        () => resolve(),
      )
    })
    const calls: RecordingStream[] = []
    await closed
    transport?.close()
    t.ok(calls.every(({ closedTimes }) => closedTimes === 1))
  }
})
