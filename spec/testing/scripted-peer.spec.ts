// The tools that specs of connections are written with.
import { PassThrough } from 'node:stream'
import t from 'tap'
import {
  assertGone,
  assertQuiet,
  MemoryWire,
  ScriptedPeer,
  ScriptedSocket,
  Simulation,
} from '../../lib/testing/index.ts'
import { RecordingStream } from '../support/recording-stream.ts'
import { ClientBench, REQUEST, ServerBench } from '../support/transport-bench.ts'
import { WireRecorder } from '../support/wire-recorder.ts'

t.test('a scripted peer', (t) => {
  t.test('writes any frame and any octets', (t) => {
    const wire = new MemoryWire()
    const recorder = new WireRecorder()
    wire.start(recorder)
    const peer = ScriptedPeer.onWire(wire, 'client')
    peer.send('00 00 01 00', Buffer.of(0xff), '00000001 7a')
    t.equal(recorder.received.toString('hex'), '00000100ff000000017a')
    const frames = [
      [peer.data(3, 'a', { endStream: true, padLength: 1 }), '0000030009000000030161 00'],
      [
        peer.headers(1, Buffer.of(0x82), { dependsOn: 5, endHeaders: false }),
        '00000601200000000100000005 0f82',
      ],
      [peer.priority(1, 2), '0000050200000000010000000 20f'],
      [peer.rstStream(1, 8), '00000403000000000100000008'],
      [peer.windowUpdate(0, 9), '00000408000000000000000009'],
      [peer.goAway(1, 2, '!'), '0000090700000000000000000100000002 21'],
      [peer.ping(), '0000080600000000000001020304050607'],
      [peer.settingsAck(), '000000040100000000'],
      [peer.continuation(1, Buffer.of(0x82)), '000001090400000001 82'],
    ] as const
    for (const [frame, hex] of frames) t.equal(frame.toString('hex'), hex.replaceAll(' ', ''))
    t.end()
  })

  t.test('shows what it got and what it wanted', (t) => {
    const bench = new ServerBench()
    t.throws(() => bench.peer.expect('SETTINGS', /^GOAWAY/), {
      message:
        /^unexpected_frames\n {2}got:\n {4}SETTINGS .*\n {4}WINDOW_UPDATE .*\n {2}want:\n {4}SETTINGS\n {4}\/\^GOAWAY\/$/,
    })
    t.throws(() => bench.peer.expect('PING'), { message: /got: nothing/ })
    bench.peer.expect()
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('a scripted socket waits for lines and for the end', async (t) => {
  const socket = new PassThrough()
  const peer = new ScriptedSocket(socket, 'server')
  const found = peer.until(/PING/)
  // What it writes it reads back: the far side of a pass-through is itself.
  peer.send(peer.settings(), peer.ping())
  t.strictSame(await found, [
    'SETTINGS stream=0 length=0',
    'PING stream=0 length=8 0001020304050607',
  ])
  const never = peer.until('GOAWAY')
  peer.destroy()
  await t.rejects(never, { message: /^socket_closed: no GOAWAY/ })
  await peer.closed
})

t.test('assertQuiet names what is left', (t) => {
  const server = ServerBench.ready({}, { streams: { takes: false } })
  server.peer.send(server.peer.headers(1, REQUEST), server.peer.data(1, 'hello'))
  t.throws(() => assertQuiet(server.transport), {
    message: 'not_quiet: left are 1 streams, 1 streams in the table, 5 received octets',
  })
  t.throws(() => assertGone(server.transport, server.wire, server.clock), { message: /^not_quiet/ })
  server.finish()
  const client = ClientBench.ready({}, { settings: [[0x4, 0]] })
  client.open().stream.data(Buffer.alloc(7), 0, 7, true)
  t.throws(() => assertQuiet(client.transport), {
    message:
      /^not_quiet: left are 1 streams, 1 streams in the table, 7 queued octets, \d+ octets not/,
  })
  client.finish()
  const open = ServerBench.ready()
  t.throws(() => assertGone(open.transport, open.wire, open.clock), {
    message: 'not_quiet: left are a wire that is open, a listener on the wire, 1 timers',
  })
  open.finish()
  t.end()
})

t.test('a simulation runs both ends on one clock', (t) => {
  const served: RecordingStream[] = []
  const simulation = new Simulation({
    server: {
      onStream: (stream) => {
        const recording = new RecordingStream()
        recording.stream = stream
        served.push(recording)
        stream.headers([':status', '200'], true)
        return recording
      },
    },
    line: { latencyMs: 10 },
  })
  t.ok(simulation.step())
  t.notOk(simulation.client.canOpen)
  simulation.advance(20)
  t.ok(simulation.client.canOpen)
  t.equal(simulation.clock.nowMs(), 20)
  const call = new RecordingStream()
  call.stream = simulation.client.openStream(REQUEST, call, undefined, true)
  t.ok(simulation.drive() > 0)
  t.equal(call.closedTimes, 0)
  t.throws(() => simulation.assertQuiet(), { message: /^not_quiet/ })
  simulation.advance(20)
  t.equal(call.closedBy?.by, 'end')
  t.equal(served.length, 1)
  simulation.assertQuiet()
  simulation.close()
  t.end()
})
