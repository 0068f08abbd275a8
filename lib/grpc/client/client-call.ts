// One call at a client, of any kind: what is decided once for all its attempts. It has a phase and
// exactly one end; its attempts, its limits and its credentials are inputs to it. What it sends is
// request-side.ts.
//
//   start ─▶ [credentials] ─▶ [resolving] ─▶ trying: an Attempt ─▶ done
//                                               ▲        │ not processed, or to be retried
//                                               └────────┘
//
// With a retry policy attempts follow one another, with a hedging policy several run at once, until the
// call is committed to one: by its response's headers, its end, or because nothing can be sent again.
// Source: grpc-go stream.go (clientStream), gRFC A6.
import { Code, type Status } from '../../base/status.ts'
import { ErrorCode, type HeaderBlock, type StreamClosed } from '../../transport/index.ts'
import type { OnSent } from '../call/message-sender.ts'
import { cardinality } from '../protocol/cardinality.ts'
import { Metadata } from '../protocol/metadata.ts'
import { type MethodDefinition, streamsResponses } from '../protocol/method.ts'
import { extraRequestFields } from '../protocol/request-headers.ts'
import type { EndingStatus } from '../protocol/response-headers.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import { statusOfClosed } from '../protocol/status-mapping.ts'
import { Attempt, type AttemptOwner } from './attempt.ts'
import { type AttemptSchedule, type ScheduleOwner, scheduleOf } from './attempt-schedule.ts'
import type {
  CallChannel,
  CallConfig,
  CallTransport,
  ConfigWaiter,
  ResponseSink,
} from './call-channel.ts'
import { CallLimits, type CallLimitsOwner } from './call-limits.ts'
import type { CallOptions } from './call-options.ts'
import { callError, missedDeadline, observeAttempt, tellListener } from './call-report.ts'
import { type CallCredentials, callCredentialsMetadata } from './credentials.ts'
import type { MethodPlan } from './method-plan.ts'
import { RequestSide } from './request-side.ts'

const Phase = { New: 0, Credentials: 1, Resolving: 2, Trying: 3, Done: 4 } as const
type Phase = (typeof Phase)[keyof typeof Phase]

const NO_FIELDS: readonly string[] = []

