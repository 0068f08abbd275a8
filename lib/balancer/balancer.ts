// A load-balancing policy and the channel that it works for. Interfaces only.
// Source: grpc-go balancer; method names of its first v2 interface, today's meaning.
import type { Clock } from '../base/clock.ts'
import type { ConfigFields } from '../base/config-fields.ts'
import type { Random } from '../base/random.ts'
import type { Status } from '../base/status.ts'
import type { Address, ResolverState } from '../naming/index.ts'
import type { ConnectivityState } from './connectivity.ts'
import type { Picker } from './picker.ts'
import type { SubConn, SubConnListener, SubConnState } from './sub-conn.ts'

/** What a policy tells the channel: how calls are to be picked and what that amounts to. */
export interface BalancerState {
  readonly state: ConnectivityState
  readonly picker: Picker
}

/** The channel as a policy sees it. No method calls the policy back; after `close` none does anything. */
export interface BalancerClientConn {
  /** As the user wrote it. */
  readonly target: string
  /**
   * A new SubConn, IDLE. Throws for an empty list or after `close`. What becomes of it goes to
   * `listener`, from the queue, or without one to the policy's `handleSubConnStateChange`.
   */
  newSubConn(addresses: readonly Address[], listener?: SubConnListener): SubConn
  /** The same as `subConn.shutdown()`. */
  removeSubConn(subConn: SubConn): void
  /** Sets the channel's state and picker together. */
  updateBalancerState(state: BalancerState): void
  /** A hint that the addresses may be out of date. */
  resolveNow(): void
}

/**
 * A policy. The channel calls it from one queue: never inside another of its callbacks, never
 * inside a call that the policy makes, never after `close`. A policy that throws fails its channel.
 */
export interface Balancer<Config = unknown> {
  /**
   * The resolver's newest state, and the policy's part of the service config. False: no use for it; the
   * channel resolves again, with backoff.
   */
  handleResolvedAddrs(resolved: ResolverState, config: Config): boolean
  /** Resolving failed. The addresses known so far, if any, still hold. */
  resolverError(status: Status): void
  handleSubConnStateChange(subConn: SubConn, change: SubConnState): void
  /** The user wants a connection now: connect what is IDLE. */
  exitIdle(): void
  /** The last call. What SubConns are left, the channel shuts down. */
  close(): void
}

/** What the channel lends a policy. */
export interface BalancerOptions {
  readonly clock: Clock
  readonly random: Random
  /** Set by policies for their leaves: a READY SubConn counts once its server says it is healthy. */
  readonly checksHealth?: boolean
}

/** Makes the policies of one name. */
// biome-ignore lint/suspicious/noExplicitAny: what a policy's config is, is between its two methods
export interface BalancerBuilder<Config = any> {
  /** As in service configs: `pick_first`. */
  readonly name: string
  build(cc: BalancerClientConn, options: BalancerOptions): Balancer<Config>
  /**
   * Reads the policy's config; `parseChild` those of the policies below it. Throws ConfigError. A
   * policy without this takes any, and sees none.
   */
  parseConfig?(fields: ConfigFields, parseChild: ChildParser): Config
}

/** A policy and its config, read. */
export interface LbConfig {
  readonly builder: BalancerBuilder
  readonly config: unknown
}

/** Reads field `name`, a list of policies such as `[{ "round_robin": {} }]`. Throws ConfigError. */
export type ChildParser = (fields: ConfigFields, name: string) => LbConfig
