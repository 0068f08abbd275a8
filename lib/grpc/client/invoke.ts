// Starting calls: the options that hold, and the four ways to call a method.
import type { Interceptor } from '../call/interceptor.ts'
import type { MethodDefinition } from '../protocol/method.ts'
import type { RpcError } from '../protocol/rpc-error.ts'
import type { CallChannel, ResponseSink } from './call-channel.ts'
import type { CallOptions } from './call-options.ts'
import { ClientCall } from './client-call.ts'
import { InterceptedCall, invokeIntercepted } from './intercepted-call.ts'
import { MethodPlan, type PlannedOptions } from './method-plan.ts'
import { type BidiCall, type ClientStreamCall, StreamCall } from './stream-call.ts'

/** What all calls of a channel share beyond the channel itself. */
export interface CallDefaults {
  readonly userAgent: string
  readonly interceptors: readonly Interceptor[]
  readonly options: CallOptions
}

const PLANNED: readonly (keyof PlannedOptions)[] = [
  'compression',
  'minCompressBytes',
  'maxRecvMessageBytes',
  'maxSendMessageBytes',
]

/** Calls one method on one channel, with defaults; a client has one for each of its methods. */
export class MethodCaller<Req, Res> {
  private readonly channel: CallChannel
  private readonly defaults: CallDefaults
  private readonly method: MethodDefinition<Req, Res>
  private plain: MethodPlan<Req, Res> | undefined

  public constructor(
    channel: CallChannel,
    defaults: CallDefaults,
    method: MethodDefinition<Req, Res>,
  ) {
    this.channel = channel
    this.defaults = defaults
    this.method = method
  }

  /** One request, one response. Rejects with RpcError. */
  public unary(request: Req, options?: CallOptions): Promise<Res> {
    const merged = this.merge(options)
    const interceptors = this.interceptors(merged)
    let plan: MethodPlan<Req, Res>
    try {
      plan = this.plan(merged)
    } catch (error) {
      return Promise.reject(error)
    }
    if (interceptors.length > 0) {
      return invokeIntercepted(
        this.channel,
        plan as unknown as MethodPlan,
        merged,
        interceptors,
        request,
      ) as Promise<Res>
    }
    return new Promise((resolve, reject) => {
      const result = new UnaryResult<Res>(resolve, reject)
      new ClientCall(this.channel, plan, merged, result).startWithRequest(request)
    })
  }

  /** A call with a stream on either side; `request` for a call that sends just one. */
  public stream(
    options: CallOptions | undefined,
    request?: { readonly message: Req },
  ): ClientStreamCall<Req, Res> & BidiCall<Req, Res> {
    const merged = this.merge(options)
    const plan = this.plan(merged)
    const interceptors = this.interceptors(merged)
    if (interceptors.length === 0) {
      return new StreamCall(this.channel, plan, merged).begin(request)
    }
    const unknownPlan = plan as unknown as MethodPlan
    return new InterceptedCall<Req, Res>(this.channel, unknownPlan, merged, interceptors, request)
  }

  private merge(options: CallOptions | undefined): CallOptions {
    if (options === undefined) return this.defaults.options
    return { ...this.defaults.options, ...options }
  }

  private interceptors(options: CallOptions): readonly Interceptor[] {
    const { interceptors } = this.defaults
    if (options.interceptors === undefined) return interceptors
    return [...interceptors, ...options.interceptors]
  }

  // A plan depends on few options, which few calls set.
  private plan(options: CallOptions): MethodPlan<Req, Res> {
    const { channel, defaults, method } = this
    const isPlain =
      options === defaults.options ||
      PLANNED.every((name) => options[name] === defaults.options[name])
    const { userAgent } = defaults
    if (!isPlain) return MethodPlan.of(channel, userAgent, method, options)
    this.plain ??= MethodPlan.of(channel, userAgent, method, options)
    return this.plain
  }
}

/** The one promise of a unary call. */
class UnaryResult<Res> implements ResponseSink<Res> {
  public readonly awaitsResponse = true
  public readonly hasUntaken = false
  private readonly resolve: (response: Res) => void
  private readonly reject: (error: RpcError) => void
  private message: Res | undefined

  public constructor(resolve: (response: Res) => void, reject: (error: RpcError) => void) {
    this.resolve = resolve
    this.reject = reject
    this.message = undefined
  }

  public onResponse(message: Res): void {
    this.message = message
  }

  public onEnd(error: RpcError | undefined): void {
    if (error === undefined) this.resolve(this.message as Res)
    else this.reject(error)
  }
}
