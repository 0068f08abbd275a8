// The out-of-band service of load reports as both sides see it: xds.service.orca.v3.OpenRcaService.
// Who serves it and who listens is ../services/orca.ts and ../channel/load-watch.ts. Source: gRFC A51;
// xds/service/orca/v3/orca.proto (cncf/xds, Apache License 2.0).
import type { LoadReport } from '../../balancer/index.ts'
import { lazyCodecs } from '../proto/message-codec.ts'
import { LOAD_REPORT } from './load-report.ts'
import {
  defineService,
  type MethodDefinition,
  type ServiceDefinition,
  serverStream,
} from './method.ts'

const SERVICE_PROTO = `
syntax = "proto3";
package xds.service.orca.v3;
message Duration { int64 seconds = 1; int32 nanos = 2; }
message OrcaLoadReportRequest {
  Duration report_interval = 1;
  repeated string request_cost_names = 2;
}
`

/** How often a client wants to hear. */
export interface LoadReportRequest {
  readonly reportInterval?: { readonly seconds?: bigint | number; readonly nanos?: number }
  /** Not looked at: out-of-band reports have no request costs. */
  readonly requestCostNames?: readonly string[]
}

/** The out-of-band service, xds.service.orca.v3.OpenRcaService, for clients of it. */
export const OpenRca: ServiceDefinition<{
  streamCoreMetrics: MethodDefinition<LoadReportRequest, LoadReport, 'serverStream'>
}> = defineService('xds.service.orca.v3.OpenRcaService', {
  streamCoreMetrics: serverStream(
    lazyCodecs(SERVICE_PROTO).of<LoadReportRequest>('xds.service.orca.v3.OrcaLoadReportRequest'),
    LOAD_REPORT,
  ),
})

/** The request for a report every `intervalMs`. */
export function loadReportRequest(intervalMs: number): LoadReportRequest {
  const seconds = Math.floor(intervalMs / 1000)
  const nanos = Math.round((intervalMs - seconds * 1000) * 1_000_000)
  return { reportInterval: { seconds, nanos } }
}
