export type { LoadReport } from '../balancer/index.ts'
export { ByteSink } from '../base/byte-sink.ts'
export { Code, codeName, type Status } from '../base/status.ts'
export type {
  CallContext,
  InterceptedRequest,
  InterceptedResponse,
  Interceptor,
  InterceptorNext,
} from './call/interceptor.ts'
export type { AddrConnLoad } from './channel/addr-conn.ts'
export {
  type ChannelLoad,
  type ChannelOptions,
  ClientConn,
  type DialOptions,
  dial,
} from './channel/client-conn.ts'
export type { HealthCheckOptions } from './channel/connector.ts'
export type {
  ConfigCode,
  HedgingPolicy,
  MethodConfig,
  MethodName,
  RetryPolicy,
} from './channel/method-config.ts'
export type {
  HealthCheckConfig,
  RetryThrottling,
  ServiceConfig,
} from './channel/service-config.ts'
export type { CallOptions } from './client/call-options.ts'
export { type Client, type ClientMethod, createClient } from './client/client.ts'
export { type CallCredentials, type ChannelCredentials, credentials } from './client/credentials.ts'
export type {
  BidiCall,
  CallHandle,
  ClientStreamCall,
  Requests,
  Responses,
  ServerStreamCall,
} from './client/stream-call.ts'
export type { Logger } from './observe/logger.ts'
export type { ConnEvent, RpcEvent, RpcTag, StatsHandler } from './observe/stats.ts'
export { type DescribedFile, describeFiles, toFileDescriptorSet } from './proto/descriptor-set.ts'
export { type LoadedProto, type LoadProtoOptions, loadProto } from './proto/load-proto.ts'
export { FieldError, WireFormatError } from './proto/proto-errors.ts'
export { ProtoError, type ProtoText } from './proto/proto-files.ts'
export { bytesCodec, type Codec, jsonCodec } from './protocol/codec.ts'
export {
  brotliCompressor,
  type Compressor,
  CompressorUnavailable,
  DecompressedTooLarge,
  deflateCompressor,
  gzipCompressor,
  zstdCompressor,
} from './protocol/compression.ts'
export type { ServingStatus } from './protocol/health-check.ts'
export { loadReportOf } from './protocol/load-report.ts'
export { Metadata, type MetadataInit, type MetadataValue } from './protocol/metadata.ts'
export {
  bidi,
  clientStream,
  defineMethod,
  defineService,
  type MethodDefinition,
  MethodKind,
  type RequestOf,
  type ResponseOf,
  type ServiceDefinition,
  serverStream,
  unary,
} from './protocol/method.ts'
export { type LoadReportRequest, OpenRca } from './protocol/open-rca.ts'
export { RpcError, type RpcErrorOptions } from './protocol/rpc-error.ts'
export type {
  BadRequest,
  DebugInfo,
  ErrorInfo,
  Help,
  LocalizedMessage,
  PreconditionFailure,
  QuotaFailure,
  RequestInfo,
  ResourceInfo,
  RetryInfo,
  StatusDetail,
  UnknownDetail,
} from './protocol/status-details.ts'
export type { Handler, Handlers, RequestStream, ServerCallContext } from './server/handlers.ts'
export { RegistrationError } from './server/router.ts'
export { Server, type ServerListenOptions, type ServerOptions } from './server/server.ts'
export {
  addHealth,
  Health,
  type HealthService,
  loadHealthService,
} from './services/health.ts'
export {
  CallMetricsRecorder,
  type LoadMetric,
  ServerMetricsRecorder,
} from './services/load-metrics.ts'
export {
  addOpenRca,
  callMetrics,
  callMetricsInterceptor,
  type OpenRcaOptions,
  type WatchLoadReportsOptions,
  watchLoadReports,
} from './services/orca.ts'
export {
  addReflection,
  loadReflectionService,
  type ReflectionService,
} from './services/reflection.ts'
