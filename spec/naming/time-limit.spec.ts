import { getEventListeners } from 'node:events'
import t from 'tap'
import { wait, withTimeLimit } from '../../lib/naming/time-limit.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { settle } from '../support/fake-network.ts'

/** Something that may be given up, and how it ends. */
class Bench {
  public readonly clock = new FakeClock()
  public readonly outer = new AbortController()
  public inner: AbortSignal | undefined
  public answer: (text: string) => void = () => {}
  public fail: (error: Error) => void = () => {}
  public end = ''

  public constructor() {
    withTimeLimit<string>(this.clock, 100, this.outer.signal, (signal) => {
      this.inner = signal
      return new Promise((resolve, reject) => {
        this.answer = resolve
        this.fail = reject
      })
    }).then(
      (text) => {
        this.end = text
      },
      ({ message }: Error) => {
        this.end = message
      },
    )
  }
}

const ENDS: readonly (readonly [
  name: string,
  act: (bench: Bench) => void,
  end: string,
  aborted: boolean,
])[] = [
  ['an answer', (bench) => bench.answer('yes'), 'yes', false],
  ['a failure', (bench) => bench.fail(new Error('no')), 'no', false],
  ['the limit', (bench) => bench.clock.advance(100), 'no answer within 100 ms', true],
  ['an abort', (bench) => bench.outer.abort(), 'given up', true],
]

for (const [name, act, end, aborted] of ENDS) {
  t.test(`${name} ends it, and nothing stays behind`, async (t) => {
    const bench = new Bench()
    bench.clock.advance(99)
    await settle()
    t.equal(bench.end, '')
    act(bench)
    await settle()
    t.equal(bench.end, end)
    t.equal(bench.inner?.aborted, aborted)
    t.equal(bench.clock.pending, 0)
    t.strictSame(getEventListeners(bench.outer.signal, 'abort'), [])
    bench.answer('late')
    bench.outer.abort()
    await settle()
    t.equal(bench.end, end, 'what comes later does not count')
  })
}

t.test('a wait ends in time or with an abort, and nothing stays behind', async (t) => {
  for (const act of [
    (clock: FakeClock) => clock.advance(1),
    (_clock: FakeClock, outer: AbortController) => outer.abort(),
  ]) {
    const clock = new FakeClock()
    const outer = new AbortController()
    let isOver = false
    const waiting = wait(clock, 100, outer.signal).then(() => {
      isOver = true
    })
    clock.advance(99)
    await settle()
    t.equal(isOver, false)
    act(clock, outer)
    await waiting
    t.equal(clock.pending, 0)
    t.strictSame(getEventListeners(outer.signal, 'abort'), [])
  }
})
