// How one channel makes connections: the options that all of its AddrConns share, and the keepalive
// time that a server may have asked to be raised. Source: grpc-go clientconn.go, gRFC A8.
import type { BackoffOptions } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { Address } from '../../naming/index.ts'
import type { ChannelCredentials } from '../client/credentials.ts'
import { userAgent } from '../client/user-agent.ts'
import {
  type ChannelTransport,
  type ConnectTransport,
  ErrorCode,
  type GoAwayInfo,
  type KeepaliveOptions,
  type TransportListener,
} from './channel-transport.ts'
import { Liveness } from './liveness.ts'

/** Which service's health tells whether a server takes calls. gRFC A17. */
export interface HealthCheckOptions {
  /** As the server's health service knows it; `''` is the server as a whole. */
  readonly serviceName: string
}

/** What a {@link Connector} is made of. */
export interface ConnectorOptions {
  readonly connect: ConnectTransport
  readonly clock: Clock
  readonly random: Random
  readonly authority: string
  readonly credentials?: ChannelCredentials | undefined
  /** Put before our own name in user-agent. */
  readonly userAgent?: string | undefined
  readonly healthCheck?: HealthCheckOptions | undefined
  readonly keepalive?: KeepaliveOptions
  readonly backoff?: BackoffOptions
  /** Default 20,000. */
  readonly minConnectTimeoutMs?: number
  /** Default 1. */
  readonly maxConnectionsPerAddress?: number
  /** Default 5 min; 0 for never. */
  readonly probeAfterIdleMs?: number
}

const MIN_KEEPALIVE_TIME_MS = 10_000
const DEFAULT_MIN_CONNECT_TIMEOUT_MS = 20_000
const DEFAULT_PROBE_AFTER_IDLE_MS = 5 * 60 * 1000

/** One per channel. */
export class Connector {
  public readonly clock: Clock
  public readonly random: Random
  public readonly backoff: BackoffOptions
  public readonly authority: string
  public readonly credentials: ChannelCredentials | undefined
  public readonly userAgent: string
  /** What the service config says of {@link Connector.healthServiceName}. */
  public configuredHealthService: string | undefined
  /** The least time that an attempt, all addresses of it together, is given. */
  public readonly minConnectTimeoutMs: number
  /** How many connections an AddrConn may have at once, those that are going away not counted. */
  public readonly maxConnectionsPerAddress: number
  public readonly liveness: Liveness
  private readonly options: ConnectorOptions
  private currentKeepaliveTimeMs: number

  public constructor(options: ConnectorOptions) {
    this.options = options
    this.clock = options.clock
    this.random = options.random
    this.backoff = options.backoff ?? {}
    this.authority = options.authority
    this.credentials = options.credentials
    this.userAgent = userAgent(options.userAgent)
    this.minConnectTimeoutMs = options.minConnectTimeoutMs ?? DEFAULT_MIN_CONNECT_TIMEOUT_MS
    this.maxConnectionsPerAddress = options.maxConnectionsPerAddress ?? 1
    this.liveness = new Liveness(
      options.clock,
      options.probeAfterIdleMs ?? DEFAULT_PROBE_AFTER_IDLE_MS,
    )
    // gRFC A8: not below 10 s, whatever the application asks for.
    this.currentKeepaliveTimeMs = Math.max(
      MIN_KEEPALIVE_TIME_MS,
      options.keepalive?.timeMs ?? Infinity,
    )
  }

  /** Whose health policies ask for, from their next question on. Undefined: every server is healthy. */
  public get healthServiceName(): string | undefined {
    return this.options.healthCheck?.serviceName ?? this.configuredHealthService
  }

  /** What a transport made now gets as its keepalive time; Infinity for none. */
  public get keepaliveTimeMs(): number {
    return this.currentKeepaliveTimeMs
  }

  /** One connection; see {@link ConnectTransport}. */
  public connect(
    address: Address,
    deadlineMs: number,
    listener: TransportListener,
    signal: AbortSignal,
  ): Promise<ChannelTransport> {
    const { authority, credentials } = this
    const { connect, keepalive } = this.options
    const timeMs = this.currentKeepaliveTimeMs
    const options = { deadlineMs, authority, credentials, keepalive: { ...keepalive, timeMs } }
    return connect(address, options, listener, signal)
  }

  /** A server that was pinged too often doubles the time of the transports to come. gRFC A8. */
  public handleGoAway(info: GoAwayInfo, usedKeepaliveTimeMs: number): void {
    if (info.code !== ErrorCode.ENHANCE_YOUR_CALM || info.debugText !== 'too_many_pings') return
    this.currentKeepaliveTimeMs = Math.max(this.currentKeepaliveTimeMs, 2 * usedKeepaliveTimeMs)
  }
}
