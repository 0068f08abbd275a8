// One call at a client, of any kind: what is decided once for all its attempts. It has a phase and
// exactly one end; picking, retries, the deadline and the caller's signal are inputs to it.
//
//   start ─▶ picking ─▶ running (an Attempt) ─▶ done
//              ▲            │ not processed: pick again
//              └────────────┘
//
// Source: grpc-go stream.go (clientStream), gRFC A6 for transparent retries.

import type { PickOutcome } from '../../balancer/index.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import { Code, type Status } from '../../base/status.ts'
import {
  ErrorCode,
  type HeaderBlock,
  type Stream,
  type StreamClosed,
  type StreamHandler,
} from '../../transport/index.ts'
import type { CallContext } from '../call/interceptor.ts'
import { MessageSender, putMessage, type SendingOptions } from '../call/message-sender.ts'
import type { RpcEvent, RpcTag, StatsHandler } from '../observe/stats.ts'
import type { Codec } from '../protocol/codec.ts'
import type { Compressors } from '../protocol/compression.ts'
import { Metadata } from '../protocol/metadata.ts'
import { type MethodDefinition, streamsRequests, streamsResponses } from '../protocol/method.ts'
import { extraRequestFields, type RequestTemplate } from '../protocol/request-headers.ts'
import type { EndingStatus } from '../protocol/response-headers.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import { decodeStatusDetails } from '../protocol/status-details.ts'
import { statusOfClosed } from '../protocol/status-mapping.ts'
import { Attempt, type AttemptOwner } from './attempt.ts'
import type { CallOptions } from './call-options.ts'
import { type CallCredentials, credentialsError } from './credentials.ts'

/** A connection as a call sees it. */
export interface CallTransport {
  readonly peer: { readonly address: string }
  openStream(
    fields: readonly string[],
    handler: StreamHandler,
    extraFields?: readonly string[],
  ): Stream
}

/** The channel as a call sees it. */
export interface CallChannel {
  readonly clock: Clock
  readonly authority: string
  readonly secure: boolean
  readonly stats: StatsHandler | undefined
  readonly compressors: Compressors
  readonly callCredentials: CallCredentials | undefined
  callStarted(): void
  callEnded(): void
  pick(call: ClientCall): CallTransport | undefined
  cancelPick(call: ClientCall): void
  reportFault(where: string, error: unknown): void
}

/** What is the same for every call of a method on a channel; see {@link planMethod}. */
export interface MethodPlan<Req = unknown, Res = unknown> {
  readonly method: MethodDefinition<Req, Res>
  readonly template: RequestTemplate
  readonly sending: SendingOptions<Req>
  readonly maxRecvMessageBytes: number
}

/** Who takes a call's responses. */
export interface ResponseSink<Res> {
  onResponse(message: Res, wireBytes: number): void
  /** Whether somebody waits for a response now. */
  readonly awaitsResponse: boolean
  /** The call is over; with `error` unless its status is OK. Exactly once, last. */
  onEnd(error: RpcError | undefined): void
}

const Phase = { New: 0, Picking: 1, Running: 2, Done: 3 } as const
type Phase = (typeof Phase)[keyof typeof Phase]

const NO_METADATA: readonly string[] = []
const EMPTY = Buffer.alloc(0)

// biome-ignore lint/suspicious/noExplicitAny: a call's message types are its caller's business
export class ClientCall<Req = any, Res = any> implements AttemptOwner<Res>, CallContext {
  public readonly side = 'client'
  public readonly waitForReady: boolean
  /** Set by the picker with each transport; called once with how the attempt ended. */
  public onPickDone: ((outcome: PickOutcome) => void) | undefined = undefined
  /** Set by the picker: why the call waits. */
  public latestFailure: Status | undefined = undefined
  public readonly streamsResponses: boolean
  private readonly plan: MethodPlan<Req, Res>
  private readonly channel: CallChannel
  private readonly sink: ResponseSink<Res>
  private readonly options: CallOptions
  private phase: Phase = Phase.New
  private attempt: Attempt<Res> | undefined = undefined
  private attemptCount = 0
  private transport: CallTransport | undefined = undefined
  private sender: MessageSender<Req> | undefined = undefined
  /** The request of a call that sends just one; kept for another attempt. */
  private request: Req | undefined = undefined
  private hasResponse = false
  private retriedUnprocessed = false
  private deadlineMs = Number.POSITIVE_INFINITY
  private deadlineTimer: Timer | undefined = undefined
  private startMs = 0
  private requestMetadata: Metadata | undefined = undefined
  private credentialsMetadata: Metadata | undefined = undefined
  private openWaiters: (() => void)[] | undefined = undefined
  private halfClosed = false
  private abortController: AbortController | undefined = undefined
  private tag: RpcTag | undefined = undefined

