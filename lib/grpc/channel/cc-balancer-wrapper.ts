// Stands between a channel and its policy: calls the policy from the channel's queue only, makes its
// SubConns, and lets nothing through once closed. Source: grpc-go ccBalancerWrapper.
import {
  type Balancer,
  type BalancerBuilder,
  type BalancerClientConn,
  type BalancerOptions,
  type BalancerState,
  ConnectivityState,
  fixedPicker,
  type SubConn,
  type SubConnState,
} from '../../balancer/index.ts'
import type { Serializer } from '../../base/serializer.ts'
import { Code, type Status } from '../../base/status.ts'
import type { Address, ResolverState } from '../../naming/index.ts'
import { AcBalancerWrapper } from './ac-balancer-wrapper.ts'
import type { AddrConn } from './addr-conn.ts'

/** The channel as its policy's wrapper sees it. */
export interface BalancedChannel {
  /** As the user wrote it. */
  readonly target: string
  newAddrConn(addresses: readonly Address[], onState: (change: SubConnState) => void): AddrConn
  updateBalancerState(state: BalancerState): void
  resolveNow(): void
}

/** One per life of a policy: until the channel closes or becomes idle. */
export class CcBalancerWrapper implements BalancerClientConn {
  private readonly channel: BalancedChannel
  private readonly serializer: Serializer
  private readonly policyName: string
  private readonly policy: Balancer | undefined
  private readonly subConns = new Set<SubConn>()
  private closed = false

  public constructor(
    channel: BalancedChannel,
    serializer: Serializer,
    builder: BalancerBuilder,
    options: BalancerOptions,
  ) {
    this.channel = channel
    this.serializer = serializer
    this.policyName = builder.name
    try {
      this.policy = builder.build(this, options)
    } catch (cause) {
      this.policyThrew(cause)
    }
  }

  public get target(): string {
    return this.channel.target
  }

  /** To be called from the queue. False: the policy has no use for it. */
  public handleResolvedAddrs(resolved: ResolverState): boolean {
    return this.ask((policy) => policy.handleResolvedAddrs(resolved)) ?? false
  }

  /** To be called from the queue. */
  public resolverError(status: Status): void {
    this.ask((policy) => policy.resolverError(status))
  }

  public exitIdle(): void {
    this.serializer.schedule(() => this.ask((policy) => policy.exitIdle()))
  }

  /** Shuts the SubConns down; the policy is told nothing more but this. */
  public close(): void {
    if (this.closed) return
    this.serializer.schedule(() => this.closePolicy())
    this.closed = true
    for (const subConn of this.subConns) subConn.shutdown()
    this.subConns.clear()
  }

  public newSubConn(addresses: readonly Address[]): SubConn {
    if (this.closed) throw new Error(`sub_conn_closed: got ${this.policyName} after its close`)
    if (addresses.length === 0) throw new Error('sub_conn_empty: got no address, want at least one')
    const subConn: SubConn = new AcBalancerWrapper(
      this.channel.newAddrConn(addresses, (change) => {
        this.serializer.schedule(() => this.handleSubConnStateChange(subConn, change))
      }),
    )
    this.subConns.add(subConn)
    return subConn
  }

  public removeSubConn(subConn: SubConn): void {
    subConn.shutdown()
  }

  public updateBalancerState(state: BalancerState): void {
    if (!this.closed) this.channel.updateBalancerState(state)
  }

  public resolveNow(): void {
    if (!this.closed) this.channel.resolveNow()
  }

  private handleSubConnStateChange(subConn: SubConn, change: SubConnState): void {
    if (change.state === ConnectivityState.Shutdown) this.subConns.delete(subConn)
    this.ask((policy) => policy.handleSubConnStateChange(subConn, change))
  }

  private closePolicy(): void {
    try {
      this.policy?.close()
    } catch {
      // It is gone; there is nobody left whom its failure concerns.
    }
  }

  /** Calls the policy, which others may have written. */
  private ask<T>(call: (policy: Balancer) => T): T | undefined {
    if (this.closed || this.policy === undefined) return undefined
    try {
      return call(this.policy)
    } catch (cause) {
      this.policyThrew(cause)
      return undefined
    }
  }

  private policyThrew(cause: unknown): void {
    const message = `policy_threw: ${this.policyName}: ${String(cause)}`
    const status: Status = { code: Code.Internal, message, cause }
    this.updateBalancerState({
      state: ConnectivityState.TransientFailure,
      picker: fixedPicker({ kind: 'drop', status }),
    })
  }
}
