import t from 'tap'
import { LatestValue } from '../../../lib/balancer/v1/latest-value.ts'
import { settle } from '../../support/fake-network.ts'

t.test('a slow reader sees the newest value only, and its loop ends', async (t) => {
  const source = new LatestValue<number>()
  const seen: number[] = []
  source.put(1)
  source.put(2)
  const loop = (async () => {
    for await (const value of source) seen.push(value)
  })()
  await settle()
  t.strictSame(seen, [2])
  source.put(3)
  source.put(4)
  await settle()
  t.strictSame(seen, [2, 4])
  source.put(5)
  source.end()
  await loop
  t.strictSame(seen, [2, 4, 5], 'what was there before the end is read')
})
