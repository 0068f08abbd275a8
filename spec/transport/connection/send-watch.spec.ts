// Peers that stall, and what time does to a connection: on the wire and on virtual time.
import t from 'tap'
import { Setting } from '../../../lib/frame/index.ts'
import { ClientBench, REQUEST, RESPONSE, ServerBench } from '../../support/transport-bench.ts'

/** A server with a stream, whose peer's kernel takes nothing by itself. */
function stalling(options = {}): ServerBench {
  const bench = ServerBench.ready(options, { wire: { capacityBytes: 0 } })
  bench.peer.send(
    bench.peer.settings([[Setting.INITIAL_WINDOW_SIZE, 0x7fff_ffff]]),
    bench.peer.windowUpdate(0, 0x7000_0000),
    bench.peer.headers(1, REQUEST),
  )
  bench.last.stream.headers(RESPONSE, false)
  bench.wire.drive()
  bench.wire.take()
  bench.wire.drive()
  bench.peer.take()
  return bench
}

const put = (bench: ServerBench | ClientBench, bytes: number): void => {
  const { stream } = (bench as ServerBench).last
  stream.data(Buffer.alloc(bytes), 0, bytes, false)
  bench.wire.drive()
}

t.test('a peer that does not read what we send', (t) => {
  t.test('is given up after the write stall', (t) => {
    const bench = stalling()
    put(bench, 100)
    bench.advance(59_999)
    t.equal(bench.ended, undefined)
    bench.advance(1)
    t.match(bench.ended, { message: 'memory: the peer does not read what we send' })
    t.match(bench.last.log.at(-1), /^closed by=transport local/)
    bench.finish()
    t.end()
  })

  t.test('is given its time again as long as it reads a little', (t) => {
    const bench = stalling()
    put(bench, 1_000_000)
    for (let i = 0; i < 20; i++) {
      bench.advance(50_000)
      bench.wire.take(1)
      bench.wire.drive()
    }
    t.equal(bench.ended, undefined)
    bench.advance(120_000)
    t.ok(bench.ended, 'and not for ever')
    bench.finish()
    t.end()
  })

  t.test('and reads all in the end is not watched any more', (t) => {
    const bench = stalling()
    put(bench, 300_000)
    bench.advance(59_000)
    while (bench.wire.unsentBytes > 0) {
      bench.wire.take()
      bench.wire.drive()
    }
    bench.advance(200_000)
    t.equal(bench.ended, undefined)
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('a peer that lets nothing go of much that waits', (t) => {
  const waiting = (bytes: number, windowBytes = 0): ServerBench => {
    const bench = ServerBench.ready({ maxBufferedBytes: 100_000 })
    const { peer } = bench
    peer.send(peer.settings([[Setting.INITIAL_WINDOW_SIZE, windowBytes]]), peer.headers(1, REQUEST))
    bench.last.stream.headers(RESPONSE, false)
    put(bench, bytes)
    peer.take()
    return bench
  }

  t.test('is given up after the window stall', (t) => {
    const bench = waiting(100_001)
    bench.advance(59_999)
    bench.peer.expect()
    bench.advance(1)
    bench.peer.expect(/^GOAWAY .* ENHANCE_YOUR_CALM "window_stall"/)
    t.match(bench.last.log.at(-1), /^closed by=transport/)
    bench.finish()
    t.end()
  })

  t.test('is not saved by a drip', (t) => {
    const bench = waiting(200_000)
    let lines: string[] = []
    for (let i = 0; i < 30 && !lines.at(-1)?.startsWith('GOAWAY'); i++) {
      bench.peer.send(bench.peer.windowUpdate(1, 100))
      bench.advance(5000)
      lines = bench.peer.take()
    }
    t.match(lines.at(-1), /^GOAWAY .* ENHANCE_YOUR_CALM "window_stall"/)
    bench.finish()
    t.end()
  })

  t.test('lives while it takes honestly, however slowly', (t) => {
    const bench = waiting(500_000)
    for (let i = 0; i < 15; i++) {
      bench.advance(40_000)
      bench.peer.send(bench.peer.windowUpdate(0, 20_000), bench.peer.windowUpdate(1, 20_000))
    }
    t.notMatch(bench.peer.take().join('\n'), /GOAWAY/)
    bench.finish()
    t.end()
  })

  t.test('may wait for ever when little waits', (t) => {
    const bench = waiting(100_000)
    bench.advance(3_600_000)
    t.notMatch(bench.peer.take().join('\n'), /GOAWAY/)
    t.equal(bench.transport.openStreams, 1)
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('replies', (t) => {
  t.test('among much data that leaves steadily never pause reading', (t) => {
    const bench = stalling({ minPingIntervalMs: 0, growWindows: false })
    let paused = 0
    for (let i = 0; i < 10_000; i++) {
      if (bench.wire.unsentBytes < 200_000) put(bench, 50_000)
      bench.wire.deliver(bench.peer.ping())
      bench.wire.drive()
      bench.wire.take(30_000)
      bench.wire.drive()
      if (i % 100 === 0) bench.wire.takeSent()
      if (bench.wire.readingPaused) paused += 1
      if (bench.wire.unsentBytes === 0) break
    }
    t.ok(bench.wire.unsentBytes > 0, 'there was always something')
    t.equal(paused, 0)
    bench.wire.take()
    bench.finish()
    t.end()
  })

  t.test('that are read late let reading go on', (t) => {
    const bench = stalling({ minPingIntervalMs: 0 })
    put(bench, 10)
    while (!bench.wire.readingPaused) {
      bench.wire.deliver(bench.peer.ping())
      bench.wire.drive()
    }
    bench.advance(9000)
    bench.wire.take()
    bench.wire.drive()
    t.notOk(bench.wire.readingPaused)
    bench.advance(50_000)
    t.equal(bench.ended, undefined)
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('keepalive', (t) => {
  const KEEPALIVE_PING = 'PING stream=0 length=8 0000000000000000'

  t.test('of a client pings a silent peer while a stream is open, and gives it up', (t) => {
    const bench = ClientBench.ready({ keepalive: { timeMs: 10_000, timeoutMs: 5000 } })
    bench.advance(100_000)
    bench.peer.expect()
    const call = bench.open(true)
    bench.peer.expect('HEADERS', KEEPALIVE_PING)
    bench.peer.send(bench.peer.ping('0000000000000000', true))
    bench.advance(9999)
    bench.peer.expect()
    bench.advance(1)
    bench.peer.expect(KEEPALIVE_PING)
    bench.advance(4999)
    t.strictSame(call.log, [])
    bench.advance(1)
    t.strictSame(call.log, ['closed by=transport local NO_ERROR'])
    t.match(bench.events, ['closed memory: keepalive ping failed to receive ACK within timeout'])
    bench.finish()
    t.end()
  })

  t.test('takes any octet for life', (t) => {
    const bench = ClientBench.ready({ keepalive: { timeMs: 10_000, timeoutMs: 5000 } })
    bench.open(true)
    bench.peer.take()
    for (let i = 0; i < 50; i++) {
      bench.advance(4000)
      bench.peer.send(bench.peer.priority(1, 0))
    }
    t.notMatch(bench.peer.take().join('\n'), /GOAWAY/)
    bench.finish()
    t.end()
  })

  t.test('of a server pings without a stream too', (t) => {
    const bench = ServerBench.ready({ keepalive: { timeMs: 60_000, timeoutMs: 1000 } })
    bench.advance(60_000)
    bench.peer.expect(KEEPALIVE_PING)
    bench.advance(1000)
    t.match(bench.ended, { message: /keepalive/ })
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('the age of a connection', (t) => {
  t.test('drains it when it was idle for long', (t) => {
    const bench = ServerBench.ready({ maxConnectionIdleMs: 10_000 })
    const { peer } = bench
    bench.advance(9000)
    peer.send(peer.headers(1, REQUEST, { endStream: true }))
    bench.advance(60_000)
    bench.last.stream.headers(RESPONSE, true)
    peer.expect('HEADERS')
    bench.advance(9999)
    peer.expect()
    bench.advance(1)
    peer.expect('GOAWAY stream=0 length=16 last=2147483647 NO_ERROR "max_idle"', 'PING')
    bench.finish()
    t.end()
  })

  t.test('drains it when it is old, and ends it after the grace', (t) => {
    const bench = ServerBench.ready({
      maxConnectionAgeMs: 100_000,
      maxConnectionAgeGraceMs: 20_000,
      random: () => 0.5,
    })
    const { peer } = bench
    peer.send(peer.headers(1, REQUEST))
    bench.advance(100_000)
    peer.expect('GOAWAY stream=0 length=15 last=2147483647 NO_ERROR "max_age"', 'PING')
    peer.send(peer.ping('0106010800030309', true))
    peer.expect('GOAWAY stream=0 length=8 last=1 NO_ERROR')
    bench.advance(19_999)
    peer.expect()
    bench.advance(1)
    peer.expect('GOAWAY')
    t.match(bench.last.log.at(-1), /^closed by=transport local/)
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('pings of a client', (t) => {
  t.test('too many end the connection with the text that gRPC clients know', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    for (let i = 0; i < 3; i++) peer.send(peer.ping())
    peer.expect(/flags=ACK/, /flags=ACK/, /flags=ACK/)
    peer.send(peer.ping())
    peer.expect(/flags=ACK/, 'GOAWAY stream=0 length=22 last=0 ENHANCE_YOUR_CALM "too_many_pings"')
    bench.finish()
    t.end()
  })

  t.test('around what we send are honest', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    for (let id = 1; id < 200; id += 2) {
      peer.send(peer.headers(id, REQUEST, { endStream: true }), peer.ping())
      bench.last.stream.headers(RESPONSE, true)
    }
    t.notMatch(peer.take().join('\n'), /GOAWAY/)
    bench.finish()
    t.end()
  })
  t.end()
})
