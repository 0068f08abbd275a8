// Received messages between the wire and whoever reads them: pulled one by one, by `for await`, or
// pushed in batches. The iterator is written by hand: an async generator costs more than twice as
// much a message. Lists are linked: an idle stream holds no array.

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
  next: Entry<T> | undefined
}

interface Waiter<T> {
  readonly promise: Promise<IteratorResult<T>>
  readonly resolve: (result: IteratorResult<T>) => void
  readonly reject: (error: Error) => void
  next: Waiter<T> | undefined
}

interface Consumer<T> {
  readonly onMessage: (message: T) => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

/**
 * An ordered queue with one producer and one reader. What was pushed before the end is always
 * delivered before it; a failure is told once, later reads say done. The reader's code never runs
 * inside {@link MessageQueue.push}.
 */
export class MessageQueue<T> implements AsyncIterableIterator<T> {
  private readonly owner: MessageQueueOwner
  private head: Entry<T> | undefined = undefined
  private tail: Entry<T> | undefined = undefined
  private waiter: Waiter<T> | undefined = undefined
  private consumer: Consumer<T> | undefined = undefined
  private drainDue = false
  private ended = false
  private failure: Error | undefined = undefined

  public constructor(owner: MessageQueueOwner) {
    this.owner = owner
  }

  /** Whether a reader waits for a message now. */
  public get isAwaited(): boolean {
    return this.waiter !== undefined || (this.consumer !== undefined && this.head === undefined)
  }

  /** Whether every message was taken. */
  public get isEmpty(): boolean {
    return this.head === undefined
  }

  public push(message: T, wireBytes: number): void {
    if (this.ended) return
    const { waiter } = this
    if (waiter !== undefined) {
      this.waiter = waiter.next
      waiter.resolve({ done: false, value: message })
      this.owner.messageTaken(wireBytes)
      return
    }
    const entry: Entry<T> = { message, wireBytes, next: undefined }
    if (this.tail === undefined) this.head = entry
    else this.tail.next = entry
    this.tail = entry
    if (this.consumer !== undefined) this.drainSoon()
  }

  /** No message follows; with `failure` that is why. */
  public end(failure?: Error): void {
    if (this.ended) return
    this.ended = true
    this.failure = failure
    if (this.consumer !== undefined) this.drainSoon()
    for (let waiter = this.waiter; waiter !== undefined; waiter = waiter.next) {
      const error = this.takeFailure()
      if (error === undefined) {
        waiter.resolve(DONE)
      } else {
        // Who has stopped looking must not kill the process.
        waiter.promise.catch(ignore)
        waiter.reject(error)
      }
    }
    this.waiter = undefined
  }

  public next(): Promise<IteratorResult<T>> {
    if (this.head !== undefined) return Promise.resolve({ done: false, value: this.take() })
    if (this.failure !== undefined) return Promise.reject(this.takeFailure())
    if (this.ended) return Promise.resolve(DONE)
    const waiter = createWaiter<T>()
    this.wait(waiter)
    return waiter.promise
  }

  /**
   * The push form: `onMessage` is called with each message, those of one turn in a row, without a
   * promise each. Resolves at the end, rejects with what failed. What `onMessage` throws ends the
   * reading as leaving a loop does, and rejects.
   */
  public consume(onMessage: (message: T) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.consumer = { onMessage, resolve, reject }
      this.drainSoon()
    })
  }

  /** The reader leaves: what is queued is dropped, its credit returned. */
  public return(): Promise<IteratorResult<T>> {
    const left = !this.ended
    this.failure = undefined
    this.end()
    // Before the credit returns: nothing is to be made ready for a reader that has left.
    if (left) this.owner.readerLeft()
    while (this.head !== undefined) this.take()
    return Promise.resolve(DONE)
  }

  public [Symbol.asyncIterator](): this {
    return this
  }

  private take(): T {
    const entry = this.head as Entry<T>
    this.head = entry.next
    if (this.head === undefined) this.tail = undefined
    this.owner.messageTaken(entry.wireBytes)
    return entry.message
  }

  private wait(waiter: Waiter<T>): void {
    if (this.waiter === undefined) {
      this.waiter = waiter
    } else {
      let last = this.waiter
      while (last.next !== undefined) last = last.next
      last.next = waiter
    }
    this.owner.readerWaits()
  }

  private drainSoon(): void {
    if (this.drainDue) return
    this.drainDue = true
    queueMicrotask(() => this.drain())
  }

  private drain(): void {
    this.drainDue = false
    const { consumer } = this
    if (consumer === undefined) return
    try {
      while (this.head !== undefined) consumer.onMessage(this.take())
    } catch (thrown) {
      this.consumer = undefined
      consumer.reject(thrown)
      void this.return()
      return
    }
    if (!this.ended) {
      this.owner.readerWaits()
      return
    }
    this.consumer = undefined
    const failure = this.takeFailure()
    if (failure === undefined) consumer.resolve()
    else consumer.reject(failure)
  }

  private takeFailure(): Error | undefined {
    const { failure } = this
    this.failure = undefined
    return failure
  }
}

function createWaiter<T>(): Waiter<T> {
  const waiter = { next: undefined } as { -readonly [Key in keyof Waiter<T>]: Waiter<T>[Key] }
  waiter.promise = new Promise((resolve, reject) => {
    waiter.resolve = resolve
    waiter.reject = reject
  })
  return waiter
}

function ignore(): void {}
