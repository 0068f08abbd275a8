// Load balancing as it was at first: a balancer hears which addresses have a connection and hands one
// out for each call. Interfaces, and the error of a call that gets none. Source: grpc-go balancer.go
// (2018). `balancerFromV1` runs one in a channel of today.
import type { Status } from '../../base/status.ts'
import type { Address } from '../../naming/index.ts'
import type { BalancerOptions } from '../balancer.ts'

/** What a call that wants an address is like. */
export interface BalancerV1GetOptions {
  /** The call waits until an address has a connection. Otherwise it wants an answer at once. */
  readonly waitForReady: boolean
  /** Aborted when the call is over: nobody waits any more. */
  readonly signal?: AbortSignal
}

/** An address for one call. */
export interface AddressLease {
  readonly address: Address
  /** To be called once when the call is over, also when it could not use the address. Must not throw. */
  readonly put?: () => void
}

/** A connection is lost; `error` says why. */
export type Down = (error: Error) => void

/**
 * A v1 balancer, for one channel. An address is its text and its metadata; one that differs in either,
 * metadata by identity, is another.
 */
export interface BalancerV1 {
  /** All addresses of a list are those of one connection, which goes to any of them. Default false. */
  readonly sharesConnection?: boolean
  /** Called first, once, with the target without its scheme. What it throws fails the channel. */
  start(target: string, options: BalancerOptions): void
  /** `address` has a connection now. Returns what is to be called when it is lost. */
  up(address: Address): Down | undefined
  /**
   * An address for a call. May wait for one with a connection if the call does, until the signal is
   * aborted. What it rejects with ends the call: with the status of `toStatus` if the error has that
   * method, as {@link BalancerV1Error} and RpcError do, else with UNKNOWN.
   */
  get(options: BalancerV1GetOptions): Promise<AddressLease>
  /**
   * The addresses to be connected to: each time all of them, the newest list only. Undefined: there is
   * no resolver, and the target is the address. For one reader.
   */
  notify(): AsyncIterable<readonly Address[]> | undefined
  /** Called last. Calls that wait in `get` are rejected, and `notify` ends. */
  close(): void
}

/** Why a call gets no address. */
export class BalancerV1Error extends Error {
  public override readonly name: string = 'BalancerV1Error'
  private readonly code: number

  public constructor({ code, message, cause }: Status) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }

  public toStatus(): Status {
    return { code: this.code, message: this.message, cause: this.cause }
  }
}
