// One call at a server, of any kind: from the request's header block to the status.
//
//   handleStream ─▶ processUnaryRPC      one request due: the handler starts when it is there
//                └▶ processStreamingRPC  the handler starts at once and reads as requests come
//
// The handler's code starts outside the parser and inside a slot of its connection. However it ends,
// the call gets exactly one status. Source: grpc-go server.go.
import type { Clock, Timer } from '../../base/clock.ts'
import { Code, type Status } from '../../base/status.ts'
import {
  ErrorCode,
  type HeaderBlock,
  type Peer,
  type ServerTransport,
  type SlotUser,
  type Stream,
  type StreamClosed,
  type StreamHandler,
} from '../../transport/index.ts'
import type {
  InterceptedRequest,
  InterceptedResponse,
  InterceptorNext,
} from '../call/interceptor.ts'
import { MessageQueue, type MessageQueueOwner } from '../call/message-queue.ts'
import { MessageReceiver, type MessageReceiverOwner } from '../call/message-receiver.ts'
import { MessageSender, putMessage, type SendingOptions } from '../call/message-sender.ts'
import type { RpcEvent, RpcTag, StatsHandler } from '../observe/stats.ts'
import { acceptsEncoding, type Compressor, type Compressors } from '../protocol/compression.ts'
import { decodeMessage, PREFIX_BYTES, wholeMessageBytes } from '../protocol/message.ts'
import { Metadata, type MetadataInit } from '../protocol/metadata.ts'
import { type MethodDefinition, streamsRequests, streamsResponses } from '../protocol/method.ts'
import type { RequestHead } from '../protocol/request-headers.ts'
import { type ResponseTemplate, trailerFields } from '../protocol/response-headers.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import { encodeStatusDetails } from '../protocol/status-details.ts'
import type { ServerCallContext } from './handlers.ts'
import type { Route } from './router.ts'

/** What a call needs of its server. */
export interface CallServer {
  readonly clock: Clock
  readonly compressors: Compressors
  readonly maxRecvMessageBytes: number
  readonly maxSendMessageBytes: number
  readonly minCompressBytes: number
  /** The encoding of responses where the client accepts it; undefined: that of the request. */
  readonly preferredEncoding: string | undefined
  readonly exposeHandlerErrors: boolean
  readonly stats: StatsHandler | undefined
  /** The interceptors around a handler; undefined when there are none. */
  readonly intercept: ((handler: InterceptorNext) => InterceptorNext) | undefined
  responseTemplate(contentSubtype: string, encoding: string | undefined): ResponseTemplate
  callEnded(call: ServerCall): void
  reportFault(where: string, error: unknown): void
}

const OK: Status = Object.freeze({ code: Code.Ok, message: '' })

