// Stands between a channel and its policy: calls the policy from the channel's queue only, makes its
// SubConns, goes over to another policy gracefully, and lets nothing through once closed.
// Source: grpc-go ccBalancerWrapper.
import {
  type BalancerClientConn,
  type BalancerOptions,
  type BalancerState,
  ConnectivityState,
  fixedPicker,
  GracefulSwitch,
  type LbConfig,
  type SubConn,
  type SubConnListener,
} from '../../balancer/index.ts'
import type { Serializer } from '../../base/serializer.ts'
import { Code, type Status } from '../../base/status.ts'
import type { Address, ResolverState } from '../../naming/index.ts'
import { AcBalancerWrapper, type ScheduleCallback } from './ac-balancer-wrapper.ts'
import type { AddrConn } from './addr-conn.ts'

/** The channel as its policy's wrapper sees it. */
export interface BalancedChannel {
  /** As the user wrote it. */
  readonly target: string
  newAddrConn(addresses: readonly Address[]): AddrConn
  updateBalancerState(state: BalancerState): void
  resolveNow(): void
}

/** One for as long as the channel has a resolver: until it closes or becomes idle. */
export class CcBalancerWrapper implements BalancerClientConn {
  private readonly channel: BalancedChannel
  private readonly serializer: Serializer
  private readonly policies: GracefulSwitch
  private closed = false
  /** Made once, not for each SubConn. */
  private readonly schedule: ScheduleCallback = (callback) => {
    this.serializer.schedule(() => this.ask(callback))
  }

  public constructor(channel: BalancedChannel, serializer: Serializer, options: BalancerOptions) {
    this.channel = channel
    this.serializer = serializer
    this.policies = new GracefulSwitch(this, options)
  }

  public get target(): string {
    return this.channel.target
  }

  /** To be called from the queue. False: the policy has no use for it. */
  public handleResolvedAddrs(resolved: ResolverState, lbConfig: LbConfig): boolean {
    const { name } = lbConfig.builder
    return this.ask(() => this.policies.handleResolvedAddrs(resolved, lbConfig), name) ?? false
  }

  /** To be called from the queue. Makes a policy of `fallback` when there is none yet. */
  public resolverError(status: Status, fallback: LbConfig): void {
    this.ask(() => this.policies.resolverError(status, fallback), fallback.builder.name)
  }

  public exitIdle(): void {
    this.serializer.schedule(() => this.ask(() => this.policies.exitIdle()))
  }

  /** Ends the policy, which is told nothing more, and its SubConns. */
  public close(): void {
    if (this.closed) return
    this.serializer.schedule(() => this.closePolicies())
    this.closed = true
  }

  public newSubConn(addresses: readonly Address[], listener: SubConnListener = ignore): SubConn {
    if (this.closed) throw new Error('sub_conn_closed: got a policy after its close')
    if (addresses.length === 0) throw new Error('sub_conn_empty: got no address, want at least one')
    return new AcBalancerWrapper(this.channel.newAddrConn(addresses), this.schedule, listener)
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

  private closePolicies(): void {
    try {
      this.policies.close()
    } catch {
      // It is gone; there is nobody left whom its failure concerns.
    }
  }

  /** Calls the policy, which others may have written. */
  private ask<T>(call: () => T, name = this.policies.newest?.name): T | undefined {
    if (this.closed) return undefined
    try {
      return call()
    } catch (cause) {
      const message = `policy_threw: ${name}: ${String(cause)}`
      const status: Status = { code: Code.Internal, message, cause }
      this.updateBalancerState({
        state: ConnectivityState.TransientFailure,
        picker: fixedPicker({ kind: 'drop', status }),
      })
      return undefined
    }
  }
}

/** {@link GracefulSwitch} gives every SubConn of its policies a listener. */
function ignore(): void {}
