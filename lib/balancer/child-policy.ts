// A policy below another: what it tells goes to the parent, what it holds ends with it.
import type { Status } from '../base/status.ts'
import type { Address, ResolverState } from '../naming/index.ts'
import type {
  Balancer,
  BalancerBuilder,
  BalancerClientConn,
  BalancerOptions,
  BalancerState,
} from './balancer.ts'
import { ConnectivityState } from './connectivity.ts'
import { WAITING_PICKER } from './picker.ts'
import type { SubConn, SubConnListener } from './sub-conn.ts'

/** What a child's policy is to the parent, and the parent's channel to the policy. */
export class ChildPolicy<Config = unknown> implements BalancerClientConn {
  /** What the policy told last; CONNECTING before. */
  public latest: BalancerState = {
    state: ConnectivityState.Connecting,
    picker: WAITING_PICKER,
  }
  /** Whether the policy told any. */
  public hasTold = false
  public readonly name: string
  private readonly parent: BalancerClientConn
  private readonly onUpdate: (child: ChildPolicy<Config>) => void
  private readonly policy: Balancer<Config>
  /** A list, as there is one for each endpoint, mostly of one. */
  private subConns: SubConn[] = []
  private closed = false

  /** `onUpdate` is called with each new state, also while the policy is being called. */
  public constructor(
    parent: BalancerClientConn,
    builder: BalancerBuilder<Config>,
    options: BalancerOptions,
    onUpdate: (child: ChildPolicy<Config>) => void,
  ) {
    this.parent = parent
    this.name = builder.name
    this.onUpdate = onUpdate
    this.policy = builder.build(this, options)
  }

  // ── what the parent does

  public handleResolvedAddrs(resolved: ResolverState, config: Config): boolean {
    return this.policy.handleResolvedAddrs(resolved, config)
  }

  public resolverError(status: Status): void {
    this.policy.resolverError(status)
  }

  public exitIdle(): void {
    if (!this.closed) this.policy.exitIdle()
  }

  /** Ends the policy and its SubConns; nothing of it is told afterwards. */
  public close(): void {
    if (this.closed) return
    this.closed = true
    try {
      this.policy.close()
    } finally {
      for (const subConn of this.subConns.splice(0)) subConn.shutdown()
    }
  }

  // ── BalancerClientConn

  public get target(): string {
    return this.parent.target
  }

  public newSubConn(addresses: readonly Address[], listener?: SubConnListener): SubConn {
    if (this.closed) throw new Error(`sub_conn_closed: got ${this.name} after its close`)
    const subConn = this.parent.newSubConn(addresses, (change) => {
      if (change.state === ConnectivityState.Shutdown) this.forget(subConn)
      if (this.closed) return
      if (listener === undefined) this.policy.handleSubConnStateChange(subConn, change)
      else listener(change)
    })
    // A list that grows by push has room for seventeen.
    if (this.subConns.length === 0) this.subConns = [subConn]
    else this.subConns.push(subConn)
    return subConn
  }

  public removeSubConn(subConn: SubConn): void {
    subConn.shutdown()
  }

  public updateBalancerState(state: BalancerState): void {
    if (this.closed) return
    this.latest = state
    this.hasTold = true
    this.onUpdate(this)
  }

  public resolveNow(): void {
    if (!this.closed) this.parent.resolveNow()
  }

  private forget(subConn: SubConn): void {
    const at = this.subConns.indexOf(subConn)
    if (at >= 0) this.subConns.splice(at, 1)
  }
}
