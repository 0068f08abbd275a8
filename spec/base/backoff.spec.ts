import fc from 'fast-check'
import t from 'tap'
import { backoffMs } from '../../lib/base/backoff.ts'

const least = (): number => 0
const middle = (): number => 0.5
const most = (): number => 1 - Number.EPSILON

t.test('the wait grows by 1.6 from 1 s to 120 s, give or take a fifth', (t) => {
  for (const [failures, lowMs, meanMs, highMs] of [
    [0, 1000, 1000, 1000],
    [1, 1280, 1600, 1920],
    [2, 2048, 2560, 3072],
    [10, 87_960, 109_951, 131_941],
    [11, 96_000, 120_000, 144_000],
    [1000, 96_000, 120_000, 144_000],
    [1_000_000, 96_000, 120_000, 144_000],
  ] as const) {
    t.equal(Math.trunc(backoffMs(failures, least)), lowMs, `${failures} failures, least`)
    t.equal(Math.trunc(backoffMs(failures, middle)), meanMs, `${failures} failures, middle`)
    t.equal(Math.round(backoffMs(failures, most)), highMs, `${failures} failures, most`)
  }
  t.end()
})

t.test('all four parts are options', (t) => {
  const options = { baseMs: 10, multiplier: 2, jitter: 0, maxMs: 50 }
  t.strictSame(
    [0, 1, 2, 3, 4].map((failures) => backoffMs(failures, least, options)),
    [10, 20, 40, 50, 50],
  )
  t.equal(backoffMs(1, least, { jitter: 1 }), 0)
  t.end()
})

t.test('the wait is never negative or above the largest with jitter', (t) => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (failures, chance, jitter) => {
        const waitMs = backoffMs(failures, () => chance, { jitter })
        return waitMs >= 0 && waitMs <= 120_000 * (1 + jitter)
      },
    ),
  )
  t.end()
})
