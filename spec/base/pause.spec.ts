import t from 'tap'
import { pause } from '../../lib/base/pause.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { settle } from '../support/fake-network.ts'

t.test('a pause ends with its time, or with its signal, and leaves no timer', async (t) => {
  const clock = new FakeClock()
  const { signal } = new AbortController()
  let ended = false
  const whole = pause(clock, 10, signal, false).then(() => {
    ended = true
  })
  clock.advance(9)
  await settle()
  t.notOk(ended)
  clock.advance(1)
  await whole

  const aborting = new AbortController()
  const cut = pause(clock, 10, aborting.signal, false)
  aborting.abort()
  await cut
  t.equal(clock.pending, 0)
  await pause(clock, 10, aborting.signal, false)
  t.equal(clock.pending, 0)
})
