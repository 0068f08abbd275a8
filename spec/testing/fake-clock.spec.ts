import fc from 'fast-check'
import t from 'tap'
import { FakeClock } from '../../lib/testing/index.ts'

t.test('timers run in order of their time, then of arming', (t) => {
  const clock = new FakeClock()
  const log: string[] = []
  clock.timer(20, () => log.push(`b at ${clock.nowMs()}`))
  clock.timer(10, () => log.push(`a at ${clock.nowMs()}`))
  clock.timer(20, () => log.push(`c at ${clock.nowMs()}`))
  clock.timer(21, () => log.push('too late'))
  t.equal(clock.pending, 4)
  t.equal(clock.nextDueMs(), 10)
  clock.advance(20)
  t.strictSame(log, ['a at 10', 'b at 20', 'c at 20'])
  t.equal(clock.nowMs(), 20)
  t.equal(clock.pending, 1)
  t.equal(clock.nextDueMs(), 21)
  t.end()
})

t.test('what a timer arms runs within the same call if it is due', (t) => {
  const clock = new FakeClock()
  const log: number[] = []
  const tick = (): void => {
    log.push(clock.nowMs())
    clock.timer(10, tick)
  }
  clock.timer(10, tick)
  clock.advance(35)
  t.strictSame(log, [10, 20, 30])
  t.equal(clock.nextDueMs(), 40)
  t.end()
})

t.test('a cancelled timer does not run, whenever it is cancelled', (t) => {
  const clock = new FakeClock()
  const log: string[] = []
  const first = clock.timer(5, () => {
    log.push('first')
    first.cancel()
    second.cancel()
  })
  const second = clock.timer(5, () => log.push('second'))
  clock.advance(10)
  second.cancel()
  t.strictSame(log, ['first'])
  t.equal(clock.pending, 0)
  t.equal(clock.nextDueMs(), undefined)
  t.end()
})

t.test('no delay and a negative one are due at once, but not within timer', (t) => {
  const clock = new FakeClock()
  let runs = 0
  clock.timer(0, () => (runs += 1))
  clock.timer(-5, () => (runs += 1))
  t.equal(runs, 0)
  clock.advance(0)
  t.equal(runs, 2)
  t.end()
})

t.test('the hour moves along', (t) => {
  const clock = new FakeClock()
  const startMs = clock.wallMs()
  clock.advance(1500.5)
  t.equal(clock.wallMs() - startMs, 1500.5)
  t.equal(clock.nowMs(), 1500.5)
  t.end()
})

t.test('deadlines lie on the same grid as on the real clock', (t) => {
  const clock = new FakeClock()
  clock.deadline(1001, () => {})
  t.equal(clock.nextDueMs(), 1024)
  t.end()
})

t.test('a callback may advance the clock itself', (t) => {
  const clock = new FakeClock()
  const log: string[] = []
  clock.timer(10, () => {
    clock.advance(100)
    log.push(`outer at ${clock.nowMs()}`)
  })
  clock.timer(50, () => log.push(`inner at ${clock.nowMs()}`))
  clock.advance(20)
  t.strictSame(log, ['inner at 50', 'outer at 110'])
  t.equal(clock.nowMs(), 110, 'time does not go back')
  t.end()
})

t.test('after a jump all that is due runs late, in order, at one time', (t) => {
  const clock = new FakeClock()
  const log: string[] = []
  for (const ms of [20, 10, 500]) clock.timer(ms, () => log.push(`${ms} at ${clock.nowMs()}`))
  clock.jump(100)
  t.strictSame(log, ['10 at 100', '20 at 100'])
  t.equal(clock.nowMs(), 100)
  t.equal(clock.pending, 1)
  t.end()
})

t.test('any timers run sorted by time and order of arming', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(50), { maxLength: 40 }), (delays) => {
      const clock = new FakeClock()
      const ran: [number, number][] = []
      for (const [at, delay] of delays.entries()) clock.timer(delay, () => ran.push([delay, at]))
      clock.advance(50)
      const sorted = [...delays.entries()].map(([at, delay]) => [delay, at] as [number, number])
      sorted.sort(([a, i], [b, j]) => a - b || i - j)
      return JSON.stringify(ran) === JSON.stringify(sorted)
    }),
  )
  t.end()
})
