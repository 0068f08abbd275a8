// Stands between a channel and its resolver: the newest state wins, comes to the channel through
// its queue, and not at all once closed. Source: grpc-go ccResolverWrapper.
import { backoffMs } from '../../base/backoff.ts'
import type { Timer } from '../../base/clock.ts'
import type { Serializer } from '../../base/serializer.ts'
import { Code, type Status } from '../../base/status.ts'
import {
  type Address,
  endpointsOf,
  type ResolvableTarget,
  type Resolver,
  type ResolverClientConn,
  type ResolverOptions,
  type ResolverState,
} from '../../naming/index.ts'

/** The channel as its resolver's wrapper sees it. Called from the queue. */
export interface ResolvedChannel {
  /** False: it has no use for this state. */
  handleResolvedAddrs(state: ResolverState): boolean
  handleResolverError(status: Status): void
}

/** One per life of a resolver: until the channel closes or becomes idle. */
export class CcResolverWrapper implements ResolverClientConn {
  private readonly channel: ResolvedChannel
  private readonly serializer: Serializer
  private readonly options: ResolverOptions
  private resolver: Resolver | undefined
  /** What the channel has not taken yet; an error is newer than a state beside it. */
  private state: ResolverState | undefined
  private error: Status | undefined
  private rejections = 0
  private retryTimer: Timer | undefined
  private closed = false
  private readonly deliver = (): void => this.deliverNewest()
  private readonly ask = (): void => this.askResolver()

  public constructor(channel: ResolvedChannel, serializer: Serializer, options: ResolverOptions) {
    this.channel = channel
    this.serializer = serializer
    this.options = options
  }

  /** Builds the resolver. One that cannot be built is as one that fails. */
  public start({ target, builder }: ResolvableTarget): void {
    try {
      this.resolver = builder.build(target, this, this.options)
    } catch (cause) {
      this.resolverThrew(cause)
    }
  }

  public updateState(state: ResolverState): void {
    this.state = state
    this.error = undefined
    this.serializer.schedule(this.deliver)
  }

  public newAddress(addresses: readonly Address[]): void {
    this.updateState({ endpoints: endpointsOf(addresses) })
  }

  public reportError(status: Status): void {
    this.error = status
    this.serializer.schedule(this.deliver)
  }

  public resolveNow(): void {
    this.serializer.schedule(this.ask)
  }

  public close(): void {
    if (this.closed) return
    this.closed = true
    this.retryTimer?.cancel()
    this.resolver?.close()
  }

  private askResolver(): void {
    if (this.closed) return
    try {
      this.resolver?.resolveNow()
    } catch (cause) {
      this.resolverThrew(cause)
    }
  }

  private resolverThrew(cause: unknown): void {
    const message = cause instanceof Error ? cause.message : String(cause)
    this.reportError({ code: Code.Unavailable, message: `name resolver: ${message}`, cause })
  }

  private deliverNewest(): void {
    const { state, error } = this
    this.state = undefined
    this.error = undefined
    if (this.closed) return
    if (state !== undefined) this.deliverState(state)
    if (error !== undefined) this.channel.handleResolverError(error)
  }

  private deliverState(state: ResolverState): void {
    this.retryTimer?.cancel()
    if (this.channel.handleResolvedAddrs(state)) this.rejections = 0
    else this.retryLater()
  }

  /** Whatever the resolver's own limits are, a state that the policy refuses starts no fast loop. */
  private retryLater(): void {
    const { clock, random, backoff } = this.options
    const delayMs = backoffMs(this.rejections++, random, backoff)
    this.retryTimer = clock.timer(delayMs, () => this.resolveNow(), false)
  }
}
