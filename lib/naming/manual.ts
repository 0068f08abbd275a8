// A resolver that says what its owner tells it to; for tests and for embedders with their own
// source of addresses. Source: grpc-go resolver/manual.
import type { Status } from '../base/status.ts'
import type {
  Address,
  Resolver,
  ResolverBuilder,
  ResolverClientConn,
  ResolverState,
} from './resolver.ts'
import { endpointsOf } from './resolver.ts'
import type { Target } from './target.ts'

/** What a {@link ManualResolver} tells its owner. */
export interface ManualResolverEvents {
  built?(target: Target): void
  resolveNow?(): void
  closed?(): void
}

/**
 * A builder and its resolvers in one. What is told before a channel has built it, or while the
 * channel is idle, is kept: a new resolver starts with the newest state.
 */
export class ManualResolver implements ResolverBuilder {
  public readonly scheme: string
  private readonly events: ManualResolverEvents
  private readonly channels = new Set<ResolverClientConn>()
  private state: ResolverState | undefined

  public constructor(scheme: string, events: ManualResolverEvents = {}) {
    this.scheme = scheme
    this.events = events
  }

  /** Tells every channel that uses this resolver. */
  public updateState(state: ResolverState): void {
    this.state = state
    for (const cc of this.channels) cc.updateState(state)
  }

  /** {@link ManualResolver.updateState} for a plain list. */
  public newAddress(addresses: readonly Address[]): void {
    this.updateState({ endpoints: endpointsOf(addresses) })
  }

  /** Reports a failure to every channel that uses this resolver. */
  public reportError(status: Status): void {
    for (const cc of this.channels) cc.reportError(status)
  }

  public build(target: Target, cc: ResolverClientConn): Resolver {
    this.channels.add(cc)
    this.events.built?.(target)
    if (this.state !== undefined) cc.updateState(this.state)
    return {
      resolveNow: () => this.events.resolveNow?.(),
      close: () => {
        this.channels.delete(cc)
        this.events.closed?.()
      },
    }
  }
}
