// One HTTP/2 stream: the two halves' state and the owner's face of it. The work is done by the
// connection; a stream only remembers. RFC 9113 sections 5.1, 5.2, 8.1.
import type { ErrorCode } from '../../frame/index.ts'
import { NO_CONTENT_LENGTH } from './content-length.ts'
import type { RecvWindow } from './flow-control.ts'
import { HalfPhase } from './half-phase.ts'
import type { SendQueue } from './send-queue.ts'
import type { StreamHandler } from './stream-handler.ts'
import { isClosed, StreamState } from './stream-state.ts'

/** What a stream asks of its connection. */
export interface StreamHost {
  putHeaders(
    stream: Stream,
    fields: readonly string[],
    extraFields: readonly string[] | undefined,
    endStream: boolean,
  ): void
  putInformational(stream: Stream, fields: readonly string[]): void
  putData(
    stream: Stream,
    buf: Buffer,
    start: number,
    end: number,
    endStream: boolean,
    owned: boolean,
  ): boolean
  reset(stream: Stream, code: ErrorCode, token: string): void
  credit(stream: Stream, bytes: number): void
  expect(stream: Stream, bytes: number): void
}

/** Where a stream stands with the loopy writer. */
export const SendState = {
  /** Nothing queued. */
  Empty: 0,
  /** In the ring, waiting for its turn. */
  Active: 1,
  /** Has data but no window. */
  WaitingForWindow: 2,
} as const
export type SendState = (typeof SendState)[keyof typeof SendState]

/**
 * A stream as its owner sees it: what {@link ClientTransport.openStream} returns and what a server's
 * `onStream` is given. Everything is legal at any time; calls on a closed stream do nothing.
 */
export class Stream {
  /** The stream identifier; 0 until HEADERS are encoded. */
  public id: number
  /** Told of everything that happens here. Set once, by whoever opens the stream. */
  public handler: StreamHandler

  /**
   * At a server: the user's code has begun to work on it. Set by whoever starts that code; a peer
   * that resets its stream before is charged for it (rapid reset).
   */
  public handlerStarted: boolean

  // What follows is the connection's own bookkeeping.
  /** @internal */ public state: StreamState
  /** @internal */ public recvPhase: HalfPhase
  /** @internal */ public sendPhase: HalfPhase
  /** @internal */ public readonly recvWindow: RecvWindow
  /** @internal Octets that the peer lets us send; negative after a shrinking SETTINGS (6.9.2). */
  public sendWindowBytes: number
  /** @internal False while a client stream waits for the peer's MAX_CONCURRENT_STREAMS. */
  public admitted: boolean
  /** @internal */ public queue: SendQueue | undefined
  /** @internal */ public queuedBytes: number
  /** @internal `data` said false and `onWritable` is due. */
  public writerWaits: boolean
  /** @internal */ public sendState: SendState
  /** @internal */ public ringNext: Stream | undefined
  /** @internal */ public ringPrevious: Stream | undefined
  /** @internal Ends with RST_STREAM(NO_ERROR) once END_STREAM is on the wire; the token says why. */
  public resetWhenSent: string | undefined
  /** @internal */ public informationalCount: number
  /** @internal Octets of content that the peer announced and has not sent. */
  public contentRemaining: number
  /** @internal The answer to HEAD or with 304: its content-length says nothing of its DATA. */
  public bodyless: boolean
  /** @internal Octets of the large message that `expect` announced and that are still to be granted. */
  public expectedBytes: number
  /** @internal Its owner was told of the end. (It is closed a moment before: see `onEnd`.) */
  public retired: boolean
  private readonly host: StreamHost

  public constructor(
    host: StreamHost,
    id: number,
    handler: StreamHandler,
    recvWindow: RecvWindow,
    sendWindowBytes: number,
  ) {
    this.host = host
    this.id = id
    this.handler = handler
    this.handlerStarted = false
    this.state = StreamState.Idle
    this.recvPhase = HalfPhase.AwaitingHeaders
    this.sendPhase = HalfPhase.AwaitingHeaders
    this.recvWindow = recvWindow
    this.sendWindowBytes = sendWindowBytes
    this.admitted = true
    this.queue = undefined
    this.queuedBytes = 0
    this.writerWaits = false
    this.sendState = SendState.Empty
    this.ringNext = undefined
    this.ringPrevious = undefined
    this.resetWhenSent = undefined
    this.informationalCount = 0
    this.contentRemaining = NO_CONTENT_LENGTH
    this.bodyless = false
    this.expectedBytes = 0
    this.retired = false
  }

  /** True once the stream is over; nothing will be sent or delivered any more. */
  public get closed(): boolean {
    return isClosed(this.state)
  }

  /** Whether the first final header block was sent, or is on its way. */
  public get headersSent(): boolean {
    return this.sendPhase !== HalfPhase.AwaitingHeaders
  }

  /**
   * Sends the first final header block. `extraFields` follow `fields` in the same block: a list that
   * is reused for many streams stays one object, which the encoder remembers by its identity. Do not
   * change a list after it was given.
   */
  public headers(
    fields: readonly string[],
    endStream: boolean,
    extraFields?: readonly string[],
  ): void {
    if (this.closed || this.sendPhase !== HalfPhase.AwaitingHeaders) return
    this.sendPhase = endStream ? HalfPhase.Done : HalfPhase.Body
    this.host.putHeaders(this, fields, extraFields, endStream)
  }

  /** Sends a 1xx block; `fields` begins with `:status`. Only before {@link Stream.headers}. */
  public informational(fields: readonly string[]): void {
    if (this.closed || this.sendPhase !== HalfPhase.AwaitingHeaders) return
    this.host.putInformational(this, fields)
  }

  /**
   * Sends data, in order, as the windows allow. The range is *borrowed* and copied if it must wait;
   * with `owned` true it is given away instead. False: more than the write quota is waiting; it was
   * taken all the same, and `handler.onWritable` says when to go on.
   */
  public data(buf: Buffer, start: number, end: number, endStream: boolean, owned = false): boolean {
    if (this.closed || this.sendPhase !== HalfPhase.Body) return false
    if (endStream) this.sendPhase = HalfPhase.Done
    return this.host.putData(this, buf, start, end, endStream, owned)
  }

  /** Sends the last header block, behind all data, and ends our half. */
  public trailers(fields: readonly string[], extraFields?: readonly string[]): void {
    if (this.closed || this.sendPhase !== HalfPhase.Body) return
    this.sendPhase = HalfPhase.Done
    this.host.putHeaders(this, fields, extraFields, true)
  }

  /**
   * Ends the stream with RST_STREAM. NO_ERROR waits until END_STREAM of our half is on the wire
   * (RFC 9113 section 8.1: the answer is complete, the rest of the request is not wanted); any other
   * code drops what is queued. A stream whose HEADERS are not yet encoded leaves without trace.
   * `token` is the unique name of the reason.
   */
  public reset(code: ErrorCode, token: string): void {
    if (!this.closed) this.host.reset(this, code, token)
  }

  /** Returns flow-control credit: the application has taken `bytes` octets of data. */
  public credit(bytes: number): void {
    if (!this.closed) this.host.credit(this, bytes)
  }

  /** Says that `bytes` octets are due in one piece, so that the window lets them all come. */
  public expect(bytes: number): void {
    if (!this.closed) this.host.expect(this, bytes)
  }
}
