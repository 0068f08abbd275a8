// Finds out that a silent peer is dead: gRFC A8 and grpc-go's keepalive. One timer a connection,
// which does not keep the process alive and is never moved by traffic: when it fires it looks when
// the peer was last heard and sleeps for the rest. Any octet counts as life, not just the ACK.
//
//   dormant ──stream opens──▶ watching ──timeMs of silence──▶ PING ──timeoutMs of silence──▶ failed
//      ◀──fires, no stream──      ◀────────heard of the peer────┘
import type { Clock, Timer } from '../../base/clock.ts'
import type { KeepaliveOptions } from '../options.ts'

const DEFAULT_TIMEOUT_MS = 20_000
const MIN_CLIENT_TIME_MS = 10_000
const MIN_SERVER_TIME_MS = 1000
const DEFAULT_SERVER_TIME_MS = 2 * 60 * 60 * 1000

/** What keepalive watches. */
export interface KeepaliveHost {
  /** When octets last came, on the scale of the clock. */
  readonly lastReadMs: number
  readonly openStreams: number
  sendPing(): void
  /** The peer is taken for dead; nothing is called after this. */
  keepaliveFailed(): void
}

/** A client's options: silence under 10 s is quietly raised to that, as in grpc-go. */
export function clientKeepalive(options: KeepaliveOptions = {}): KeepaliveOptions {
  const { timeMs = Number.POSITIVE_INFINITY } = options
  return { ...options, timeMs: Math.max(timeMs, MIN_CLIENT_TIME_MS) }
}

/** A server's options: 2 h unless said otherwise, at least 1 s, and with no stream open too. */
export function serverKeepalive(options: KeepaliveOptions = {}): KeepaliveOptions {
  const { timeMs = DEFAULT_SERVER_TIME_MS } = options
  return { ...options, timeMs: Math.max(timeMs, MIN_SERVER_TIME_MS), permitWithoutStream: true }
}

export class Keepalive {
  private readonly clock: Clock
  private readonly host: KeepaliveHost
  private readonly timeMs: number
  private readonly timeoutMs: number
  private readonly permitWithoutStream: boolean
  private readonly onTimer: () => void
  private timer: Timer | undefined
  /** When the PING that waits for an answer was sent. */
  private pingSentMs: number | undefined
  private dormant: boolean

  /** Without `timeMs` it never pings. */
  public constructor(clock: Clock, options: KeepaliveOptions, host: KeepaliveHost) {
    this.clock = clock
    this.host = host
    this.timeMs = options.timeMs ?? Number.POSITIVE_INFINITY
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
    this.permitWithoutStream = options.permitWithoutStream ?? false
    this.onTimer = () => this.look()
    this.timer = undefined
    this.pingSentMs = undefined
    this.dormant = false
  }

  /** The connection is ready. Call once. */
  public start(): void {
    if (this.timeMs < Number.POSITIVE_INFINITY) this.look()
  }

  /** A stream was opened: there is something to watch for. Cheap unless dormant. */
  public streamOpened(): void {
    if (this.dormant) this.look()
  }

  /** The connection is over. */
  public stop(): void {
    this.dormant = false
    this.timer?.cancel()
    this.timer = undefined
  }

  private look(): void {
    this.timer = undefined
    this.dormant = !this.permitWithoutStream && this.host.openStreams === 0
    if (this.dormant) {
      this.pingSentMs = undefined
      return
    }
    const nowMs = this.clock.nowMs()
    const lastReadMs = this.host.lastReadMs
    if (this.pingSentMs !== undefined && lastReadMs >= this.pingSentMs) this.pingSentMs = undefined
    if (this.pingSentMs === undefined) this.watch(nowMs, lastReadMs)
    else this.awaitAnswer(nowMs, this.pingSentMs)
  }

  private watch(nowMs: number, lastReadMs: number): void {
    const restMs = lastReadMs + this.timeMs - nowMs
    if (restMs > 0) {
      this.arm(restMs)
      return
    }
    this.pingSentMs = nowMs
    this.arm(Math.min(this.timeMs, this.timeoutMs))
    this.host.sendPing()
  }

  private awaitAnswer(nowMs: number, pingSentMs: number): void {
    const restMs = pingSentMs + this.timeoutMs - nowMs
    if (restMs > 0) {
      this.arm(restMs)
      return
    }
    this.stop()
    this.host.keepaliveFailed()
  }

  private arm(delayMs: number): void {
    this.timer = this.clock.timer(delayMs, this.onTimer, false)
  }
}
