// What a client's call is built on and who takes its responses: the contracts around ClientCall.
import type { Clock } from '../../base/clock.ts'
import type { Stream, StreamHandler } from '../../transport/index.ts'
import type { SendingOptions } from '../call/message-sender.ts'
import type { PendingPick } from '../channel/picker-wrapper.ts'
import type { StatsHandler } from '../observe/stats.ts'
import type { Compressors } from '../protocol/compression.ts'
import type { MethodDefinition } from '../protocol/method.ts'
import type { Remembered } from '../protocol/remembered.ts'
import type { RequestTemplate } from '../protocol/request-headers.ts'
import type { ResponseHead } from '../protocol/response-headers.ts'
import type { RpcError } from '../protocol/rpc-error.ts'
import type { CallCredentials } from './credentials.ts'

/** A connection as a call sees it. */
export interface CallTransport {
  readonly peer: { readonly address: string }
  openStream(
    fields: readonly string[],
    handler: StreamHandler,
    extraFields?: readonly string[],
  ): Stream
}

/** The channel as a call sees it. */
export interface CallChannel {
  readonly clock: Clock
  readonly authority: string
  readonly secure: boolean
  readonly stats: StatsHandler | undefined
  readonly compressors: Compressors
  readonly responseHeads: Remembered<ResponseHead>
  readonly callCredentials: CallCredentials | undefined
  callStarted(): void
  callEnded(): void
  pick(call: PendingPick): CallTransport | undefined
  cancelPick(call: PendingPick): void
  reportFault(where: string, error: unknown): void
}

/** What is the same for every call of a method on a channel; see {@link planMethod}. */
export interface MethodPlan<Req = unknown, Res = unknown> {
  readonly method: MethodDefinition<Req, Res>
  readonly template: RequestTemplate
  readonly sending: SendingOptions<Req>
  readonly maxRecvMessageBytes: number
}

/** Who takes a call's responses. */
export interface ResponseSink<Res> {
  onResponse(message: Res, wireBytes: number): void
  /** Whether responses wait for their reader. */
  readonly hasUntaken: boolean
  /** Whether somebody waits for a response now. */
  readonly awaitsResponse: boolean
  /** The call is over; with `error` unless its status is OK. Exactly once, last. */
  onEnd(error: RpcError | undefined): void
}