export class ServerCall
  implements
    StreamHandler,
    MessageReceiverOwner<unknown>,
    MessageQueueOwner,
    SlotUser,
    ServerCallContext
{
  public readonly side = 'server'
  private readonly server: CallServer
  private readonly transport: ServerTransport
  private readonly stream: Stream
  private readonly block: HeaderBlock
  private readonly head: RequestHead
  private readonly route: Route
  private readonly takesStream: boolean
  private receiver: MessageReceiver<unknown> | undefined = undefined
  private queue: MessageQueue<unknown> | undefined = undefined
  private request: unknown = undefined
  private hasRequest = false
  private discards = false
  private sender: MessageSender<unknown> | undefined = undefined
  private encoding: string | undefined = undefined
  private headersSent = false
  /** A status was sent, or can be sent no more. */
  private over = false
  private holdsSlot = false
  private deadlineMs = Number.POSITIVE_INFINITY
  private deadlineTimer: Timer | undefined = undefined
  private abortController: AbortController | undefined = undefined
  private requestMetadata: Metadata | undefined = undefined
  private headerMetadata: Metadata | undefined = undefined
  private trailerMetadata: Metadata | undefined = undefined
  private tag: RpcTag | undefined = undefined
  private startMs = 0
  private endReason: RpcError | undefined = undefined

  public constructor(
    server: CallServer,
    transport: ServerTransport,
    stream: Stream,
    block: HeaderBlock,
    head: RequestHead,
    route: Route,
  ) {
    this.server = server
    this.transport = transport
    this.stream = stream
    this.block = block
    this.head = head
    this.route = route
    this.takesStream = streamsRequests(route.method.kind)
  }

  /** Begins the call. Called in the parser. */
  public handleStream(): void {
    const { server, head } = this
    if (server.stats !== undefined) this.beginStats()
    if (head.timeoutMs !== undefined) {
      this.startMs = server.clock.nowMs()
      this.deadlineMs = this.startMs + head.timeoutMs
      if (head.timeoutMs <= 0) {
        this.finish(deadlineExceeded())
        return
      }
      this.deadlineTimer = server.clock.deadline(head.timeoutMs, () => this.deadlinePassed(), false)
    }
    this.chooseEncoding()
    if (this.takesStream) {
      this.queue = new MessageQueue(this)
      this.transport.afterReceive(this)
    }
  }

  // ── ServerCallContext

  public get method(): MethodDefinition {
    return this.route.method
  }

  public get peer(): Peer {
    return this.transport.peer
  }

  public get peerAddress(): string {
    return this.transport.peer.address
  }

  public get metadata(): Metadata {
    this.requestMetadata ??= Metadata.fromFields(this.block.fields)
    return this.requestMetadata
  }

  public get signal(): AbortSignal {
    if (this.abortController === undefined) {
      this.abortController = new AbortController()
      if (this.endReason !== undefined) this.abortController.abort(this.endReason)
    }
    return this.abortController.signal
  }

  public get deadline(): Date | undefined {
    if (this.deadlineMs === Number.POSITIVE_INFINITY) return undefined
    const { clock } = this.server
    return new Date(clock.wallMs() + this.deadlineMs - clock.nowMs())
  }

  public get headers(): Metadata {
    this.headerMetadata ??= new Metadata()
    return this.headerMetadata
  }

  public get trailers(): Metadata {
    this.trailerMetadata ??= new Metadata()
    return this.trailerMetadata
  }

  public sendHeaders(metadata?: MetadataInit): void {
    if (this.headersSent) {
      throw new RpcError(Code.Internal, 'headers were sent already', {
        token: 'headers_sent_twice',
      })
    }
    if (metadata !== undefined) this.headers.merge(metadata)
    this.putHeaders()
  }

  public send(response: unknown): Promise<void> {
    if (this.over) return Promise.reject(this.endReason ?? callOver())
    return this.openSender().send(response)
  }

  public write(response: unknown): boolean {
    if (this.over) return false
    return this.openSender().write(response)
  }

  public writable(): Promise<void> {
    return this.over ? Promise.resolve() : this.openSender().writable()
  }

  public setCompression(encoding: string): void {
    const { compressors } = this.server
    if (encoding === 'identity') this.encoding = undefined
    else if (
      compressors.get(encoding) === undefined ||
      !acceptsEncoding(this.head.acceptEncoding, encoding)
    ) {
      throw new RpcError(Code.Internal, `the client does not accept the encoding ${encoding}`, {
        token: 'encoding_not_accepted',
      })
    } else this.encoding = encoding
  }

  // ── StreamHandler

  public onHeaders(block: HeaderBlock): void {
    // Trailers of a request: gRPC has none, and says nothing of them.
    this.observe({ kind: 'inTrailer', fields: block.fields, wireBytes: block.wireBytes })
  }

  public onData(buf: Buffer, start: number, end: number): void {
    if (this.over || this.discards) {
      this.stream.credit(end - start)
      return
    }
    // The common request: one message, whole, uncompressed, in one frame.
    if (this.receiver === undefined) {
      const messageBytes = wholeMessageBytes(buf, start, end)
      if (messageBytes >= 0 && messageBytes <= this.server.maxRecvMessageBytes) {
        this.decodeWhole(buf, start + PREFIX_BYTES, end)
        return
      }
      this.receiver = this.createReceiver()
    }
    this.receiver.push(buf, start, end)
  }

  public onEnd(): void {
    if (this.over) return
    if (this.receiver === undefined) this.onMessagesEnd()
    else this.receiver.end()
  }

  public onWritable(): void {
    this.sender?.onWritable()
  }

  public onClosed(closed: StreamClosed): void {
    if (!this.over) {
      this.end(
        new RpcError(Code.Cancelled, closedText(closed), {
          cause: closed.cause,
          token: 'call_gone',
        }),
      )
      this.observeEnd({ code: Code.Cancelled, message: 'the client is gone' })
    }
    if (!this.holdsSlot) this.transport.slots.abandon(this)
  }

  // ── MessageReceiverOwner

  public onMessage(message: unknown, wireBytes: number, messageBytes: number): void {
    if (this.tag !== undefined) {
      this.observe({ kind: 'inPayload', message, messageBytes, wireBytes })
    }
    if (this.queue !== undefined) {
      this.queue.push(message, wireBytes)
    } else if (this.hasRequest) {
      this.fail(cardinality('more than one request', this.route.method.path))
    } else {
      this.request = message
      this.hasRequest = true
    }
  }

  public onPartialMessage(_lengthBytes: number, missingBytes: number): void {
    if (this.queue === undefined || this.queue.isAwaited) this.stream.expect(missingBytes)
  }

  public onMessagesEnd(): void {
    if (this.queue !== undefined) {
      this.queue.end()
    } else if (!this.hasRequest) {
      this.fail(cardinality('no request', this.route.method.path))
    } else {
      this.transport.afterReceive(this)
    }
  }

  public onMessageFault(error: RpcError): void {
    this.queue?.end(error)
    this.fail(error)
  }

  // ── MessageQueueOwner

  public messageTaken(wireBytes: number): void {
    this.stream.credit(wireBytes)
  }

  public readerWaits(): void {
    const missingBytes = this.receiver?.missingBytes ?? 0
    if (missingBytes > 0) this.stream.expect(missingBytes)
  }

  /** The handler has read enough: what still comes is dropped, the answer is still due. */
  public readerLeft(): void {
    this.discards = true
    this.receiver?.stop()
  }

  // ── the handler

  /** Runnable: the parser is done; the handler may start once there is a slot. */
  public run(): void {
    if (!this.over) this.transport.slots.enter(this)
  }

  public startHandler(): void {
    this.holdsSlot = true
    if (this.over) {
      this.settled()
      return
    }
    this.stream.handlerStarted = true
    const { intercept } = this.server
    try {
      const input = this.takesStream ? this.queue : this.request
      this.request = undefined
      const result =
        intercept === undefined
          ? this.route.handler(input, this)
          : intercept((request) => this.callHandler(request))({ call: this, message: input }).then(
              responseMessage,
            )
      if (!isThenable(result)) this.onResult(result)
      else {
        result.then(
          (settled) => this.onResult(settled),
          (thrown) => this.onThrown(thrown),
        )
      }
    } catch (thrown) {
      this.onThrown(thrown)
    }
  }

  /** The innermost `next` of the interceptors. */
  private async callHandler({ message }: InterceptedRequest): Promise<InterceptedResponse> {
    const result = await this.route.handler(message, this)
    return { headers: this.headers, trailers: this.trailers, message: result }
  }

  private onResult(result: unknown): void {
    if (!streamsResponses(this.route.method.kind)) {
      this.respond(result)
      this.settled()
    } else if (result === undefined) {
      this.finishSending()
    } else {
      this.sendAll(result as AsyncIterable<unknown>).then(
        () => this.finishSending(),
        (thrown) => this.onThrown(thrown),
      )
    }
  }

  private onThrown(thrown: unknown): void {
    this.fail(this.errorOf(thrown))
    this.settled()
  }

  private finishSending(): void {
    const done = (): void => {
      this.finish(OK)
      this.settled()
    }
    if (this.sender === undefined) done()
    else this.sender.afterAll(done)
  }

  /** Sends the responses of an iterable, at the pace of the wire. */
  private async sendAll(responses: AsyncIterable<unknown> | Iterable<unknown>): Promise<void> {
    const iterator = iteratorOf(responses)
    for (;;) {
      const step = iterator.next()
      const { done, value } = isThenable(step) ? await step : step
      if (done === true) return
      if (this.over) {
        await iterator.return?.()
        return
      }
      const sender = this.openSender()
      if (this.encoding !== undefined) await sender.send(value)
      else if (!sender.write(value)) await sender.writable()
    }
  }

  /** Headers, the one response and an OK, as one. */
  private respond(response: unknown): void {
    if (this.over) return
    const compressor = this.compressor()
    if (compressor !== undefined) {
      this.respondCompressed(response)
      return
    }
    try {
      if (!this.headersSent && this.tag === undefined) {
        // Encoding comes first: a response that cannot be encoded leaves no headers behind.
        this.putHeadersWithMessage(response)
      } else {
        this.openSender().write(response)
      }
    } catch (thrown) {
      this.fail(RpcError.from(thrown))
      return
    }
    this.finish(OK)
  }

  private putHeadersWithMessage(response: unknown): void {
    const { server, stream, route } = this
    const fields = this.template().headers(this.headerMetadata)
    this.headersSent = true
    putMessage(
      stream,
      route.method.response,
      response,
      server.maxSendMessageBytes,
      false,
      undefined,
      fields,
    )
  }

  private respondCompressed(response: unknown): void {
    this.openSender()
      .send(response)
      .then(
        () => this.finish(OK),
        (thrown) => this.fail(RpcError.from(thrown)),
      )
  }

  // ── the end

  private deadlinePassed(): void {
    this.fail(deadlineExceeded())
  }

  private fail(error: RpcError): void {
    if (this.over) return
    const { details } = error
    const detailsBin = details.length > 0 ? encodeStatusDetails(error) : undefined
    if (error.metadata.size > 0) this.trailers.merge(error.metadata)
    this.endReason = error
    this.finish(error, detailsBin)
  }

  private finish(status: Status | RpcError, detailsBin?: string): void {
    if (this.over) return
    const error = status instanceof RpcError ? status : undefined
    const sent = error?.toStatus() ?? (status as Status)
    // From here on the stream's end is the call's own.
    this.over = true
    this.putStatus(sent, detailsBin)
    this.end(error)
    // The answer is complete; the rest of the request is not wanted.
    this.stream.reset(ErrorCode.NO_ERROR, 'response_complete')
    this.observeEnd(sent)
  }

  private putStatus(status: Status, detailsBin: string | undefined): void {
    const { stream } = this
    try {
      if (!this.headersSent && (this.headerMetadata?.size ?? 0) === 0) {
        const fields = this.template().trailersOnly(status, detailsBin, this.trailerMetadata)
        this.headersSent = true
        stream.headers(fields, true)
        this.observe({ kind: 'outTrailer', fields })
        return
      }
      if (!this.headersSent) this.putHeaders()
      const fields = trailerFields(status, detailsBin, this.trailerMetadata)
      stream.trailers(fields)
      this.observe({ kind: 'outTrailer', fields })
    } catch (thrown) {
      // Metadata that cannot be sent must not cost the client its status.
      const { code, message } = RpcError.from(thrown).toStatus()
      const fallback = { code: status.code === Code.Ok ? code : status.code, message }
      if (this.headersSent) stream.trailers(trailerFields(fallback, undefined, undefined))
      else stream.headers(this.template().trailersOnly(fallback, undefined, undefined), true)
    }
  }

  /** Nothing more is read or sent; the handler hears by its signal and its queue. */
  private end(error: RpcError | undefined): void {
    this.over = true
    this.deadlineTimer?.cancel()
    this.receiver?.stop()
    this.sender?.stop()
    if (error !== undefined) {
      this.endReason = error
      this.queue?.end(error)
      this.abortController?.abort(error)
    } else {
      void this.queue?.return()
    }
    if (!this.holdsSlot) this.transport.slots.abandon(this)
  }

  /** The handler's code is done. */
  private settled(): void {
    if (!this.holdsSlot) return
    this.holdsSlot = false
    this.transport.slots.leave()
    this.server.callEnded(this)
  }

  // ── sending

  private compressor(): Compressor | undefined {
    return this.encoding === undefined ? undefined : this.server.compressors.get(this.encoding)
  }

  private template(): ResponseTemplate {
    return this.server.responseTemplate(this.head.contentSubtype, this.encoding)
  }

  private putHeaders(): void {
    if (this.headersSent) return
    const fields = this.template().headers(this.headerMetadata)
    this.headersSent = true
    this.stream.headers(fields, false)
    this.observe({ kind: 'outHeader', fields, peer: this.peer.address })
  }

  private openSender(): MessageSender<unknown> {
    if (this.sender !== undefined) return this.sender
    this.putHeaders()
    const { server, route } = this
    const options: SendingOptions<unknown> = {
      codec: route.method.response,
      maxMessageBytes: server.maxSendMessageBytes,
      minCompressBytes: server.minCompressBytes,
      compressor: this.compressor(),
    }
    this.sender = new MessageSender(this.stream, options, this.onSent())
    return this.sender
  }

  /** Answers in the encoding of the request, or as the server is told, if the client accepts it. */
  private chooseEncoding(): void {
    const { compressors, preferredEncoding } = this.server
    const wanted = preferredEncoding ?? this.head.encoding
    if (wanted === 'identity') return
    if (compressors.get(wanted) === undefined) return
    if (acceptsEncoding(this.head.acceptEncoding, wanted)) this.encoding = wanted
  }

  // ── receiving

  private decodeWhole(buf: Buffer, start: number, end: number): void {
    let message: unknown
    try {
      message = decodeMessage(this.route.method.request, buf, start, end, false)
    } catch (thrown) {
      this.onMessageFault(RpcError.from(thrown))
      return
    }
    this.onMessage(message, PREFIX_BYTES + end - start, end - start)
  }

  private createReceiver(): MessageReceiver<unknown> {
    const { server, route, head } = this
    return new MessageReceiver(
      route.method.request,
      this,
      server.maxRecvMessageBytes,
      server.compressors.get(head.encoding),
    )
  }

  private errorOf(thrown: unknown): RpcError {
    if (thrown instanceof RpcError) return thrown
    this.server.reportFault(`handler of ${this.route.method.path}`, thrown)
    if (this.server.exposeHandlerErrors) return RpcError.from(thrown)
    return new RpcError(Code.Unknown, 'the handler failed', { token: 'handler_failed' })
  }

  // ── observation

  private beginStats(): void {
    this.startMs = this.server.clock.nowMs()
    this.tag = { side: 'server', method: this.route.method, context: undefined }
    const { fields, wireBytes } = this.block
    this.observe({ kind: 'inHeader', fields, wireBytes })
    this.observe({ kind: 'begin', attempt: 1, isTransparentRetry: false })
  }

  private onSent():
    | ((message: unknown, messageBytes: number, wireBytes: number) => void)
    | undefined {
    if (this.tag === undefined) return undefined
    return (message, messageBytes, wireBytes) =>
      this.observe({ kind: 'outPayload', message, messageBytes, wireBytes })
  }

  private observe(event: RpcEvent): void {
    if (this.tag === undefined) return
    try {
      this.server.stats?.handleRpc?.(this.tag, event)
    } catch (error) {
      this.server.reportFault('stats handler', error)
    }
  }

  private observeEnd(status: Status): void {
    if (this.tag === undefined) return
    this.observe({ kind: 'end', status, durationMs: this.server.clock.nowMs() - this.startMs })
    this.tag = undefined
  }
}

