// Flow control from end to end: who is held back, which credit returns when, and how the windows grow.
import t from 'tap'
import { ErrorCode } from '../../../lib/frame/index.ts'
import { Simulation } from '../../../lib/testing/index.ts'
import type { Stream } from '../../../lib/transport/index.ts'
import { RecordingStream } from '../../support/recording-stream.ts'
import { ClientBench, REQUEST, RESPONSE, ServerBench } from '../../support/transport-bench.ts'

/** What an expected message is granted besides its own octets, in case it is padded. */
const PADDING = 256

/** What the peer's WINDOW_UPDATE frames gave, by stream. */
function granted(lines: readonly string[], id: number): number {
  return lines
    .filter((line) => line.startsWith(`WINDOW_UPDATE stream=${id} `))
    .reduce((sum, line) => sum + Number(line.split('+')[1]), 0)
}

const frames = (bytes: number): number[] => {
  const sizes = new Array<number>(Math.floor(bytes / 16_384)).fill(16_384)
  return bytes % 16_384 === 0 ? sizes : [...sizes, bytes % 16_384]
}

function sendData({ peer }: ServerBench | ClientBench, id: number, bytes: number): void {
  for (const size of frames(bytes)) peer.send(peer.data(id, Buffer.alloc(size)))
}

function serverWithStream(takes: boolean, options = {}): ServerBench {
  const bench = ServerBench.ready(options, { streams: { takes } })
  bench.peer.send(bench.peer.headers(1, REQUEST))
  return bench
}

