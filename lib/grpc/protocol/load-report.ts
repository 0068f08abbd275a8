// The wire form of what a backend says of its load, and the trailer that carries it: xds.data.orca.v3.OrcaLoadReport,
// field numbers of xds/data/orca/v3/orca_load_report.proto (cncf/xds, Apache License 2.0).
// Who records it and when it is sent is ../services/orca.ts. Source: gRFC A51.
import type { LoadReport } from '../../balancer/index.ts'
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
