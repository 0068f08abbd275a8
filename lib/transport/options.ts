// Every knob of a connection with its default. SECURITY.md explains the limits.
import {
  DEFAULT_WINDOW_BYTES,
  MAX_MAX_FRAME_SIZE,
  MAX_WINDOW_BYTES,
  MIN_MAX_FRAME_SIZE,
} from '../frame/index.ts'

/** Limits and windows of one connection, in either role. */
export interface ConnectionOptions {
  /** Streams that the peer may have open at once (SETTINGS_MAX_CONCURRENT_STREAMS). Default 100. */
  readonly maxConcurrentStreams?: number
  /** Receive window of a stream, octets. Default 65,535. */
  readonly initialStreamWindowBytes?: number
  /** Receive window of the connection, octets. Default 1 MiB. */
  readonly initialConnectionWindowBytes?: number
  /** Lets the BDP estimator raise the windows. Default true. */
  readonly growWindows?: boolean
  /** The largest frame we accept (SETTINGS_MAX_FRAME_SIZE). Default 16,384. */
  readonly maxFrameBytes?: number
  /** Decoder table (SETTINGS_HEADER_TABLE_SIZE). Default 4,096. */
  readonly headerTableBytes?: number
  /** The most that our encoder's table takes, whatever the peer allows. Default 4,096. */
  readonly maxEncoderTableBytes?: number
  /** Largest header list, name + value + 32 each. Default 16 KiB, at most 1 MiB. */
  readonly maxHeaderListBytes?: number
  /** Most fields in a header list, cookie crumbs counted. Default 100. */
  readonly maxHeaderFields?: number
  /** Whether outer white space of a field value makes a message malformed or is cut off. */
  readonly fieldWhitespace?: 'reject' | 'trim'
  /** Received octets that may wait for the application before windows stop growing. Default 8 MiB. */
  readonly maxBufferedBytes?: number
  /** Octets that a stream's writer may have waiting before `data` says false. Default 64 KiB. */
  readonly writeQuotaBytes?: number
  /** DATA octets that one flush carries over all streams. Default 64 KiB. */
  readonly flushDataBytes?: number
  /** Octets unsent by the socket at which only control frames are still encoded. Default 256 KiB. */
  readonly blockedBytes?: number
  /** Octets of replies to the peer, unsent, at which reading pauses. Default 64 KiB. */
  readonly maxReplyBytes?: number
  /** Entries in one SETTINGS frame. Default 32. */
  readonly maxSettingsEntries?: number
  /** Informational (1xx) blocks before the final one. Default 8. */
  readonly maxInformational?: number
  /** Protocol oddities that a peer may cause in one burst. Default 1,000. */
  readonly glitchBurst?: number
  /** Least refill of that budget, per second. Default 33. */
  readonly glitchesPerSecond?: number
  /** From the start of the connection to the peer's first SETTINGS. Default 20 s. */
  readonly handshakeTimeoutMs?: number
  /** From HEADERS to END_HEADERS. Default 10 s. */
  readonly headerBlockTimeoutMs?: number
  /** From our SETTINGS to its ACK. Default 10 s. */
  readonly settingsAckTimeoutMs?: number
  /** Replies waiting with reading paused and no progress. Default 10 s. */
  readonly replyStallTimeoutMs?: number
  /** Written octets that the socket does not take. Default 60 s. */
  readonly writeStallTimeoutMs?: number
  /** Zero peer window while the connection pins more than `maxBufferedBytes`. Default 60 s. */
  readonly windowStallTimeoutMs?: number
  /** After our GOAWAY for an error: how long to let the peer read it. Default 1 s. */
  readonly closeGraceMs?: number
  /** From the first GOAWAY of a graceful end to the second, unless the ping is answered. Default 5 s. */
  readonly goAwayPingTimeoutMs?: number
  readonly keepalive?: KeepaliveOptions
}

/** When silence is taken for a dead peer. gRFC A8, A9; grpc-go keepalive. */
export interface KeepaliveOptions {
  /** Silence after which a PING is sent. Default: never (client), 2 h (server). */
  readonly timeMs?: number
  /** How long its ACK, or any octet, may take. Default 20 s. */
  readonly timeoutMs?: number
  /** Ping with no stream open too. Client only. Default false. */
  readonly permitWithoutStream?: boolean
}

