// One call at a server, of any kind: from the request's header block to the status.
//
//   processUnaryRPC       one request is due: the handler starts when it is there, and nothing follows
//   processStreamingRPC   the handler starts at once and reads requests as they come
//
// The handler's code starts outside the parser and inside a slot of its connection. However it ends,
// the call gets exactly one status. What is sent is response-writer.ts. Source: grpc-go server.go.
import type { Clock, Timer } from '../../base/clock.ts'
import { Code, STATUS_OK, type Status } from '../../base/status.ts'
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
import type { MessageSenderOwner, SendOptions } from '../call/message-sender.ts'
import type { RpcObserver } from '../observe/rpc-observer.ts'
import { Metadata, type MetadataInit } from '../protocol/metadata.ts'
import { type MethodDefinition, streamsResponses } from '../protocol/method.ts'
import type { RequestHead } from '../protocol/request-headers.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import { encodeStatusDetails } from '../protocol/status-details.ts'
import type { ServerCallContext } from './handlers.ts'
import { RequestReader, type RequestReaderOwner } from './request-reader.ts'
import { type ResponseSettings, ResponseWriter } from './response-writer.ts'
import type { Route } from './router.ts'

/** What a call needs of its server. */
export interface CallServer extends ResponseSettings {
  readonly clock: Clock
  readonly maxRecvMessageBytes: number
  readonly exposeHandlerErrors: boolean
  /** The interceptors around a handler; undefined when there are none. */
  readonly intercept: ((handler: InterceptorNext) => InterceptorNext) | undefined
  reportFault(where: string, error: unknown): void
}

