// One request and its answer at a client, without gRPC. RFC 9113 section 8.

import { ErrorCode } from '../../frame/index.ts'
import type { HeaderBlock } from '../../hpack/index.ts'
import type { ClientTransport } from '../client-transport.ts'
import { StreamClosedError } from '../errors.ts'
import { statusOf } from '../stream/header-rules.ts'
import type { Stream } from '../stream/stream.ts'
import type { HeadersKind, StreamClosed, StreamHandler } from '../stream/stream-handler.ts'
import { Body, type BodySource, BodyWriter } from './body.ts'
import { type FieldInit, Fields, fieldList } from './fields.ts'

/** A request to send. */
export interface RequestInit {
  /** Default GET, or POST with a body. */
  readonly method?: string
  /** Default `/`. */
  readonly path?: string
  /** Default `https` over TLS, else `http`. */
  readonly scheme?: string
  /** Default: the peer's address. */
  readonly authority?: string
  readonly headers?: FieldInit
  readonly body?: BodySource
  readonly trailers?: FieldInit
  readonly signal?: AbortSignal
  /** Hears of each 1xx. */
  readonly onInformational?: (status: number, headers: Fields) => void
}

/** An answer; its body may still be on the way. */
export interface Response {
  readonly status: number
  readonly headers: Fields
  readonly body: Body
  /** Resolves when the body has ended. Rejects with StreamClosedError when it was cut off. */
  readonly trailers: Promise<Fields>
}

/**
 * Sends a request and resolves with the final response headers. Rejects with
 * {@link StreamClosedError} when the stream ends before, with the signal's reason when it is aborted,
 * with TransportUsageError for a field that must not be sent.
 */
export function request(transport: ClientTransport, init: RequestInit = {}): Promise<Response> {
  return new Promise((resolve, reject) => {
    new Exchange(transport, init, resolve, reject).start()
  })
}

const NO_FIELDS = new Fields([])

class Exchange implements StreamHandler {
  private readonly transport: ClientTransport
  private readonly init: RequestInit
  private readonly resolve: (response: Response) => void
  private readonly reject: (error: unknown) => void
  private readonly body: Body
  private readonly trailers: Promise<Fields>
  private endTrailers!: (fields: Fields) => void
  private failTrailers!: (error: Error) => void
  private received = NO_FIELDS
  private stream!: Stream
  private writer: BodyWriter | undefined

  public constructor(
    transport: ClientTransport,
    init: RequestInit,
    resolve: (response: Response) => void,
    reject: (error: unknown) => void,
  ) {
    this.transport = transport
    this.init = init
    this.resolve = resolve
    this.reject = reject
    this.body = new Body(
      (bytes) => this.stream.credit(bytes),
      () => this.stream.reset(ErrorCode.CANCEL, 'body_not_wanted'),
    )
    this.trailers = new Promise((end, fail) => {
      this.endTrailers = end
      this.failTrailers = fail
    })
    this.trailers.catch(() => {})
  }

  public start(): void {
    const { transport, init } = this
    const { peer } = transport
    const { body, method = body === undefined ? 'GET' : 'POST', path = '/', signal } = init
    const { scheme = peer.tls === undefined ? 'http' : 'https', authority = peer.address } = init
    signal?.throwIfAborted()
    const pseudo = [':method', method, ':scheme', scheme, ':path', path, ':authority', authority]
    const fields = fieldList(pseudo, init.headers, 'request')
    const trailers =
      init.trailers === undefined ? undefined : fieldList([], init.trailers, 'trailers')
    const endStream = body === undefined && trailers === undefined
    this.stream = transport.openStream(fields, this, undefined, endStream)
    signal?.addEventListener('abort', this)
    if (endStream) return
    this.writer = new BodyWriter(this.stream)
    this.writer.write(body ?? '', trailers).catch((thrown) => {
      this.reject(thrown)
      this.stream.reset(ErrorCode.CANCEL, 'body_source_failed')
    })
  }

  /** EventListenerObject: the signal was aborted. */
  public handleEvent(): void {
    this.reject(this.init.signal?.reason)
    this.stream.reset(ErrorCode.CANCEL, 'request_aborted')
  }

  public onHeaders(block: HeaderBlock, kind: HeadersKind): void {
    const headers = new Fields(block.fields)
    if (kind === 'trailers') this.received = headers
    else if (kind === 'informational') this.init.onInformational?.(statusOf(block), headers)
    else {
      const { body, trailers } = this
      this.resolve({ status: statusOf(block), headers, body, trailers })
    }
  }

  public onData(buf: Buffer, start: number, end: number): void {
    this.body.push(buf, start, end)
  }

  public onEnd(): void {
    this.body.end()
    this.endTrailers(this.received)
  }

  public onWritable(): void {
    this.writer?.go()
  }

  public onClosed(closed: StreamClosed): void {
    this.init.signal?.removeEventListener('abort', this)
    this.writer?.go()
    if (closed.by === 'end') return
    const error = new StreamClosedError(this.transport.peer.address, closed)
    this.body.end(error)
    this.failTrailers(error)
    this.reject(error)
  }
}
