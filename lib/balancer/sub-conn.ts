// A policy's handle on a connection. Interfaces only. Source: grpc-go balancer.SubConn.
import type { Status } from '../base/status.ts'
import type { Address } from '../naming/index.ts'
import type { ConnectivityState } from './connectivity.ts'

/**
 * A connection to one of a list of addresses. Starts IDLE, and is IDLE again after a lost
 * connection or, past its backoff, a failed attempt; only `connect` makes it move.
 */
export interface SubConn {
  /** Starts connecting when IDLE; otherwise does nothing. */
  connect(): void
  /**
   * Replaces the list. A connection to an address that is still listed stays; otherwise it
   * finishes its calls and a new one is made. IDLE: takes effect at `connect`.
   */
  updateAddresses(addresses: readonly Address[]): void
  /** Finishes the calls that it carries and takes no more. SHUTDOWN follows. */
  shutdown(): void
}

/** What a SubConn came to. */
export interface SubConnState {
  readonly state: ConnectivityState
  /** Why; present with TRANSIENT_FAILURE. */
  readonly error?: Status
}
