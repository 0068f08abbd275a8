// How many streams may be open: the client's queue under the peer's limit, and the server's slots.
import t from 'tap'
import { ErrorCode, Setting } from '../../../lib/frame/index.ts'
import { HandlerSlots } from '../../../lib/transport/stream/concurrency.ts'
import type { RecordingStream } from '../../support/recording-stream.ts'
import { ClientBench, REQUEST, RESPONSE, ServerBench } from '../../support/transport-bench.ts'

const limited = (limit: number): ClientBench =>
  ClientBench.ready({}, { settings: [[Setting.MAX_CONCURRENT_STREAMS, limit]] })

const opened = (bench: ClientBench): number[] =>
  bench.peer
    .take()
    .filter((line) => line.startsWith('HEADERS'))
    .map((line) => Number(/stream=(\d+)/.exec(line)?.[1]))

const answer = ({ peer }: ClientBench, id: number): void =>
  peer.send(peer.headers(id, RESPONSE, { endStream: true }))

t.test('a client’s streams', (t) => {
  t.test('wait beyond the limit and open in order as others end', (t) => {
    const bench = limited(2)
    const calls = Array.from({ length: 5 }, () => bench.open(true))
    t.strictSame(opened(bench), [1, 3])
    t.equal(bench.transport.openStreams, 2)
    t.equal(bench.transport.waitingStreams, 3)
    answer(bench, 3)
    t.strictSame(opened(bench), [5])
    bench.peer.send(bench.peer.rstStream(1, 8))
    calls[2]?.stream.reset(ErrorCode.CANCEL, 'test')
    t.strictSame(opened(bench), [7, 9])
    t.equal(bench.transport.waitingStreams, 0)
    answer(bench, 7)
    answer(bench, 9)
    bench.assertQuiet()
    bench.finish()
    t.end()
  })

  t.test('keep data and end that were put while they waited', (t) => {
    const bench = limited(0)
    const call = bench.open()
    call.stream.data(Buffer.from('early'), 0, 5, true)
    t.strictSame(opened(bench), [])
    bench.peer.send(bench.peer.settings([[Setting.MAX_CONCURRENT_STREAMS, 1]]))
    bench.peer.expect(
      'SETTINGS',
      'HEADERS stream=1',
      /^DATA stream=1 length=5 flags=END_STREAM .*"early"/,
    )
    bench.finish()
    t.end()
  })

  t.test('cancelled while they wait leave the queue', (t) => {
    const bench = limited(1)
    const calls = Array.from({ length: 4 }, () => bench.open(true))
    calls[1]?.stream.reset(ErrorCode.CANCEL, 'test')
    calls[2]?.stream.reset(ErrorCode.CANCEL, 'test')
    t.strictSame(calls[1]?.log, ['closed by=reset local CANCEL unprocessed test'])
    t.equal(bench.transport.waitingStreams, 1)
    opened(bench)
    answer(bench, 1)
    t.strictSame(opened(bench), [3])
    t.equal(calls[3]?.stream.id, 3)
    bench.finish()
    t.end()
  })

  t.test('follow a limit that is lowered and raised', (t) => {
    const bench = limited(3)
    for (let i = 0; i < 6; i++) bench.open(true)
    t.strictSame(opened(bench), [1, 3, 5])
    bench.peer.send(bench.peer.settings([[Setting.MAX_CONCURRENT_STREAMS, 1]]))
    answer(bench, 1)
    answer(bench, 3)
    t.strictSame(opened(bench), [], 'one is open')
    answer(bench, 5)
    t.strictSame(opened(bench), [7])
    bench.peer.send(bench.peer.settings([[Setting.MAX_CONCURRENT_STREAMS, 100]]))
    t.strictSame(opened(bench), [9, 11])
    bench.finish()
    t.end()
  })

  t.test('whose HEADERS wait for the wire wait again when the limit is lowered', (t) => {
    const bench = ClientBench.ready({ blockedBytes: 1 }, { wire: { capacityBytes: 0 } })
    const calls = Array.from({ length: 4 }, () => bench.open(true))
    t.strictSame(
      calls.map(({ stream }) => stream.id),
      [0, 0, 0, 0],
    )
    bench.peer.send(bench.peer.settings([[Setting.MAX_CONCURRENT_STREAMS, 1]]))
    bench.wire.take()
    t.strictSame(opened(bench), [1])
    t.equal(bench.transport.waitingStreams, 3)
    calls[2]?.stream.reset(ErrorCode.CANCEL, 'test')
    for (const id of [1, 3]) {
      bench.wire.take()
      answer(bench, id)
    }
    bench.wire.take()
    t.strictSame(opened(bench), [3, 5])
    t.strictSame(
      calls.map(({ stream }) => stream.id),
      [1, 3, 0, 5],
    )
    bench.wire.take()
    answer(bench, 5)
    bench.wire.take()
    bench.assertQuiet()
    bench.finish()
    t.end()
  })

  t.test('may open a hundred before the peer’s SETTINGS', (t) => {
    const bench = new ClientBench()
    for (let i = 0; i < 150; i++) bench.open(true)
    t.equal(opened(bench).length, 100)
    t.equal(bench.transport.waitingStreams, 50)
    bench.peer.send(bench.peer.settings())
    t.equal(opened(bench).length, 50, 'no limit was announced')
    bench.finish()
    t.end()
  })

  t.test('tell how much room there is, and can be sent elsewhere while they wait', (t) => {
    const bench = limited(2)
    t.equal(bench.transport.streamHeadroom, 2)
    const calls = Array.from({ length: 6 }, () => bench.open())
    calls[2]?.stream.data(Buffer.alloc(70_000), 0, 70_000, false)
    t.equal(bench.transport.streamHeadroom, -4)
    bench.transport.releaseWaiting(2)
    const released = ['closed by=goaway peer REFUSED_STREAM unprocessed']
    t.strictSame(
      calls.map(({ log }) => log),
      [[], [], [], released, released, []],
      'the oldest first, but not one with much to send',
    )
    t.equal(bench.transport.waitingStreams, 2)
    bench.transport.releaseWaiting(9)
    t.equal(bench.transport.waitingStreams, 1)
    t.equal(calls[2]?.closedBy, undefined)
    bench.finish()
    t.end()
  })

  t.test('of a thousand calls with a limit of three all end, and the places are whole', (t) => {
    const bench = limited(3)
    let ended = 0
    const hook = (line: string): void => {
      if (line.startsWith('closed by=end')) ended += 1
    }
    for (let i = 0; i < 1000; i++) bench.open(true, { hook })
    for (let ids = opened(bench); ids.length > 0; ids = opened(bench)) {
      t.ok(ids.length <= 3)
      for (const id of ids) answer(bench, id)
    }
    t.equal(ended, 1000)
    for (let i = 0; i < 5; i++) bench.open(true)
    t.equal(opened(bench).length, 3)
    bench.finish()
    t.end()
  })

  t.test('run out of identifiers by taking no more, long before the end', (t) => {
    const bench = ClientBench.ready()
    // What only two milliards of calls would bring about.
    const { role } = bench.transport as unknown as { role: { lastStreamId: number } }
    role.lastStreamId = 1_610_612_733
    const last = bench.open(true)
    t.equal(last.stream.id, 1_610_612_735)
    t.match(bench.events, [/^draining last=1610612735/])
    t.equal(bench.open(true).closedBy?.processed, false)
    answer(bench, 1_610_612_735)
    t.equal(last.closedBy?.by, 'end')
    t.match(bench.events[1], /^closed/)
    bench.finish()
    t.end()
  })
  t.end()
})

