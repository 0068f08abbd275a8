import t from 'tap'
import { type FlushTarget, requestFlush } from '../../../lib/transport/io/flush-scheduler.ts'

class Target implements FlushTarget {
  public flushDue = 0
  public readonly onFlush: () => void
  public failure: unknown

  public constructor(onFlush: () => void) {
    this.onFlush = onFlush
  }

  public flush(): void {
    this.onFlush()
  }

  public flushFailed(error: unknown): void {
    this.failure = error
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}

t.test('a soon flush comes once, after all continuations of the turn', async (t) => {
  const log: string[] = []
  const target = new Target(() => log.push('flush'))
  await turn()
  process.nextTick(() => log.push('tick that was armed before'))
  requestFlush(target, 'soon')
  requestFlush(target, 'soon')
  requestFlush(target, 'later')
  const handler = async (): Promise<void> => {
    for (let at = 1; at <= 5; at++) {
      await null
      log.push(`continuation ${at}`)
    }
  }
  void handler()
  log.push('synchronous')
  await turn()
  t.strictSame(log, [
    'synchronous',
    'continuation 1',
    'continuation 2',
    'continuation 3',
    'continuation 4',
    'continuation 5',
    'tick that was armed before',
    'flush',
  ])
})

t.test('a later flush comes in its own turn', async (t) => {
  const log: string[] = []
  requestFlush(new Target(() => log.push('later')), 'later')
  requestFlush(new Target(() => log.push('soon')), 'soon')
  setImmediate(() => log.push('immediate'))
  await turn()
  t.strictSame(log, ['soon', 'later', 'immediate'])
})

t.test('soon takes the place of a later that is due', async (t) => {
  let flushes = 0
  const target = new Target(() => (flushes += 1))
  requestFlush(target, 'later')
  requestFlush(target, 'soon')
  await turn()
  t.equal(flushes, 1)
  requestFlush(target, 'later')
  await turn()
  t.equal(flushes, 2, 'and the next later is a new one')
})

t.test('a later asked for between a soon and the old later is served once', async (t) => {
  let flushes = 0
  const target: Target = new Target(() => {
    flushes += 1
    if (flushes === 1) requestFlush(target, 'later')
  })
  requestFlush(target, 'later')
  requestFlush(target, 'soon')
  await turn()
  t.equal(flushes, 2)
  t.equal(target.flushDue, 0)
})

t.test('targets are flushed in the order of asking, in one tick', async (t) => {
  const log: string[] = []
  const targets = ['a', 'b', 'c'].map((name) => new Target(() => log.push(name)))
  requestFlush(targets[1]!, 'soon')
  requestFlush(targets[0]!, 'soon')
  requestFlush(targets[2]!, 'soon')
  await null
  process.nextTick(() => log.push('after'))
  await turn()
  t.strictSame(log, ['b', 'a', 'c', 'after'])
})

t.test('a flush may ask for the next one, of either kind', async (t) => {
  for (const urgency of ['soon', 'later'] as const) {
    let flushes = 0
    const target: Target = new Target(() => {
      flushes += 1
      if (flushes < 4) requestFlush(target, urgency)
    })
    requestFlush(target, urgency)
    for (let turns = 0; turns < 4; turns++) await turn()
    t.equal(flushes, 4)
    t.equal(target.flushDue, 0)
  }
})

t.test('a later that repeats itself lets sockets be read in between', async (t) => {
  const log: string[] = []
  let flushes = 0
  const target: Target = new Target(() => {
    log.push('flush')
    flushes += 1
    if (flushes < 3) requestFlush(target, 'later')
  })
  requestFlush(target, 'later')
  const poll = (): void => {
    log.push('turn')
    if (flushes < 3) setImmediate(poll)
  }
  setImmediate(poll)
  for (let turns = 0; turns < 4; turns++) await turn()
  t.strictSame(log.slice(0, 5), ['flush', 'turn', 'flush', 'turn', 'flush'])
})

t.test('a flush that throws is reported and costs the others nothing', async (t) => {
  for (const urgency of ['soon', 'later'] as const) {
    let flushed = 0
    const failing = new Target(() => {
      throw new Error('bug')
    })
    requestFlush(new Target(() => (flushed += 1)), urgency)
    requestFlush(failing, urgency)
    requestFlush(new Target(() => (flushed += 1)), urgency)
    await turn()
    t.equal(flushed, 2)
    t.match(failing.failure, { message: 'bug' })
    t.equal(failing.flushDue, 0)
  }
})
