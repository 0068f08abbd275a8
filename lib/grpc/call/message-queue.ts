// Received messages between the wire and whoever reads them: pulled one by one, by `for await`, or
// pushed. The iterator is written by hand: an async generator costs more than twice as much a message.

/** What a queue tells its call. */
export interface MessageQueueOwner {
  /** The reader took a message that cost `wireBytes` of flow control. */
  messageTaken(wireBytes: number): void
  /** The reader waits, and there is nothing for it. */
  readerWaits(): void
  /** The reader left its loop before the end. */
  readerLeft(): void
}

interface Entry<T> {
  readonly message: T
  readonly wireBytes: number
}

interface Waiter<T> {
  readonly promise: Promise<IteratorResult<T>>
  readonly resolve: (result: IteratorResult<T>) => void
  readonly reject: (error: Error) => void
}

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })
/** Taken entries at the head that are worth the move of those behind them. */
const COMPACT_FROM = 64

/**
 * An ordered queue with one producer and one reader. What was pushed before the end is always
 * delivered before it; a failure is told once, later reads say done.
 */
export class MessageQueue<T> implements AsyncIterableIterator<T> {
  private readonly owner: MessageQueueOwner
  private entries: Entry<T>[] = []
  private head = 0
  private waiters: Waiter<T>[] = []
  private consumer: ((message: T) => void) | undefined
  /** Who consumes waits for the end alone. */
  private endWaiter: Waiter<T> | undefined
  private ended = false
  private failure: Error | undefined

  public constructor(owner: MessageQueueOwner) {
    this.owner = owner
  }

  /** Whether a reader waits for a message now. */
  public get isAwaited(): boolean {
    return this.waiters.length > 0 || this.consumer !== undefined
  }

  /** Messages that nobody has taken. */
  public get length(): number {
    return this.entries.length - this.head
  }

  public push(message: T, wireBytes: number): void {
    if (this.ended) return
    const waiter = this.waiters.shift()
    if (waiter !== undefined) waiter.resolve({ done: false, value: message })
    else if (this.consumer !== undefined) this.consumer(message)
    else {
      this.entries.push({ message, wireBytes })
      return
    }
    // The owner may push the next one at once.
    this.owner.messageTaken(wireBytes)
  }

  /** No message follows; with `failure` that is why. */
  public end(failure?: Error): void {
    if (this.ended) return
    this.ended = true
    this.failure = failure
    const { waiters, endWaiter } = this
    this.waiters = []
    if (endWaiter !== undefined) waiters.push(endWaiter)
    for (const waiter of waiters) {
      if (this.failure === undefined) waiter.resolve(DONE)
      else {
        // Who has stopped looking must not kill the process.
        waiter.promise.catch(ignore)
        waiter.reject(this.takeFailure() as Error)
      }
    }
  }

  public next(): Promise<IteratorResult<T>> {
    const entry = this.entries[this.head]
    if (entry !== undefined) {
      this.advance()
      this.owner.messageTaken(entry.wireBytes)
      return Promise.resolve({ done: false, value: entry.message })
    }
    if (this.failure !== undefined) return Promise.reject(this.takeFailure())
    if (this.ended) return Promise.resolve(DONE)
    const waiter = createWaiter<T>()
    this.waiters.push(waiter)
    this.owner.readerWaits()
    return waiter.promise
  }

  /**
   * The push form: `onMessage` is called with each message as it comes, without a promise each.
   * Resolves at the end, rejects with what failed. What `onMessage` throws ends the reading as
   * leaving a loop does, and rejects.
   */
  public async consume(onMessage: (message: T) => void): Promise<void> {
    let thrown: { readonly error: unknown } | undefined
    const consumer = (message: T): void => {
      if (thrown !== undefined) return
      try {
        onMessage(message)
      } catch (error) {
        thrown = { error }
        void this.return()
      }
    }
    while (this.length > 0 && thrown === undefined) {
      const { message, wireBytes } = this.entries[this.head] as Entry<T>
      this.advance()
      consumer(message)
      this.owner.messageTaken(wireBytes)
    }
    this.consumer = consumer
    // At the end this read is done; until then the consumer takes every message before it.
    if (thrown === undefined) await this.untilEnd()
    if (thrown !== undefined) throw (thrown as { readonly error: unknown }).error
  }

  /** The reader leaves: what is queued is dropped, its credit returned. */
  public return(): Promise<IteratorResult<T>> {
    const left = !this.ended
    const { entries, head } = this
    this.entries = []
    this.head = 0
    this.end()
    this.failure = undefined
    for (let i = head; i < entries.length; i++) this.owner.messageTaken(entries[i]!.wireBytes)
    if (left) this.owner.readerLeft()
    return Promise.resolve(DONE)
  }

  public [Symbol.asyncIterator](): this {
    return this
  }

  private async untilEnd(): Promise<void> {
    if (this.ended) {
      await this.next()
      return
    }
    const waiter = createWaiter<T>()
    this.endWaiter = waiter
    this.owner.readerWaits()
    await waiter.promise
  }

  private advance(): void {
    this.entries[this.head] = undefined as unknown as Entry<T>
    this.head++
    if (this.head === this.entries.length) {
      this.entries = []
      this.head = 0
    } else if (this.head >= COMPACT_FROM && this.head * 2 >= this.entries.length) {
      this.entries.splice(0, this.head)
      this.head = 0
    }
  }

  private takeFailure(): Error | undefined {
    const { failure } = this
    this.failure = undefined
    return failure
  }
}

function createWaiter<T>(): Waiter<T> {
  let resolve!: Waiter<T>['resolve']
  let reject!: Waiter<T>['reject']
  const promise = new Promise<IteratorResult<T>>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}

function ignore(): void {}
