// `round_robin`: calls take the endpoints that are READY in turn. Source: gRFC A61, grpc-go roundrobin.
import type { Status } from '../base/status.ts'
import type { ResolverState } from '../naming/index.ts'
import { aggregate } from './aggregate.ts'
import type { Balancer, BalancerBuilder, BalancerClientConn, BalancerOptions } from './balancer.ts'
import { EndpointSharding, type EndpointState } from './endpoint-sharding.ts'
import type { Picker, PickInfo, PickResult } from './picker.ts'

/** Policy `round_robin`. */
export const roundRobin: BalancerBuilder<undefined> = {
  name: 'round_robin',
  build: (cc, options) => new RoundRobin(cc, options),
}

class RoundRobin implements Balancer<undefined> {
  private readonly sharding: EndpointSharding

  public constructor(cc: BalancerClientConn, options: BalancerOptions) {
    const { random } = options
    this.sharding = new EndpointSharding(cc, options, (endpoints) => {
      // From a start of chance: many clients must not all begin with the same backend.
      const makePicker = (ready: readonly EndpointState[]): Picker =>
        new RoundRobinPicker(
          ready.map(({ latest }) => latest.picker),
          Math.floor(random() * ready.length),
        )
      cc.updateBalancerState(aggregate(endpoints, makePicker))
    })
  }

  public handleResolvedAddrs(resolved: ResolverState): boolean {
    return this.sharding.handleResolvedAddrs(resolved, undefined)
  }

  public resolverError(status: Status): void {
    this.sharding.resolverError(status)
  }

  public handleSubConnStateChange(): void {}

  public exitIdle(): void {
    this.sharding.exitIdle()
  }

  public close(): void {
    this.sharding.close()
  }
}

/** Asks pickers in turn, the next one for each call. */
export class RoundRobinPicker implements Picker {
  private readonly pickers: readonly Picker[]
  private next: number

  public constructor(pickers: readonly Picker[], first: number) {
    this.pickers = pickers
    this.next = first
  }

  public pick(info: PickInfo): PickResult {
    const picker = this.pickers[this.next]!
    this.next = this.next + 1 === this.pickers.length ? 0 : this.next + 1
    return picker.pick(info)
  }
}
