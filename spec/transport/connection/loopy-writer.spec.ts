// What leaves, in which order, and what holds it back: the writer's turns, windows and queues.
import t from 'tap'
import { ErrorCode, Setting } from '../../../lib/frame/index.ts'
import type { MemoryWireOptions } from '../../../lib/testing/index.ts'
import type { ClientTransportOptions } from '../../../lib/transport/index.ts'
import { RecordingStream } from '../../support/recording-stream.ts'
import { ClientBench, REQUEST, RESPONSE, ServerBench } from '../../support/transport-bench.ts'

const { INITIAL_WINDOW_SIZE } = Setting
const MUCH = 0x7fff_0000

/** A client whose peer takes everything. */
function open(options: ClientTransportOptions = {}, wire: MemoryWireOptions = {}): ClientBench {
  const bench = ClientBench.ready(options, { wire, settings: [[INITIAL_WINDOW_SIZE, 0x7fff_ffff]] })
  bench.peer.send(bench.peer.windowUpdate(0, MUCH))
  bench.wire.take()
  bench.peer.take()
  return bench
}

/** Lines of DATA as `stream:length`, others by their type; a mark for END_STREAM. */
const brief = (lines: readonly string[]): string[] =>
  lines.map((line) => {
    const [, type, id, length] = /^(\w+) stream=(\d+) length=(\d+)/.exec(line) as RegExpExecArray
    const end = /flags=[A-Z_|]*END_STREAM/.test(line) ? '!' : ''
    return type === 'DATA' ? `${id}:${length}${end}` : `${type} ${id}${end}`
  })

const put = (call: { stream: RecordingStream['stream'] }, bytes: number, end = false): boolean =>
  call.stream.data(Buffer.alloc(bytes, 'x'), 0, bytes, end)