  public constructor(
    channel: CallChannel,
    plan: MethodPlan<Req, Res>,
    options: CallOptions,
    sink: ResponseSink<Res>,
  ) {
    this.channel = channel
    this.plan = plan
    this.options = options
    this.sink = sink
    this.waitForReady = options.waitForReady === true
    this.streamsResponses = streamsResponses(plan.method.kind)
  }

  // ── CallContext

  public get method(): MethodDefinition {
    return this.plan.method as unknown as MethodDefinition
  }

  /** The metadata that will be, or was, sent. */
  public get metadata(): Metadata {
    this.requestMetadata ??= Metadata.from(this.options.metadata ?? {})
    return this.requestMetadata
  }

  public get signal(): AbortSignal {
    this.abortController ??= new AbortController()
    return this.abortController.signal
  }

  public get deadline(): Date | undefined {
    if (this.deadlineMs === Number.POSITIVE_INFINITY) return undefined
    const { clock } = this.channel
    return new Date(clock.wallMs() + this.deadlineMs - clock.nowMs())
  }

  public get peerAddress(): string | undefined {
    return this.transport?.peer.address
  }

  // ── what the caller does

  /** Begins a call that sends one request. */
  public startWithRequest(request: Req): void {
    this.request = request
    this.halfClosed = true
    this.start()
  }

  /** Begins a call whose requests come by {@link ClientCall.send}. */
  public start(): void {
    const { channel, options } = this
    this.startMs = channel.clock.nowMs()
    channel.callStarted()
    if (!this.bindDeadline() || !this.bindSignals()) return
    try {
      if (options.metadata !== undefined) this.requestMetadata ??= Metadata.from(options.metadata)
    } catch (thrown) {
      this.finish(RpcError.from(thrown).toStatus(), undefined)
      return
    }
    const credentials = options.credentials ?? channel.callCredentials
    if (credentials === undefined) this.pick()
    else void this.pickWithCredentials(credentials)
  }

  /** Sends a request; resolves when another may be sent. Rejects with the call's error. */
  public async send(request: Req): Promise<void> {
    if (this.halfClosed)
      throw new RpcError(Code.Internal, 'send after end', { token: 'send_after_end' })
    if (this.sender === undefined) await this.whenOpen()
    this.throwIfFailed()
    await this.sender?.send(request)
    this.throwIfFailed()
  }

  /** No request follows. */
  public end(): void {
    if (this.halfClosed) return
    this.halfClosed = true
    if (this.sender !== undefined) this.closeSending()
  }

  /** Ends the call with CANCELLED. */
  public cancel(message = 'the call was cancelled by the caller', cause?: unknown): void {
    this.abort({ code: Code.Cancelled, message, cause })
  }

  /** The application took a response. */
  public credit(wireBytes: number): void {
    this.attempt?.stream.credit(wireBytes)
  }

  /** Somebody waits for a response. */
  public responseAwaited(): void {
    this.attempt?.responseAwaited()
  }

  // ── PendingPick

  public get path(): string {
    return this.plan.method.path
  }

  public onTransport(transport: CallTransport): void {
    if (this.phase === Phase.Picking) this.open(transport)
  }

  public onPickFailed(status: Status, _dropped: boolean): void {
    this.finish(status, undefined)
  }

  // ── AttemptOwner

  public get codec(): Codec<Res> {
    return this.plan.method.response
  }

  public get compressors(): Compressors {
    return this.channel.compressors
  }

  public get maxRecvMessageBytes(): number {
    return this.plan.maxRecvMessageBytes
  }