// biome-ignore lint/suspicious/noExplicitAny: a call's message types are its caller's business
export class ClientCall<Req = any, Res = any>
  extends RequestSide<Req, Res>
  implements AttemptOwner<Res>, CallLimitsOwner, ConfigWaiter, ScheduleOwner
{
  public readonly channel: CallChannel
  private readonly sink: ResponseSink<Res>
  private readonly options: CallOptions
  private phase: Phase = Phase.New
  /** The one that the call is committed to, else the newest one under way. */
  private attempt: Attempt<Res> | undefined = undefined
  /** Of a call that may be tried again and is not committed yet; it has the other attempts. */
  private schedule: AttemptSchedule<Res> | undefined = undefined
  /** Those that had a transport. */
  private attemptCount = 0
  private transport: CallTransport | undefined = undefined
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
    super(plan)
    this.channel = channel
    this.options = options
    this.sink = sink
  }

  /** The server's address, once there is a connection. */
  public get peerAddress(): string | undefined {
    return this.transport?.peer.address
  }

  public override get isOver(): boolean {
    return this.phase === Phase.Done
  }

  // ── what the caller does

  /** Begins a call that sends one request. */
  public startWithRequest(request: Req): void {
    this.hold(request)
    this.start()
  }

  /** Begins a call whose requests come by {@link ClientCall.send}. */
  public startStreaming(): void {
    this.holdStream()
    this.start()
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

  public get hasUntaken(): boolean {
    return this.sink.hasUntaken
  }

  public get awaitsResponse(): boolean {
    return !this.streamsResponses || this.sink.awaitsResponse
  }

  public onTransport(attempt: Attempt<Res>, transport: CallTransport): void {
    let extraFields: readonly string[] | undefined
    try {
      extraFields = this.extraFields(attempt.previousAttempts)
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
    if (!attempt.isOver) this.sendOn(stream)
    if (!attempt.isOver) this.schedule?.opened(attempt.previousAttempts)
  }

  public onPickFailed(attempt: Attempt<Res>, status: Status, dropped: boolean): void {
    if (this.schedule !== undefined) this.schedule.failedPicks++
    this.failed(attempt, status, undefined, dropped)
  }

  public onResponseHeaders(attempt: Attempt<Res>, { fields }: HeaderBlock): void {
    this.commit(attempt, NOT_NEEDED)
    this.sender?.commit()
    tellListener(this.channel, this.options.onHeaders, fields)
  }

  public onResponse(message: Res, wireBytes: number): void {
    if (this.isOver) return
    if (!this.streamsResponses && this.hasResponse) {
      this.abort(cardinality('more than one response', this.plan.method.path).toStatus())
      return
    }
    this.hasResponse = true
    this.sink.onResponse(message, wireBytes)
  }

  public onAttemptEnd(
    attempt: Attempt<Res>,
    status: EndingStatus,
    trailers: HeaderBlock | undefined,
  ): void {
    if (status.code !== Code.Ok) {
      this.failed(attempt, status, trailers, false)
      return
    }
    this.commit(attempt, NOT_NEEDED)
    const misses = !this.streamsResponses && !this.hasResponse
    this.finish(
      misses ? cardinality('no response', this.plan.method.path).toStatus() : status,
      trailers,
    )
  }

  public onAttemptClosed(attempt: Attempt<Res>, closed: StreamClosed): void {
    if (this.mayRedo(attempt, closed)) {
      this.retire(attempt, NOT_PROCESSED, undefined)
      this.begin(attempt.previousAttempts, true)
      return
    }
    const deadlinePassed = this.limits?.remainingMs === 0
    this.failed(attempt, statusOfClosed(closed, deadlinePassed), undefined, false)
  }

  // ── ScheduleOwner

  public beginAttempt(previousAttempts: number): void {
    this.begin(previousAttempts, false)
  }

  // ── CallLimitsOwner

  public onDeadline(afterMs: number): void {
    const failure = this.attempt?.latestFailure ?? this.schedule?.latestFailure
    this.abort(missedDeadline(afterMs, this.waitsFor(), failure))
  }

  public onAborted(status: Status): void {
    this.abort(status)
  }

  // ── ConfigWaiter

  public onConfig(config: CallConfig): void {
    const plan = this.plan.under(config)
    if (plan !== this.plan) this.follow(plan)
    if (!this.isOver) this.begin(0, false)
  }

  // ── RequestSide

  public override onReplayLost(): void {
    const oldest = this.schedule?.live.find(({ stream }) => stream !== undefined)
    this.commit(oldest, NOT_NEEDED)
  }

  /** Nobody is told when nobody measures. */
  protected override onSent(): OnSent<Req> | undefined {
    if (this.channel.stats === undefined) return undefined
    return (message, messageBytes, wireBytes, compressed, stream) => {
      const { attempt, schedule } = this
      const sender = schedule?.live.find((each) => each.stream === stream) ?? attempt
      sender?.observer?.sent(message, messageBytes, wireBytes, compressed, stream)
    }
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
    const { channel } = this
    const { attempts, throttle, timeoutMs } = plan
    if (attempts !== undefined) {
      const { clock, random } = channel
      this.schedule = scheduleOf(attempts, { clock, random, throttle }, this)
    }
    this.replan(plan, attempts !== undefined)
    if (this.isOver || timeoutMs === undefined) return
    this.limits = CallLimits.within(timeoutMs, this.limits, channel.clock, this)
  }

  private begin(previousAttempts: number, isTransparent: boolean): void {
    const { channel, schedule } = this
    const attempt = new Attempt<Res>(this, previousAttempts)
    this.attempt = attempt
    schedule?.live.push(attempt)
    this.phase = Phase.Trying
    if (channel.stats !== undefined) {
      const number = this.attemptCount + (schedule?.failedPicks ?? 0) + 1
      const method = this.plan.method as unknown as MethodDefinition
      attempt.observer = observeAttempt(channel, method, number, isTransparent)
    }
    attempt.pick()
  }

  // The fields of this call alone; undefined for a call with nothing of its own.
  private extraFields(previousAttempts: number): readonly string[] | undefined {
    const { metadata, credentials, limits } = this
    if (
      metadata === undefined &&
      credentials === undefined &&
      limits === undefined &&
      previousAttempts === 0
    ) {
      return undefined
    }
    const timeoutMs = limits?.remainingMs
    return extraRequestFields({ previousAttempts, timeoutMs, credentials, metadata })
  }

  /** gRFC A6: a call that the server cannot have acted on starts again, with nothing visible. */
  private mayRedo(attempt: Attempt<Res>, closed: StreamClosed): boolean {
    if (closed.processed || attempt.answered) return false
    if (!this.replayable) return false
    if (!attempt.wasWritten) return true
    const first = !this.redone
    this.redone = true
    return first
  }

  // ── from one attempt to the next

  /** An attempt is over and was not answered well. */
  private failed(
    attempt: Attempt<Res>,
    status: EndingStatus,
    trailers: HeaderBlock | undefined,
    dropped: boolean,
  ): void {
    this.retire(attempt, status, trailers)
    const fields = trailers?.fields ?? NO_FIELDS
    if (this.schedule?.goesOn(status, fields, dropped) === true) return
    this.transport = attempt.transport ?? this.transport
    this.finish(status, trailers)
  }

  private retire(attempt: Attempt<Res>, status: Status, trailers: HeaderBlock | undefined): void {
    attempt.done(status, trailers)
    this.schedule?.remove(attempt)
    if (attempt.stream !== undefined) this.sender?.detach(attempt.stream)
  }

  /** Gives up all attempts but `winner`, with `status`; none follows. */
  private commit(winner: Attempt<Res> | undefined, status: Status): void {
    const { schedule } = this
    if (schedule === undefined) return
    this.schedule = undefined
    schedule.stop()
    for (const loser of schedule.live) {
      if (loser === winner) continue
      loser.cancel(ErrorCode.CANCEL, 'attempt_not_needed')
      this.retire(loser, status, undefined)
    }
    this.attempt = winner
    this.transport = winner?.transport ?? this.transport
  }

  /** For the error at its deadline. */
  private waitsFor(): string | undefined {
    if (this.phase === Phase.Credentials) return 'its credentials'
    if (this.phase === Phase.Resolving) return 'its target to be resolved'
    if (this.schedule?.live.length === 0) return 'its next attempt'
    return this.attempt?.transport === undefined ? 'a connection' : undefined
  }

  // ── the end

  /** Ends the call from this side. */
  protected override abort(status: Status): void {
    if (this.isOver) return
    if (this.phase === Phase.Resolving) this.channel.cancelConfig(this)
    this.commit(undefined, status)
    this.attempt?.cancel(ErrorCode.CANCEL, 'call_aborted')
    this.finish(status, undefined)
  }

  private finish(status: EndingStatus, trailers: HeaderBlock | undefined): void {
    if (this.isOver) return
    this.phase = Phase.Done
    this.limits?.release()
    this.commit(undefined, NOT_NEEDED)
    this.attempt?.done(status, trailers)
    this.attempt = undefined
    if (status.code === Code.Ok) this.plan.throttle?.succeeded()
    else {
      const { attemptCount: attempts, peerAddress: peer, plan } = this
      const options = { method: plan.method.path, attempts, ...(peer && { peer }) }
      this.error = callError(status, trailers, options)
    }
    this.stopSending()
    this.channel.callEnded()
    tellListener(this.channel, this.options.onTrailers, trailers?.fields ?? NO_FIELDS)
    this.sink.onEnd(this.error)
  }
}

const NOT_PROCESSED: Status = { code: Code.Unavailable, message: 'not processed' }
const NOT_NEEDED: Status = { code: Code.Cancelled, message: 'another attempt was answered' }
