export { ErrorCode, errorCodeName } from '../frame/index.ts'
export { type HeaderBlock, listBytes } from '../hpack/index.ts'
export {
  ClientTransport,
  type ClientTransportListener,
  type ClientTransportOptions,
} from './client-transport.ts'
export type { GoAwayInfo } from './connection/goaway.ts'
export type { PeerSettings } from './connection/settings.ts'
export { TransportClosed, TransportUsageError } from './errors.ts'
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
