import t from 'tap'
import { seededRandom, systemRandom } from '../../lib/base/random.ts'

t.test('a seed gives the same sequence each time, another one gives another', (t) => {
  const take = (seed: number): number[] => Array.from({ length: 5 }, seededRandom(seed))
  t.strictSame(take(1), take(1))
  t.strictNotSame(take(1), take(2))
  t.strictNotSame(take(0), take(2 ** 31))
  t.end()
})

t.test('numbers lie in [0, 1) and are spread evenly', (t) => {
  for (const random of [seededRandom(42), systemRandom]) {
    const tenths = new Array<number>(10).fill(0)
    for (let at = 0; at < 20_000; at++) {
      const number = random()
      if (!(number >= 0 && number < 1)) t.fail(`got ${number}`)
      tenths[Math.floor(number * 10)]! += 1
    }
    t.ok(Math.min(...tenths) > 1700 && Math.max(...tenths) < 2300, tenths.join(' '))
  }
  t.end()
})