t.test('order', (t) => {
  t.test('a unary call is one write of HEADERS and DATA', (t) => {
    const bench = open()
    bench.wire.takeSent()
    put(bench.open(), 10, true)
    bench.wire.drive()
    t.equal(bench.wire.sends.length, 1)
    t.strictSame(brief(bench.peer.take()), ['HEADERS 1', '1:10!'])
    bench.finish()
    t.end()
  })

  t.test('headers, data and trailers of a stream keep theirs when they must wait', (t) => {
    const bench = ClientBench.ready({}, { settings: [[INITIAL_WINDOW_SIZE, 5]] })
    const call = bench.open()
    put(call, 8)
    put(call, 3)
    call.stream.trailers(['x', 'y'])
    t.strictSame(brief(bench.peer.take()), ['HEADERS 1', '1:5'])
    bench.peer.send(bench.peer.windowUpdate(1, 5))
    t.strictSame(brief(bench.peer.take()), ['1:3', '1:2'])
    bench.peer.send(bench.peer.windowUpdate(1, 1))
    t.strictSame(brief(bench.peer.take()), ['1:1', 'HEADERS 1!'])
    bench.finish()
    t.end()
  })

  t.test('identifiers are given in the order of the wire', (t) => {
    const bench = ClientBench.ready({}, { settings: [[Setting.MAX_CONCURRENT_STREAMS, 1]] })
    const calls = [bench.open(true), bench.open(true), bench.open(true)]
    calls[1]?.stream.reset(ErrorCode.CANCEL, 'gave up')
    bench.peer.send(bench.peer.headers(1, RESPONSE, { endStream: true }))
    t.strictSame(
      calls.map(({ stream }) => stream.id),
      [1, 0, 3],
    )
    t.strictSame(brief(bench.peer.take()), ['HEADERS 1!', 'HEADERS 3!'])
    bench.finish()
    t.end()
  })

  t.test('nothing but control frames goes before data that waits', (t) => {
    const bench = ClientBench.ready({}, { settings: [[INITIAL_WINDOW_SIZE, 4]] })
    const call = bench.open()
    put(call, 10)
    bench.peer.take()
    bench.peer.send(bench.peer.ping())
    bench.open(true)
    t.strictSame(brief(bench.peer.take()), ['PING 0', 'HEADERS 3!'])
    bench.finish()
    t.end()
  })

  t.test('a server’s 1xx, headers and trailers', (t) => {
    const bench = ServerBench.ready()
    bench.peer.send(bench.peer.headers(1, REQUEST, { endStream: true }))
    const { stream } = bench.last
    stream.informational([':status', '103'])
    stream.headers(RESPONSE, false)
    stream.informational([':status', '103'])
    stream.headers(RESPONSE, true)
    stream.trailers(['a', 'b'])
    stream.trailers(['a', 'b'])
    stream.data(Buffer.from('x'), 0, 1, true)
    bench.peer.expect(/\{:status: 103\}/, /\{:status: 200\}/, /END_STREAM.*\{a: b\}/)
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('turns', (t) => {
  t.test('streams take turns of 16 KiB', (t) => {
    const bench = ClientBench.ready({}, { settings: [[INITIAL_WINDOW_SIZE, 1_000_000]] })
    const calls = [bench.open(), bench.open(), bench.open()]
    put(calls[0]!, 65_535)
    bench.peer.take()
    for (const call of calls) put(call, 40_000, true)
    t.strictSame(bench.peer.take(), [], 'no window on the connection')
    bench.peer.send(bench.peer.windowUpdate(0, 1_000_000))
    t.strictSame(brief(bench.peer.take()), [
      ...['1:16384', '3:16384', '5:16384'],
      ...['1:16384', '3:16384', '5:16384'],
      ...['1:7232!', '3:7232!', '5:7232!'],
    ])
    bench.finish()
    t.end()
  })

  t.test('a stream that wrote much does not starve one that writes little', (t) => {
    const bench = open({ blockedBytes: 1 }, { capacityBytes: 0 })
    const large = bench.open()
    bench.wire.drive()
    put(large, 1_000_000, true)
    const small = bench.open()
    put(small, 100, true)
    t.strictSame(brief(bench.peer.take()), ['HEADERS 1'], 'the wire is blocked')
    let frames: string[] = []
    while (!frames.includes('3:100!')) {
      bench.wire.take()
      frames = frames.concat(brief(bench.peer.take()))
    }
    t.ok(frames.length <= 4, `after ${frames.join(' ')}`)
    bench.finish()
    t.end()
  })

  t.test('one flush carries a bounded amount of data, and reads come between', (t) => {
    const bench = open({ flushDataBytes: 65_536 })
    const calls = [bench.open(), bench.open()]
    bench.wire.drive()
    for (const call of calls) put(call, 200_000, true)
    bench.wire.takeSent()
    t.equal(bench.wire.flushRequested, 'soon')
    bench.wire.flushSoon()
    t.equal(bench.wire.flushRequested, 'later')
    const first = bench.wire.takeSent().length
    t.ok(first >= 65_536 && first < 90_000, `${first} octets`)
    bench.finish()
    t.end()
  })

  t.test('all octets arrive, however they are put', (t) => {
    const bench = open()
    const call = bench.open()
    const sizes = [1, 16_384, 16_385, 0, 65_536, 65_537, 300_000, 3]
    for (const size of sizes) put(call, size)
    put(call, 0, true)
    const lines = brief(bench.peer.take()).filter((line) => line.startsWith('1:'))
    const total = lines.reduce((sum, line) => sum + Number.parseInt(line.slice(2), 10), 0)
    t.equal(
      total,
      sizes.reduce((a, b) => a + b),
    )
    t.equal(lines.filter((line) => line.endsWith('!')).length, 1)
    t.ok(lines.at(-1)?.endsWith('!'))
    t.notOk(lines.includes('1:0'), 'no empty frame that ends nothing')
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('END_STREAM', (t) => {
  t.test('rides on the last data that waits', (t) => {
    const bench = ClientBench.ready({}, { settings: [[INITIAL_WINDOW_SIZE, 5]] })
    const call = bench.open()
    put(call, 9)
    put(call, 0, true)
    t.strictSame(brief(bench.peer.take()), ['HEADERS 1', '1:5'])
    bench.peer.send(bench.peer.windowUpdate(1, 100))
    t.strictSame(brief(bench.peer.take()), ['1:4!'])
    bench.finish()
    t.end()
  })

  t.test('alone needs no window at all', (t) => {
    const bench = ClientBench.ready()
    const full = bench.open()
    const empty = bench.open()
    put(full, 65_535)
    put(full, 10)
    bench.peer.take()
    put(empty, 0, true)
    t.strictSame(brief(bench.peer.take()), ['3:0!'], 'the connection’s window is 0')
    bench.finish()
    t.end()
  })

  t.test('by trailers passes data of others that waits for the connection’s window', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    peer.send(
      peer.headers(1, REQUEST, { endStream: true }),
      peer.headers(3, REQUEST, { endStream: true }),
    )
    const [first, second] = bench.served
    first!.stream.headers(RESPONSE, false)
    second!.stream.headers(RESPONSE, false)
    put(first!, 65_535)
    put(first!, 10)
    peer.take()
    second!.stream.trailers(['x', 'y'])
    t.strictSame(brief(peer.take()), ['HEADERS 3!'])
    t.equal(second!.closedBy?.by, 'end')
    bench.finish()
    t.end()
  })

  t.test('an empty put that ends nothing sends nothing', (t) => {
    const bench = ClientBench.ready()
    const call = bench.open()
    t.ok(put(call, 0))
    t.strictSame(brief(bench.peer.take()), ['HEADERS 1'])
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('windows', (t) => {
  t.test('are used to the last octet and never beyond', (t) => {
    const bench = ClientBench.ready({}, { settings: [[INITIAL_WINDOW_SIZE, 1]] })
    const call = bench.open()
    put(call, 4, true)
    t.strictSame(brief(bench.peer.take()), ['HEADERS 1', '1:1'])
    for (const end of ['', '', '!']) {
      bench.peer.send(bench.peer.windowUpdate(1, 1))
      t.strictSame(brief(bench.peer.take()), [`1:1${end}`])
    }
    bench.finish()
    t.end()
  })

  t.test('of the connection wake the streams that wait for it, in their order', (t) => {
    const bench = ClientBench.ready({}, { settings: [[INITIAL_WINDOW_SIZE, 1_000_000]] })
    const calls = [bench.open(), bench.open(), bench.open()]
    put(calls[0]!, 65_535)
    for (const call of calls) put(call, 100, true)
    bench.peer.take()
    bench.peer.send(bench.peer.windowUpdate(0, 150))
    t.strictSame(brief(bench.peer.take()), ['1:100!', '3:50'])
    bench.peer.send(bench.peer.windowUpdate(0, 150))
    t.strictSame(brief(bench.peer.take()).sort(), ['3:50!', '5:100!'])
    bench.finish()
    t.end()
  })

  t.test('that stay shut let others pass', (t) => {
    const bench = ClientBench.ready({}, { settings: [[INITIAL_WINDOW_SIZE, 0]] })
    const shut = bench.open()
    const other = bench.open()
    put(shut, 10, true)
    put(other, 10, true)
    bench.peer.take()
    bench.peer.send(bench.peer.windowUpdate(3, 10))
    t.strictSame(brief(bench.peer.take()), ['3:10!'])
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('the write quota', (t) => {
  t.test('says false when much waits, and tells when there is room', (t) => {
    const bench = ClientBench.ready(
      { writeQuotaBytes: 1000 },
      { settings: [[INITIAL_WINDOW_SIZE, 0]] },
    )
    const call = bench.open()
    t.ok(put(call, 999))
    t.notOk(put(call, 1))
    t.notOk(put(call, 5000), 'taken all the same')
    bench.peer.send(bench.peer.windowUpdate(1, 5000))
    t.strictSame(call.log, [], 'exactly the quota waits')
    bench.peer.send(bench.peer.windowUpdate(1, 1))
    t.strictSame(call.take(), ['writable'])
    bench.peer.send(bench.peer.windowUpdate(1, 500))
    t.strictSame(call.take(), [], 'once')
    bench.finish()
    t.end()
  })

  t.test('a writer that goes on in onWritable sends all there is', (t) => {
    const bench = open({ writeQuotaBytes: 10_000 }, { capacityBytes: 20_000 })
    let left = 100
    const more = (call: RecordingStream): void => {
      while (left > 0 && put(call, 5000, --left === 0));
    }
    const call = bench.open(false, {
      hook: (line, recording) => {
        if (line === 'writable') more(recording)
      },
    })
    more(call)
    let total = 0
    for (
      let round = 0;
      round < 1000 && call.stream.sendPhase !== undefined && total < 500_000;
      round++
    ) {
      for (const line of brief(bench.peer.take())) {
        if (line.startsWith('1:')) total += Number.parseInt(line.slice(2), 10)
      }
      bench.wire.take()
    }
    t.equal(total, 500_000)
    bench.finish()
    t.end()
  })

  t.test('a closed stream takes nothing and is told nothing', (t) => {
    const bench = ClientBench.ready(
      { writeQuotaBytes: 10 },
      { settings: [[INITIAL_WINDOW_SIZE, 0]] },
    )
    const call = bench.open()
    put(call, 100)
    call.stream.reset(ErrorCode.CANCEL, 'enough')
    t.notOk(put(call, 1))
    bench.peer.send(bench.peer.windowUpdate(1, 1000))
    t.strictSame(call.log, ['closed by=reset local CANCEL enough'])
    bench.assertQuiet()
    bench.finish()
    t.end()
  })

  t.test('data given away is not copied, data lent is', (t) => {
    const bench = ClientBench.ready({}, { settings: [[INITIAL_WINDOW_SIZE, 0]] })
    const call = bench.open()
    const lent = Buffer.from('lent')
    const owned = Buffer.from('-owned')
    call.stream.data(lent, 0, 4, false)
    call.stream.data(owned, 0, 6, false, true)
    lent.fill('!')
    bench.peer.take()
    bench.peer.send(bench.peer.windowUpdate(1, 10))
    bench.peer.expect(/"lent"$/, /"-owned"$/)
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('a blocked wire', (t) => {
  t.test('lets control frames pass and nothing else', (t) => {
    const bench = open({ blockedBytes: 1000 }, { capacityBytes: 0 })
    const call = bench.open()
    put(call, 2000)
    t.strictSame(brief(bench.peer.take()), ['HEADERS 1', '1:2000'])
    const waiting = bench.open()
    put(call, 100)
    bench.peer.send(bench.peer.ping())
    call.stream.credit(1)
    t.strictSame(brief(bench.peer.take()), ['PING 0'])
    t.equal(waiting.stream.id, 0)
    bench.wire.take()
    t.strictSame(brief(bench.peer.take()).sort(), ['1:100', 'HEADERS 3'])
    bench.finish()
    t.end()
  })

  t.test('is left alone until it has drained', (t) => {
    const bench = open({}, { capacityBytes: 65_536 })
    const call = bench.open()
    put(call, 10_000_000, true)
    bench.wire.drive()
    const first = bench.wire.takeSent().length
    t.ok(first < 65_536 + 256 * 1024 + 64 * 1024, `${first} octets`)
    bench.wire.drive()
    t.equal(bench.wire.takeSent().length, 0)
    bench.wire.take()
    bench.wire.drive()
    t.ok(bench.wire.takeSent().length > 0)
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('a stream that is given up', (t) => {
  t.test('before its HEADERS were encoded leaves no trace', (t) => {
    for (const how of ['blocked', 'waiting'] as const) {
      const bench =
        how === 'blocked'
          ? open({ blockedBytes: 1 }, { capacityBytes: 0 })
          : ClientBench.ready({}, { settings: [[Setting.MAX_CONCURRENT_STREAMS, 1]] })
      bench.open()
      bench.wire.drive()
      const call = bench.open()
      put(call, 100)
      call.stream.reset(ErrorCode.CANCEL, 'early')
      t.strictSame(call.log, ['closed by=reset local CANCEL unprocessed early'], how)
      bench.wire.take()
      const next = bench.open()
      bench.peer.send(bench.peer.rstStream(1, 8))
      bench.wire.take()
      t.strictSame(brief(bench.peer.take()), ['HEADERS 1', 'HEADERS 3'])
      t.equal(next.stream.id, 3)
      bench.finish()
    }
    t.end()
  })

  t.test('with data waiting sends RST_STREAM and nothing behind it', (t) => {
    const bench = ClientBench.ready({}, { settings: [[INITIAL_WINDOW_SIZE, 10]] })
    const call = bench.open()
    put(call, 100)
    call.stream.trailers(['x', 'y'])
    t.strictSame(brief(bench.peer.take()), ['HEADERS 1', '1:10'])
    call.stream.reset(ErrorCode.CANCEL, 'enough')
    call.stream.reset(ErrorCode.CANCEL, 'again')
    t.strictSame(brief(bench.peer.take()), ['RST_STREAM 1'])
    bench.peer.send(bench.peer.windowUpdate(1, 100))
    bench.peer.expect()
    t.equal(call.closedTimes, 1)
    bench.assertQuiet()
    bench.finish()
    t.end()
  })

  t.test('by the peer is not answered', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    peer.send(peer.headers(1, REQUEST), peer.rstStream(1, 8))
    bench.last.stream.headers(RESPONSE, false)
    put(bench.last, 10, true)
    bench.last.stream.reset(ErrorCode.CANCEL, 'late')
    peer.expect()
    t.strictSame(bench.last.log, ['request /s/m', 'closed by=reset peer CANCEL'])
    bench.assertQuiet()
    bench.finish()
    t.end()
  })

  t.test('with NO_ERROR first sends what is queued', (t) => {
    const bench = ServerBench.ready()
    const { peer } = bench
    peer.send(peer.settings([[INITIAL_WINDOW_SIZE, 3]]), peer.headers(1, REQUEST))
    bench.last.stream.headers(RESPONSE, false)
    put(bench.last, 5, true)
    bench.last.stream.reset(ErrorCode.NO_ERROR, 'enough')
    t.strictSame(brief(peer.take()), ['SETTINGS 0', 'HEADERS 1', '1:3'])
    peer.send(peer.windowUpdate(1, 2))
    t.strictSame(brief(peer.take()), ['1:2!', 'RST_STREAM 1'])
    t.equal(bench.last.log.at(-1), 'closed by=reset local NO_ERROR enough')
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('header blocks', (t) => {
  t.test('larger than a frame, and than a slab, go on in CONTINUATION', (t) => {
    for (const length of [16_000, 16_384, 16_385, 40_000, 100_000, 200_000]) {
      const bench = open()
      const noise = Array.from({ length }, (_, i) => '~{}|'[(i * i) % 4]).join('')
      const call = new RecordingStream()
      call.stream = bench.transport.openStream([...REQUEST, 'x-big', noise], call, undefined, true)
      bench.wire.drive()
      t.equal(bench.wire.sends.length, 1)
      const lines = bench.peer.take()
      t.ok(lines[0]?.startsWith('HEADERS stream=1'))
      t.match(lines[0], /flags=END_STREAM/)
      t.ok(lines.slice(1).every((line) => line.startsWith('CONTINUATION stream=1')))
      t.equal(lines.filter((line) => line.includes('END_HEADERS')).length, 1)
      t.ok(lines.at(-1)?.includes(noise), `${length} in ${lines.length} frames`)
      put(bench.open(), 5, true)
      t.strictSame(brief(bench.peer.take()), ['HEADERS 3', '3:5!'])
      bench.finish()
    }
    t.end()
  })

  t.test('of two lists are one block', (t) => {
    const bench = open()
    bench.transport.openStream(REQUEST, new RecordingStream(), ['x', 'y'], true)
    bench.peer.expect(/^HEADERS stream=1 .*END_STREAM\|END_HEADERS .*:authority: a, x: y\}$/)
    bench.finish()
    t.end()
  })

  t.test('are encoded in the order of the wire, though streams wait and are given up', (t) => {
    const bench = ClientBench.ready({}, { settings: [[Setting.MAX_CONCURRENT_STREAMS, 1]] })
    const fields = (i: number): string[] => [...REQUEST, `x-${i}`, `value ${i}`]
    const calls = Array.from({ length: 20 }, (_, i) => {
      const call = new RecordingStream()
      call.stream = bench.transport.openStream(fields(i), call, undefined, true)
      return call
    })
    for (let i = 1; i < 20; i += 2) calls[i]?.stream.reset(ErrorCode.CANCEL, 'odd')
    for (let i = 0; i < 20; i += 2) {
      const id = i + 1
      bench.peer.expect(new RegExp(`^HEADERS stream=${id} .*x-${i}: value ${i}\\}`))
      bench.peer.send(bench.peer.headers(id, RESPONSE, { endStream: true }))
    }
    bench.assertQuiet()
    bench.finish()
    t.end()
  })
  t.end()
})

t.test('memory that is lent is not written again', (t) => {
  const bench = open({}, { lend: true })
  for (let i = 0; i < 10; i++) put(bench.open(), 30_000, true)
  const lines = brief(bench.peer.take())
  t.equal(lines.filter((line) => line.endsWith('!')).length, 10)
  bench.finish()
  t.end()
})
