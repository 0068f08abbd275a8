// What a channel needs of a transport: a connection that is ready, and how to get one.
import type { Address } from '../../naming/index.ts'
import {
  ErrorCode,
  type KeepaliveOptions,
  type Peer,
  type StreamHandler,
} from '../../transport/index.ts'

export { ErrorCode, type KeepaliveOptions, type Peer, type StreamHandler }

/** The sending side of a stream. */
export interface Stream {
  /** 0 until its headers are encoded. */
  readonly id: number
  data(buf: Uint8Array, start: number, end: number, endStream: boolean): boolean
  reset(code: ErrorCode, token: string): void
  /** The application took octets. */
  credit(octets: number): void
  /** A message of that many octets is due: grant the difference now. */
  expect(octets: number): void
}

/** A connection whose peer has sent its first SETTINGS. */
export interface ChannelTransport {
  readonly peer: Peer
  readonly openStreams: number
  /**
   * False once no stream can be opened any more (GOAWAY either way, closing). The listener hears
   * of it in the same turn.
   */
  readonly canOpen: boolean
  /** Never throws for a transport that is gone: `handler.onClosed` says `processed: false` later. */
  openStream(
    fields: readonly string[],
    handler: StreamHandler,
    extraFields?: readonly string[],
  ): Stream
  /** At once; open streams end with `by: 'transport'`. */
  close(reason?: string): void
  /** Opens no stream any more, and closes when the last is done. Idempotent. */
  closeGracefully(): void
}

/** What a peer's GOAWAY said. */
export interface GoAwayInfo {
  readonly code: ErrorCode
  readonly debugText: string
}

/** Hears of the end of a transport. */
export interface TransportListener {
  /** No new streams: a replacement is due. Open streams may finish. */
  onGoAway(info: GoAwayInfo): void
  /** The connection is gone; last call, exactly once for a connection that was handed out. */
  onClosed(cause: Error | undefined): void
}

/** How to connect. */
export interface ConnectOptions {
  /** When the attempt is given up, on the channel's clock. The signal is aborted then, too. */
  readonly deadlineMs: number
  /** The channel's `:authority`, for the name that TLS checks. */
  readonly authority: string
  readonly keepalive: KeepaliveOptions
  readonly credentials: unknown
}

/**
 * Connects and waits for the peer's first SETTINGS. Rejects with what went wrong on the way, or
 * soon after `signal` is aborted; a transport that comes too late is closed by the caller.
 */
export type ConnectTransport = (
  address: Address,
  options: ConnectOptions,
  listener: TransportListener,
  signal: AbortSignal,
) => Promise<ChannelTransport>