/** What a server tolerates and grants. grpc-go keepalive.ServerParameters, EnforcementPolicy. */
export interface ServerConnectionOptions extends ConnectionOptions {
  /** The least time between a client's pings; sooner is a strike, the third closes. Default 5 min. */
  readonly minPingIntervalMs?: number
  /** Whether a client may ping with no stream open (otherwise 2 h apart). Default false. */
  readonly permitPingWithoutStream?: boolean
  /** Drain a connection that had no stream for this long. Default: never. */
  readonly maxConnectionIdleMs?: number
  /** Drain a connection this old, give or take 10 %. Default: never. */
  readonly maxConnectionAgeMs?: number
  /** What a drained connection gets to finish its streams. Default: for ever. */
  readonly maxConnectionAgeGraceMs?: number
}

/** {@link ConnectionOptions} with nothing left open. */
export type ResolvedConnectionOptions = Required<Omit<ConnectionOptions, 'keepalive'>>

const DEFAULTS: ResolvedConnectionOptions = {
  maxConcurrentStreams: 100,
  initialStreamWindowBytes: DEFAULT_WINDOW_BYTES,
  initialConnectionWindowBytes: 1024 * 1024,
  growWindows: true,
  maxFrameBytes: MIN_MAX_FRAME_SIZE,
  headerTableBytes: 4096,
  maxEncoderTableBytes: 4096,
  maxHeaderListBytes: 16 * 1024,
  maxHeaderFields: 100,
  fieldWhitespace: 'reject',
  maxBufferedBytes: 8 * 1024 * 1024,
  writeQuotaBytes: 64 * 1024,
  flushDataBytes: 64 * 1024,
  blockedBytes: 256 * 1024,
  maxReplyBytes: 64 * 1024,
  maxSettingsEntries: 32,
  maxInformational: 8,
  glitchBurst: 1000,
  glitchesPerSecond: 33,
  handshakeTimeoutMs: 20_000,
  headerBlockTimeoutMs: 10_000,
  settingsAckTimeoutMs: 10_000,
  replyStallTimeoutMs: 10_000,
  writeStallTimeoutMs: 60_000,
  windowStallTimeoutMs: 60_000,
  closeGraceMs: 1000,
  goAwayPingTimeoutMs: 5000,
}

/** Bounds that the wire or good sense sets, [least, most]. */
const BOUNDS: Partial<Record<keyof ResolvedConnectionOptions, readonly [number, number]>> = {
  maxConcurrentStreams: [0, 0xffff_ffff],
  initialStreamWindowBytes: [1024, MAX_WINDOW_BYTES],
  initialConnectionWindowBytes: [DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES],
  maxFrameBytes: [MIN_MAX_FRAME_SIZE, MAX_MAX_FRAME_SIZE],
  headerTableBytes: [0, 65_536],
  maxEncoderTableBytes: [0, 65_536],
  maxHeaderListBytes: [1, 1024 * 1024],
  maxHeaderFields: [1, 65_536],
}

/** A server's connections are made from one object: they share what it resolves to. */
const resolvedOptions = new WeakMap<ConnectionOptions, ResolvedConnectionOptions>()

/**
 * Fills in the defaults; `options` must not be changed afterwards. Throws RangeError naming the option,
 * its value and what was expected.
 */
export function resolveConnectionOptions(options: ConnectionOptions): ResolvedConnectionOptions {
  const known = resolvedOptions.get(options)
  if (known !== undefined) return known
  const resolved = resolve(options)
  resolvedOptions.set(options, resolved)
  return resolved
}

function resolve(options: ConnectionOptions): ResolvedConnectionOptions {
  const resolved = { ...DEFAULTS } as Record<string, unknown>
  for (const [name, fallback] of Object.entries(DEFAULTS)) {
    const value = options[name as keyof ConnectionOptions] as unknown
    if (value === undefined) continue
    if (typeof value !== typeof fallback) {
      throw new RangeError(`option ${name}: got ${String(value)}, want a ${typeof fallback}`)
    }
    if (typeof value === 'number') checkNumber(name, value)
    resolved[name] = value
  }
  return resolved as unknown as ResolvedConnectionOptions
}

function checkNumber(name: string, value: number): void {
  const [least, most] = BOUNDS[name as keyof ResolvedConnectionOptions] ?? [
    0,
    Number.MAX_SAFE_INTEGER,
  ]
  if (!(value >= least && value <= most)) {
    throw new RangeError(`option ${name}: got ${value}, want ${least} to ${most}`)
  }
}
