// `outlier_detection_experimental`: takes endpoints out of service for a while whose calls fail more
// than others' do. Counts calls in the picker, judges at each interval, ejects by the health that its
// SubConns report: policies with a child for each endpoint heed it, a lone pick_first does not.
// Source: gRFC A50, A61; grpc-go outlierdetection.
//
//   calls ─▶ counts of the endpoint ─each interval─▶ outliers ─eject─▶ TRANSIENT_FAILURE below
//   ejected for base × times in a row, at most max ─▶ taken back; each good interval forgives one time
import type { Timer } from '../base/clock.ts'
import type { Status } from '../base/status.ts'
import type { Address, ResolverState } from '../naming/index.ts'
import type {
  Balancer,
  BalancerBuilder,
  BalancerClientConn,
  BalancerOptions,
  BalancerState,
} from './balancer.ts'
import { ConnectivityState } from './connectivity.ts'
import { deriveConn } from './derived-conn.ts'
import { EndpointTable } from './endpoint-table.ts'
import { GracefulSwitch } from './graceful-switch.ts'
import {
  type EjectionRule,
  type OutlierDetectionConfig,
  parseOutlierDetectionConfig,
} from './outlier-detection-config.ts'
import { EjectableSubConn, Host } from './outlier-host.ts'
import { failurePercentageOutliers, successRateOutliers } from './outliers.ts'
import {
  changeReady,
  type Picker,
  type PickInfo,
  type PickResult,
  type ReadyResult,
  withOnDone,
} from './picker.ts'
import type { SubConn, SubConnListener } from './sub-conn.ts'

/** Policy `outlier_detection_experimental`. */
export const outlierDetection: BalancerBuilder<OutlierDetectionConfig> = {
  name: 'outlier_detection_experimental',
  build: (cc, options) => new OutlierDetection(cc, options),
  parseConfig: parseOutlierDetectionConfig,
}

class OutlierDetection implements Balancer<OutlierDetectionConfig> {
  private readonly cc: BalancerClientConn
  private readonly options: BalancerOptions
  private readonly child: GracefulSwitch
  private readonly hosts = new EndpointTable<Host>(() => new Host())
  private config: OutlierDetectionConfig | undefined
  private intervalTimer: Timer | undefined
  /** When the interval began; undefined while nobody is judged. */
  private intervalStartMs: number | undefined
  /** What the child told last. */
  private latest: BalancerState | undefined
  /** Whether the channel has not been told of it. */
  private isStale = false
  private isHolding = false

  public constructor(cc: BalancerClientConn, options: BalancerOptions) {
    this.cc = cc
    this.options = options
    const conn = deriveConn(cc, {
      newSubConn: (addresses, listener) => this.newSubConn(addresses, listener),
      updateBalancerState: (state) => this.updated(state),
    })
    this.child = new GracefulSwitch(conn, options)
  }

  public handleResolvedAddrs(resolved: ResolverState, config: OutlierDetectionConfig): boolean {
    const wasJudging = this.isJudging
    this.config = config
    this.hosts.update(resolved.endpoints)
    return this.publishingOnce(() => {
      if (this.isJudging) this.resumeInterval()
      else this.stopJudging()
      if (this.isJudging !== wasJudging) this.isStale = true
      return this.child.handleResolvedAddrs(resolved, config.childPolicy)
    })
  }

  public resolverError(status: Status): void {
    this.child.resolverError(status)
  }

  public handleSubConnStateChange(): void {}

  public exitIdle(): void {
    this.child.exitIdle()
  }

  public close(): void {
    this.intervalTimer?.cancel()
    this.child.close()
  }

  // ── judging

  private get isJudging(): boolean {
    const { successRateEjection, failurePercentageEjection } = this.config ?? {}
    return successRateEjection !== undefined || failurePercentageEjection !== undefined
  }

