// The standard health service as both sides see it: grpc.health.v1. Who serves it and who asks is
// ../services/health.ts and ../channel/health-watch.ts. Source: grpc/doc/health-checking.md; message
// and field numbers of grpc/health/v1/health.proto (grpc-proto, Apache License 2.0).
import { lazyCodecs } from '../proto/message-codec.ts'
import { defineMethod, type MethodDefinition, serverStream } from './method.ts'

export const HEALTH_PROTO = `
syntax = "proto3";
package grpc.health.v1;
message HealthCheckRequest { string service = 1; }
message HealthCheckResponse {
  enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
  ServingStatus status = 1;
}
service Health {
  rpc Check(HealthCheckRequest) returns (HealthCheckResponse);
  rpc Watch(HealthCheckRequest) returns (stream HealthCheckResponse);
}
`

/** How a service is. SERVICE_UNKNOWN is only ever answered, never set. */
export type ServingStatus = 'UNKNOWN' | 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN'

export interface HealthCheckRequest {
  readonly service: string
}

export interface HealthCheckResponse {
  readonly status: ServingStatus
}

const codecs = lazyCodecs(HEALTH_PROTO)

/** `Health.Watch`, for a channel that asks for itself. */
export const HEALTH_WATCH: MethodDefinition<
  HealthCheckRequest,
  HealthCheckResponse,
  'serverStream'
> = defineMethod(
  'grpc.health.v1.Health',
  'watch',
  serverStream(
    codecs.of<HealthCheckRequest>('grpc.health.v1.HealthCheckRequest'),
    codecs.of<HealthCheckResponse>('grpc.health.v1.HealthCheckResponse'),
  ),
)