t.test('a stream’s credit', (t) => {
  t.test('returns when the application takes the data, in quarters of the window', (t) => {
    const bench = serverWithStream(false)
    sendData(bench, 1, 65_535)
    t.equal(granted(bench.peer.take(), 1), 0, 'nothing was taken')
    const { stream } = bench.last
    stream.credit(16_382)
    bench.peer.expect()
    stream.credit(1)
    bench.peer.expect('WINDOW_UPDATE stream=1 length=4 +16383')
    stream.credit(100_000)
    bench.peer.expect('WINDOW_UPDATE stream=1 length=4 +49152')
    stream.reset(ErrorCode.CANCEL, 'done')
    bench.assertQuiet()
    bench.finish()
    t.end()
  })

  t.test('is not exceeded without an error of the stream', (t) => {
    const bench = serverWithStream(false)
    sendData(bench, 1, 65_535)
    bench.peer.send(bench.peer.data(1, ''))
    bench.peer.take()
    bench.peer.send(bench.peer.data(1, 'x'))
    bench.peer.expect('RST_STREAM stream=1 length=4 FLOW_CONTROL_ERROR')
    t.equal(
      bench.last.log.at(-1),
      'closed by=reset local FLOW_CONTROL_ERROR stream_window_exceeded',
    )
    bench.assertAlive()
    bench.assertQuiet()
    bench.finish()
    t.end()
  })

  t.test('of padding returns at once, its length octet included', (t) => {
    for (const padLength of [0, 1, 255]) {
      const bench = serverWithStream(false)
      bench.peer.take()
      for (let i = 0; i < 300; i++) bench.peer.send(bench.peer.data(1, '', { padLength }))
      t.equal(granted(bench.peer.take(), 1), 300 * (padLength + 1), `padding of ${padLength}`)
      t.equal(bench.last.dataBytes, 0)
      bench.last.stream.reset(ErrorCode.CANCEL, 'done')
      bench.assertQuiet()
      bench.finish()
    }
    t.end()
  })

  t.test('is not given back for a stream that has ended', (t) => {
    const bench = serverWithStream(false)
    sendData(bench, 1, 60_000)
    bench.peer.send(bench.peer.data(1, 'x', { endStream: true, padLength: 9 }))
    bench.peer.take()
    bench.last.stream.credit(60_001)
    bench.peer.expect()
    t.equal(bench.transport.load.heldBytes, 0)
    bench.finish()
    t.end()
  })

  t.test('covers a large message as soon as it is expected, once', (t) => {
    const bench = serverWithStream(false)
    const { stream } = bench.last
    sendData(bench, 1, 5)
    bench.peer.take()
    stream.expect(1_000_000)
    t.equal(granted(bench.peer.take(), 1), 1_000_000 + PADDING - 65_530)
    stream.expect(1_000_000)
    bench.peer.expect()
    for (let sent = 0; sent < 1_000_000; sent += 100_000) sendData(bench, 1, 100_000)
    t.equal(bench.last.dataBytes, 1_000_005)
    bench.peer.take()
    stream.credit(1_000_005)
    t.ok(granted(bench.peer.take(), 1) <= 65_535, 'back to the ordinary window')
    t.equal(stream.recvWindow.availableBytes, 65_535)
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('the connection’s credit', (t) => {
  t.test('returns on receipt, so that a slow reader starves no other stream', (t) => {
    const bench = ServerBench.ready(
      { initialConnectionWindowBytes: 100_000, growWindows: false },
      { streams: { takes: false } },
    )
    const { peer } = bench
    for (let id = 1; id < 21; id += 2) {
      peer.send(peer.headers(id, REQUEST))
      sendData(bench, id, 65_000)
    }
    t.notMatch(peer.take().join('\n'), /GOAWAY/)
    t.equal(bench.transport.load.heldBytes, 650_000)
    for (const { stream } of bench.served) stream.reset(ErrorCode.CANCEL, 'test')
    bench.assertQuiet()
    bench.finish()
    t.end()
  })

  t.test('is not exceeded without an error of the connection', (t) => {
    const bench = ClientBench.ready({
      initialConnectionWindowBytes: 65_535,
      initialStreamWindowBytes: 1_000_000,
      maxFrameBytes: 100_000,
    })
    bench.open(true)
    const { peer } = bench
    peer.send(peer.headers(1, RESPONSE), peer.data(1, Buffer.alloc(65_535)))
    t.notMatch(peer.take().join('\n'), /GOAWAY/)
    peer.send(peer.data(1, Buffer.alloc(65_536)))
    peer.expect(/^GOAWAY .* FLOW_CONTROL_ERROR "connection_window_exceeded: /)
    bench.finish()
    t.end()
  })

  const dead: Record<string, (bench: ServerBench) => void> = {
    'we reset': ({ last }) => last.stream.reset(ErrorCode.CANCEL, 'test'),
    'the peer reset': ({ peer }) => peer.send(peer.rstStream(1, 8)),
    'ended its half': ({ peer }) => peer.send(peer.data(1, '', { endStream: true })),
    'was refused': ({ peer, last }) => {
      last.stream.reset(ErrorCode.REFUSED_STREAM, 'test')
      peer.take()
    },
    'a final GOAWAY left out': (bench) => {
      bench.last.stream.reset(ErrorCode.CANCEL, 'test')
      bench.peer.send(bench.peer.headers(3, REQUEST))
      bench.transport.drain()
      bench.peer.send(bench.peer.ping('0106010800030309', true))
    },
  }
  t.test('returns for streams that are no more, padding included', (t) => {
    for (const [name, kill] of Object.entries(dead)) {
      const bench = serverWithStream(true, { glitchBurst: 10_000, growWindows: false })
      const { peer } = bench
      kill(bench)
      peer.take()
      const id = name.startsWith('a final') ? 5 : 1
      if (id === 5) peer.send(peer.headers(5, REQUEST))
      let sent = 0
      for (let i = 0; i < 200; i++) {
        peer.send(peer.data(id, Buffer.alloc(10_000), { padLength: 255 }))
        sent += 10_256
      }
      const lines = peer.take()
      t.notMatch(lines.join('\n'), /GOAWAY/, name)
      t.ok(sent - granted(lines, 0) < 262_144, `${granted(lines, 0)} of ${sent} given back`)
      t.equal(granted(lines, id), 0)
      bench.finish()
    }
    t.end()
  })
  t.end()
})

t.test('back-pressure from end to end', (t) => {
  const sides = ['client', 'server'] as const
  for (const sender of sides) {
    t.test(`holds a ${sender} back until the other side takes`, (t) => {
      const served: RecordingStream[] = []
      const simulation = new Simulation({
        server: {
          growWindows: false,
          onStream: (stream) => {
            const recording = new RecordingStream({ takes: false })
            recording.stream = stream
            served.push(recording)
            return recording
          },
        },
        client: { growWindows: false },
        line: { latencyMs: 5 },
      })
      simulation.advance(100)
      const call = new RecordingStream({ takes: false })
      call.stream = simulation.client.openStream(REQUEST, call)
      simulation.advance(20)
      const to = sender === 'client' ? served[0]! : call
      const from = sender === 'client' ? call : served[0]!
      if (sender === 'server') from.stream.headers(RESPONSE, false)
      let put = 0
      const putMore = (): void => {
        while (put < 1_000_000) {
          put += 10_000
          if (!from.stream.data(Buffer.alloc(10_000), 0, 10_000, put === 1_000_000)) return
        }
      }
      putMore()
      simulation.advance(1000)
      t.equal(to.dataBytes, 65_535, 'one window')
      t.ok(put < 250_000, `${put} octets put`)
      while (!to.log.includes('end')) {
        const before = to.dataBytes
        to.stream.credit(before)
        simulation.advance(20)
        if (from.take().includes('writable')) putMore()
        if (to.dataBytes === before && !to.log.includes('end')) {
          t.fail(`stuck at ${before}`)
          break
        }
      }
      t.equal(to.dataBytes, 1_000_000)
      call.stream.reset(ErrorCode.CANCEL, 'done')
      simulation.advance(20)
      simulation.assertQuiet()
      simulation.close()
      t.end()
    })
  }
  t.end()
})

t.test('the budget of received data', (t) => {
  t.test('stops windows from growing for large messages, but for the oldest', (t) => {
    const bench = ServerBench.ready(
      { maxBufferedBytes: 100_000, growWindows: false },
      { streams: { takes: false } },
    )
    const { peer } = bench
    for (const id of [1, 3, 5]) {
      peer.send(peer.headers(id, REQUEST))
      sendData(bench, id, 65_535)
    }
    peer.take()
    const [first, second, third] = bench.served.map(({ stream }) => stream) as [
      Stream,
      Stream,
      Stream,
    ]
    first.expect(500_000)
    second.expect(500_000)
    third.expect(500_000)
    const lines = peer.take()
    t.equal(granted(lines, 1), 500_000 + PADDING)
    t.equal(granted(lines, 3) + granted(lines, 5), 0)
    sendData(bench, 1, 500_000)
    t.equal(granted(peer.take(), 3), 0)
    first.credit(565_535)
    const after = peer.take()
    t.equal(granted(after, 3), 500_000 + PADDING, 'the next oldest')
    t.equal(granted(after, 5), 0)
    second.reset(ErrorCode.CANCEL, 'given up')
    t.equal(granted(peer.take(), 5), 500_000 + PADDING, 'a stream that ends makes room')
    third.reset(ErrorCode.CANCEL, 'test')
    first.reset(ErrorCode.CANCEL, 'test')
    bench.assertQuiet()
    bench.finish()
    t.end()
  })
  t.test('bounds what windows are extended by, though nothing has arrived yet', (t) => {
    const bench = ServerBench.ready({ growWindows: false }, { streams: { takes: false } })
    const { peer } = bench
    const message = 4 * 1024 * 1024
    for (let id = 1; id < 200; id += 2) peer.send(peer.headers(id, REQUEST))
    for (const { stream } of bench.served) stream.expect(message)
    const lines = peer.take()
    let total = 0
    for (let id = 1; id < 200; id += 2) total += granted(lines, id)
    const most = 8 * 1024 * 1024 + message
    t.ok(total <= most && total > most - message, `${total} octets granted`)
    t.ok(granted(lines, 1) > 0, 'the first')
    t.equal(granted(lines, 199), 0)
    bench.served[0]?.stream.reset(ErrorCode.CANCEL, 'done')
    t.ok(granted(peer.take(), 7) > 0, 'and the next when there is room')
    for (const { stream } of bench.served) stream.reset(ErrorCode.CANCEL, 'done')
    bench.assertQuiet()
    bench.finish()
    t.end()
  })

  t.test('serves every large message in its turn', (t) => {
    const bench = ServerBench.ready(
      { maxBufferedBytes: 100_000, growWindows: false },
      { streams: { takes: false } },
    )
    const { peer } = bench
    const message = 150_000
    const open = new Set<number>()
    for (let id = 1; id < 41; id += 2) {
      peer.send(peer.headers(id, REQUEST))
      sendData(bench, id, 65_535)
      open.add(id)
    }
    const left = new Map([...open].map((id) => [id, message - 65_535]))
    for (const { stream } of bench.served) stream.expect(message - 65_535)
    for (let round = 0; open.size > 0 && round < 100; round++) {
      const lines = peer.take()
      for (const id of [...open]) {
        const bytes = Math.min(granted(lines, id), left.get(id) as number)
        if (bytes === 0) continue
        sendData(bench, id, bytes)
        left.set(id, (left.get(id) as number) - bytes)
        if (left.get(id) !== 0) continue
        open.delete(id)
        bench.served.find(({ stream }) => stream.id === id)?.stream.credit(message)
      }
    }
    t.equal(open.size, 0, 'all came whole, on streams that stay open')
    for (const { stream } of bench.served) stream.reset(ErrorCode.CANCEL, 'done')
    bench.assertQuiet()
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('the windows grow', (t) => {
  const echo = (stream: Stream): RecordingStream => {
    const recording = new RecordingStream({
      hook: (line) => {
        if (line !== 'end') return
        stream.headers(RESPONSE, false)
        stream.data(Buffer.alloc(100), 0, 100, true)
      },
    })
    recording.stream = stream
    return recording
  }
  const pings = (sent: Buffer): number => {
    let count = 0
    for (let pos = 0; pos + 9 <= sent.length; ) {
      if (sent[pos + 3] === 0x6 && sent[pos + 4] === 0) count += 1
      pos += 9 + sent.readUIntBE(pos, 3)
    }
    return count
  }

  t.test('not with small calls: 10,000 to and fro cost fewer than 100 PINGs', (t) => {
    const simulation = new Simulation({ server: { onStream: echo }, line: { latencyMs: 1 } })
    simulation.advance(10)
    simulation.pair.client.takeSent()
    simulation.pair.server.takeSent()
    const counts = { client: 0, server: 0 }
    let ended = 0
    for (let i = 0; i < 10_000; i++) {
      const call = new RecordingStream()
      call.stream = simulation.client.openStream(REQUEST, call)
      call.stream.data(Buffer.alloc(100), 0, 100, true)
      simulation.advance(4)
      ended += call.closedBy?.by === 'end' ? 1 : 0
      counts.client += pings(simulation.pair.client.takeSent())
      counts.server += pings(simulation.pair.server.takeSent())
    }
    t.equal(ended, 10_000)
    t.ok(counts.client < 100 && counts.server < 100, JSON.stringify(counts))
    simulation.assertQuiet()
    simulation.close()
    t.end()
  })

  t.test('on a long fat path, until it is full', (t) => {
    const transferMs = (growWindows: boolean): number => {
      const bytes = 20_000_000
      const simulation = new Simulation({
        server: {
          onStream: (stream) => {
            const recording = new RecordingStream()
            recording.stream = stream
            stream.headers(RESPONSE, false)
            stream.data(Buffer.alloc(bytes), 0, bytes, true)
            return recording
          },
        },
        client: { growWindows },
        // 50 ms each way at 10 MB/s: 1 MB under way.
        line: { latencyMs: 50, bytesPerMs: 10_000, record: false },
      })
      simulation.advance(200)
      const call = new RecordingStream()
      call.stream = simulation.client.openStream(REQUEST, call, undefined, true)
      const startMs = simulation.clock.nowMs()
      while (call.closedBy === undefined) simulation.advance(10)
      t.equal(call.dataBytes, bytes)
      const tookMs = simulation.clock.nowMs() - startMs
      simulation.advance(500)
      simulation.assertQuiet()
      simulation.close()
      return tookMs
    }
    const grownMs = transferMs(true)
    const fixedMs = transferMs(false)
    t.ok(fixedMs > 25_000, `fixed: ${fixedMs} ms`)
    t.ok(grownMs < 4000, `grown: ${grownMs} ms`)
    t.end()
  })

  t.test('no further while much is held', (t) => {
    const bench = ServerBench.ready({ maxBufferedBytes: 20_000 }, { streams: { takes: false } })
    const { peer } = bench
    peer.send(peer.headers(1, REQUEST))
    sendData(bench, 1, 65_535)
    const ping = peer.take().find((line) => line.startsWith('PING'))
    t.ok(ping)
    bench.advance(1)
    peer.send(peer.ping('02041010090e0707', true))
    t.notMatch(peer.take().join('\n'), /SETTINGS/)
    bench.last.stream.credit(65_535)
    sendData(bench, 1, 10)
    t.match(
      peer.take().join('\n'),
      /SETTINGS .*INITIAL_WINDOW_SIZE=/,
      'made up for when there is room',
    )
    bench.finish()
    t.end()
  })

  t.test('and a peer that does not acknowledge the larger window is given up', (t) => {
    const bench = serverWithStream(true)
    const { peer } = bench
    sendData(bench, 1, 65_535)
    bench.advance(1)
    peer.send(peer.ping('02041010090e0707', true))
    t.match(peer.take().join('\n'), /SETTINGS .*INITIAL_WINDOW_SIZE=/)
    bench.advance(10_000)
    peer.expect(/^GOAWAY .* SETTINGS_TIMEOUT/)
    bench.finish()
    t.end()
  })
  t.end()
})
