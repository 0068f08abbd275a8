// `weighted_target_experimental`: shares calls among children, by the weight that the config gives each.
// Which endpoints are whose is in their paths. Source: gRFC A28, grpc-go weightedtarget.
import { type ConfigFields, MAX_UINT32 } from '../base/config-fields.ts'
import type { Random } from '../base/random.ts'
import type { Status } from '../base/status.ts'
import type { ResolverState } from '../naming/index.ts'
import { aggregate } from './aggregate.ts'
import type {
  Balancer,
  BalancerBuilder,
  BalancerClientConn,
  BalancerOptions,
  BalancerState,
  LbConfig,
} from './balancer.ts'
import { ConnectivityState } from './connectivity.ts'
import { groupByChild } from './hierarchical-path.ts'
import { NamedChild } from './named-child.ts'
import { failingPicker, type Picker, type PickInfo, type PickResult } from './picker.ts'

/** Config of `weighted_target_experimental`. */
export interface WeightedTargetConfig {
  /** By name. Required. */
  readonly targets: ReadonlyMap<string, WeightedTargetChild>
}

/** A child. */
export interface WeightedTargetChild {
  /** Its share of the sum of all, at least 1. Required. */
  readonly weight: number
  /** Required. */
  readonly childPolicy: LbConfig
}

/** Policy `weighted_target_experimental`. */
export const weightedTarget: BalancerBuilder<WeightedTargetConfig> = {
  name: 'weighted_target_experimental',
  build: (cc, options) => new WeightedTarget(cc, options),
  parseConfig(fields, parseChild) {
    const targetOf = (target: ConfigFields): WeightedTargetChild => ({
      weight: target.required('weight').integer('weight', 1, MAX_UINT32)!,
      childPolicy: parseChild(target, 'childPolicy'),
    })
    return { targets: fields.required('targets').map('targets', targetOf)! }
  },
}

class Target extends NamedChild {
  public weight = 0
}

class WeightedTarget implements Balancer<WeightedTargetConfig> {
  private readonly cc: BalancerClientConn
  private readonly options: BalancerOptions
  private readonly targets = new Map<string, Target>()
  private isUpdating = false

  public constructor(cc: BalancerClientConn, options: BalancerOptions) {
    this.cc = cc
    this.options = options
  }

  public handleResolvedAddrs(resolved: ResolverState, config: WeightedTargetConfig): boolean {
    const groups = groupByChild(resolved.endpoints)
    this.isUpdating = true
    for (const [name, target] of this.targets) if (!config.targets.has(name)) this.drop(target)
    for (const [name, { weight, childPolicy }] of config.targets) {
      const target = this.targets.get(name) ?? this.add(name)
      target.weight = weight
      target.handleResolvedAddrs({ ...resolved, endpoints: groups.get(name) ?? [] }, childPolicy)
    }
    this.isUpdating = false
    this.publish()
    return groups.size > 0
  }

  public resolverError(status: Status): void {
    for (const target of this.targets.values()) target.resolverError(status)
    if (this.targets.size > 0) return
    const state = ConnectivityState.TransientFailure
    this.cc.updateBalancerState({ state, picker: failingPicker(status) })
  }

  public handleSubConnStateChange(): void {}

  public exitIdle(): void {
    for (const target of this.targets.values()) target.exitIdle()
  }

  public close(): void {
    this.isUpdating = true
    for (const target of this.targets.values()) target.close()
    this.targets.clear()
  }

  private add(name: string): Target {
    const target = new Target(name, this.cc, this.options, () => this.publish())
    this.targets.set(name, target)
    return target
  }

  private drop(target: Target): void {
    this.targets.delete(target.name)
    target.close()
  }

  private publish(): void {
    if (!this.isUpdating) this.cc.updateBalancerState(this.aggregate())
  }

  private aggregate(): BalancerState {
    const targets = [...this.targets.values()]
    const makePicker = (some: readonly Target[]): Picker => {
      return new WeightedTargetPicker(some, this.options.random)
    }
    const aggregated = aggregate(targets, makePicker)
    const { state } = aggregated
    if (state !== ConnectivityState.Idle) return aggregated
    // A call makes the pickers of those that are IDLE connect.
    return { state, picker: makePicker(targets.filter(({ latest }) => latest.state === state)) }
  }
}

/** Asks pickers by chance and weight. */
class WeightedTargetPicker implements Picker {
  private readonly pickers: readonly Picker[]
  /** The weight of each with all before it. */
  private readonly bounds: readonly number[]
  private readonly random: Random

  /** Of one target at least. */
  public constructor(targets: readonly Target[], random: Random) {
    let sum = 0
    this.pickers = targets.map(({ latest }) => latest.picker)
    this.bounds = targets.map(({ weight }) => {
      sum += weight
      return sum
    })
    this.random = random
  }

  public pick(info: PickInfo): PickResult {
    const drawn = this.random() * this.bounds.at(-1)!
    let low = 0
    let high = this.bounds.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.bounds[middle]! > drawn) high = middle
      else low = middle + 1
    }
    return this.pickers[low]!.pick(info)
  }
}
