// What a stream tells its owner. The owner is the role above: a gRPC attempt, a gRPC server call,
// or an embedder's own code.
import type { ErrorCode } from '../../frame/index.ts'
import type { HeaderBlock } from '../../hpack/index.ts'

/** Which header block of a stream this is: 1xx, the first final one, or the last. */
export type HeadersKind = 'informational' | 'headers' | 'trailers'

/** Why and by whom a stream was closed. */
export interface StreamClosed {
  /** 'end': both halves ended well. 'goaway': the peer said that it never processed it. */
  readonly by: 'end' | 'reset' | 'goaway' | 'transport'
  readonly initiator: 'local' | 'peer'
  readonly code: ErrorCode
  /**
   * False only when the peer cannot have acted on it: REFUSED_STREAM, above GOAWAY's last id, or
   * never written. Such a call may be tried again with nothing visible (gRPC retry design, A6).
   */
  readonly processed: boolean
  /** The unique name of the rule that closed it, for 'reset' by us. */
  readonly token?: string
  /** What took the transport away. */
  readonly cause?: Error
}

/**
 * Receives the events of one stream, in order. All calls are synchronous and come from the
 * connection's parser: do what must be done at once, and leave the user's code to
 * `connection.afterReceive`. Ranges are *borrowed* until the `receive` that delivered them returns.
 */
export interface StreamHandler {
  /** A header block that passed the rules of RFC 9113 section 8. */
  onHeaders(block: HeaderBlock, kind: HeadersKind, endStream: boolean): void
  /** Data without padding; flow-control credit is due by `stream.credit` when it is taken. */
  onData(buf: Buffer, start: number, end: number): void
  /** The peer's half ended (END_STREAM, content-length checked). Follows onHeaders or onData. */
  onEnd(): void
  /** After `stream.data` returned false: there is room again. */
  onWritable(): void
  /** The stream is closed. Exactly once, last; also for a stream that never got an id. */
  onClosed(closed: StreamClosed): void
}
