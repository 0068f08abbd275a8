// Knows which of a channel's connections may have died unnoticed: those that have been silent for
// long, and all of them once the process or the machine has slept. Asks nobody; an AddrConn does,
// before a call takes such a connection.
//
// One timer for all, which does not keep the process running. A process that was stopped finds it
// late; a machine that slept may have stopped the monotonic clock with it, but not the wall's.
import type { Clock, Timer } from '../../base/clock.ts'
import type { ChannelTransport } from './channel-transport.ts'

const TICK_MS = 15_000
/** Lateness that no busy event loop explains. */
const SLEPT_MS = 10_000

/** A connection in its monitor. */
interface Watched {
  readonly transport: ChannelTransport | undefined
  /** On the scale of the clock; undefined while it is trusted. */
  doubtedSinceMs: number | undefined
}

/** One per channel. */
export class Liveness {
  private readonly clock: Clock
  private readonly probeAfterIdleMs: number
  private readonly watched = new Set<Watched>()
  private timer: Timer | undefined
  private tickedMs = 0
  private tickedWallMs = 0

  /** Nothing is ever doubted when `probeAfterIdleMs` is 0 or Infinity. */
  public constructor(clock: Clock, probeAfterIdleMs: number) {
    this.clock = clock
    this.probeAfterIdleMs = probeAfterIdleMs
  }

  /** `monitor` has its transport. */
  public watch(monitor: Watched): void {
    if (this.probeAfterIdleMs === 0 || this.probeAfterIdleMs === Infinity) return
    this.watched.add(monitor)
    if (this.watched.size === 1) this.arm()
  }

  public unwatch(monitor: Watched): void {
    if (!this.watched.delete(monitor) || this.watched.size > 0) return
    this.timer?.cancel()
    this.timer = undefined
  }

  /** Looks whether the machine has slept: for the first call after a lull, before the timer is due. */
  public look(): void {
    if (this.timer === undefined) return
    if (this.clock.wallMs() - this.tickedWallMs > TICK_MS + SLEPT_MS) this.doubtAll()
  }

  /** Whether a call may take it as it is. Hot: called per call. */
  public trusts(monitor: Watched): boolean {
    const { doubtedSinceMs, transport } = monitor
    if (doubtedSinceMs === undefined) return true
    if ((transport?.lastReadMs ?? 0) <= doubtedSinceMs) return false
    monitor.doubtedSinceMs = undefined
    return true
  }

  private doubtAll(): void {
    const nowMs = this.clock.nowMs()
    for (const monitor of this.watched) monitor.doubtedSinceMs ??= nowMs
    this.tickedWallMs = this.clock.wallMs()
  }

  private arm(): void {
    this.tickedMs = this.clock.nowMs()
    this.tickedWallMs = this.clock.wallMs()
    const delayMs = Math.min(TICK_MS, this.probeAfterIdleMs)
    this.timer = this.clock.timer(delayMs, () => this.tick(), false)
  }

  private tick(): void {
    const nowMs = this.clock.nowMs()
    const sinceMs = Math.max(nowMs - this.tickedMs, this.clock.wallMs() - this.tickedWallMs)
    if (sinceMs > TICK_MS + SLEPT_MS) this.doubtAll()
    for (const monitor of this.watched) {
      const silentMs = nowMs - (monitor.transport?.lastReadMs ?? nowMs)
      if (silentMs >= this.probeAfterIdleMs) monitor.doubtedSinceMs ??= nowMs
    }
    this.arm()
  }
}
