// How much data the path holds: after grpc-go's internal/transport/bdp_estimator.go. A sample is what
// arrives between a PING and its ACK; when that comes near the window, at the highest bandwidth seen,
// the window held the peer back, and it grows. Not here: sending PING, SETTINGS and WINDOW_UPDATE.

/** The largest window that is grown to. */
const MAX_BDP_BYTES = 16 * 1024 * 1024
/** Weight of a new round trip in the average. */
const ALPHA = 0.9
/** A sample this near the window says that the window is too small. */
const BETA = 0.66
/** The next window, in samples. */
const GAMMA = 2
/** Samples of which the round trip is the plain mean. */
const BOOTSTRAP_SAMPLES = 10
/** A sample holds at most this many times what the path holds. */
const SAMPLE_EXCESS = 1.5
/** A sample starts after so much data, or a quarter of a small window, or a sixteenth of a large. */
const START_BYTES = 16_384
/** Below the resolution of any clock in use; keeps the bandwidth finite. */
const MIN_ROUND_TRIP_MS = 0.001

const Phase = { Gathering: 0, PingWanted: 1, PingSent: 2 } as const

/**
 * Estimates the bandwidth-delay product of a connection.
 *
 * Unlike grpc-go's a sample starts only after some data has arrived since the last one: small messages to and fro must not cost a PING each.
 */
export class BdpEstimator {
  private bdpBytes: number
  private phase: (typeof Phase)[keyof typeof Phase]
  /** Octets since the last sample, or of the present one. */
  private gatheredBytes: number
  private sentMs: number
  private samples: number
  private roundTripMs: number
  private maxBytesPerMs: number

  public constructor(initialWindowBytes: number) {
    this.bdpBytes = initialWindowBytes
    this.phase = Phase.Gathering
    this.gatheredBytes = 0
    this.sentMs = 0
    this.samples = 0
    this.roundTripMs = 0
    this.maxBytesPerMs = 0
  }

  /** Counts DATA received, padding included. True: a PING is wanted to measure the round trip. */
  public add(bytes: number): boolean {
    if (this.bdpBytes >= MAX_BDP_BYTES) return false
    this.gatheredBytes += bytes
    if (this.phase !== Phase.Gathering || this.gatheredBytes < this.startBytes) return false
    this.phase = Phase.PingWanted
    this.gatheredBytes = bytes
    return true
  }

  // What is gathered before a sample is missing in it when the window holds the peer back, so of a
  // large window it is a small part.
  private get startBytes(): number {
    return Math.max(Math.min(this.bdpBytes >> 2, START_BYTES), this.bdpBytes >> 4)
  }

  /** The flush that carries the wanted PING was written. */
  public pingSent(nowMs: number): void {
    if (this.phase !== Phase.PingWanted) return
    this.phase = Phase.PingSent
    this.sentMs = nowMs
  }

  /**
   * The PING was answered by octets received at `nowMs`. Returns the window that streams and
   * connection should have from now on, or 0 to leave them.
   */
  public pingAcked(nowMs: number): number {
    if (this.phase !== Phase.PingSent) return 0
    const sampleBytes = this.gatheredBytes
    this.phase = Phase.Gathering
    this.gatheredBytes = 0
    this.averageRoundTrip(nowMs - this.sentMs)
    const bytesPerMs = sampleBytes / (SAMPLE_EXCESS * this.roundTripMs)
    if (bytesPerMs < this.maxBytesPerMs) return 0
    this.maxBytesPerMs = bytesPerMs
    if (sampleBytes < BETA * this.bdpBytes) return 0
    // A window never shrinks: with GAMMA * BETA > 1 the new one is larger.
    this.bdpBytes = Math.min(GAMMA * sampleBytes, MAX_BDP_BYTES)
    return this.bdpBytes
  }

  private averageRoundTrip(sampleMs: number): void {
    this.samples += 1
    const weight = this.samples < BOOTSTRAP_SAMPLES ? 1 / this.samples : ALPHA
    const averageMs = this.roundTripMs + (sampleMs - this.roundTripMs) * weight
    this.roundTripMs = Math.max(averageMs, MIN_ROUND_TRIP_MS)
  }
}
