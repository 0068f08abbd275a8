// What happens to calls and connections, told to whoever measures. Free when nobody listens.
// After grpc-go's stats.Handler; per attempt at a client, per call at a server.
import type { Status } from '../../base/status.ts'
import type { MethodDefinition } from '../protocol/method.ts'

/** Which call an event belongs to. One object for all events of an attempt. */
export interface RpcTag {
  readonly side: 'client' | 'server'
  readonly method: MethodDefinition
  /** Free for the handler: a span, a start time. */
  context: unknown
}

/** An event of a call. Header events carry field lists `[name, value…]`, *borrowed*. */
export type RpcEvent =
  | { readonly kind: 'begin'; readonly attempt: number; readonly isTransparentRetry: boolean }
  | { readonly kind: 'outHeader'; readonly fields: readonly string[]; readonly peer: string }
  | { readonly kind: 'inHeader'; readonly fields: readonly string[]; readonly wireBytes: number }
  | PayloadEvent
  | { readonly kind: 'inTrailer'; readonly fields: readonly string[]; readonly wireBytes: number }
  | { readonly kind: 'outTrailer'; readonly fields: readonly string[] }
  | { readonly kind: 'end'; readonly status: Status; readonly durationMs: number }

/** A message went out or came in. `messageBytes` encoded, `wireBytes` compressed and with prefix. */
export interface PayloadEvent {
  readonly kind: 'outPayload' | 'inPayload'
  readonly message: unknown
  readonly messageBytes: number
  readonly wireBytes: number
  /** Whether the flag in the message's prefix says so. */
  readonly compressed: boolean
}

/** An event of a connection. */
export interface ConnEvent {
  readonly kind: 'begin' | 'end'
  readonly side: 'client' | 'server'
  readonly peer: string
}

/**
 * Hears of everything, inline: it must not block. What it throws is reported to the logger and
 * changes nothing. As in grpc-go, a request for an unknown method has an `inHeader` and an
 * `outTrailer` only, and one that is no gRPC request no event.
 */
export interface StatsHandler {
  handleRpc?(tag: RpcTag, event: RpcEvent): void
  handleConn?(event: ConnEvent): void
}
