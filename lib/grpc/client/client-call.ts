// One call at a client, of any kind: what is decided once for all its attempts. It has a phase and
// exactly one end; its attempts, its limits and its credentials are inputs to it.
//
//   start ─▶ [credentials] ─▶ [resolving] ─▶ trying: an Attempt ─▶ done
//                                               ▲        │ not processed: another one
//                                               └────────┘
//
// Source: grpc-go stream.go (clientStream), gRFC A6 for transparent retries.
import { Code, type Status } from '../../base/status.ts'
import {
  ErrorCode,
  type HeaderBlock,
  type Stream,
  type StreamClosed,
} from '../../transport/index.ts'
import {
  MessageSender,
  type MessageSenderOwner,
  type OnSent,
  putMessage,
  type SendOptions,
} from '../call/message-sender.ts'
import { RpcObserver } from '../observe/rpc-observer.ts'
import { cardinality } from '../protocol/cardinality.ts'
import type { Codec } from '../protocol/codec.ts'
import type { Compressors } from '../protocol/compression.ts'
import { Metadata } from '../protocol/metadata.ts'
import { type MethodDefinition, streamsResponses } from '../protocol/method.ts'
import type { Remembered } from '../protocol/remembered.ts'
import { extraRequestFields } from '../protocol/request-headers.ts'
import type { EndingStatus, ResponseHead } from '../protocol/response-headers.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import { withDetails } from '../protocol/status-details.ts'
import { statusOfClosed } from '../protocol/status-mapping.ts'
import { Attempt, type AttemptOwner } from './attempt.ts'
import type {
  CallChannel,
  CallConfig,
  CallTransport,
  ConfigWaiter,
  ResponseSink,
} from './call-channel.ts'
import { CallLimits, type CallLimitsOwner, deadlineStatus } from './call-limits.ts'
import type { CallOptions } from './call-options.ts'
import { type CallCredentials, callCredentialsMetadata } from './credentials.ts'
import type { MethodPlan } from './method-plan.ts'

const Phase = { New: 0, Credentials: 1, Resolving: 2, Trying: 3, Done: 4 } as const
type Phase = (typeof Phase)[keyof typeof Phase]

/** Requests kept for another try of a call that streams them; grpc-go's replay buffer, gRFC A6. */
const MAX_KEPT_BYTES = 256 * 1024
const NO_FIELDS: readonly string[] = []

