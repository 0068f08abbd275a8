export { ErrorCode, errorCodeName } from '../frame/index.ts'
export { FIELD_OVERHEAD_BYTES, type HeaderBlock, listBytes } from '../hpack/index.ts'
export {
  ClientTransport,
  type ClientTransportListener,
  type ClientTransportOptions,
} from './client-transport.ts'
export { type ConnectOptions, connect } from './connect.ts'
export type { GoAwayInfo } from './connection/goaway.ts'
export type { ConnectionLoad } from './connection/load.ts'
export type { PeerSettings } from './connection/settings.ts'
export { StreamClosedError, TransportClosed, TransportUsageError } from './errors.ts'
export { Body, type BodySource } from './exchange/body.ts'
export { type FieldInit, Fields } from './exchange/fields.ts'
export {
  handleRequests,
  type RequestHandler,
  type ResponseInit,
  type ServerRequest,
} from './exchange/handle-requests.ts'
export { type RequestInit, type Response, request } from './exchange/request.ts'
export {
  type ConnectionSource,
  Http2Server,
  type Http2ServerOptions,
  type ListenOptions,
  type StartableWire,
} from './http2-server.ts'
export {
  formatTransportAddress,
  parseTransportAddress,
  type TransportAddress,
} from './io/address.ts'
export { type ListenDescriptor, ListenError, type Listener } from './io/listen.ts'
export { type HttpProxy, ProxyError, parseProxy } from './io/proxy.ts'
export { type Environment, type ProxyChoice, proxyFromEnvironment } from './io/proxy-rules.ts'
export {
  AlpnError,
  type ClientTlsOptions,
  type Pem,
  type SecureContext,
  type ServerTlsOptions,
  secureContext,
  type TlsIdentity,
} from './io/tls.ts'
export { type TraceFramesOptions, type TraceSink, traceFrames } from './io/trace.ts'
export type { Peer, PeerCertificate, PeerTls, Slabs, Wire, WireEvents } from './io/wire.ts'
export type { ConnectionOptions, KeepaliveOptions, ServerConnectionOptions } from './options.ts'
export {
  type OnStream,
  ServerTransport,
  type ServerTransportOptions,
} from './server-transport.ts'
export type { HandlerSlots, SlotUser } from './stream/concurrency.ts'
export { Stream } from './stream/stream.ts'
export type { HeadersKind, StreamClosed, StreamHandler } from './stream/stream-handler.ts'
