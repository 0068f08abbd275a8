// Calls that go through interceptors. Each `next` makes a plain call; its requests come from what
// the interceptors pass on, and what they answer is the caller's response.
import { Code, type Status } from '../../base/status.ts'
import {
  type CallContext,
  chainInterceptors,
  type InterceptedRequest,
  type InterceptedResponse,
  type Interceptor,
} from '../call/interceptor.ts'
import { MessageQueue } from '../call/message-queue.ts'
import type { SendOptions } from '../call/message-sender.ts'
import { cardinality } from '../protocol/cardinality.ts'
import { Metadata } from '../protocol/metadata.ts'
import {
  type MethodDefinition,
  type MethodKind,
  streamsRequests,
  streamsResponses,
} from '../protocol/method.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import type { CallChannel } from './call-channel.ts'
import { CallLimits, type CallLimitsOwner, deadlineStatus } from './call-limits.ts'
import type { CallOptions } from './call-options.ts'
import type { MethodPlan } from './method-plan.ts'
import {
  type BidiCall,
  type ClientStreamCall,
  StreamCall,
  sendAfterEnd,
  sendAll,
} from './stream-call.ts'

/** A call as its interceptors see it: it outlives the tries that they make, and limits them all. */
class OutgoingCall implements CallContext, CallLimitsOwner {
  public readonly side = 'client'
  public readonly method: MethodDefinition
  public readonly metadata: Metadata
  /** The newest try. */
  public current: StreamCall<unknown, unknown> | undefined
  private readonly channel: CallChannel
  private readonly plan: MethodPlan
  private readonly options: CallOptions
  private readonly controller = new AbortController()
  private readonly limits: CallLimits | undefined
  /** What was said of single requests: interceptors drop, repeat and reorder them. */
  private readonly sendOptions = new WeakMap<object, SendOptions>()

  /** Throws RpcError for metadata that may not be sent. */
  public constructor(channel: CallChannel, plan: MethodPlan, options: CallOptions) {
    this.channel = channel
    this.plan = plan
    this.method = plan.method
    this.metadata = metadataOf(options)
    // The tries have the same limits by way of this one's signal and deadline.
    const { timeoutMs: _, parent: __, ...rest } = options
    this.options = rest
    this.limits = CallLimits.of(channel.clock, options, this)
    this.limits?.bind()
  }

  public get signal(): AbortSignal {
    return this.controller.signal
  }

  public get deadline(): Date | undefined {
    return this.limits?.deadline
  }

  public get peerAddress(): string | undefined {
    return this.current?.peerAddress
  }

  /** Runs the call through `interceptors`. Rejects with RpcError. */
  public async run(
    interceptors: readonly Interceptor[],
    message: unknown,
  ): Promise<InterceptedResponse> {
    const run = chainInterceptors(interceptors, (request) => this.attempt(request))
    try {
      return await run({ call: this, message })
    } catch (thrown) {
      throw RpcError.from(thrown)
    }
  }

  /** `options` hold for this request, in all tries. What is no object has no identity, and none. */
  public describe(request: unknown, options: SendOptions | undefined): void {
    if (!isObject(request)) return
    if (options === undefined) this.sendOptions.delete(request)
    else this.sendOptions.set(request, options)
  }

  public cancel(reason: RpcError): void {
    this.controller.abort(reason)
  }

  /** The call is over: nothing limits it any more, and no try goes on. */
  public release(): void {
    this.limits?.release()
    this.controller.abort(RELEASED)
  }

  // ── CallLimitsOwner

  public onDeadline(afterMs: number): void {
    this.onAborted(deadlineStatus(afterMs))
  }

  public onAborted(status: Status): void {
    this.controller.abort(RpcError.fromStatus(status))
  }

  private readonly optionsOf = (request: unknown): SendOptions | undefined =>
    isObject(request) ? this.sendOptions.get(request) : undefined