  public get awaitsResponse(): boolean {
    return !this.streamsResponses || this.sink.awaitsResponse
  }

  public onResponseHeaders(block: HeaderBlock): void {
    this.observe({ kind: 'inHeader', fields: block.fields, wireBytes: block.wireBytes })
    const { onHeaders } = this.options
    if (onHeaders !== undefined) this.tell(onHeaders, Metadata.fromFields(block.fields))
  }

  public onResponse(message: Res, wireBytes: number, messageBytes: number): void {
    if (this.phase === Phase.Done) return
    if (!this.streamsResponses && this.hasResponse) {
      this.abort(cardinality('more than one response', this.plan.method.path))
      return
    }
    this.hasResponse = true
    if (this.tag !== undefined) {
      this.observe({ kind: 'inPayload', message, messageBytes, wireBytes })
    }
    this.sink.onResponse(message, wireBytes)
  }

  public onRoomToSend(): void {
    this.sender?.onWritable()
  }

  public onAttemptEnd(status: EndingStatus, trailers: HeaderBlock | undefined): void {
    if (trailers !== undefined) {
      const { fields, wireBytes } = trailers
      this.observe({ kind: 'inTrailer', fields, wireBytes })
    }
    if (status.code === Code.Ok && !this.streamsResponses && !this.hasResponse) {
      this.finish(cardinality('no response', this.plan.method.path), trailers)
    } else {
      this.finish(status, trailers)
    }
  }

  public onAttemptClosed(closed: StreamClosed): void {
    if (this.mayRetry(closed)) {
      this.attemptDone({ code: Code.Unavailable, message: 'not processed' })
      this.pick()
      return
    }
    const deadlinePassed = this.channel.clock.nowMs() >= this.deadlineMs
    this.finish(statusOfClosed(closed, deadlinePassed), undefined)
  }

  // ── private

  private pick(): void {
    this.phase = Phase.Picking
    const transport = this.channel.pick(this)
    // The pick may have failed, or found one and begun, before this returns.
    if (transport !== undefined && this.phase === Phase.Picking) this.open(transport)
  }

  private async pickWithCredentials(own: CallCredentials): Promise<void> {
    this.phase = Phase.Picking
    const { channel, plan } = this
    try {
      for (const each of new Set([channel.callCredentials, own])) {
        if (each === undefined) continue
        if (!channel.secure && each.allowInsecure !== true) throw insecureCredentials()
        const context = {
          path: plan.method.path,
          serviceUrl: `https://${channel.authority}/${plan.method.service}`,
        }
        const metadata = Metadata.from(await each.metadata(context))
        this.credentialsMetadata = this.credentialsMetadata?.merge(metadata) ?? metadata
      }
    } catch (thrown) {
      this.finish(credentialsError(thrown).toStatus(), undefined)
      return
    }
    if (this.phase === Phase.Picking) this.pick()
  }

  private open(transport: CallTransport): void {
    let extraFields: readonly string[] | undefined
    try {
      extraFields = this.extraFields()
    } catch (thrown) {
      this.finish(RpcError.from(thrown).toStatus(), undefined)
      return
    }
    this.phase = Phase.Running
    this.transport = transport
    this.attemptCount++
    if (this.channel.stats !== undefined)
      this.beginStats(this.channel.stats, extraFields, transport)
    const attempt = new Attempt<Res>(this)
    this.attempt = attempt
    attempt.open(transport, this.plan.template.fields, extraFields)
    // A transport that is going away says so at once.
    if (this.attempt === attempt && this.phase === Phase.Running) this.sendFirst(attempt.stream)
  }

  private sendFirst(stream: Stream): void {
    if (streamsRequests(this.plan.method.kind)) {
      this.sender = new MessageSender(stream, this.plan.sending, this.onSent())
      this.wakeOpenWaiters()
      if (this.halfClosed) this.closeSending()
      return
    }
    const { codec, maxMessageBytes, compressor } = this.plan.sending
    const request = this.request as Req
    if (compressor !== undefined) {
      this.sendCompressed(stream, request)
      return
    }
    try {
      putMessage(stream, codec, request, maxMessageBytes, true, this.onSent())
    } catch (thrown) {
      this.abort(RpcError.from(thrown).toStatus())
    }
  }

