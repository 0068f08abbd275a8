// What a backend says of its load, and the trailer that carries it: xds.data.orca.v3.OrcaLoadReport,
// field numbers of xds/data/orca/v3/orca_load_report.proto (cncf/xds, Apache License 2.0).
// Who records it and when it is sent is ../services/orca.ts. Source: gRFC A51.
import { ByteSink } from '../../base/byte-sink.ts'
import { lazyCodecs } from '../proto/message-codec.ts'
import type { Codec } from './codec.ts'
import type { Metadata } from './metadata.ts'

const PROTO = `
syntax = "proto3";
package xds.data.orca.v3;
message OrcaLoadReport {
  double cpu_utilization = 1;
  double mem_utilization = 2;
  uint64 rps = 3;
  map<string, double> request_cost = 4;
  map<string, double> utilization = 5;
  double rps_fractional = 6;
  double eps = 7;
  map<string, double> named_metrics = 8;
  double application_utilization = 9;
}
`

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

/** The name of the trailer. */
export const LOAD_REPORT_KEY = 'endpoint-load-metrics-bin'

/** The codec of a report. */
export const LOAD_REPORT: Codec<LoadReport> = lazyCodecs(PROTO).of(
  'xds.data.orca.v3.OrcaLoadReport',
)

/** The encoded form of a report, *owned*. */
export function encodeLoadReport(report: LoadReport): Buffer {
  const sink = new ByteSink()
  LOAD_REPORT.encode(report, sink)
  return sink.detach()
}

/**
 * The load report in a call's trailers; undefined when there is none, more than one, or one that is
 * malformed: a report is advice, no reason for a call to fail. Never throws. grpc-go orca ToLoadReport.
 */
export function loadReportOf(trailers: Metadata): LoadReport | undefined {
  const [octets, ...others] = trailers.getAll(LOAD_REPORT_KEY)
  if (octets === undefined || others.length > 0) return undefined
  try {
    return LOAD_REPORT.decode(octets, 0, octets.length, true)
  } catch {
    return undefined
  }
}
