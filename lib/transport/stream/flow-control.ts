// Credit for DATA, both ways, for streams and the connection: RFC 9113 sections 5.2 and 6.9. Pure
// counting: who sends the WINDOW_UPDATE, and which error a refusal becomes, is decided above.
// After grpc-go's internal/transport/flowcontrol.go (inFlow, trInFlow), with the checks that it
// leaves out. All amounts are octets and count padding (6.9.1). Every field stays a small integer:
// a window never exceeds 2^31-1.
import { DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES } from '../../frame/index.ts'

/** Kept below the largest window, so that SETTINGS may still raise a stream that was extended. */
const GROWTH_RESERVE_BYTES = 16 * 1024 * 1024
/** The most that a DATA frame has besides its data: a length octet and 255 of padding (6.1). */
const MAX_PADDING_BYTES = 256

/**
 * What the peer may still send on one stream. The peer's window is, at every moment,
 *
 *     limit + delta - pendingData - pendingUpdate
 *
 * `pendingData`: received, not taken by the application. `pendingUpdate`: taken, not yet given back
 * to the peer (it is once a quarter of the limit has gathered). `delta`: granted beyond the limit
 * for one message that is larger than the window; what is taken cancels it first.
 */
export class RecvWindow {
  private limit: number
  private pendingData: number
  private pendingUpdate: number
  private delta: number

  public constructor(limitBytes: number) {
    this.limit = limitBytes
    this.pendingData = 0
    this.pendingUpdate = 0
    this.delta = 0
  }

  /** Received and not taken. */
  public get heldBytes(): number {
    return this.pendingData
  }

  /** Granted beyond the limit for a large message and not yet taken. */
  public get extendedBytes(): number {
    return this.delta
  }

  /** What the peer may still send. Negative after the limit was lowered. */
  public get availableBytes(): number {
    return this.limit + this.delta - this.pendingData - this.pendingUpdate
  }

  /**
   * Charges a DATA frame, padding included. False: it exceeds the window and was not charged, a
   * stream error of type FLOW_CONTROL_ERROR (6.9.1). An empty frame needs no window, not even one
   * that is not negative.
   */
  public onData(bytes: number): boolean {
    if (bytes > this.availableBytes && bytes > 0) return false
    this.pendingData += bytes
    return true
  }

  /**
   * The application took `bytes`. Returns the increment of the WINDOW_UPDATE to send now, or 0.
   * Taking more than is held counts as taking all.
   */
  public onRead(bytes: number): number {
    const taken = Math.min(bytes, this.pendingData)
    this.pendingData -= taken
    const cancelled = Math.min(taken, this.delta)
    this.delta -= cancelled
    this.pendingUpdate += taken - cancelled
    if (this.pendingUpdate < this.limit >> 2) return 0
    return this.flush()
  }

  /**
   * Gives back the padding of a frame charged by {@link onData}, its length octet included. Returns
   * the increment to send: all of it, at once. Were it to gather, it could be just what the peer
   * lacks to finish a message, which frees no credit before it is complete.
   */
  public onPadding(bytes: number): number {
    this.pendingData -= bytes
    return bytes
  }

  /**
   * The application waits for a message of which `bytes` octets, prefix and the part already held
   * included, are needed. Returns the increment that lets the peer send the rest without a further
   * one, or 0 when it can. Idempotent. (Call it for the prefix too: a window may be smaller.)
   *
   * The peer may pad. Padding comes back frame by frame, so room for that of one frame is enough;
   * without it the last frame would not fit, and nothing held is taken before it has come.
   */
  public maybeAdjust(bytes: number): number {
    const missing = bytes + MAX_PADDING_BYTES - this.pendingData - this.availableBytes
    if (missing <= 0) return 0
    const update = this.flush()
    const extension = Math.min(
      missing - update,
      MAX_WINDOW_BYTES - GROWTH_RESERVE_BYTES - this.limit - this.delta,
    )
    if (extension <= 0) return update
    this.delta += extension
    return update + extension
  }

  /**
   * Follows our SETTINGS_INITIAL_WINDOW_SIZE, which moves the windows of open streams by itself
   * (6.9.2). Raise when it is sent; lower when it is acknowledged.
   */
  public newLimit(limitBytes: number): void {
    this.limit = limitBytes
  }

  private flush(): number {
    const update = this.pendingUpdate
    this.pendingUpdate = 0
    return update
  }
}

/**
 * What the peer may still send on the connection. Credit returns on receipt, whoever the data is
 * for and whether or not its stream lives, so that a slow reader never starves another stream; what
 * can gather is bounded by the windows of the streams.
 */
export class ConnectionRecvWindow {
  private limit: number
  private unacked: number

  public constructor() {
    this.limit = DEFAULT_WINDOW_BYTES
    this.unacked = 0
  }

  public get limitBytes(): number {
    return this.limit
  }

  /** What the peer may still send. */
  public get availableBytes(): number {
    return this.limit - this.unacked
  }

  /**
   * Charges a DATA frame, padding included. False: it exceeds the window and was not charged, a
   * connection error of type FLOW_CONTROL_ERROR (6.9.1).
   */
  public onData(bytes: number): boolean {
    if (bytes > this.limit - this.unacked) return false
    this.unacked += bytes
    return true
  }

  /** The increment of the WINDOW_UPDATE that is due, or 0: sent when a quarter has gathered. */
  public takeUpdate(): number {
    return this.unacked < this.limit >> 2 ? 0 : this.flush()
  }

  /** The increment of all that gathered, or 0. For a WINDOW_UPDATE before a BDP ping. */
  public flush(): number {
    const update = this.unacked
    this.unacked = 0
    return update
  }

  /** Raises the window; returns the increment to send. A connection's window is never lowered. */
  public newLimit(limitBytes: number): number {
    const increment = limitBytes - this.limit
    if (increment <= 0) return 0
    this.limit = limitBytes
    return increment
  }
}

/** What we may still send on the connection. (A stream has a number, which loopy-writer.ts moves.) */
export class SendWindow {
  public available: number

  public constructor(initialBytes: number) {
    this.available = initialBytes
  }

  /**
   * Counts a WINDOW_UPDATE. False: the window would exceed 2^31-1, a connection error of type
   * FLOW_CONTROL_ERROR (6.9.1).
   */
  public add(increment: number): boolean {
    if (this.available > MAX_WINDOW_BYTES - increment) return false
    this.available += increment
    return true
  }

  /** Counts DATA sent, at most {@link available}. */
  public take(bytes: number): void {
    this.available -= bytes
  }
}
