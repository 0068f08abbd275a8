// Goes over from one policy to another without a gap: the new one takes calls once it has something
// better to offer than the old one. Source: gRFC A52's graceful switch, grpc-go gracefulswitch.
import type { Status } from '../base/status.ts'
import type { ResolverState } from '../naming/index.ts'
import type { BalancerClientConn, BalancerOptions, LbConfig } from './balancer.ts'
import { ChildPolicy } from './child-policy.ts'
import { ConnectivityState } from './connectivity.ts'
import { failingPicker } from './picker.ts'

/** A policy that may become another one. */
export class GracefulSwitch {
  private readonly cc: BalancerClientConn
  private readonly options: BalancerOptions
  /** What calls take. */
  private current: ChildPolicy | undefined
  /** What is to take its place. */
  private pending: ChildPolicy | undefined

  public constructor(cc: BalancerClientConn, options: BalancerOptions) {
    this.cc = cc
    this.options = options
  }

  /** Begins to go over if the policy has another name; then gives the newest policy its state. */
  public handleResolvedAddrs(resolved: ResolverState, { builder, config }: LbConfig): boolean {
    if (this.newest?.name !== builder.name) this.switchTo(builder)
    return this.newest!.handleResolvedAddrs(resolved, config)
  }

  public get newest(): ChildPolicy | undefined {
    return this.pending ?? this.current
  }

  /** Without a policy, that of `fallback` hears of it, or calls fail. */
  public resolverError(status: Status, fallback?: LbConfig): void {
    if (this.newest === undefined && fallback !== undefined) this.switchTo(fallback.builder)
    if (this.newest !== undefined) this.newest.resolverError(status)
    else {
      const state = ConnectivityState.TransientFailure
      this.cc.updateBalancerState({ state, picker: failingPicker(status) })
    }
  }

  public exitIdle(): void {
    this.newest?.exitIdle()
  }

  public close(): void {
    const { current, pending } = this
    this.current = undefined
    this.pending = undefined
    try {
      current?.close()
    } finally {
      pending?.close()
    }
  }

  private switchTo(builder: LbConfig['builder']): void {
    this.pending?.close()
    this.pending = undefined
    const child = new ChildPolicy(this.cc, builder, this.options, (told) => this.updated(told))
    if (this.current === undefined) this.current = child
    else this.pending = child
    // It may have told something while it was built.
    if (child.hasTold) this.updated(child)
  }

  private updated(child: ChildPolicy): void {
    if (child === this.pending) {
      const { state } = child.latest
      if (state !== ConnectivityState.Connecting || !this.isCarrying) this.swap()
    } else if (this.pending !== undefined && !this.isCarrying) this.swap()
    else if (child === this.current) this.cc.updateBalancerState(child.latest)
  }

  private get isCarrying(): boolean {
    return this.current?.latest.state === ConnectivityState.Ready
  }

  private swap(): void {
    const { current, pending } = this
    this.current = pending
    this.pending = undefined
    this.cc.updateBalancerState(pending!.latest)
    current?.close()
  }
}