// biome-ignore lint/suspicious/noExplicitAny: a call's message types are its caller's business
export class ClientCall<Req = any, Res = any>
  implements AttemptOwner<Res>, CallLimitsOwner, ConfigWaiter, MessageSenderOwner
{
  public readonly channel: CallChannel
  /** What the call failed with; undefined while it is not over, or when it ended well. */
  public error: RpcError | undefined = undefined
  /** Under the service config, once the call knows it. */
  private plan: MethodPlan<Req, Res>
  private readonly sink: ResponseSink<Res>
  private readonly options: CallOptions
  private phase: Phase = Phase.New
  private attempt: Attempt<Res> | undefined = undefined
  /** Those that had a transport. */
  private attemptCount = 0
  private transport: CallTransport | undefined = undefined
  /** Requests come by `send`, whatever the kind of the method. */
  private streamsOut = false
  /** Of a call that streams its requests: for all attempts. Otherwise made where one is needed. */
  private sender: MessageSender<Req> | undefined = undefined
  /** The request of a call that sends just one; kept for another attempt. */
  private request: Req | undefined = undefined
  private hasResponse = false
  /** An attempt that was written and not processed was made once more. */
  private redone = false
  private limits: CallLimits | undefined = undefined
  private metadata: Metadata | undefined = undefined
  private credentials: Metadata | undefined = undefined

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
  }

  /** The server's address, once there is a connection. */
  public get peerAddress(): string | undefined {
    return this.transport?.peer.address
  }

  public get isOver(): boolean {
    return this.phase === Phase.Done
  }

  // ── what the caller does

  /** Begins a call that sends one request. */
  public startWithRequest(request: Req): void {
    this.request = request
    this.start()
  }

  /** Begins a call whose requests come by {@link ClientCall.send}. */
  public startStreaming(): void {
    this.streamsOut = true
    this.sender = new MessageSender(
      this.plan.sending,
      this,
      this.onSent(),
      undefined,
      MAX_KEPT_BYTES,
    )
    this.start()
  }

  /**
   * Sends a request; resolves when another may be sent, with false when the call is over and takes
   * no more. Rejects with the call's error. For calls of {@link ClientCall.startStreaming}.
   */
  public async send(request: Req, options?: SendOptions): Promise<boolean> {
    const { sender } = this
    if (!this.isOver) {
      try {
        if (sender?.write(request, options) === false) await sender.writable()
      } catch (thrown) {
        // A request that is lost may be the one that matters: the call fails.
        this.abort(RpcError.from(thrown).toStatus())
      }
    }
    if (this.error !== undefined) throw this.error
    return !this.isOver
  }

  /** No request follows. */
  public end(): void {
    this.sender?.end()
  }

  /** Ends the call with CANCELLED. */
  public cancel(message = 'the call was cancelled by the caller', cause?: unknown): void {
    this.abort({ code: Code.Cancelled, message, cause })
  }

  /** The application took a response. */
  public responseTaken(wireBytes: number): void {
    this.attempt?.responseTaken(wireBytes)
  }

  /** Somebody waits for a response. */
  public responseAwaited(): void {
    this.attempt?.responseAwaited()
  }

  // ── AttemptOwner

  public get path(): string {
    return this.plan.method.path
  }

  public get waitForReady(): boolean {
    return this.options.waitForReady ?? this.plan.waitForReady
  }

  public get streamsResponses(): boolean {
    return streamsResponses(this.plan.method.kind)
  }

  public header(name: string): string | undefined {
    const values = this.metadata?.getAll(name)
    return values === undefined || values.length === 0 ? undefined : values.join(',')
  }

  public get codec(): Codec<Res> {
    return this.plan.method.response
  }

  public get compressors(): Compressors {
    return this.channel.compressors
  }

  public get responseHeads(): Remembered<ResponseHead> {
    return this.channel.responseHeads
  }

  public get maxRecvMessageBytes(): number {
    return this.plan.maxRecvMessageBytes
  }

  public get hasUntaken(): boolean {
    return this.sink.hasUntaken
  }

  public get awaitsResponse(): boolean {
    return !this.streamsResponses || this.sink.awaitsResponse
  }

  public onTransport(attempt: Attempt<Res>, transport: CallTransport): void {
    let extraFields: readonly string[] | undefined
    try {
      extraFields = this.extraFields()
    } catch (thrown) {
      this.abort(RpcError.from(thrown).toStatus())
      return
    }
    this.transport = transport
    this.attemptCount++
    const { fields } = this.plan.template
    if (attempt.observer !== undefined) {
      attempt.observer.peerAddress = transport.peer.address
      attempt.observer.sentHeaders([...fields, ...(extraFields ?? NO_FIELDS)])
    }
    const stream = attempt.open(transport, fields, extraFields)
    // A transport that is going away says so at once.
    if (!attempt.isOver) this.sendRequests(stream)
  }

  public onPickFailed(_attempt: Attempt<Res>, status: Status, _dropped: boolean): void {
    this.finish(status, undefined)
  }

  public onResponseHeaders(_attempt: Attempt<Res>, { fields }: HeaderBlock): void {
    this.sender?.commit()
    const { onHeaders } = this.options
    if (onHeaders !== undefined) this.tell(onHeaders, Metadata.fromFields(fields))
  }

  public onResponse(message: Res, wireBytes: number): void {
    if (this.isOver) return
    if (!this.streamsResponses && this.hasResponse) {
      this.abort(cardinality('more than one response', this.path).toStatus())
      return
    }
    this.hasResponse = true
    this.sink.onResponse(message, wireBytes)
  }

  public onRoomToSend(): void {
    this.sender?.onWritable()
  }

  public onAttemptEnd(
    _attempt: Attempt<Res>,
    status: EndingStatus,
    trailers: HeaderBlock | undefined,
  ): void {
    const misses = status.code === Code.Ok && !this.streamsResponses && !this.hasResponse
    this.finish(misses ? cardinality('no response', this.path).toStatus() : status, trailers)
  }

  public onAttemptClosed(attempt: Attempt<Res>, closed: StreamClosed): void {
    if (this.mayRedo(attempt, closed)) {
      if (attempt.stream !== undefined) this.sender?.detach(attempt.stream)
      attempt.done(NOT_PROCESSED, undefined)
      this.begin()
      return
    }
    const deadlinePassed = this.limits?.remainingMs === 0
    this.finish(statusOfClosed(closed, deadlinePassed), undefined)
  }

  // ── CallLimitsOwner

  public onDeadline(afterMs: number): void {
    const latestFailure = this.attempt?.latestFailure
    const waited = this.waitsFor()
    const latest = latestFailure === undefined ? '' : `; latest failure: ${latestFailure.message}`
    this.abort(deadlineStatus(afterMs, waited + latest, latestFailure?.cause))
  }

  public onAborted(status: Status): void {
    this.abort(status)
  }

  // ── ConfigWaiter

  public onConfig(config: CallConfig): void {
    const plan = this.plan.under(config)
    if (plan !== this.plan) this.follow(plan)
    if (!this.isOver) this.begin()
  }

  // ── MessageSenderOwner

  public onSendFault(error: RpcError): void {
    this.abort(error.toStatus())
  }

  // ── the way to an attempt

  private start(): void {
    const { channel, options } = this
    channel.callStarted()
    this.limits = CallLimits.of(channel.clock, options, this)
    this.limits?.bind()
    if (this.isOver) return
    try {
      if (options.metadata !== undefined) this.metadata = Metadata.from(options.metadata)
    } catch (thrown) {
      this.finish(RpcError.from(thrown).toStatus(), undefined)
      return
    }
    const own = options.credentials
    if (own === undefined && channel.callCredentials === undefined) this.configure()
    else void this.configureWithCredentials(own)
  }

  private configure(): void {
    const { channel } = this
    const { callConfig } = channel
    if (callConfig !== undefined) {
      this.onConfig(callConfig)
      return
    }
    this.phase = Phase.Resolving
    channel.awaitConfig(this)
  }

  private async configureWithCredentials(own: CallCredentials | undefined): Promise<void> {
    this.phase = Phase.Credentials
    try {
      const { channel, plan } = this
      this.credentials = await callCredentialsMetadata(channel, plan.method, own)
    } catch (thrown) {
      this.finish(RpcError.from(thrown).toStatus(), undefined)
      return
    }
    if (!this.isOver) this.configure()
  }

  /** Goes by what the service config says. */
  private follow(plan: MethodPlan<Req, Res>): void {
    this.plan = plan
    try {
      this.sender?.configure(plan.sending)
    } catch (thrown) {
      this.abort(RpcError.from(thrown).toStatus())
      return
    }
    if (plan.timeoutMs !== undefined) this.limitTime(plan.timeoutMs)
  }

  private limitTime(timeoutMs: number): void {
    if (this.limits !== undefined) {
      this.limits.tighten(timeoutMs)
      return
    }
    this.limits = CallLimits.of(this.channel.clock, { timeoutMs }, this)
    this.limits?.bind()
  }

  private begin(): void {
    this.phase = Phase.Trying
    const attempt = new Attempt<Res>(this)
    this.attempt = attempt
    attempt.observer = this.observe()
    attempt.pick()
  }

  private sendRequests(stream: Stream): void {
    const { plan } = this
    if (this.streamsOut) {
      this.sender?.attach(stream)
      return
    }
    const { codec, maxMessageBytes, compressor } = plan.sending
    const request = this.request as Req
    try {
      if (compressor !== undefined) this.sendCompressed(stream, request)
      else putMessage(stream, codec, request, maxMessageBytes, true, this.onSent())
    } catch (thrown) {
      this.abort(RpcError.from(thrown).toStatus())
    }
  }

  private sendCompressed(stream: Stream, request: Req): void {
    this.sender = new MessageSender(this.plan.sending, this, this.onSent(), stream)
    this.sender.write(request)
    this.sender.end()
  }

  // The fields of this call alone; undefined for a call with nothing of its own.
  private extraFields(): readonly string[] | undefined {
    const { metadata, credentials, limits } = this
    if (metadata === undefined && credentials === undefined && limits === undefined)
      return undefined
    return extraRequestFields({ timeoutMs: limits?.remainingMs, credentials, metadata })
  }

  /** gRFC A6: a call that the server cannot have acted on starts again, with nothing visible. */
  private mayRedo(attempt: Attempt<Res>, closed: StreamClosed): boolean {
    if (closed.processed || attempt.answered) return false
    if (this.streamsOut && this.sender?.replayable !== true) return false
    if (!attempt.wasWritten) return true
    const first = !this.redone
    this.redone = true
    return first
  }

  /** For the error at its deadline. */
  private waitsFor(): string {
    if (this.phase === Phase.Resolving) return ', still waiting for its target to be resolved'
    if (this.phase === Phase.Credentials) return ', still waiting for its credentials'
    return this.attempt?.transport === undefined ? ', still waiting for a connection' : ''
  }

  // ── the end

  /** Ends the call from this side. */
  private abort(status: Status): void {
    if (this.isOver) return
    if (this.phase === Phase.Resolving) this.channel.cancelConfig(this)
    this.attempt?.cancel(ErrorCode.CANCEL, 'call_aborted')
    this.finish(status, undefined)
  }

  private finish(status: EndingStatus, trailers: HeaderBlock | undefined): void {
    if (this.isOver) return
    this.phase = Phase.Done
    this.limits?.release()
    this.attempt?.done(status, trailers)
    this.attempt = undefined
    if (status.code !== Code.Ok) this.error = this.errorOf(status, trailers)
    this.sender?.stop()
    this.request = undefined
    this.channel.callEnded()
    const { onTrailers } = this.options
    if (onTrailers !== undefined) {
      this.tell(onTrailers, Metadata.fromFields(trailers?.fields ?? NO_FIELDS))
    }
    this.sink.onEnd(this.error)
  }

  private errorOf(status: EndingStatus, trailers: HeaderBlock | undefined): RpcError {
    const { code, message, details } = withDetails(status, status.detailsBin)
    return new RpcError(code, message, {
      details,
      cause: status.cause,
      method: this.path,
      attempts: this.attemptCount,
      ...(trailers === undefined ? {} : { metadata: Metadata.fromFields(trailers.fields) }),
      ...(this.transport === undefined ? {} : { peer: this.transport.peer.address }),
    })
  }

  // ── observation

  private observe(): RpcObserver | undefined {
    const { channel, attemptCount } = this
    const { stats } = channel
    if (stats === undefined) return undefined
    const observer = new RpcObserver({
      stats,
      side: 'client',
      method: this.plan.method as unknown as MethodDefinition,
      clock: channel.clock,
      reportFault: (where, error) => channel.reportFault(where, error),
    })
    const attempt = attemptCount + 1
    observer.tell({ kind: 'begin', attempt, isTransparentRetry: attemptCount > 0 })
    return observer
  }

  /** Nobody is told when nobody measures. */
  private onSent(): OnSent<Req> | undefined {
    if (this.channel.stats === undefined) return undefined
    return (message, messageBytes, wireBytes, compressed, stream) => {
      this.attempt?.observer?.sent(message, messageBytes, wireBytes, compressed, stream)
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

const NOT_PROCESSED: Status = { code: Code.Unavailable, message: 'not processed' }
