// What a client's call is built on and who takes its responses: the contracts around ClientCall.
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { Stream, StreamHandler } from '../../transport/index.ts'
import type { MethodSettings } from '../channel/method-config.ts'
import type { PendingPick } from '../channel/picker-wrapper.ts'
import type { StatsHandler } from '../observe/stats.ts'
import type { Compressors } from '../protocol/compression.ts'
import type { Remembered } from '../protocol/remembered.ts'
import type { ResponseHead } from '../protocol/response-headers.ts'
import type { RpcError } from '../protocol/rpc-error.ts'
import type { CallCredentials } from './credentials.ts'
import type { RetryThrottle } from './retry-throttle.ts'

/** A connection as a call sees it. */
export interface CallTransport {
  readonly peer: { readonly address: string }
  openStream(
    fields: readonly string[],
    handler: StreamHandler,
    extraFields?: readonly string[],
  ): Stream
}

/** What the service config in force says of calls. One object until another one is in force. */
export interface CallConfig {
  /** What is said of a method; undefined: nothing. */
  methodSettings(path: string): MethodSettings | undefined
  /** False: policies that try calls again are left alone. */
  readonly retries: boolean
  readonly throttle: RetryThrottle | undefined
}

/** A call that cannot begin before the channel's config is known. */
export interface ConfigWaiter {
  onConfig(config: CallConfig): void
}

/** The channel as a call sees it. */
export interface CallChannel {
  readonly clock: Clock
  readonly random: Random
  readonly authority: string
  readonly secure: boolean
  readonly stats: StatsHandler | undefined
  readonly compressors: Compressors
  readonly responseHeads: Remembered<ResponseHead>
  readonly callCredentials: CallCredentials | undefined
  /** Undefined until the target was resolved: see {@link CallChannel.awaitConfig}. */
  readonly callConfig: CallConfig | undefined
  callStarted(): void
  callEnded(): void
  /** `call` hears of the config once there is one. */
  awaitConfig(call: ConfigWaiter): void
  /** Forgets a call that waits for the config. */
  cancelConfig(call: ConfigWaiter): void
  pick(call: PendingPick): CallTransport | undefined
  cancelPick(call: PendingPick): void
  reportFault(where: string, error: unknown): void
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