  private sendCompressed(stream: Stream, request: Req): void {
    const sender = new MessageSender(stream, this.plan.sending, this.onSent())
    sender.send(request).catch((thrown) => this.abort(RpcError.from(thrown).toStatus()))
    sender.afterAll(() => stream.data(EMPTY, 0, 0, true))
    this.sender = sender
  }

  private closeSending(): void {
    const stream = this.attempt?.stream
    this.sender?.afterAll(() => stream?.data(EMPTY, 0, 0, true))
  }

  // The fields of this call alone; undefined for a call with nothing of its own.
  private extraFields(): readonly string[] | undefined {
    const timeoutMs =
      this.deadlineMs === Number.POSITIVE_INFINITY
        ? undefined
        : Math.max(0, this.deadlineMs - this.channel.clock.nowMs())
    return extraRequestFields({
      previousAttempts: this.attemptCount,
      timeoutMs,
      credentials: this.credentialsMetadata,
      metadata: this.requestMetadata,
    })
  }

  private mayRetry(closed: StreamClosed): boolean {
    if (closed.processed || this.phase !== Phase.Running) return false
    if (this.attempt?.answered === true || this.plan.method.kind === undefined) return false
    // A stream of requests that has begun cannot be sent again.
    if (streamsRequests(this.plan.method.kind) && this.sender !== undefined) return false
    if (this.attempt?.stream.id === 0) return true
    if (this.retriedUnprocessed) return false
    this.retriedUnprocessed = true
    return true
  }

  private bindDeadline(): boolean {
    const { timeoutMs, deadline, parent } = this.options
    if (timeoutMs === undefined && deadline === undefined && parent === undefined) return true
    const { clock } = this.channel
    const wallToClock = clock.nowMs() - clock.wallMs()
    if (timeoutMs !== undefined) this.deadlineMs = this.startMs + timeoutMs
    for (const date of [deadline, parent?.deadline]) {
      if (date !== undefined)
        this.deadlineMs = Math.min(this.deadlineMs, date.getTime() + wallToClock)
    }
    if (this.deadlineMs === Number.POSITIVE_INFINITY) return true
    const leftMs = this.deadlineMs - this.startMs
    if (!(leftMs > 0)) {
      this.deadlinePassed()
      return false
    }
    this.deadlineTimer = clock.deadline(leftMs, () => this.deadlinePassed())
    return true
  }

  private bindSignals(): boolean {
    for (const signal of [this.options.signal, this.options.parent?.signal]) {
      if (signal === undefined) continue
      if (signal.aborted) {
        this.handleEvent({ target: signal })
        return false
      }
      signal.addEventListener('abort', this)
    }
    return true
  }

  private unbindSignals(): void {
    this.options.signal?.removeEventListener('abort', this)
    this.options.parent?.signal.removeEventListener('abort', this)
  }

  /** EventListenerObject: a signal was aborted. */
  public handleEvent(event: { readonly target: unknown }): void {
    const reason: unknown = (event.target as AbortSignal).reason
    const text = reason instanceof Error ? reason.message : String(reason)
    this.cancel(`the call was cancelled: ${text}`, reason)
  }

  private deadlinePassed(): void {
    const waited = this.phase === Phase.Picking ? ', still waiting for a connection' : ''
    const latest =
      this.latestFailure === undefined ? '' : `; latest failure: ${this.latestFailure.message}`
    this.abort({
      code: Code.DeadlineExceeded,
      message: `deadline exceeded after ${formatMs(this.deadlineMs - this.startMs)}${waited}${latest}`,
      cause: this.latestFailure?.cause,
    })
  }

  /** Ends the call from this side. */
  private abort(status: Status): void {
    if (this.phase === Phase.Done) return
    if (this.phase === Phase.Picking) this.channel.cancelPick(this)
    this.attempt?.cancel(ErrorCode.CANCEL, 'call_aborted')
    this.finish(status, undefined)
  }

