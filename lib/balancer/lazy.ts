// A policy that is not made before somebody needs it: until then its channel is IDLE, and costs little.
// Source: gRFC A61 (ring_hash), grpc-go balancer/lazy.
import type { Status } from '../base/status.ts'
import type { ResolverState } from '../naming/index.ts'
import type { Balancer, BalancerBuilder, BalancerClientConn, BalancerOptions } from './balancer.ts'
import { ConnectivityState } from './connectivity.ts'
import { failingPicker, type PickInfo, type PickResult, WAITING_PICKER } from './picker.ts'
import type { SubConn, SubConnState } from './sub-conn.ts'

/** `builder`'s policy, made by the first call or by `exitIdle`. */
export function lazy<Config>(builder: BalancerBuilder<Config>): BalancerBuilder<Config> {
  return { ...builder, build: (cc, options) => new LazyPolicy(cc, options, builder) }
}

class LazyPolicy<Config> implements Balancer<Config> {
  private readonly cc: BalancerClientConn
  private readonly options: BalancerOptions
  private readonly builder: BalancerBuilder<Config>
  private policy: Balancer<Config> | undefined
  /** What the policy will be told first. */
  private awaited: { resolved: ResolverState; config: Config } | undefined

  public constructor(
    cc: BalancerClientConn,
    options: BalancerOptions,
    builder: BalancerBuilder<Config>,
  ) {
    this.cc = cc
    this.options = options
    this.builder = builder
  }

  public handleResolvedAddrs(resolved: ResolverState, config: Config): boolean {
    if (this.policy !== undefined) return this.policy.handleResolvedAddrs(resolved, config)
    const isFirst = this.awaited === undefined
    this.awaited = { resolved, config }
    if (isFirst) {
      const picker = { pick: (info: PickInfo): PickResult => this.leaveIdle(info) }
      this.cc.updateBalancerState({ state: ConnectivityState.Idle, picker })
    }
    return true
  }

  public resolverError(status: Status): void {
    if (this.policy !== undefined) this.policy.resolverError(status)
    else if (this.awaited === undefined) {
      const state = ConnectivityState.TransientFailure
      this.cc.updateBalancerState({ state, picker: failingPicker(status) })
    }
  }

  public handleSubConnStateChange(subConn: SubConn, change: SubConnState): void {
    this.policy?.handleSubConnStateChange(subConn, change)
  }

  public exitIdle(): void {
    if (this.policy !== undefined) this.policy.exitIdle()
    else if (this.awaited !== undefined) {
      const { resolved, config } = this.awaited
      this.awaited = undefined
      this.policy = this.builder.build(this.cc, this.options)
      this.policy.handleResolvedAddrs(resolved, config)
    }
  }

  public close(): void {
    this.policy?.close()
    this.awaited = undefined
  }

  private leaveIdle(info: PickInfo): PickResult {
    this.exitIdle()
    return WAITING_PICKER.pick(info)
  }
}
