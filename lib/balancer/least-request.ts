// `least_request_experimental`: of a few READY endpoints drawn by chance, the one with the fewest calls
// that are not over. Source: gRFC A48, grpc-go leastrequest.
import { MAX_UINT32 } from '../base/config-fields.ts'
import type { Random } from '../base/random.ts'
import type { ResolverState } from '../naming/index.ts'
import type { BalancerBuilder } from './balancer.ts'
import type { EndpointState } from './endpoint-sharding.ts'
import {
  changeReady,
  type Picker,
  type PickInfo,
  type PickResult,
  type ReadyResult,
  withOnDone,
} from './picker.ts'
import { SpreadingPolicy } from './spreading-policy.ts'

/** Config of `least_request_experimental`. */
export interface LeastRequestConfig {
  /** How many endpoints are drawn for a call, 2 to 10. Default 2. */
  readonly choiceCount: number
}

const MAX_CHOICES = 10

/** Policy `least_request_experimental`. */
export const leastRequest: BalancerBuilder<LeastRequestConfig> = {
  name: 'least_request_experimental',
  build: (cc, options) => new LeastRequest(cc, options),
  parseConfig: (fields) => ({
    choiceCount: Math.min(fields.integer('choiceCount', 2, MAX_UINT32) ?? 2, MAX_CHOICES),
  }),
}

class LeastRequest extends SpreadingPolicy<LeastRequestConfig> {
  private choiceCount = 2
  /** Outlive pickers: a call may end long after its picker. */
  private readonly loads = new WeakMap<EndpointState, Load>()

  public override handleResolvedAddrs(
    resolved: ResolverState,
    config: LeastRequestConfig,
  ): boolean {
    this.choiceCount = config.choiceCount
    return super.handleResolvedAddrs(resolved, config)
  }

  protected override makePicker(ready: readonly EndpointState[]): Picker {
    const choices = ready.map((endpoint) => ({
      picker: endpoint.latest.picker,
      load: this.loadOf(endpoint),
    }))
    return new LeastRequestPicker(choices, this.choiceCount, this.options.random)
  }

  private loadOf(endpoint: EndpointState): Load {
    const known = this.loads.get(endpoint)
    if (known !== undefined) return known
    const load = new Load()
    this.loads.set(endpoint, load)
    return load
  }
}

/** The calls of an endpoint that are not over. Its functions are made once, not for each call. */
class Load {
  public outstanding = 0
  public readonly begin = (ready: ReadyResult): PickResult => {
    this.outstanding++
    return withOnDone(ready, this.end)
  }
  private readonly end = (): void => {
    this.outstanding--
  }
}

interface Choice {
  readonly picker: Picker
  readonly load: Load
}

class LeastRequestPicker implements Picker {
  private readonly choices: readonly Choice[]
  private readonly choiceCount: number
  private readonly random: Random

  public constructor(choices: readonly Choice[], choiceCount: number, random: Random) {
    this.choices = choices
    this.choiceCount = choiceCount
    this.random = random
  }

  public pick(info: PickInfo): PickResult {
    let { picker, load } = this.draw()
    for (let drawn = 1; drawn < this.choiceCount; drawn++) {
      const other = this.draw()
      if (other.load.outstanding < load.outstanding) ({ picker, load } = other)
    }
    return changeReady(picker.pick(info), load.begin)
  }

  private draw(): Choice {
    return this.choices[Math.floor(this.random() * this.choices.length)]!
  }
}
