// Which WINDOW_UPDATE frames are honest. A peer that takes data sends a few per DATA frame, or some
// more when it reads frames in pieces; one that drips credit, or sends updates for nothing, only makes
// work (CVE-2019-9511). RFC 9113 section 10.5.
import type { GlitchReason } from './abuse-guard.ts'

/** An increment below this is tiny, when something waited for it. */
const TINY_INCREMENT_BYTES = 1024
/** One for the stream and one for the connection. */
const PER_DATA_FRAME = 2
/** The same again for each piece of this size: peers give credit for what one read brought. */
const PIECE_BITS = 10
/** Credit before any data: a peer may enlarge a stream at once. */
const PER_STREAM = 1
/** The most that is saved up: what a long window of small frames may bring back at once. */
const MAX_ALLOWANCE = 2 ** 20

/** Counts what we sent against the updates that come back. */
export class WindowUpdatePolicy {
  private allowance: number
  /** Tiny updates for which there was a larger one: the rest of a frame, or of the peer's buffer. */
  private tinyAllowance: number

  public constructor() {
    // The connection's own window is enlarged at its start.
    this.allowance = PER_STREAM
    this.tinyAllowance = 0
  }

  /** A DATA frame with so many octets was encoded. */
  public dataSent(bytes: number): void {
    if (this.allowance >= MAX_ALLOWANCE) return
    this.allowance += PER_DATA_FRAME * (1 + (bytes >> PIECE_BITS))
  }

  /** A stream was opened, by either side. */
  public streamOpened(): void {
    if (this.allowance < MAX_ALLOWANCE) this.allowance += PER_STREAM
  }

  /**
   * Counts a WINDOW_UPDATE. `wasBlocked`: data waited for this window. Returns what to charge, if
   * anything.
   */
  public received(increment: number, wasBlocked: boolean): GlitchReason | undefined {
    const spent = this.allowance === 0
    if (!spent) this.allowance -= 1
    if (increment >= TINY_INCREMENT_BYTES) {
      if (this.tinyAllowance < MAX_ALLOWANCE) this.tinyAllowance += 1
    } else if (wasBlocked) {
      if (this.tinyAllowance === 0) return 'tinyWindowUpdate'
      this.tinyAllowance -= 1
    }
    return spent ? 'excessWindowUpdate' : undefined
  }
}
