// A policy's handle on a connection. Interfaces only. Source: grpc-go balancer.SubConn.
import type { Status } from '../base/status.ts'
import type { Address } from '../naming/index.ts'
import type { ConnectivityState } from './connectivity.ts'
import type { LoadReport } from './load-report.ts'

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
  /**
   * Tells, while this is READY and from then on at each change, how healthy the server says it is:
   * READY, CONNECTING before its first word, TRANSIENT_FAILURE when it is not serving. READY at once on
   * a channel that checks no health. One listener; it is called from the channel's queue. gRFC A17.
   */
  watchHealth(listener: SubConnListener): void
  /**
   * Tells what the server reports of its load out of band, about every `intervalMs`, whenever there is
   * a connection. Returns what ends it. gRFC A51.
   */
  watchLoad(intervalMs: number, listener: (report: LoadReport) => void): () => void
}

/** What a SubConn came to. */
export interface SubConnState {
  readonly state: ConnectivityState
  /** Why; present with TRANSIENT_FAILURE. */
  readonly error?: Status
}

/** Hears what becomes of a SubConn. */
export type SubConnListener = (change: SubConnState) => void
