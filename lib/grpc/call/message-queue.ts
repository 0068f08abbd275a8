// Received messages between the wire and whoever reads them: pulled one by one, or by `for await`.
// The iterator is written by hand: an async generator costs more than twice as much a message.

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
  readonly resolve: (result: IteratorResult<T>) => void
  readonly reject: (error: Error) => void
}

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

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
  private ended = false
  private failure: Error | undefined

  public constructor(owner: MessageQueueOwner) {
    this.owner = owner
  }

  /** Whether a reader waits for a message now. */
  public get isAwaited(): boolean {
    return this.waiters.length > 0 || this.consumer !== undefined
  }

  public push(message: T, wireBytes: number): void {
    if (this.ended) return
    if (this.consumer !== undefined) {
      this.owner.messageTaken(wireBytes)
      this.consumer(message)
      return
    }
    const waiter = this.waiters.shift()
    if (waiter === undefined) {
      this.entries.push({ message, wireBytes })
      return
    }
    this.owner.messageTaken(wireBytes)
    waiter.resolve({ done: false, value: message })
  }

  /** No message follows; with `failure` that is why. */
  public end(failure?: Error): void {
    if (this.ended) return
    this.ended = true
    this.failure = failure
    const waiters = this.waiters
    this.waiters = []
    for (const waiter of waiters) {
      if (this.failure === undefined) waiter.resolve(DONE)
      else waiter.reject(this.takeFailure() as Error)
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
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject })
      this.owner.readerWaits()
    })
  }

  /**
   * The push form: `onMessage` is called with each message as it comes, without a promise each.
   * Resolves at the end, rejects with what failed. What `onMessage` throws ends the reading as
   * leaving a loop does, and rejects.
   */
  public async consume(onMessage: (message: T) => void): Promise<void> {
    while (this.head < this.entries.length) {
      const { value } = await this.next()
      await this.guarded(onMessage, value as T)
    }
    if (this.ended) {
      await this.next()
      return
    }
    await new Promise<void>((resolve, reject) => {
      this.waiters.push({ resolve: () => resolve(), reject })
      this.consumer = (message) => {
        try {
          onMessage(message)
        } catch (thrown) {
          reject(thrown)
          void this.return()
        }
      }
      this.owner.readerWaits()
    })
  }

  /** The reader leaves: what is queued is dropped, its credit returned. */
  public return(): Promise<IteratorResult<T>> {
    const left = !this.ended
    for (let i = this.head; i < this.entries.length; i++) {
      this.owner.messageTaken(this.entries[i]!.wireBytes)
    }
    this.entries = []
    this.head = 0
    this.failure = undefined
    this.end()
    if (left) this.owner.readerLeft()
    return Promise.resolve(DONE)
  }

  public [Symbol.asyncIterator](): this {
    return this
  }

  private async guarded(onMessage: (message: T) => void, message: T): Promise<void> {
    try {
      onMessage(message)
    } catch (thrown) {
      await this.return()
      throw thrown
    }
  }

  private advance(): void {
    this.entries[this.head] = undefined as unknown as Entry<T>
    this.head++
    if (this.head < this.entries.length) return
    this.entries = []
    this.head = 0
  }

  private takeFailure(): Error | undefined {
    const { failure } = this
    this.failure = undefined
    return failure
  }
}
