// Calls that go through interceptors. Each `next` makes a plain call; its requests come from what
// the interceptors pass on, and what they answer is the caller's response.
import type { Clock } from '../../base/clock.ts'
import {
  type CallContext,
  chainInterceptors,
  type InterceptedResponse,
  type Interceptor,
} from '../call/interceptor.ts'
import { MessageQueue } from '../call/message-queue.ts'
import { Metadata } from '../protocol/metadata.ts'
import { type MethodDefinition, streamsRequests, streamsResponses } from '../protocol/method.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import type { CallOptions } from './call-options.ts'
import type { CallChannel, MethodPlan } from './client-call.ts'
import { type BidiCall, type ClientStreamCall, StreamCall, sendAll } from './stream-call.ts'

/** The call as interceptors see it; it outlives the tries that they make. */
class OutgoingContext implements CallContext {
  public readonly side = 'client'
  public readonly method: MethodDefinition
  public readonly metadata: Metadata
  public readonly signal: AbortSignal
  public readonly deadline: Date | undefined
  public current: StreamCall<unknown, unknown> | undefined
  private readonly controller = new AbortController()

  public constructor(method: MethodDefinition, options: CallOptions, clock: Clock) {
    this.method = method
    this.metadata = Metadata.from(options.metadata ?? {})
    this.signal =
      options.signal === undefined
        ? this.controller.signal
        : AbortSignal.any([options.signal, this.controller.signal])
    const { timeoutMs, deadline } = options
    const latestMs = Math.min(
      timeoutMs === undefined ? Number.POSITIVE_INFINITY : clock.wallMs() + timeoutMs,
      deadline?.getTime() ?? Number.POSITIVE_INFINITY,
    )
    this.deadline = latestMs === Number.POSITIVE_INFINITY ? undefined : new Date(latestMs)
  }

  public get peerAddress(): string | undefined {
    return this.current?.peerAddress
  }

  public cancel(reason: Error): void {
    this.controller.abort(reason)
  }
}

/** Requests on their way to the interceptors; a sender waits until they are read. */
class RequestPipe<Req> {
  public readonly queue: MessageQueue<Req>
  private waiting: (() => void)[] = []
  private untaken = 0

  public constructor() {
    this.queue = new MessageQueue<Req>({
      messageTaken: () => {
        this.untaken--
        this.wake()
      },
      readerWaits: () => {},
      readerLeft: () => this.wake(),
    })
  }

  public async send(request: Req): Promise<void> {
    this.untaken++
    this.queue.push(request, 1)
    if (this.untaken === 0) return
    await new Promise<void>((resolve) => {
      this.waiting.push(resolve)
    })
  }

  /** Nobody will read any more. */
  public close(): void {
    void this.queue.return()
    this.wake()
  }

  private wake(): void {
    const waiting = this.waiting
    this.waiting = []
    for (const resolve of waiting) resolve()
  }
}

/** Runs a call through its interceptors. Rejects with RpcError. */
async function runIntercepted(
  channel: CallChannel,
  plan: MethodPlan,
  options: CallOptions,
  interceptors: readonly Interceptor[],
  context: OutgoingContext,
  message: unknown,
): Promise<InterceptedResponse> {
  const { kind } = plan.method
  const { timeoutMs: _, ...rest } = options
  const run = chainInterceptors(interceptors, async (request) => {
    const call = new StreamCall(channel, plan, {
      ...rest,
      metadata: context.metadata,
      signal: context.signal,
      ...(context.deadline === undefined ? {} : { deadline: context.deadline }),
    })
    context.current = call
    if (streamsRequests(kind)) {
      call.begin()
      void sendAll(call, request.message as AsyncIterable<unknown>)
    } else {
      call.begin({ message: request.message })
    }
    return streamsResponses(kind) ? streamingAnswer(call) : singleAnswer(call)
  })
  try {
    return await run({ call: context, message })
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
  const context = new OutgoingContext(plan.method, options, channel.clock)
  const response = await runIntercepted(channel, plan, options, interceptors, context, request)
  return response.message
}

/** A streaming call through interceptors, as its caller holds it. */
export class InterceptedCall<Req, Res> implements ClientStreamCall<Req, Res>, BidiCall<Req, Res> {
  private readonly context: OutgoingContext
  private readonly pipe = new RequestPipe<Req>()
  private readonly outcome: Promise<InterceptedResponse>
  private failure: unknown

  /** `request` is the one request of a call that sends one; otherwise they come by `send`. */
  public constructor(
    channel: CallChannel,
    plan: MethodPlan,
    options: CallOptions,
    interceptors: readonly Interceptor[],
    request: { readonly message: Req } | undefined,
  ) {
    this.context = new OutgoingContext(plan.method, options, channel.clock)
    const message = request === undefined ? this.pipe.queue : request.message
    this.outcome = runIntercepted(channel, plan, options, interceptors, this.context, message)
    this.outcome.catch((error) => {
      this.failure = error
      this.pipe.close()
    })
  }

  public get headers(): Promise<Metadata> {
    return observed(this.outcome.then(({ headers }) => headers))
  }

  public get trailers(): Promise<Metadata> {
    return observed(
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
    return this.context.peerAddress
  }

  public async send(request: Req): Promise<void> {
    if (this.failure === undefined) await this.pipe.send(request)
    if (this.failure !== undefined) throw this.failure
  }

  public end(): void {
    this.pipe.queue.end()
  }

  public cancel(message = 'the call was cancelled by the caller'): void {
    this.context.cancel(new Error(message))
  }

  public async consume(onMessage: (response: Res) => void): Promise<void> {
    for await (const response of this) onMessage(response)
  }

  public async *[Symbol.asyncIterator](): AsyncIterator<Res> {
    const { message } = await this.outcome
    yield* message as AsyncIterable<Res>
  }
}

/** A promise that need not be looked at. */
function observed<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
