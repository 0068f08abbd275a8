// When a server lets a connection go: after having no stream for too long, or for its age (gRFC A9,
// grpc-go keepalive.ServerParameters), and by force when the streams that are left take longer than
// the grace. Its timers do not keep the process alive. Not here: GOAWAY and how a drain proceeds.
import type { Clock, Timer } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'

/** Ages vary by this much either way, so that connections made together do not return together. */
const AGE_JITTER = 0.1

/** See {@link ServerConnectionOptions}; a duration left out is for ever. */
export interface ConnectionAgeOptions {
  readonly maxConnectionIdleMs?: number | undefined
  readonly maxConnectionAgeMs?: number | undefined
  readonly maxConnectionAgeGraceMs?: number | undefined
}

/** What is told when the time has come. */
export interface ConnectionAgeHost {
  /** Begin a graceful end. Once. */
  drain(reason: 'max_idle' | 'max_age'): void
  /** The grace after {@link ConnectionAgeHost.drain} is over: end now. Last. */
  forceClose(): void
}

export class ConnectionAge {
  private readonly clock: Clock
  private readonly host: ConnectionAgeHost
  private readonly maxIdleMs: number
  private readonly maxAgeMs: number
  private readonly graceMs: number
  private readonly onIdleTimer: () => void
  private idleTimer: Timer | undefined
  /** Runs to the age, then through the grace. */
  private ageTimer: Timer | undefined
  /** Since when there is no stream; undefined while there is one. */
  private idleSinceMs: number | undefined
  private running: boolean

  public constructor(
    clock: Clock,
    random: Random,
    options: ConnectionAgeOptions,
    host: ConnectionAgeHost,
  ) {
    const { maxConnectionAgeMs = Number.POSITIVE_INFINITY } = options
    this.clock = clock
    this.host = host
    this.maxIdleMs = options.maxConnectionIdleMs ?? Number.POSITIVE_INFINITY
    this.maxAgeMs = maxConnectionAgeMs * (1 - AGE_JITTER + 2 * AGE_JITTER * random())
    this.graceMs = options.maxConnectionAgeGraceMs ?? Number.POSITIVE_INFINITY
    this.onIdleTimer = () => this.lookIdle()
    this.idleTimer = undefined
    this.ageTimer = undefined
    this.idleSinceMs = undefined
    this.running = false
  }

  /** The connection is ready and has no stream. Call once. */
  public start(): void {
    this.running = true
    this.ageTimer = this.arm(this.maxAgeMs, () => this.drain('max_age'))
    this.becameIdle()
  }

  /** A stream was opened. */
  public streamOpened(): void {
    this.idleSinceMs = undefined
  }

  /** The last stream is gone. The timer stays as it is armed: when it fires it sleeps for the rest. */
  public becameIdle(): void {
    if (!this.running || this.maxIdleMs === Number.POSITIVE_INFINITY) return
    this.idleSinceMs = this.clock.nowMs()
    this.idleTimer ??= this.arm(this.maxIdleMs, this.onIdleTimer)
  }

  /** The connection is over. */
  public stop(): void {
    this.running = false
    this.disarm()
  }

  private lookIdle(): void {
    this.idleTimer = undefined
    if (this.idleSinceMs === undefined) return // armed again when the last stream is gone
    const restMs = this.idleSinceMs + this.maxIdleMs - this.clock.nowMs()
    if (restMs > 0) this.idleTimer = this.arm(restMs, this.onIdleTimer)
    else this.drain('max_idle')
  }

  private drain(reason: 'max_idle' | 'max_age'): void {
    this.stop()
    this.ageTimer = this.arm(this.graceMs, () => this.host.forceClose())
    this.host.drain(reason)
  }

  private disarm(): void {
    this.idleTimer?.cancel()
    this.ageTimer?.cancel()
    this.idleTimer = undefined
    this.ageTimer = undefined
  }

  private arm(delayMs: number, callback: () => void): Timer | undefined {
    if (delayMs === Number.POSITIVE_INFINITY) return undefined
    return this.clock.timer(delayMs, callback, false)
  }
}
