// What round_robin and its relatives stand on: one child policy, as a rule pick_first, for each
// endpoint, and their states together. Chooses nothing itself. Source: gRFC A61, grpc-go
// endpointsharding.
import type { Status } from '../base/status.ts'
import type { Endpoint, ResolverState } from '../naming/index.ts'
import type {
  BalancerBuilder,
  BalancerClientConn,
  BalancerOptions,
  BalancerState,
} from './balancer.ts'
import { ChildPolicy } from './child-policy.ts'
import { ConnectivityState } from './connectivity.ts'
import { pickFirst } from './pick-first.ts'
import { failingPicker } from './picker.ts'

/** An endpoint and what its policy came to. */
export interface EndpointState {
  readonly endpoint: Endpoint
  readonly latest: BalancerState
  /** Has the endpoint connect when it is IDLE. */
  exitIdle(): void
}

/** How an {@link EndpointSharding} behaves. */
export interface EndpointShardingOptions extends BalancerOptions {
  /** Default: pick_first. */
  readonly child?: BalancerBuilder
  /** Leaves endpoints IDLE that are so. Default false: they connect at once. */
  readonly staysIdle?: boolean
}

/** See above. */
export class EndpointSharding {
  private readonly cc: BalancerClientConn
  private readonly options: EndpointShardingOptions
  private readonly onStates: (endpoints: readonly EndpointState[]) => void
  private shards = new Map<string, Shard>()
  /** The values of `shards`, in their order. Replaced, never changed. */
  private endpoints: readonly Shard[] = []
  private isUpdating = false
  /** Made once, not for each endpoint. */
  private readonly onUpdate = (child: ChildPolicy): void => {
    const isIdle = child.latest.state === ConnectivityState.Idle
    if (isIdle && this.options.staysIdle !== true) child.exitIdle()
    this.report()
  }
  private closed = false

  /** `onStates` gets all endpoints, in the resolver's order, whenever one of them changes. */
  public constructor(
    cc: BalancerClientConn,
    options: EndpointShardingOptions,
    onStates: (endpoints: readonly EndpointState[]) => void,
  ) {
    this.cc = cc
    this.options = { ...options, checksHealth: true }
    this.onStates = onStates
  }

  /** An endpoint that is listed again keeps its policy. False when there is none at all. */
  public handleResolvedAddrs(resolved: ResolverState, childConfig: unknown): boolean {
    const previous = this.shards
    this.shards = new Map()
    this.isUpdating = true
    for (const endpoint of resolved.endpoints) {
      const key = endpointKey(endpoint)
      if (endpoint.addresses.length === 0 || this.shards.has(key)) continue
      const shard = previous.get(key) ?? this.newShard(endpoint)
      previous.delete(key)
      shard.endpoint = endpoint
      this.shards.set(key, shard)
      shard.child.handleResolvedAddrs({ ...resolved, endpoints: [endpoint] }, childConfig)
    }
    this.endpoints = [...this.shards.values()]
    for (const { child } of previous.values()) child.close()
    this.isUpdating = false
    this.report()
    return this.shards.size > 0
  }

  public resolverError(status: Status): void {
    if (this.shards.size === 0) {
      const state = ConnectivityState.TransientFailure
      this.cc.updateBalancerState({ state, picker: failingPicker(status) })
      return
    }
    this.isUpdating = true
    for (const { child } of this.shards.values()) child.resolverError(status)
    this.isUpdating = false
    this.report()
  }

  public exitIdle(): void {
    for (const { child } of this.shards.values()) {
      if (child.latest.state === ConnectivityState.Idle) child.exitIdle()
    }
  }

  public close(): void {
    this.closed = true
    for (const { child } of this.shards.values()) child.close()
    this.shards.clear()
    this.endpoints = []
  }

  private newShard(endpoint: Endpoint): Shard {
    const { child = pickFirst } = this.options
    return new Shard(endpoint, this.cc, child, this.options, this.onUpdate)
  }

  private report(): void {
    if (!this.isUpdating && !this.closed) this.onStates(this.endpoints)
  }
}

class Shard implements EndpointState {
  public endpoint: Endpoint
  public readonly child: ChildPolicy

  public constructor(
    endpoint: Endpoint,
    cc: BalancerClientConn,
    builder: BalancerBuilder,
    options: BalancerOptions,
    onUpdate: (child: ChildPolicy) => void,
  ) {
    this.endpoint = endpoint
    this.child = new ChildPolicy(cc, builder, options, onUpdate)
  }

  public get latest(): BalancerState {
    return this.child.latest
  }

  public exitIdle(): void {
    this.child.exitIdle()
  }
}

/** Endpoints are the same when they have the same addresses, in whatever order. */
export function endpointKey({ addresses }: Endpoint): string {
  if (addresses.length === 1) return addresses[0]!.address
  return addresses
    .map(({ address }) => address)
    .sort()
    .join(' ')
}