  private attempt(request: InterceptedRequest): Promise<InterceptedResponse> {
    const { channel, plan, options, metadata, signal, deadline } = this
    const call = new StreamCall(channel, plan, {
      ...options,
      metadata,
      signal,
      ...(deadline === undefined ? {} : { deadline }),
    })
    this.current = call
    const { kind } = plan.method
    const { message } = request
    if (streamsRequests(kind)) {
      call.begin()
      void sendAll(call, message as AsyncIterable<unknown>, this.optionsOf)
    } else if (this.optionsOf(message) !== undefined) {
      call.begin()
      void sendAll(call, [message], this.optionsOf)
    } else {
      call.begin({ message })
    }
    return streamsResponses(kind) ? streamingAnswer(call) : singleAnswer(call)
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

const RELEASED = new Error('the call is over')

function metadataOf({ metadata }: CallOptions): Metadata {
  try {
    return Metadata.from(metadata ?? {})
  } catch (thrown) {
    throw RpcError.from(thrown)
  }
}

async function singleAnswer(call: StreamCall<unknown, unknown>): Promise<InterceptedResponse> {
  const message = await call.response
  return { headers: await call.headers, trailers: await call.trailers, message }
}

async function streamingAnswer(call: StreamCall<unknown, unknown>): Promise<InterceptedResponse> {
  const trailers = new Metadata()
  void call.trailers.then((received) => trailers.merge(received))
  // A call that fails without headers is told by its messages.
  const headers = await call.headers.catch(() => new Metadata())
  return { headers, trailers, message: call }
}

/** A call of one request and one response through interceptors. Rejects with RpcError. */
export async function invokeIntercepted(
  channel: CallChannel,
  plan: MethodPlan,
  options: CallOptions,
  interceptors: readonly Interceptor[],
  request: unknown,
): Promise<unknown> {
  const call = new OutgoingCall(channel, plan, options)
  try {
    return (await call.run(interceptors, request)).message
  } finally {
    call.release()
  }
}

/** Requests on their way to the interceptors; a sender waits until they are read. */
class RequestPipe<Req> {
  public readonly queue: MessageQueue<Req>
  private waiting: (() => void)[] = []
  private untaken = 0
  private closed = false

  public constructor() {
    this.queue = new MessageQueue<Req>({
      messageTaken: () => {
        this.untaken--
        this.wake()
      },
      readerWaits: () => {},
      readerLeft: () => this.close(),
    })
  }

  /** False when nobody reads any more. */
  public async send(request: Req): Promise<boolean> {
    if (this.closed) return false
    this.untaken++
    this.queue.push(request, 1)
    if (this.untaken > 0) {
      await new Promise<void>((resolve) => {
        this.waiting.push(resolve)
      })
    }
    return !this.closed
  }

  /** Nobody will read any more. */
  public close(): void {
    if (this.closed) return
    this.closed = true
    void this.queue.return()
    this.wake()
  }

  private wake(): void {
    const { waiting } = this
    this.waiting = []
    for (const resolve of waiting) resolve()
  }
}

/** A streaming call through interceptors, as its caller holds it. */
export class InterceptedCall<Req, Res> implements ClientStreamCall<Req, Res>, BidiCall<Req, Res> {
  private readonly call: OutgoingCall
  private readonly pipe = new RequestPipe<Req>()
  private readonly outcome: Promise<InterceptedResponse>
  private readonly ended: Promise<void>
  private responses: AsyncIterator<Res> | undefined
  private readonly responsesEnd: Promise<void>
  private endResponses: () => void = () => {}
  private readonly streams: boolean
  private halfClosed = false
  private failure: unknown

  /**
   * `request` is the one request of a call that sends one; otherwise they come by `send`. Throws
   * RpcError for metadata that may not be sent.
   */
  public constructor(
    channel: CallChannel,
    plan: MethodPlan,
    options: CallOptions,
    interceptors: readonly Interceptor[],
    request: { readonly message: Req } | undefined,
  ) {
    this.call = new OutgoingCall(channel, plan, options)
    this.halfClosed = request !== undefined
    this.outcome = observed(this.run(plan.method.kind, interceptors, request))
    this.responsesEnd = new Promise((resolve) => {
      this.endResponses = resolve
    })
    this.streams = streamsResponses(plan.method.kind)
    this.ended = this.untilEnd()
  }

  public get headers(): Promise<Metadata> {
    return observed(this.outcome.then(({ headers }) => headers))
  }

  public get trailers(): Promise<Metadata> {
    return this.ended.then(() =>
      this.outcome.then(
        ({ trailers }) => trailers,
        (error: RpcError) => error.metadata,
      ),
    )
  }

  public get response(): Promise<Res> {
    return observed(this.outcome.then(({ message }) => message as Res))
  }

  public get peerAddress(): string | undefined {
    return this.call.peerAddress
  }

  public send(request: Req, options?: SendOptions): Promise<boolean> {
    return observed(this.sendNow(request, options))
  }

  public end(): void {
    this.halfClosed = true
    this.pipe.queue.end()
  }

  public cancel(message = 'the call was cancelled by the caller', cause?: unknown): void {
    this.call.cancel(new RpcError(Code.Cancelled, message, { cause }))
  }

  public async consume(onMessage: (response: Res) => void): Promise<void> {
    for await (const response of this) onMessage(response)
  }

  public [Symbol.asyncIterator](): AsyncIterator<Res> {
    this.responses ??= this.readResponses()
    return this.responses
  }

  private async run(
    kind: MethodKind,
    interceptors: readonly Interceptor[],
    request: { readonly message: Req } | undefined,
  ): Promise<InterceptedResponse> {
    if (request !== undefined) return this.call.run(interceptors, request.message)
    if (streamsRequests(kind)) return this.call.run(interceptors, this.pipe.queue)
    // Interceptors see the one request itself, though it comes by `send`.
    const { done, value } = await this.pipe.queue.next()
    if (done === true) throw cardinality('no request', this.call.method.path)
    return this.call.run(interceptors, value)
  }

  private async *readResponses(): AsyncGenerator<Res> {
    try {
      const { message } = await this.outcome
      if (this.streams) yield* message as AsyncIterable<Res>
      else yield message as Res
    } finally {
      this.endResponses()
    }
  }

  private async sendNow(request: Req, options: SendOptions | undefined): Promise<boolean> {
    if (this.halfClosed) throw sendAfterEnd()
    this.call.describe(request, options)
    const taken = await this.pipe.send(request)
    if (this.failure !== undefined) throw this.failure
    return taken
  }

  /** The end of the newest try; of the responses, when the interceptors answer without one. */
  private async untilEnd(): Promise<void> {
    try {
      await this.outcome
      const { current } = this.call
      if (this.streams) {
        await (current?.trailers ?? this.responsesEnd)
        this.failure = current?.failure
      }
    } catch (error) {
      this.failure = error
    }
    this.pipe.close()
    this.call.release()
  }
}

/** A promise that need not be looked at. */
function observed<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
