// What the policies that spread calls over the READY endpoints have in common: all but how a picker
// chooses. Source: gRFC A61.
import type { Status } from '../base/status.ts'
import type { Address, ResolverState } from '../naming/index.ts'
import { aggregate } from './aggregate.ts'
import type { Balancer, BalancerClientConn } from './balancer.ts'
import { deriveConn } from './derived-conn.ts'
import {
  EndpointSharding,
  type EndpointShardingOptions,
  type EndpointState,
} from './endpoint-sharding.ts'
import type { Picker } from './picker.ts'
import type { SubConn, SubConnListener } from './sub-conn.ts'

/** A policy with a child for each endpoint. */
export abstract class SpreadingPolicy<Config> implements Balancer<Config> {
  protected readonly cc: BalancerClientConn
  protected readonly options: EndpointShardingOptions
  private readonly sharding: EndpointSharding

  public constructor(cc: BalancerClientConn, options: EndpointShardingOptions) {
    this.cc = cc
    this.options = options
    const conn = deriveConn(cc, {
      newSubConn: (addresses, listener) => this.newSubConn(addresses, listener),
    })
    this.sharding = new EndpointSharding(conn, options, (endpoints) => this.updated(endpoints))
  }

  public handleResolvedAddrs(resolved: ResolverState, _config: Config): boolean {
    return this.sharding.handleResolvedAddrs(resolved, undefined)
  }

  public resolverError(status: Status): void {
    this.sharding.resolverError(status)
  }

  /** Every SubConn has a listener of its own. */
  public handleSubConnStateChange(): void {}

  public exitIdle(): void {
    this.sharding.exitIdle()
  }

  public close(): void {
    this.sharding.close()
  }

  /** Chooses among the READY endpoints, of which there is one at least. */
  protected abstract makePicker(ready: readonly EndpointState[]): Picker

  /** An endpoint changed, or there are others. */
  protected updated(endpoints: readonly EndpointState[]): void {
    this.cc.updateBalancerState(aggregate(endpoints, (ready) => this.makePicker(ready)))
  }

  /** An endpoint wants a connection. */
  protected newSubConn(addresses: readonly Address[], listener?: SubConnListener): SubConn {
    return this.cc.newSubConn(addresses, listener)
  }
}
