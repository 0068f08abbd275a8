// What a connection pins in received data that no application has taken yet.
//
// Connection credit returns on receipt, so only the stream windows bound what can pile up. While
// more than `maxBufferedBytes` is held, no window is raised for a large message, except that of the
// stream that has waited longest: it alone can finish, so one connection holds at most
// streams × initial window + maxBufferedBytes + one message.
import type { Stream } from './stream.ts'

/** What the budget asks of activeStreams. */
export interface ReceiveBudgetHost {
  /** Raises the stream's window by what it expects. */
  grantExpected(stream: Stream): void
}

export class ReceiveBudget {
  /** Received octets that no application has taken. */
  public heldBytes = 0
  private readonly maxBytes: number
  private readonly host: ReceiveBudgetHost
  private expecting: Set<Stream> | undefined

  public constructor(maxBytes: number, host: ReceiveBudgetHost) {
    this.maxBytes = maxBytes
    this.host = host
  }

  /** Whether windows may grow at all. */
  public get over(): boolean {
    return this.heldBytes > this.maxBytes
  }

  /** A message larger than the window is due on the stream (`stream.expectedBytes`). */
  public expect(stream: Stream): void {
    if (!this.over) {
      this.host.grantExpected(stream)
      return
    }
    this.expecting ??= new Set()
    this.expecting.add(stream)
    this.grantOldest()
  }

  /** `bytes` were taken, or dropped with their stream. */
  public release(bytes: number): void {
    this.heldBytes -= bytes
    if (this.expecting !== undefined) this.grantOldest()
  }

  /** The stream is over. */
  public forget(stream: Stream): void {
    if (this.expecting?.delete(stream)) this.grantOldest()
  }

  private grantOldest(): void {
    const expecting = this.expecting
    if (expecting === undefined) return
    for (const stream of expecting) {
      if (stream.expectedBytes > 0) this.host.grantExpected(stream)
      // While over, the one granted now stays at the head until its data was taken.
      if (this.over) return
      expecting.delete(stream)
    }
    this.expecting = undefined
  }
}
