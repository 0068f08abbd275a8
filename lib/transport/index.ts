export { ErrorCode, errorCodeName } from '../frame/index.ts'
export type { HeaderBlock } from '../hpack/index.ts'
export { TransportClosed, TransportUsageError } from './errors.ts'
export type { HeadersKind, StreamClosed, StreamHandler } from './stream/stream-handler.ts'