  private finish(status: EndingStatus, trailers: HeaderBlock | undefined): void {
    if (this.phase === Phase.Done) return
    this.phase = Phase.Done
    this.deadlineTimer?.cancel()
    this.unbindSignals()
    this.attemptDone(status)
    this.sender?.stop()
    this.wakeOpenWaiters()
    this.channel.callEnded()
    const { onTrailers } = this.options
    if (onTrailers !== undefined) {
      this.tell(onTrailers, Metadata.fromFields(trailers?.fields ?? NO_METADATA))
    }
    this.error = status.code === Code.Ok ? undefined : this.errorOf(status, trailers)
    this.sink.onEnd(this.error)
    if (this.abortController !== undefined && this.error !== undefined) {
      this.abortController.abort(this.error)
    }
  }

  private error: RpcError | undefined = undefined

  private attemptDone(status: Status): void {
    const { onPickDone } = this
    this.onPickDone = undefined
    onPickDone?.({
      status,
      bytesSent: this.attempt !== undefined,
      bytesReceived: this.attempt?.answered === true,
    })
    if (this.tag !== undefined) {
      const durationMs = this.channel.clock.nowMs() - this.startMs
      this.observe({ kind: 'end', status, durationMs })
      this.tag = undefined
    }
    this.attempt = undefined
  }

  private errorOf(status: EndingStatus, trailers: HeaderBlock | undefined): RpcError {
    const { code, message, cause, detailsBin } = status
    const decoded = detailsBin === undefined ? undefined : decodeStatusDetails(detailsBin, code)
    return new RpcError(decoded?.code ?? code, decoded?.message ?? message, {
      cause,
      method: this.plan.method.path,
      attempts: this.attemptCount,
      ...(decoded === undefined ? {} : { details: decoded.details }),
      ...(trailers === undefined ? {} : { metadata: Metadata.fromFields(trailers.fields) }),
      ...(this.transport === undefined ? {} : { peer: this.transport.peer.address }),
    })
  }

  private whenOpen(): Promise<void> {
    if (this.phase === Phase.Done) return Promise.resolve()
    return new Promise((resolve) => {
      this.openWaiters ??= []
      this.openWaiters.push(resolve)
    })
  }

  private wakeOpenWaiters(): void {
    const waiters = this.openWaiters
    this.openWaiters = undefined
    if (waiters !== undefined) for (const resolve of waiters) resolve()
  }

  private throwIfFailed(): void {
    if (this.error !== undefined) throw this.error
  }

  // ── observation

  private beginStats(
    stats: StatsHandler,
    extraFields: readonly string[] | undefined,
    transport: CallTransport,
  ): void {
    this.tag = { side: 'client', method: this.method, context: undefined }
    void stats
    this.observe({
      kind: 'begin',
      attempt: this.attemptCount,
      isTransparentRetry: this.attemptCount > 1,
    })
    const fields = [...this.plan.template.fields, ...(extraFields ?? [])]
    this.observe({ kind: 'outHeader', fields, peer: transport.peer.address })
  }

  private onSent(): ((message: Req, messageBytes: number, wireBytes: number) => void) | undefined {
    if (this.tag === undefined) return undefined
    return (message, messageBytes, wireBytes) =>
      this.observe({ kind: 'outPayload', message, messageBytes, wireBytes })
  }

  private observe(event: RpcEvent): void {
    if (this.tag === undefined) return
    try {
      this.channel.stats?.handleRpc?.(this.tag, event)
    } catch (error) {
      this.channel.reportFault('stats handler', error)
    }
  }

  private tell(listener: (metadata: Metadata) => void, metadata: Metadata): void {
    try {
      listener(metadata)
    } catch (error) {
      this.channel.reportFault('metadata listener', error)
    }
  }
}

function cardinality(what: string, path: string): Status {
  return { code: Code.Unimplemented, message: `${what} for ${path}, want exactly one` }
}

function insecureCredentials(): RpcError {
  return new RpcError(
    Code.Unauthenticated,
    'call credentials need a channel with TLS (or allowInsecure)',
    { token: 'call_credentials_insecure' },
  )
}

function formatMs(ms: number): string {
  return `${Math.round(ms * 1000) / 1000} ms`
}
