// What a channel needs of a transport: a connection that is ready, and how to get one. The real one
// is the transport's `connect`; specs put their own in its place.

import type { Clock } from '../../base/clock.ts'
import type { Address } from '../../naming/index.ts'
import {
  type ClientTlsOptions,
  type ClientTransport,
  type ConnectionOptions,
  connect,
  ErrorCode,
  type GoAwayInfo,
  type KeepaliveOptions,
  type Peer,
  type Stream,
  type TraceSink,
} from '../../transport/index.ts'
import type { ChannelCredentials } from '../client/credentials.ts'
import { proxyOf } from './proxied-target.ts'

export { ErrorCode, type GoAwayInfo, type KeepaliveOptions, type Peer, type Stream }

/** A connection whose peer has sent its first SETTINGS: a {@link ClientTransport} as channels see it. */
export type ChannelTransport = Pick<
  ClientTransport,
  | 'peer'
  | 'openStreams'
  | 'waitingStreams'
  | 'streamHeadroom'
  | 'lastReadMs'
  | 'canOpen'
  | 'openStream'
  | 'releaseWaiting'
  | 'ping'
  | 'close'
  | 'closeGracefully'
>

/** Hears of the end of a transport. */
export interface TransportListener {
  /** No new streams: a replacement is due. Open streams may finish. */
  onGoAway(info: Pick<GoAwayInfo, 'code' | 'debugText'>): void
  /** The number of waiting streams, or the peer's limit of open ones, changed. */
  onQuota(): void
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
  readonly credentials: ChannelCredentials | undefined
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

/** Real connections, with the same options for all of a channel. */
export function socketConnector(
  clock: Clock,
  connection: ConnectionOptions,
  trace: ((peer: Peer) => TraceSink) | undefined,
): ConnectTransport {
  return (address, { deadlineMs, authority, keepalive, credentials }, listener, signal) => {
    const proxy = proxyOf(address)
    return connect(address.address, {
      fieldWhitespace: 'trim',
      ...connection,
      clock,
      keepalive,
      signal,
      connectTimeoutMs: Math.max(0, deadlineMs - clock.nowMs()),
      listener: {
        onDraining: (info) => listener.onGoAway(info),
        onQuota: () => listener.onQuota(),
        onClosed: (cause) => listener.onClosed(cause),
      },
      ...(trace === undefined ? {} : { trace }),
      ...(proxy === undefined ? {} : { proxy }),
      ...tlsOf(credentials, address.serverName ?? authority),
    })
  }
}

// The name that the certificate must have is the channel's, not the address's.
function tlsOf(
  credentials: ChannelCredentials | undefined,
  name: string,
): { tls?: ClientTlsOptions } {
  if (credentials?.tls === undefined) return {}
  return { tls: { serverName: hostOf(name), ...credentials.tls } }
}

function hostOf(authority: string): string {
  const match = /^\[(.*)\](?::\d+)?$|^([^:]*)(?::\d+)?$/.exec(authority)
  return match?.[1] ?? match?.[2] ?? authority
}
