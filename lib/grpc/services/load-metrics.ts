// Where a server keeps the metrics of its load: one recorder for the whole server, and one for a call
// that has costs of its own. When they are sent is orca.ts. Source: gRFC A51, grpc-go orca
// server_metrics.go.
import type { LoadReport } from '../../balancer/index.ts'

/** A metric without a name of its own. */
export type LoadMetric =
  | 'cpuUtilization'
  | 'memUtilization'
  | 'applicationUtilization'
  | 'rpsFractional'
  | 'eps'

/** The most that a metric may be; none may be negative. */
const MAX: Readonly<Record<LoadMetric, number>> = {
  cpuUtilization: Number.MAX_VALUE,
  memUtilization: 1,
  applicationUtilization: Number.MAX_VALUE,
  rpsFractional: Number.MAX_VALUE,
  eps: Number.MAX_VALUE,
}
const MAX_UTILIZATION = 1

const NONE: LoadReport = {
  cpuUtilization: 0,
  memUtilization: 0,
  applicationUtilization: 0,
  rpsFractional: 0,
  eps: 0,
  utilization: {},
  requestCost: {},
  namedMetrics: {},
  rps: 0n,
}

/**
 * The latest metrics of a server. A value out of its metric's range is ignored: a wrong measurement
 * is no reason to fail anything.
 */
export class ServerMetricsRecorder {
  private readonly metrics = new Map<LoadMetric, number>()
  private readonly utilization = new Map<string, number>()
  protected readonly requestCost: Map<string, number> = new Map()
  protected readonly namedMetrics: Map<string, number> = new Map()

  /** Sets a metric: not negative, `memUtilization` at most 1. */
  public set(metric: LoadMetric, value: number): this {
    if (isInRange(value, MAX[metric])) this.metrics.set(metric, value)
    return this
  }

  /** The metric is not reported any more. */
  public delete(metric: LoadMetric): this {
    this.metrics.delete(metric)
    return this
  }

  /** Sets the share of a resource, 0 to 1, that has no metric of its own. */
  public setUtilization(name: string, value: number): this {
    if (isInRange(value, MAX_UTILIZATION)) this.utilization.set(name, value)
    return this
  }

  /** The share is not reported any more. */
  public deleteUtilization(name: string): this {
    this.utilization.delete(name)
    return this
  }

  /** All metrics as they are now; where one is not set here, that of `base`. */
  public report(base: LoadReport = NONE): LoadReport {
    return {
      ...base,
      ...Object.fromEntries(this.metrics),
      utilization: over(base.utilization, this.utilization),
      requestCost: over(base.requestCost, this.requestCost),
      namedMetrics: over(base.namedMetrics, this.namedMetrics),
    }
  }
}

/** The metrics of one call: those of a server, with what only a call has. */
export class CallMetricsRecorder extends ServerMetricsRecorder {
  /** Sets an absolute cost of the call, such as rows read. */
  public setRequestCost(name: string, value: number): this {
    this.requestCost.set(name, value)
    return this
  }

  /** The cost is not reported any more. */
  public deleteRequestCost(name: string): this {
    this.requestCost.delete(name)
    return this
  }

  /** Sets a metric that only the application understands. */
  public setNamedMetric(name: string, value: number): this {
    this.namedMetrics.set(name, value)
    return this
  }

  /** The metric is not reported any more. */
  public deleteNamedMetric(name: string): this {
    this.namedMetrics.delete(name)
    return this
  }
}

function isInRange(value: number, max: number): boolean {
  return value >= 0 && value <= max
}

function over(
  base: Readonly<Record<string, number>>,
  values: ReadonlyMap<string, number>,
): Readonly<Record<string, number>> {
  return { ...base, ...Object.fromEntries(values) }
}
