// `round_robin`: calls take the endpoints that are READY in turn. Source: gRFC A61, grpc-go roundrobin.
import type { BalancerBuilder } from './balancer.ts'
import type { EndpointState } from './endpoint-sharding.ts'
import type { Picker, PickInfo, PickResult } from './picker.ts'
import { SpreadingPolicy } from './spreading-policy.ts'

/** Policy `round_robin`. */
export const roundRobin: BalancerBuilder<undefined> = {
  name: 'round_robin',
  build: (cc, options) => new RoundRobin(cc, options),
}

class RoundRobin extends SpreadingPolicy<undefined> {
  /** From a start of chance: many clients must not all begin with the same backend. */
  protected override makePicker(ready: readonly EndpointState[]): Picker {
    const pickers = ready.map(({ latest }) => latest.picker)
    return new RoundRobinPicker(pickers, Math.floor(this.options.random() * ready.length))
  }
}

/** Asks pickers in turn, the next one for each call. */
class RoundRobinPicker implements Picker {
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
