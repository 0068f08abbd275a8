import t from 'tap'
import type { Clock } from '../../../lib/base/clock.ts'
import { FakeClock } from '../../../lib/testing/fake-clock.ts'
import {
  clientKeepalive,
  Keepalive,
  type KeepaliveHost,
  serverKeepalive,
} from '../../../lib/transport/connection/keepalive.ts'
import type { KeepaliveOptions } from '../../../lib/transport/options.ts'

/** A connection that only counts. */
class Rig implements KeepaliveHost {
  public readonly clock: FakeClock = new FakeClock()
  public readonly keepalive: Keepalive
  public lastReadMs = 0
  public streams = 0
  /** When pings were sent, and 'failed'. */
  public readonly log: (number | 'failed')[] = []
  /** Whether the peer answers pings at once. */
  public answers = false

  public constructor(options: KeepaliveOptions) {
    this.keepalive = new Keepalive(this.clock, options, this)
  }

  public get openStreams(): number {
    return this.streams
  }

  public sendPing(): void {
    this.log.push(this.clock.nowMs())
    if (this.answers) this.hear()
  }

  public keepaliveFailed(): void {
    this.log.push('failed')
  }

  public hear(): void {
    this.lastReadMs = this.clock.nowMs()
  }

  public open(): void {
    this.streams += 1
    this.keepalive.streamOpened()
  }
}

const options = { timeMs: 10_000, timeoutMs: 3000 }

t.test('silence brings a ping, then the end', (t) => {
  const rig = new Rig(options)
  rig.open()
  rig.keepalive.start()
  rig.clock.advance(9999)
  t.same(rig.log, [])
  rig.clock.advance(1)
  t.same(rig.log, [10_000])
  rig.clock.advance(2999)
  t.same(rig.log, [10_000])
  rig.clock.advance(1)
  t.same(rig.log, [10_000, 'failed'])
  t.equal(rig.clock.pending, 0)
  t.end()
})

t.test('traffic moves no timer, and puts the ping off', (t) => {
  const rig = new Rig(options)
  rig.open()
  rig.keepalive.start()
  rig.clock.advance(7000)
  rig.hear()
  t.equal(rig.clock.nextDueMs(), 10_000)
  rig.clock.advance(3000)
  t.equal(rig.clock.nextDueMs(), 17_000)
  rig.clock.advance(7000)
  t.same(rig.log, [17_000])
  t.end()
})

t.test('any octet after the ping is an answer', (t) => {
  const rig = new Rig(options)
  rig.open()
  rig.keepalive.start()
  rig.clock.advance(12_999)
  rig.hear()
  rig.clock.advance(1)
  t.same(rig.log, [10_000])
  t.equal(rig.clock.nextDueMs(), 22_999)
  rig.clock.advance(10_000)
  t.same(rig.log, [10_000, 22_999])
  t.end()
})

t.test('a peer that answers is pinged once per interval', (t) => {
  const rig = new Rig(options)
  rig.answers = true
  rig.open()
  rig.keepalive.start()
  rig.clock.advance(40_000)
  t.same(rig.log, [10_000, 20_000, 30_000, 40_000])
  t.end()
})

t.test('a timeout longer than the interval does not delay the next ping', (t) => {
  const rig = new Rig({ timeMs: 10_000, timeoutMs: 60_000 })
  rig.answers = true
  rig.open()
  rig.keepalive.start()
  rig.clock.advance(20_000)
  t.same(rig.log, [10_000, 20_000])
  rig.answers = false
  rig.clock.advance(10_000)
  rig.clock.advance(59_999)
  t.same(rig.log, [10_000, 20_000, 30_000], 'one ping is enough')
  rig.clock.advance(1)
  t.equal(rig.log.at(-1), 'failed')
  t.end()
})

t.test('without streams it sleeps, with no timer at all', (t) => {
  const rig = new Rig(options)
  rig.keepalive.start()
  t.equal(rig.clock.pending, 0)
  rig.clock.advance(4000)
  rig.open()
  t.equal(rig.clock.nextDueMs(), 10_000, 'the silence so far counts')
  rig.streams = 0
  rig.clock.advance(6000)
  t.same(rig.log, [])
  t.equal(rig.clock.pending, 0)
  t.end()
})