export class ServerCall
  implements StreamHandler, RequestReaderOwner, MessageSenderOwner, SlotUser, ServerCallContext
{
  public readonly side = 'server'
  private readonly server: CallServer
  private readonly transport: ServerTransport
  private readonly stream: Stream
  private readonly block: HeaderBlock
  private readonly head: RequestHead
  private readonly route: Route
  private readonly observer: RpcObserver | undefined
  private readonly requests: RequestReader
  /** Made when there is something to answer: many streams idle for long. */
  private writer: ResponseWriter | undefined = undefined
  /** A status was sent, or can be sent no more. */
  private over = false
  private holdsSlot = false
  /** On the server's clock; undefined when there is none. */
  private deadlineMs: number | undefined = undefined
  private deadlineTimer: Timer | undefined = undefined
  private abortController: AbortController | undefined = undefined
  private requestMetadata: Metadata | undefined = undefined
  /** Why the call failed; undefined while it has not. */
  private endReason: RpcError | undefined = undefined

  public constructor(
    server: CallServer,
    transport: ServerTransport,
    stream: Stream,
    block: HeaderBlock,
    head: RequestHead,
    route: Route,
    observer: RpcObserver | undefined,
  ) {
    this.server = server
    this.transport = transport
    this.stream = stream
    this.block = block
    this.head = head
    this.route = route
    this.observer = observer
    const { encoding } = head
    this.requests = new RequestReader(stream, route.method, server, encoding, observer, this)
  }

  /** Begins a call of one request. Called in the parser. */
  public processUnaryRPC(): void {
    this.startDeadline()
  }

  /** Begins a call of any number of requests. Called in the parser. */
  public processStreamingRPC(): void {
    this.startDeadline()
    if (!this.over) this.transport.afterReceive(this)
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
    if (this.deadlineMs === undefined) return undefined
    const { clock } = this.server
    return new Date(clock.wallMs() + this.deadlineMs - clock.nowMs())
  }

  public get headers(): Metadata {
    return this.response.headers
  }

  public get trailers(): Metadata {
    return this.response.trailers
  }

  public sendHeaders(metadata?: MetadataInit): void {
    this.response.sendHeaders(metadata)
  }

  public setCompression(encoding: string): void {
    this.response.setCompression(encoding)
  }

  public send(response: unknown, options?: SendOptions): Promise<void> {
    const sent = this.sendNow(response, options)
    // Who does not await it learns of the failure by the signal.
    sent.catch(ignore)
    return sent
  }

  public write(response: unknown, options?: SendOptions): boolean {
    if (this.over) return false
    return this.response.write(response, options)
  }

  public writable(): Promise<void> {
    return this.writer?.writable() ?? Promise.resolve()
  }

  // ── StreamHandler

  public onHeaders(block: HeaderBlock): void {
    // Trailers of a request: gRPC has none, and says nothing of them.
    const { fields, wireBytes } = block
    this.observer?.tell({ kind: 'inTrailer', fields, wireBytes })
  }

  public onData(buf: Buffer, start: number, end: number): void {
    this.requests.push(buf, start, end)
  }

  public onEnd(): void {
    this.requests.end()
  }

  public onWritable(): void {
    this.writer?.onWritable()
  }

  public onClosed(closed: StreamClosed): void {
    if (this.over) return
    const { cause } = closed
    this.end(new RpcError(Code.Cancelled, closedText(closed), { cause, token: 'call_gone' }))
    this.observer?.end({ code: Code.Cancelled, message: 'the client is gone' })
  }

  // ── MessageSenderOwner

  public onSendFault(error: RpcError): void {
    this.fail(error)
  }

  // ── RequestReaderOwner

  public onRequest(): void {
    this.transport.afterReceive(this)
  }

  public onRequestFault(error: RpcError): void {
    this.fail(error)
  }

  // ── the handler

  /** Runnable: the parser is done; the handler may start once there is a slot. */
  public run(): void {
    if (!this.over) this.transport.slots.enter(this)
  }

  /** SlotUser: there is a slot. */
  public startHandler(): void {
    this.holdsSlot = true
    if (this.over) {
      this.settled()
      return
    }
    this.stream.handlerStarted = true
    try {
      const result = this.callHandler(this.requests.takeInput())
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

  private get response(): ResponseWriter {
    const { server, stream, route, head, observer } = this
    this.writer ??= new ResponseWriter(server, stream, route.method, head, observer, this)
    return this.writer
  }

  private callHandler(input: unknown): unknown {
    const { handler } = this.route
    const { intercept } = this.server
    if (intercept === undefined) return handler(input, this)
    const run = intercept(async ({ message }: InterceptedRequest) => {
      const result = await handler(message, this)
      return { headers: this.headers, trailers: this.trailers, message: result }
    })
    return run({ call: this, message: input }).then((response) => this.takeIntercepted(response))
  }

  /** Interceptors may answer with metadata of their own. */
  private takeIntercepted({ headers, trailers, message }: InterceptedResponse): unknown {
    if (headers !== this.headers) this.headers.merge(headers)
    if (trailers !== this.trailers) this.trailers.merge(trailers)
    return message
  }

  private onResult(result: unknown): void {
    if (!streamsResponses(this.route.method.kind)) {
      this.respond(result)
      this.settled()
    } else if (result === undefined) {
      this.finishSending()
    } else {
      this.sendAll(result).then(
        () => this.finishSending(),
        (thrown) => this.onThrown(thrown),
      )
    }
  }

  private onThrown(thrown: unknown): void {
    // What a handler throws because its call is over is no news.
    if (!this.over) this.fail(this.errorOf(thrown))
    this.settled()
  }

  /** Sends the responses of an iterable, at the pace of the wire. */
  private async sendAll(responses: unknown): Promise<void> {
    const iterator = iteratorOf(responses)
    for (;;) {
      const step = iterator.next()
      const { done, value } = isThenable(step) ? await step : step
      if (done === true) return
      let hasRoom = false
      try {
        if (!this.over) hasRoom = this.response.write(value)
      } catch (thrown) {
        this.fail(RpcError.from(thrown))
      }
      if (this.over) {
        await iterator.return?.()
        return
      }
      if (!hasRoom) await this.response.writable()
    }
  }

  /** Headers, the one response and an OK, as one. */
  private respond(response: unknown): void {
    if (this.over) return
    try {
      this.response.respond(response)
    } catch (thrown) {
      this.fail(RpcError.from(thrown))
      return
    }
    if (this.response.hasSentAll) this.finish(STATUS_OK)
    else this.response.afterAll(() => this.finish(STATUS_OK))
  }

  private finishSending(): void {
    this.response.afterAll(() => {
      this.finish(STATUS_OK)
      this.settled()
    })
  }

  private async sendNow(response: unknown, options: SendOptions | undefined): Promise<void> {
    if (!this.over && !this.response.write(response, options)) await this.response.writable()
    if (this.over) throw this.endReason ?? callOver()
  }

  // ── the end

  private fail(error: RpcError): void {
    if (this.over) return
    if (error.metadata.size > 0) this.trailers.merge(error.metadata)
    this.finish(error.toStatus(), this.detailsOf(error), error)
  }

  /** Sends the status; nothing that the handler does from here on reaches the client. */
  private finish(status: Status, detailsBin?: string, error?: RpcError): void {
    if (this.over) return
    // From here on the stream's end is the call's own.
    this.over = true
    this.response.finish(status, detailsBin)
    this.end(error)
    // The answer is complete; the rest of the request is not wanted.
    this.stream.reset(ErrorCode.NO_ERROR, 'response_complete')
    this.observer?.end(status)
  }

  /** Nothing more is read or sent; the handler hears by its signal and its queue. */
  private end(error: RpcError | undefined): void {
    this.over = true
    this.deadlineTimer?.cancel()
    this.requests.stop(error)
    this.writer?.stop()
    if (error !== undefined) {
      this.endReason = error
      this.abortController?.abort(error)
    }
    if (!this.holdsSlot) this.transport.slots.abandon(this)
  }

  /** The handler's code is done. */
  private settled(): void {
    if (!this.holdsSlot) return
    this.holdsSlot = false
    this.transport.slots.leave()
  }

  private startDeadline(): void {
    const { timeoutMs } = this.head
    if (timeoutMs === undefined) return
    const { clock } = this.server
    this.deadlineMs = clock.nowMs() + timeoutMs
    if (timeoutMs <= 0) this.fail(deadlineExceeded())
    else {
      this.deadlineTimer = clock.deadline(timeoutMs, () => this.fail(deadlineExceeded()), false)
    }
  }

  // ── errors

  private errorOf(thrown: unknown): RpcError {
    const { server, route } = this
    if (thrown instanceof RpcError && thrown.code !== Code.Ok) return thrown
    server.reportFault(`handler of ${route.method.path}`, thrown)
    if (server.exposeHandlerErrors) {
      const error = RpcError.from(thrown)
      if (error.code !== Code.Ok) return error
    }
    return new RpcError(Code.Unknown, 'the handler failed', { token: 'handler_failed' })
  }

  private detailsOf({ code, rawMessage, details }: RpcError): string | undefined {
    if (details.length === 0) return undefined
    try {
      return encodeStatusDetails(code, rawMessage, details)
    } catch (thrown) {
      // The status matters more than its details.
      this.server.reportFault(`status details of ${this.route.method.path}`, thrown)
      return undefined
    }
  }
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
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as Promise<T>).then === 'function'
  )
}

type AnyIterator = AsyncIterator<unknown> | Iterator<unknown>

function iteratorOf(responses: unknown): AnyIterator {
  // A string is iterable, but no stream of responses.
  if (typeof responses === 'object' && responses !== null) {
    const source = responses as Record<symbol, unknown>
    const iterate = source[Symbol.asyncIterator] ?? source[Symbol.iterator]
    if (typeof iterate === 'function') return iterate.call(responses) as AnyIterator
  }
  throw new RpcError(
    Code.Internal,
    `a streaming handler returned ${responses === null ? 'null' : typeof responses}, want an iterable of responses`,
    { token: 'handler_result_invalid' },
  )
}

function ignore(): void {}
