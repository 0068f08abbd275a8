// How often a client may PING a server: gRFC A8, A9 and grpc-go's keepalive.EnforcementPolicy. The
// ACK is sent in any case; this only counts.

/** Least time between the pings of a client without streams that may not ping then. */
const MIN_INTERVAL_WITHOUT_STREAM_MS = 2 * 60 * 60 * 1000
const MAX_STRIKES = 2

/** See {@link ServerConnectionOptions}. */
export interface PingPolicyOptions {
  /** Default 5 min. */
  readonly minPingIntervalMs?: number | undefined
  /** Default false. */
  readonly permitPingWithoutStream?: boolean | undefined
}

const DEFAULT_MIN_INTERVAL_MS = 5 * 60 * 1000

/** Counts strikes: pings that came too soon after the one before. The third is one too many. */
export class PingPolicy {
  private readonly minIntervalMs: number
  private readonly minIdleIntervalMs: number
  private lastPingMs: number
  private strikes: number
  private sentSince: boolean

  public constructor(options: PingPolicyOptions) {
    this.minIntervalMs = options.minPingIntervalMs ?? DEFAULT_MIN_INTERVAL_MS
    this.minIdleIntervalMs =
      options.permitPingWithoutStream === true ? this.minIntervalMs : MIN_INTERVAL_WITHOUT_STREAM_MS
    this.lastPingMs = Number.NEGATIVE_INFINITY
    this.strikes = 0
    this.sentSince = false
  }

  /** HEADERS or DATA were sent: the pings around them measure bandwidth, so strikes are forgotten. */
  public framesSent(): void {
    this.sentSince = true
  }

  /**
   * Counts a PING that is no ACK. Returns the token of the GOAWAY(ENHANCE_YOUR_CALM) that is due, as
   * clients of gRPC know it (they then double their interval), if it was one too many.
   */
  public received(nowMs: number, openStreams: number): 'too_many_pings' | undefined {
    const sinceLastMs = nowMs - this.lastPingMs
    this.lastPingMs = nowMs
    if (this.sentSince) {
      this.sentSince = false
      this.strikes = 0
      return undefined
    }
    const minMs = openStreams === 0 ? this.minIdleIntervalMs : this.minIntervalMs
    if (sinceLastMs < minMs) this.strikes += 1
    return this.strikes > MAX_STRIKES ? 'too_many_pings' : undefined
  }
}
