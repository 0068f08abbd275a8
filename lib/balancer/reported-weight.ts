// What an endpoint's load reports make of its weight: the calls it could take at full use.
// Source: gRFC A58, grpc-go weightedroundrobin endpointWeight.
import type { LoadReport } from './load-report.ts'

/** How reports are weighed. All periods in ms. */
export interface WeighingConfig {
  /** How long reports must have come before they count. */
  readonly blackoutPeriodMs: number
  /** How long a report counts. */
  readonly weightExpirationPeriodMs: number
  /** How much of the utilization each error counts for. */
  readonly errorUtilizationPenalty: number
}

/** The weight of one endpoint. */
export class ReportedWeight {
  private latest = 0
  private updatedMs = -Infinity
  /** Since when reports have come without a gap; undefined before the first. */
  private sinceMs: number | undefined

  /** Takes a report. Those that tell nothing are ignored. */
  public report(
    load: LoadReport,
    { errorUtilizationPenalty }: WeighingConfig,
    nowMs: number,
  ): void {
    const { rpsFractional, eps } = load
    const utilization = load.applicationUtilization || load.cpuUtilization
    if (!(utilization > 0 && rpsFractional > 0)) return
    this.latest = rpsFractional / (utilization + (eps / rpsFractional) * errorUtilizationPenalty)
    this.updatedMs = nowMs
    this.sinceMs ??= nowMs
  }

  /** There is a new connection: what was reported before it does not count. */
  public reset(): void {
    this.updatedMs = -Infinity
    this.sinceMs = undefined
  }

  /** 0 while there is none that counts. */
  public weight(
    { weightExpirationPeriodMs, blackoutPeriodMs }: WeighingConfig,
    nowMs: number,
  ): number {
    if (nowMs - this.updatedMs >= weightExpirationPeriodMs) this.sinceMs = undefined
    if (this.sinceMs === undefined || nowMs - this.sinceMs < blackoutPeriodMs) return 0
    return this.latest
  }
}