function cardinality(what: string, path: string): RpcError {
  return new RpcError(Code.Unimplemented, `${what} for ${path}, want exactly one`, {
    token: 'cardinality',
  })
}

function deadlineExceeded(): RpcError {
  return new RpcError(Code.DeadlineExceeded, 'deadline exceeded', { token: 'deadline_exceeded' })
}

function callOver(): RpcError {
  return new RpcError(Code.Internal, 'the call is over', { token: 'send_after_end' })
}

function closedText(closed: StreamClosed): string {
  return closed.by === 'reset' && closed.initiator === 'peer'
    ? 'the client cancelled the call'
    : `the call's stream is gone: ${closed.cause?.message ?? closed.token ?? closed.by}`
}

function isThenable<T>(value: unknown): value is Promise<T> {
  return (
    value !== null && typeof value === 'object' && typeof (value as Promise<T>).then === 'function'
  )
}

function iteratorOf(
  responses: AsyncIterable<unknown> | Iterable<unknown>,
): AsyncIterator<unknown> | Iterator<unknown> {
  const source = responses as (AsyncIterable<unknown> & Iterable<unknown>) | null
  if (typeof source?.[Symbol.asyncIterator] === 'function') return source[Symbol.asyncIterator]()
  if (typeof source?.[Symbol.iterator] === 'function') return source[Symbol.iterator]()
  throw new RpcError(
    Code.Internal,
    `a streaming handler returned ${typeof responses}, want an iterable of responses`,
    { token: 'handler_result_invalid' },
  )
}

function responseMessage(response: InterceptedResponse): unknown {
  return response.message
}
