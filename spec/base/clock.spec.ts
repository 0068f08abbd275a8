import fc from 'fast-check'
import t, { type Test } from 'tap'
import { deadlineGridMs, systemClock } from '../../lib/base/clock.ts'

interface Armed {
  readonly delayMs: number
  readonly callback: () => void
  isReferenced: boolean
  isCleared: boolean
}

/** Puts the process's timers and its monotonic time under the spec's hand. */
function holdTime(t: Test): { armed: Armed[]; last: () => Armed; setNow: (ms: number) => void } {
  const { setTimeout, clearTimeout } = globalThis
  const { now } = performance
  const armed: Armed[] = []
  let nowMs = 5000
  const take = (callback: () => void, delayMs: number) => {
    const one = { delayMs, callback, isReferenced: true, isCleared: false }
    armed.push(one)
    return Object.assign(one, {
      unref: () => {
        one.isReferenced = false
      },
    })
  }
  globalThis.setTimeout = take as unknown as typeof setTimeout
  globalThis.clearTimeout = ((one?: Armed) => {
    if (one !== undefined) one.isCleared = true
  }) as unknown as typeof clearTimeout
  performance.now = () => nowMs
  t.teardown(() => {
    Object.assign(globalThis, { setTimeout, clearTimeout })
    performance.now = now
  })
  return {
    armed,
    last: () => armed.at(-1)!,
    setNow: (ms) => {
      nowMs = ms
    },
  }
}

t.test(
  'a timer runs once, after its delay, and holds the process unless told not to',
  async (t) => {
    const { armed, last } = holdTime(t)
    let runs = 0
    systemClock.timer(250, () => (runs += 1))
    t.match(last(), { delayMs: 250, isReferenced: true })
    last().callback()
    t.equal(runs, 1)
    systemClock.timer(250, () => {}, false)
    t.match(last(), { isReferenced: false })
    systemClock.timer(250, () => {}).cancel()
    t.match(last(), { isCleared: true })
    t.equal(armed.length, 3)
  },
)

t.test('a delay over 2^31-1 ms is chained', async (t) => {
  const { armed, last, setNow } = holdTime(t)
  const most = 2 ** 31 - 1
  let runs = 0
  const timer = systemClock.timer(2 * most + 10, () => (runs += 1), false)
  t.match(last(), { delayMs: most, isReferenced: false })
  setNow(5000 + most)
  last().callback()
  t.match(last(), { delayMs: most })
  setNow(5000 + 2 * most)
  last().callback()
  t.match(last(), { delayMs: 10, isReferenced: false })
  t.equal(runs, 0)
  last().callback()
  t.equal(runs, 1)
  t.equal(armed.length, 3)

  const dropped = systemClock.timer(2 * most, () => (runs += 1))
  last().callback()
  dropped.cancel()
  t.equal(last().isCleared, true)
  timer.cancel()
  timer.cancel()
})

t.test('a deadline is a timer on the grid', async (t) => {
  const { last } = holdTime(t)
  systemClock.deadline(1001, () => {})
  t.match(last(), { delayMs: 1024, isReferenced: true })
  systemClock.deadline(50.5, () => {}, false)
  t.match(last(), { delayMs: 51, isReferenced: false })
})

t.test('the hour and the monotonic time are the machine’s', async (t) => {
  const beforeMs = Date.now()
  const wallMs = systemClock.wallMs()
  t.ok(wallMs >= beforeMs && wallMs <= Date.now())
  const { setNow } = holdTime(t)
  setNow(77)
  t.equal(systemClock.nowMs(), 77)
})

t.test('the grid of deadlines', async (t) => {
  for (const [delayMs, rounded] of [
    [0, 0],
    [0.2, 1],
    [1, 1],
    [127, 127],
    [127.5, 128],
    [128, 128],
    [129, 136],
    [255, 256],
    [257, 272],
    [1000, 1024],
    [1001, 1024],
    [5000, 5056],
    [60_000, 60_032],
  ] as const) {
    t.equal(deadlineGridMs(delayMs), rounded, `${delayMs} ms`)
  }
  fc.assert(
    fc.property(fc.double({ min: 0, max: 2 ** 40, noNaN: true }), (delayMs) => {
      const rounded = deadlineGridMs(delayMs)
      const slackMs = delayMs < 128 ? 1 : Math.min(64, delayMs / 16)
      return rounded >= delayMs && rounded - delayMs <= slackMs && Number.isInteger(rounded)
    }),
  )
})