  /** A new config does not begin a new interval. */
  private resumeInterval(): void {
    const nowMs = this.options.clock.nowMs()
    if (this.intervalStartMs === undefined) {
      this.intervalStartMs = nowMs
      for (const host of this.hosts.values()) host.endInterval()
    }
    this.armTimer(this.intervalStartMs + this.config!.intervalMs - nowMs)
  }

  private stopJudging(): void {
    this.intervalTimer?.cancel()
    this.intervalStartMs = undefined
    for (const host of this.hosts.values()) host.pardon()
  }

  private armTimer(delayMs: number): void {
    const judge = (): void => this.publishingOnce(() => this.judge())
    this.intervalTimer?.cancel()
    this.intervalTimer = this.options.clock.timer(Math.max(0, delayMs), judge, false)
  }

  private judge(): void {
    const config = this.config!
    const { successRateEjection: bySuccessRate, failurePercentageEjection: byFailures } = config
    const nowMs = this.options.clock.nowMs()
    const hosts = [...this.hosts.values()]
    this.intervalStartMs = nowMs
    for (const host of hosts) host.endInterval()
    if (bySuccessRate !== undefined) {
      this.eject(successRateOutliers(hosts, bySuccessRate), bySuccessRate, hosts)
    }
    if (byFailures !== undefined) {
      this.eject(failurePercentageOutliers(hosts, byFailures), byFailures, hosts)
    }
    for (const host of hosts) host.review(nowMs, config)
    this.armTimer(config.intervalMs)
  }

  /** As many as may be, each with the chance that the rule gives it. */
  private eject(
    outliers: readonly Host[],
    { enforcementPercentage }: EjectionRule,
    hosts: readonly Host[],
  ): void {
    let ejected = hosts.filter(({ isEjected }) => isEjected).length
    for (const host of outliers) {
      if ((100 * ejected) / hosts.length >= this.config!.maxEjectionPercent) return
      if (host.isEjected || this.options.random() * 100 >= enforcementPercentage) continue
      host.eject(this.intervalStartMs!)
      ejected++
    }
  }

  // ── the policy below

  private newSubConn(addresses: readonly Address[], listener?: SubConnListener): SubConn {
    const host = this.hosts.ofAddress(addresses[0]!) ?? new Host()
    const inner = this.cc.newSubConn(addresses, (change) => {
      if (change.state === ConnectivityState.Shutdown) host.subConns.delete(subConn)
      listener?.(change)
    })
    const subConn = new EjectableSubConn(inner, host)
    host.subConns.add(subConn)
    return subConn
  }

  private updated(state: BalancerState): void {
    this.latest = state
    this.isStale = true
    if (!this.isHolding) this.publish()
  }

  /** Has whatever becomes of `work` told once, at the end. */
  private publishingOnce<T>(work: () => T): T {
    this.isHolding = true
    const result = work()
    this.isHolding = false
    if (this.isStale) this.publish()
    return result
  }

  private publish(): void {
    this.isStale = false
    if (this.latest === undefined) return
    const { state, picker } = this.latest
    this.cc.updateBalancerState({ state, picker: new CountingPicker(picker, this.isJudging) })
  }
}

/** Counts the calls that another picker sends, and gives the channel the SubConns that it knows. */
class CountingPicker implements Picker {
  private readonly picker: Picker
  private readonly change: (ready: ReadyResult) => PickResult

  public constructor(picker: Picker, counts: boolean) {
    this.picker = picker
    this.change = counts ? counted : unwrapped
  }

  public pick(info: PickInfo): PickResult {
    return changeReady(this.picker.pick(info), this.change)
  }
}

function counted(ready: ReadyResult): PickResult {
  const { inner, host } = ready.subConn as EjectableSubConn
  return withOnDone(ready, host.onDone, inner)
}

function unwrapped(ready: ReadyResult): PickResult {
  return { ...ready, subConn: (ready.subConn as EjectableSubConn).inner }
}
