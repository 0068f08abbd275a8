// What a connection pins in received data that no application has taken yet.
//
// Connection credit returns on receipt, so only the stream windows bound what can pile up. What they
// are extended by for large messages is bounded by `maxBufferedBytes`, and while more than that is
// held they are not extended at all; except that of the stream that has waited longest, which alone
// can finish. So one connection holds at most
// streams × initial window + maxBufferedBytes + one message.
import type { Stream } from './stream.ts'

/** Extends windows; see {@link ReceiveBudget}. */
export interface ReceiveBudgetHost {
  /** Extends the stream's window by what it expects. */
  grantExpected(stream: Stream): void
}

export class ReceiveBudget {
  /** Received octets that no application has taken. */
  public heldBytes = 0
  /** What the windows are extended by, over all streams. */
  public extendedBytes = 0
  private readonly maxBytes: number
  private readonly host: ReceiveBudgetHost
  /** In the order of asking. The first may be the one that was granted beyond the budget. */
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
    if (this.expecting === undefined && this.mayExtend(stream.expectedBytes)) {
      this.host.grantExpected(stream)
      return
    }
    this.expecting ??= new Set()
    this.expecting.add(stream)
    this.grantOldest()
  }

  /** Octets were taken, or dropped with their stream, and the extension that they came by is over. */
  public release(heldBytes: number, extendedBytes: number): void {
    this.heldBytes -= heldBytes
    this.extendedBytes -= extendedBytes
    if (this.expecting !== undefined) this.grantOldest()
  }

  /** The stream is over. */
  public forget(stream: Stream): void {
    if (this.expecting?.delete(stream)) this.grantOldest()
  }

  private mayExtend(bytes: number): boolean {
    return !this.over && this.extendedBytes + bytes <= this.maxBytes
  }

  private grantOldest(): void {
    const { expecting } = this
    if (expecting === undefined) return
    for (const stream of expecting) {
      if (stream.expectedBytes > 0) this.host.grantExpected(stream)
      // Granted beyond the budget: until its message was taken it is the only one.
      if (stream.recvWindow.extendedBytes > 0 && !this.mayExtend(0)) return
      expecting.delete(stream)
    }
    this.expecting = undefined
  }
}
