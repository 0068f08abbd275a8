// What a caller can say of one call, and what it becomes.
import type { CallContext, Interceptor } from '../call/interceptor.ts'
import type { Metadata, MetadataInit } from '../protocol/metadata.ts'
import type { CallCredentials } from './credentials.ts'

/** Options of a call; those of a client are its defaults. */
export interface CallOptions {
  /** How long the call may take, ms. Any length; fractions allowed. */
  readonly timeoutMs?: number
  /** When the call has to be over. The sooner of the two counts. */
  readonly deadline?: Date
  /** Cancels the call when aborted. */
  readonly signal?: AbortSignal
  /** A server's call on whose behalf this one is made: its deadline and its end bind this one. */
  readonly parent?: CallContext
  readonly metadata?: MetadataInit
  /** Waits for a connection through failures instead of failing with UNAVAILABLE. Default false. */
  readonly waitForReady?: boolean
  /** The encoding of this call's requests: 'gzip', 'deflate', 'br', or one of the channel's own. */
  readonly compression?: string
  /** Requests shorter than this go uncompressed. Default 1,024. */
  readonly minCompressBytes?: number
  readonly maxRecvMessageBytes?: number
  readonly maxSendMessageBytes?: number
  readonly credentials?: CallCredentials
  /** Run inside those of the channel. */
  readonly interceptors?: readonly Interceptor[]
  /** Hears the response's headers when they come, before any message. */
  readonly onHeaders?: (headers: Metadata) => void
  /** Hears the trailers when the call ends, also when it fails. */
  readonly onTrailers?: (trailers: Metadata) => void
}
