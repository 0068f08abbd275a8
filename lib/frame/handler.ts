// What the frame decoder calls. One fixed shape, no object per frame.
import type { ErrorCode } from './constants.ts'

/**
 * Receives frames from {@link FrameDecoder} as they are parsed.
 *
 * Everything is synchronous. Each `(buf, start, end)` is *borrowed* until the call returns. The
 * decoder has stored its position before each call, so a handler may throw and the decoder be fed
 * again later; an Http2Error thrown is the end of the decoder too. Lengths, ids and values have
 * been checked (RFC 9113 sections 4 and 6) before the call.
 */
export interface FrameHandler {
  /** A header is here and in order, of known type or not: trace, activity, abuse counting. */
  frame(type: number, flags: number, streamId: number, length: number): void
  /**
   * A DATA frame begins. `flowBytes` is the whole payload with padding: charge flow control here,
   * once (6.9.1). `padBytes` is what of them is padding, its length octet included; 0 without
   * padding.
   */
  dataBegin(streamId: number, flowBytes: number, padBytes: number, endStream: boolean): void
  /** Part of the data of the DATA frame begun last; 0 to n of them, none of them empty. */
  dataChunk(buf: Buffer, start: number, end: number): void
  /** The DATA frame begun last is complete, padding included. */
  dataEnd(): void
  /** A HEADERS frame; the range is its field block fragment without padding and priority. */
  headers(
    streamId: number,
    endStream: boolean,
    endHeaders: boolean,
    padLength: number,
    buf: Buffer,
    start: number,
    end: number,
  ): void
  /** A CONTINUATION frame in its right place (6.10). */
  continuation(streamId: number, endHeaders: boolean, buf: Buffer, start: number, end: number): void
  /** A PRIORITY frame (6.3). The priority part of HEADERS is checked and dropped. */
  priority(streamId: number, dependsOn: number, exclusive: boolean, weight: number): void
  /** A PUSH_PROMISE frame; its block is not delivered, CONTINUATION neither: push is refused. */
  pushPromise(streamId: number): void
  /** A frame of unknown type (5.5), whole. */
  extension(
    type: number,
    flags: number,
    streamId: number,
    buf: Buffer,
    start: number,
    end: number,
  ): void
  /** A RST_STREAM frame. */
  rstStream(streamId: number, code: number): void
  /** One entry of a SETTINGS frame; values out of range have been refused. */
  setting(id: number, value: number): void
  /** All entries of a SETTINGS frame (also of an empty one) have been delivered. */
  settingsEnd(): void
  /** A SETTINGS frame with ACK. */
  settingsAck(): void
  /** A PING frame; the opaque octets as two unsigned 32-bit halves. */
  ping(ack: boolean, hi: number, lo: number): void
  /** A GOAWAY frame; the range is the debug data. */
  goAway(lastStreamId: number, code: number, buf: Buffer, start: number, end: number): void
  /** A WINDOW_UPDATE frame with an increment of at least 1; stream 0 is the connection. */
  windowUpdate(streamId: number, increment: number): void
  /** The frame just seen broke a rule whose scope is the stream (5.4.2). Parsing goes on. */
  streamError(streamId: number, code: ErrorCode, token: string): void
}
