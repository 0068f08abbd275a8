// What a backend says of its load. The type alone: the wire form is ORCA's, which the channel reads.
// Source: gRFC A51, xds.data.orca.v3.OrcaLoadReport.

/** The load of a backend. A metric that is not reported is 0, a named one is absent. */
export interface LoadReport {
  /** Share of the CPU in use; over 1 beyond a soft limit. */
  readonly cpuUtilization: number
  /** Share of the memory in use, 0 to 1. */
  readonly memUtilization: number
  /** Share of what limits the application; over 1 beyond a soft limit. */
  readonly applicationUtilization: number
  /** Requests per second over all services. */
  readonly rpsFractional: number
  /** Errors per second over all services. */
  readonly eps: number
  /** Shares of other resources, 0 to 1, by name. */
  readonly utilization: Readonly<Record<string, number>>
  /** Absolute costs of this request by name. Not in out-of-band reports. */
  readonly requestCost: Readonly<Record<string, number>>
  /** Metrics that only the application understands. Not in out-of-band reports. */
  readonly namedMetrics: Readonly<Record<string, number>>
  /** What older backends report in place of `rpsFractional`. */
  readonly rps: bigint
}
