// Serving requests without gRPC: a function from a request to a response as the owner of streams.
// RFC 9113 section 8, RFC 9110 section 10.1.1 (Expect).
import { ErrorCode } from '../../frame/index.ts'
import type { HeaderBlock } from '../../hpack/index.ts'
import { StreamClosedError } from '../errors.ts'
import type { Peer } from '../io/wire.ts'
import type { OnStream, ServerTransport } from '../server-transport.ts'
import type { SlotUser } from '../stream/concurrency.ts'
import type { Stream } from '../stream/stream.ts'
import type { HeadersKind, StreamClosed, StreamHandler } from '../stream/stream-handler.ts'
import { Body, type BodySource, BodyWriter } from './body.ts'
import { type FieldInit, Fields, fieldList } from './fields.ts'

/** A request as its handler sees it. */
export interface ServerRequest {
  readonly method: string
  /** '' for CONNECT. */
  readonly path: string
  readonly scheme: string
  readonly authority: string
  readonly headers: Fields
  /** Reading it first answers `expect: 100-continue` with 100. */
  readonly body: Body
  /** Complete when the body has ended. */
  readonly trailers: () => Fields
  readonly peer: Peer
  /** Aborted when the stream is gone before the answer was complete. */
  readonly signal: AbortSignal
  /** Sends a 1xx answer before the final one. */
  informational(status: number, headers?: FieldInit): void
}

/** What a handler answers. */
export interface ResponseInit {
  /** Default 200. */
  readonly status?: number
  readonly headers?: FieldInit
  readonly body?: BodySource
  readonly trailers?: FieldInit
}

/** Answers one request. What it throws becomes a 500 without text. */
export type RequestHandler = (request: ServerRequest) => ResponseInit | Promise<ResponseInit>

/** The `onStream` of a server whose requests `handler` answers; `onError` hears what it throws. */
export function handleRequests(
  handler: RequestHandler,
  onError: (error: unknown) => void = () => {},
): OnStream {
  return (stream, block, endStream, transport) => {
    const served = new ServedRequest(handler, onError, stream, block, endStream, transport)
    transport.afterReceive(served)
    return served
  }
}

const RESPONSE_COMPLETE = 'response_complete'
const INTERNAL_SERVER_ERROR: ResponseInit = { status: 500 }

class ServedRequest implements ServerRequest, StreamHandler, SlotUser {
  public readonly method: string
  public readonly path: string
  public readonly scheme: string
  public readonly authority: string
  public readonly headers: Fields
  public readonly body: Body
  private readonly handler: RequestHandler
  private readonly onError: (error: unknown) => void
  private readonly stream: Stream
  private readonly transport: ServerTransport
  private readonly writer: BodyWriter
  private controller: AbortController | undefined
  private receivedTrailers = new Fields([])
  private closedBy: Error | undefined
  private started = false

  public constructor(
    handler: RequestHandler,
    onError: (error: unknown) => void,
    stream: Stream,
    block: HeaderBlock,
    endStream: boolean,
    transport: ServerTransport,
  ) {
    this.handler = handler
    this.onError = onError
    this.stream = stream
    this.transport = transport
    this.writer = new BodyWriter(stream)
    this.headers = new Fields(block.fields)
    this.method = this.headers.get(':method') ?? ''
    this.path = this.headers.get(':path') ?? ''
    this.scheme = this.headers.get(':scheme') ?? ''
    this.authority = this.headers.get(':authority') ?? this.headers.get('host') ?? ''
    const expectsContinue = this.headers.get('expect')?.toLowerCase() === '100-continue'
    this.body = new Body(
      (bytes) => stream.credit(bytes),
      () => {},
      expectsContinue && !endStream ? () => this.informational(100) : undefined,
    )
  }

  public get peer(): Peer {
    return this.transport.peer
  }

  public readonly trailers = (): Fields => this.receivedTrailers

  public get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (this.closedBy !== undefined) this.controller.abort(this.closedBy)
    }
    return this.controller.signal
  }

  public informational(status: number, headers?: FieldInit): void {
    this.stream.informational(fieldList([':status', String(status)], headers, 'response'))
  }

  /** Runnable: the parser is done. */
  public run(): void {
    if (!this.stream.closed) this.transport.slots.enter(this)
  }

  public startHandler(): void {
    this.started = true
    this.stream.handlerStarted = true
    void this.answer()
  }

  public onHeaders(block: HeaderBlock, _kind: HeadersKind): void {
    this.receivedTrailers = new Fields(block.fields)
  }

  public onData(buf: Buffer, start: number, end: number): void {
    this.body.push(buf, start, end)
  }

  public onEnd(): void {
    this.body.end()
  }

  public onWritable(): void {
    this.writer.go()
  }

  public onClosed(closed: StreamClosed): void {
    if (!this.started) this.transport.slots.abandon(this)
    this.writer.go()
    if (closed.by === 'end') return
    const error = new StreamClosedError(this.peer.address, closed)
    this.body.end(error)
    // Our own reset after a complete answer only says that the rest of the request is not wanted.
    if (closed.initiator === 'local' && closed.token === RESPONSE_COMPLETE) return
    this.closedBy = error
    this.controller?.abort(error)
  }

  private async answer(): Promise<void> {
    try {
      await this.send(await this.handler(this))
    } catch (thrown) {
      if (!this.stream.closed) this.onError(thrown)
      await this.sendFailure()
    } finally {
      this.transport.slots.leave()
    }
  }

  private async send(response: ResponseInit): Promise<void> {
    const { stream } = this
    const pseudo = [':status', String(response.status ?? 200)]
    const fields = fieldList(pseudo, response.headers, 'response')
    const trailers =
      response.trailers === undefined ? undefined : fieldList([], response.trailers, 'trailers')
    const { body } = response
    const hasNoBody = this.method === 'HEAD' || (body === undefined && trailers === undefined)
    stream.headers(fields, hasNoBody)
    if (!hasNoBody) await this.writer.write(body ?? '', trailers)
    // RFC 9113 8.1: the answer is complete; what is left of the request is not wanted.
    stream.reset(ErrorCode.NO_ERROR, RESPONSE_COMPLETE)
  }

  private async sendFailure(): Promise<void> {
    const { stream } = this
    if (stream.headersSent) stream.reset(ErrorCode.INTERNAL_ERROR, 'handler_failed')
    else await this.send(INTERNAL_SERVER_ERROR)
  }
}