t.test('a stream that wakes it after long silence brings a ping at once', (t) => {
  const rig = new Rig(options)
  rig.keepalive.start()
  rig.clock.advance(1_000_000)
  rig.open()
  t.same(rig.log, [1_000_000])
  rig.open()
  t.same(rig.log, [1_000_000], 'the next stream wakes nobody')
  rig.clock.advance(3000)
  t.same(rig.log, [1_000_000, 'failed'])
  t.end()
})

t.test('a ping is forgotten when the last stream goes before its answer', (t) => {
  const rig = new Rig(options)
  rig.open()
  rig.keepalive.start()
  rig.clock.advance(10_000)
  rig.streams = 0
  rig.clock.advance(3000)
  t.same(rig.log, [10_000])
  t.equal(rig.clock.pending, 0)
  rig.open()
  t.same(rig.log, [10_000, 13_000])
  t.end()
})

t.test('without streams it pings when that is permitted', (t) => {
  const rig = new Rig({ ...options, permitWithoutStream: true })
  rig.keepalive.start()
  rig.clock.advance(13_000)
  t.same(rig.log, [10_000, 'failed'])
  t.end()
})

t.test('without an interval it does nothing', (t) => {
  const rig = new Rig({})
  rig.open()
  rig.keepalive.start()
  t.equal(rig.clock.pending, 0)
  rig.open()
  t.equal(rig.clock.pending, 0)
  t.end()
})

t.test('stopped, it is quiet for good', (t) => {
  const rig = new Rig(options)
  rig.keepalive.start()
  rig.keepalive.stop()
  rig.open()
  t.equal(rig.clock.pending, 0)
  const busy = new Rig(options)
  busy.open()
  busy.keepalive.start()
  busy.keepalive.stop()
  busy.keepalive.stop()
  t.equal(busy.clock.pending, 0)
  t.same(busy.log, [])
  t.end()
})

t.test('it may be stopped from within the ping', (t) => {
  const clock = new FakeClock()
  const keepalive: Keepalive = new Keepalive(clock, options, {
    lastReadMs: 0,
    openStreams: 1,
    sendPing: () => keepalive.stop(),
    keepaliveFailed: () => t.fail('failed after stop'),
  })
  keepalive.start()
  clock.advance(100_000)
  t.equal(clock.pending, 0)
  t.end()
})

t.test('its timer does not keep the process alive', (t) => {
  const kept: (boolean | undefined)[] = []
  const fake = new FakeClock()
  const clock: Clock = {
    nowMs: () => fake.nowMs(),
    wallMs: () => fake.wallMs(),
    timer: (delayMs, callback, keepAlive) => {
      kept.push(keepAlive)
      return fake.timer(delayMs, callback)
    },
    deadline: (delayMs, callback) => fake.deadline(delayMs, callback),
  }
  const keepalive = new Keepalive(clock, options, {
    lastReadMs: 0,
    openStreams: 1,
    sendPing: () => undefined,
    keepaliveFailed: () => undefined,
  })
  keepalive.start()
  fake.advance(20_000)
  t.same(kept, [false, false])
  t.end()
})

t.test('the options of each role', (t) => {
  t.equal(clientKeepalive().timeMs, Number.POSITIVE_INFINITY)
  t.equal(clientKeepalive({ timeMs: 1 }).timeMs, 10_000)
  t.equal(clientKeepalive({ timeMs: 30_000, timeoutMs: 5 }).timeMs, 30_000)
  t.same(clientKeepalive({ timeMs: 1, timeoutMs: 5, permitWithoutStream: true }), {
    timeMs: 10_000,
    timeoutMs: 5,
    permitWithoutStream: true,
  })
  t.same(serverKeepalive(), { timeMs: 7_200_000, permitWithoutStream: true })
  t.equal(serverKeepalive({ timeMs: 1 }).timeMs, 1000)
  t.equal(serverKeepalive({ timeMs: 5000, permitWithoutStream: false }).permitWithoutStream, true)
  t.end()
})
