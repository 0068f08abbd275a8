// How many streams, and how many handlers, may run at once. RFC 9113 section 5.1.2; gRPC's defence
// against rapid reset (CVE-2023-44487) counts handlers, not only open streams.
import type { Stream } from './stream.ts'

/** The client's side: streams that wait until the peer's MAX_CONCURRENT_STREAMS lets them open. */
export class StreamQuota {
  /** Streams opened and not yet closed. */
  public open = 0
  /** The peer's limit. 100 until its first SETTINGS, as in grpc-go. */
  public limit = 100
  private waiting: Set<Stream> | undefined

  /** Streams that wait. */
  public get waitingCount(): number {
    return this.waiting?.size ?? 0
  }

  /** Takes a place now (true) or joins the queue (false). */
  public acquire(stream: Stream): boolean {
    if (this.open < this.limit && this.waitingCount === 0) {
      this.open++
      return true
    }
    this.waiting ??= new Set()
    this.waiting.add(stream)
    return false
  }

  /** Gives the places of `streams` back: they wait again, before all others. */
  public putBack(streams: readonly Stream[]): void {
    this.open -= streams.length
    this.waiting = new Set([...streams, ...(this.waiting ?? [])])
  }

  /** Takes a stream out of the queue; false when it was not in it. */
  public leave(stream: Stream): boolean {
    return this.waiting?.delete(stream) ?? false
  }

  /** The next stream that may open now; its place is taken. */
  public next(): Stream | undefined {
    if (this.waiting === undefined || this.open >= this.limit) return undefined
    for (const stream of this.waiting) {
      this.waiting.delete(stream)
      this.open++
      return stream
    }
    return undefined
  }

  /** Takes the `count` that wait longest out of the queue, but for those with much to send. */
  public takeOldest(count: number, maxQueuedBytes: number): Stream[] {
    const taken: Stream[] = []
    for (const stream of this.waiting ?? []) {
      if (taken.length >= count) break
      if (stream.queuedBytes <= maxQueuedBytes) taken.push(stream)
    }
    for (const stream of taken) this.waiting?.delete(stream)
    return taken
  }

  /** Empties the queue. */
  public takeWaiting(): Stream[] {
    const streams = [...(this.waiting ?? [])]
    this.waiting = undefined
    return streams
  }
}

/** Work that starts when a slot is free. */
export interface SlotUser {
  /** Called at most once, outside the parser. */
  startHandler(): void
}

/**
 * The server's side: at most `limit` handlers run. A stream that the peer reset keeps its handler's
 * slot until the handler settles, so resetting gains the peer nothing.
 */
export class HandlerSlots {
  private readonly limit: number
  private running = 0
  private waiting: Set<SlotUser> | undefined

  public constructor(limit: number) {
    this.limit = limit
  }

  /** True when a further stream must be refused: as many wait as may run. */
  public get saturated(): boolean {
    return this.waiting !== undefined && this.waiting.size >= this.limit
  }

  /** Starts the handler, or queues it until a slot is free. */
  public enter(user: SlotUser): void {
    if (this.running < this.limit) {
      this.running++
      user.startHandler()
      return
    }
    this.waiting ??= new Set()
    this.waiting.add(user)
  }

  /** Gives up waiting (the stream is gone). True when it had not started. */
  public abandon(user: SlotUser): boolean {
    return this.waiting?.delete(user) ?? false
  }

  /** The handler of a started user has settled. */
  public leave(): void {
    this.running--
    if (this.waiting === undefined) return
    for (const user of this.waiting) {
      this.waiting.delete(user)
      this.running++
      user.startHandler()
      return
    }
  }
}