/** A handler that runs until it is told to settle. */
class Handler {
  public started = false
  public startHandler(): void {
    this.started = true
  }
}

t.test('handler slots', (t) => {
  t.test('start at once while there are some, then in order', (t) => {
    const slots = new HandlerSlots(2)
    const handlers = Array.from({ length: 4 }, () => new Handler())
    for (const handler of handlers) slots.enter(handler)
    const started = (): boolean[] => handlers.map((handler) => handler.started)
    t.strictSame(started(), [true, true, false, false])
    t.ok(slots.saturated, 'as many wait as may run')
    slots.leave()
    t.strictSame(started(), [true, true, true, false])
    t.notOk(slots.saturated)
    t.ok(slots.abandon(handlers[3]!))
    t.notOk(slots.abandon(handlers[2]!), 'it has started')
    slots.leave()
    t.strictSame(started(), [true, true, true, false])
    slots.leave()
    slots.leave()
    const late = new Handler()
    slots.enter(late)
    t.ok(late.started)
    t.end()
  })

  t.test('are kept by streams that the peer resets: it gains nothing', (t) => {
    const bench = ServerBench.ready({ maxConcurrentStreams: 3 })
    const { peer, transport } = bench
    const handlers: Handler[] = []
    bench.onStream = ({ stream }: RecordingStream) => {
      const handler = new Handler()
      handlers.push(handler)
      transport.afterReceive({
        run: () => {
          transport.slots.enter(handler)
          stream.handlerStarted = handler.started
        },
      })
    }
    let id = 1
    for (; id < 100; id += 2) {
      peer.send(peer.headers(id, REQUEST))
      peer.send(peer.rstStream(id, 8))
    }
    t.equal(handlers.filter(({ started }) => started).length, 3)
    t.equal(handlers.length, 6, 'three run, three wait, the others are refused')
    const refused = peer.take().filter((line) => / REFUSED_STREAM$/.test(line)).length
    t.equal(refused, 50 - 6)
    for (const handler of handlers.slice(3)) transport.slots.abandon(handler)
    for (let i = 0; i < 3; i++) transport.slots.leave()
    peer.send(peer.headers(id, REQUEST))
    t.ok(handlers.at(-1)?.started)
    bench.finish()
    t.end()
  })
  t.end()
})
