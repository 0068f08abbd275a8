// `weighted_round_robin`: the READY endpoints in turn, those that report less load more often.
// Source: gRFC A58, grpc-go weightedroundrobin.
//
//   report (with each call, or out of band) ─▶ ReportedWeight ─each second─▶ StrideSchedule ─▶ picker
import type { Clock, Timer } from '../base/clock.ts'
import type { Address, ResolverState } from '../naming/index.ts'
import type { BalancerBuilder } from './balancer.ts'
import { ConnectivityState } from './connectivity.ts'
import type { EndpointState } from './endpoint-sharding.ts'
import { EndpointTable } from './endpoint-table.ts'
import {
  changeReady,
  type Picker,
  type PickInfo,
  type PickOutcome,
  type PickResult,
  type ReadyResult,
  withOnDone,
} from './picker.ts'
import { ReportedWeight, type WeighingConfig } from './reported-weight.ts'
import { SpreadingPolicy } from './spreading-policy.ts'
import { StrideSchedule } from './stride-schedule.ts'
import type { SubConn, SubConnListener } from './sub-conn.ts'

/** Config of `weighted_round_robin`. */
export interface WeightedRoundRobinConfig extends WeighingConfig {
  /** Asks for reports out of band in place of those that come with calls. Default false. */
  readonly enableOobLoadReport: boolean
  /** How often to report out of band. Default 10 s. */
  readonly oobReportingPeriodMs: number
  /** How often weights are taken over, at least 100 ms. Default 1 s. */
  readonly weightUpdatePeriodMs: number
}

const LEAST_WEIGHT_UPDATE_PERIOD_MS = 100

/** Policy `weighted_round_robin`. */
export const weightedRoundRobin: BalancerBuilder<WeightedRoundRobinConfig> = {
  name: 'weighted_round_robin',
  build: (cc, options) => new WeightedRoundRobin(cc, options),
  parseConfig: (fields) => ({
    enableOobLoadReport: fields.boolean('enableOobLoadReport') ?? false,
    oobReportingPeriodMs: fields.durationMs('oobReportingPeriod') ?? 10_000,
    blackoutPeriodMs: fields.durationMs('blackoutPeriod') ?? 10_000,
    weightExpirationPeriodMs: fields.durationMs('weightExpirationPeriod') ?? 180_000,
    weightUpdatePeriodMs: Math.max(
      fields.durationMs('weightUpdatePeriod') ?? 1000,
      LEAST_WEIGHT_UPDATE_PERIOD_MS,
    ),
    errorUtilizationPenalty: fields.number('errorUtilizationPenalty', 0, Number.MAX_VALUE) ?? 1,
  }),
}

class WeightedRoundRobin extends SpreadingPolicy<WeightedRoundRobinConfig> {
  private config: WeightedRoundRobinConfig | undefined
  private readonly loads = new EndpointTable<EndpointLoad>(
    () => new EndpointLoad(this.options.clock, this.config!),
  )
  private updateTimer: Timer | undefined

  public override handleResolvedAddrs(
    resolved: ResolverState,
    config: WeightedRoundRobinConfig,
  ): boolean {
    this.config = config
    this.loads.update(resolved.endpoints)
    for (const load of this.loads.values()) load.configure(config)
    return super.handleResolvedAddrs(resolved, config)
  }

  public override close(): void {
    this.updateTimer?.cancel()
    for (const load of this.loads.values()) load.close()
    super.close()
  }

  protected override updated(endpoints: readonly EndpointState[]): void {
    this.updateTimer?.cancel()
    super.updated(endpoints)
  }

  protected override makePicker(ready: readonly EndpointState[]): Picker {
    const choices: Choice[] = ready.map(({ endpoint, latest: { picker } }) => ({
      picker,
      load: this.loads.get(endpoint)!,
    }))
    const schedule = new StrideSchedule(choices.length, this.options.random)
    this.keepWeighing(schedule, choices)
    return new WeightedPicker(choices, schedule, !this.config!.enableOobLoadReport)
  }

  protected override newSubConn(
    addresses: readonly Address[],
    listener?: SubConnListener,
  ): SubConn {
    const load = this.loads.ofAddress(addresses[0]!)
    const subConn = super.newSubConn(addresses, (change) => {
      load?.connectionChanged(subConn, change.state)
      listener?.(change)
    })
    return subConn
  }

  private keepWeighing(schedule: StrideSchedule, choices: readonly Choice[]): void {
    schedule.reweigh(choices.map(({ load }) => load.weight))
    if (choices.length < 2) return
    const next = (): void => this.keepWeighing(schedule, choices)
    const { weightUpdatePeriodMs } = this.config!
    this.updateTimer = this.options.clock.timer(weightUpdatePeriodMs, next, false)
  }
}

/** What an endpoint reports, and the connection by which it does. */
class EndpointLoad {
  private readonly clock: Clock
  private readonly reported = new ReportedWeight()
  private config: WeightedRoundRobinConfig
  /** The one that is READY. */
  private subConn: SubConn | undefined
  private stopWatching: (() => void) | undefined
  // Made once, not for each call.
  public readonly listen = (ready: ReadyResult): PickResult => withOnDone(ready, this.onDone)
  private readonly onDone = (outcome: PickOutcome): void => {
    const load = outcome.load()
    if (load !== undefined) this.reported.report(load, this.config, this.clock.nowMs())
  }

  public constructor(clock: Clock, config: WeightedRoundRobinConfig) {
    this.clock = clock
    this.config = config
  }

  public get weight(): number {
    return this.reported.weight(this.config, this.clock.nowMs())
  }

  public configure(config: WeightedRoundRobinConfig): void {
    const { enableOobLoadReport, oobReportingPeriodMs } = this.config
    this.config = config
    if (
      config.enableOobLoadReport !== enableOobLoadReport ||
      config.oobReportingPeriodMs !== oobReportingPeriodMs
    ) {
      this.watch()
    }
  }

  public close(): void {
    this.subConn = undefined
    this.watch()
  }

  public connectionChanged(subConn: SubConn, state: ConnectivityState): void {
    if (state === ConnectivityState.Ready) {
      this.subConn = subConn
      this.reported.reset()
    } else if (subConn === this.subConn) this.subConn = undefined
    else return
    this.watch()
  }

  /** Has what should be watched watched, and nothing else. */
  private watch(): void {
    this.stopWatching?.()
    this.stopWatching = undefined
    const { subConn, config } = this
    if (subConn === undefined || !config.enableOobLoadReport) return
    this.stopWatching = subConn.watchLoad(config.oobReportingPeriodMs, (load) =>
      this.reported.report(load, this.config, this.clock.nowMs()),
    )
  }
}

interface Choice {
  readonly picker: Picker
  readonly load: EndpointLoad
}

/** Its schedule is weighed anew from time to time; calls that wait need not hear of that. */
class WeightedPicker implements Picker {
  private readonly choices: readonly Choice[]
  private readonly schedule: StrideSchedule
  private readonly listens: boolean

  public constructor(choices: readonly Choice[], schedule: StrideSchedule, listens: boolean) {
    this.choices = choices
    this.schedule = schedule
    this.listens = listens
  }

  public pick(info: PickInfo): PickResult {
    const { picker, load } = this.choices[this.schedule.next()]!
    const result = picker.pick(info)
    return this.listens ? changeReady(result, load.listen) : result
  }
}
