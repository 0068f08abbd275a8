// The queue between the wire and a reader, alone: order, ends, credit, and readers of all habits.
import * as fc from 'fast-check'
import t from 'tap'
import { MessageQueue, type MessageQueueOwner } from '../../../lib/grpc/call/message-queue.ts'

class Owner implements MessageQueueOwner {
  public takenBytes = 0
  public readonly log: string[] = []

  public messageTaken(wireBytes: number): void {
    this.takenBytes += wireBytes
  }
  public readerWaits(): void {
    this.log.push('waits')
  }
  public readerLeft(): void {
    this.log.push('left')
  }
}

const DONE = { done: true, value: undefined }

t.test('what was pushed before the end comes before it', async (t) => {
  const queue = new MessageQueue<number>(new Owner())
  queue.push(1, 10)
  queue.push(2, 10)
  queue.end(new Error('broken'))
  queue.push(3, 10)
  t.strictSame(await queue.next(), { done: false, value: 1 })
  t.strictSame(await queue.next(), { done: false, value: 2 })
  await t.rejects(queue.next(), /broken/)
  t.strictSame(await queue.next(), DONE, 'a failure is told once')
})

t.test('readers that wait are served in order; the failure goes to the first', async (t) => {
  const owner = new Owner()
  const queue = new MessageQueue<number>(owner)
  const reads = [queue.next(), queue.next(), queue.next()]
  t.equal(queue.isAwaited, true)
  queue.push(1, 10)
  queue.end(new Error('broken'))
  const results = await Promise.allSettled(reads)
  t.match(results, [
    { status: 'fulfilled', value: { done: false, value: 1 } },
    { status: 'rejected', reason: { message: 'broken' } },
    { status: 'fulfilled', value: DONE },
  ])
  t.equal(owner.takenBytes, 10)
  t.strictSame(owner.log, ['waits', 'waits', 'waits'])
})

t.test('leaving returns all credit, once', async (t) => {
  const owner = new Owner()
  const queue = new MessageQueue<number>(owner)
  for (let i = 0; i < 5; i++) queue.push(i, 7)
  await queue.next()
  t.strictSame(await queue.return(), DONE)
  t.strictSame(await queue.return(), DONE)
  t.equal(owner.takenBytes, 35)
  t.strictSame(owner.log, ['left'])
  t.strictSame(await queue.next(), DONE)
  queue.push(9, 7)
  t.equal(owner.takenBytes, 35, "what comes later is the call's to credit")
})

t.test('leaving after the end is no news to the call', async (t) => {
  const owner = new Owner()
  const queue = new MessageQueue<number>(owner)
  queue.push(1, 7)
  queue.end(new Error('x'))
  await queue.return()
  t.strictSame(owner.log, [])
  t.equal(owner.takenBytes, 7)
  t.strictSame(await queue.next(), DONE)
})

t.test('consume takes what is there and what comes, then settles like the queue', async (t) => {
  for (const failure of [undefined, new Error('broken')]) {
    for (const before of [0, 2]) {
      const queue = new MessageQueue<number>(new Owner())
      for (let i = 0; i < before; i++) queue.push(i, 1)
      const got: number[] = []
      const consumed = queue.consume((n) => got.push(n))
      for (let i = before; i < 4; i++) queue.push(i, 1)
      queue.end(failure)
      if (failure === undefined) await consumed
      else await t.rejects(consumed, /broken/)
      t.strictSame(got, [0, 1, 2, 3])
    }
  }
  const ended = new MessageQueue<number>(new Owner())
  ended.push(1, 1)
  ended.end(new Error('broken'))
  const got: number[] = []
  await t.rejects(
    ended.consume((n) => got.push(n)),
    /broken/,
  )
  t.strictSame(got, [1])
})

t.test('a consumer that throws leaves, and sees nothing more', async (t) => {
  for (const before of [1, 3, 0]) {
    const owner = new Owner()
    const queue = new MessageQueue<number>(owner)
    for (let i = 0; i < before; i++) queue.push(i, 1)
    let calls = 0
    const consumed = queue.consume(() => {
      calls++
      throw new Error('mine')
    })
    for (let i = before; i < 3; i++) queue.push(i, 1)
    await t.rejects(consumed, /mine/)
    t.equal(calls, 1)
    t.strictSame(
      owner.log.filter((line) => line === 'left'),
      ['left'],
    )
  }
})

t.test('an owner that pushes when a message is taken keeps the order', async (t) => {
  let next = 1
  const owner: MessageQueueOwner = {
    messageTaken() {
      if (next < 6) queue.push(next++, 1)
    },
    readerWaits() {},
    readerLeft() {},
  }
  const queue: MessageQueue<number> = new MessageQueue(owner)
  const got: number[] = []
  const consumed = queue.consume((n) => got.push(n))
  queue.push(0, 1)
  await null
  queue.end()
  await consumed
  t.strictSame(got, [0, 1, 2, 3, 4, 5])
})

t.test(
  'any mixture of pushes and reads keeps order, and credit for all that was read',
  async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 400 }), async (pushes) => {
        const owner = new Owner()
        const queue = new MessageQueue<number>(owner)
        const reads: Promise<IteratorResult<number>>[] = []
        let pushed = 0
        for (const isPush of pushes) {
          if (isPush) queue.push(pushed++, 1)
          else reads.push(queue.next())
        }
        queue.end()
        const results = await Promise.all(reads)
        const values = results.filter(({ done }) => done !== true).map(({ value }) => value)
        const expected = Array.from({ length: Math.min(pushed, reads.length) }, (_, n) => n)
        t.strictSame(values, expected)
        t.equal(owner.takenBytes, expected.length)
        t.equal(queue.isEmpty, pushed === expected.length)
      }),
      { numRuns: 100 },
    )
  },
)
