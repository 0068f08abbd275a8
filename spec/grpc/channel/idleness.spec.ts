import t from 'tap'
import { Idleness } from '../../../lib/grpc/channel/idleness.ts'
import { FakeClock } from '../../../lib/testing/index.ts'

const TIMEOUT_MS = 1000

class Bench {
  public readonly clock = new FakeClock()
  public idle = 0
  public readonly idleness: Idleness

  public constructor(timeoutMs: number = TIMEOUT_MS) {
    this.idleness = new Idleness(this.clock, timeoutMs, () => {
      this.idle += 1
    })
    this.idleness.start()
  }
}

t.test('a channel that never has a call becomes idle, once', async (t) => {
  const bench = new Bench()
  bench.clock.advance(TIMEOUT_MS - 1)
  t.equal(bench.idle, 0)
  bench.clock.advance(1)
  t.equal(bench.idle, 1)
  t.equal(bench.clock.pending, 0)
})

t.test('a call keeps it from idling for as long as it lasts', async (t) => {
  const bench = new Bench()
  bench.idleness.callStarted()
  bench.clock.advance(10 * TIMEOUT_MS)
  t.equal(bench.idle, 0)
})

t.test('the time counts from the end of the last call', async (t) => {
  const bench = new Bench()
  bench.idleness.callStarted()
  bench.idleness.callStarted()
  bench.clock.advance(300)
  bench.idleness.callEnded()
  bench.clock.advance(300)
  bench.idleness.callEnded()
  bench.clock.advance(TIMEOUT_MS - 1)
  t.equal(bench.idle, 0)
  bench.clock.advance(1)
  t.equal(bench.idle, 1)
})

t.test('calls touch no timer', async (t) => {
  const bench = new Bench()
  const due = bench.clock.nextDueMs()
  for (let n = 0; n < 10; n++) {
    bench.clock.advance(10)
    bench.idleness.callStarted()
    bench.idleness.callEnded()
  }
  t.equal(bench.clock.nextDueMs(), due)
})

t.test('after idling it can start again', async (t) => {
  const bench = new Bench()
  bench.clock.advance(TIMEOUT_MS)
  bench.idleness.start()
  bench.idleness.start()
  t.equal(bench.clock.pending, 1)
  bench.clock.advance(TIMEOUT_MS)
  t.equal(bench.idle, 2)
})

t.test('stop ends it', async (t) => {
  const bench = new Bench()
  bench.idleness.stop()
  t.equal(bench.clock.pending, 0)
})

t.test('0 and Infinity mean never', async (t) => {
  for (const timeoutMs of [0, Infinity]) t.equal(new Bench(timeoutMs).clock.pending, 0)
})

t.test('the first call after a lull is told from the others', (t) => {
  const idleness = new Idleness(new FakeClock(), 1000, () => {})
  t.equal(idleness.callStarted(), true)
  t.equal(idleness.callStarted(), false)
  idleness.callEnded()
  t.equal(idleness.callStarted(), false)
  idleness.callEnded()
  idleness.callEnded()
  t.equal(idleness.callStarted(), true)
  t.end()
})
