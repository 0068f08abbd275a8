// Time that stands still until a spec moves it. No microtasks run between timers: a spec that needs
// them awaits between two calls of `advance`.
import { type Clock, deadlineGridMs, type Timer } from '../base/clock.ts'

/** The hour at which every fake clock starts, ms since 1970. */
const WALL_START_MS = Date.UTC(2024, 0, 1)

class FakeTimer implements Timer {
  public readonly dueMs: number
  public readonly callback: () => void
  private readonly clock: FakeClock

  public constructor(clock: FakeClock, dueMs: number, callback: () => void) {
    this.clock = clock
    this.dueMs = dueMs
    this.callback = callback
  }

  public cancel(): void {
    this.clock.drop(this)
  }
}

/** A {@link Clock} that runs by hand. Timers due at the same time run in the order of arming. */
export class FakeClock implements Clock {
  private now = 0
  /** Sorted by due time, then by order of arming. */
  private readonly timers: FakeTimer[] = []

  public nowMs(): number {
    return this.now
  }

  public wallMs(): number {
    return WALL_START_MS + this.now
  }

  public timer(delayMs: number, callback: () => void): Timer {
    const timer = new FakeTimer(this, this.now + Math.max(0, delayMs), callback)
    this.timers.splice(this.firstAfter(timer.dueMs), 0, timer)
    return timer
  }

  /** Rounded to the grid of {@link Clock.deadline}, as on the machine's clock. */
  public deadline(delayMs: number, callback: () => void): Timer {
    return this.timer(deadlineGridMs(delayMs), callback)
  }

  /** How many timers are armed. */
  public get pending(): number {
    return this.timers.length
  }

  /** When the next timer is due, on the scale of `nowMs`; undefined when none is armed. */
  public nextDueMs(): number | undefined {
    return this.timers[0]?.dueMs
  }

  /**
   * Moves time on and runs what becomes due, at its own time and in order; also what those
   * callbacks arm, as far as it is due by then. An error thrown by a callback ends the call there.
   */
  public advance(ms: number): void {
    const untilMs = this.now + ms
    for (let first = this.timers[0]; first !== undefined && first.dueMs <= untilMs; ) {
      this.timers.shift()
      this.now = Math.max(this.now, first.dueMs)
      first.callback()
      first = this.timers[0]
    }
    this.now = Math.max(this.now, untilMs)
  }

  /**
   * Moves time on at a stroke, as when the process was stopped: what has become due runs now, late and
   * each with the same `nowMs`.
   */
  public jump(ms: number): void {
    this.now += ms
    this.advance(0)
  }

  /** Disarms a timer; for the timer itself. */
  public drop(timer: FakeTimer): void {
    const at = this.timers.indexOf(timer)
    if (at >= 0) this.timers.splice(at, 1)
  }

  private firstAfter(dueMs: number): number {
    let low = 0
    let high = this.timers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.timers[middle]!.dueMs <= dueMs) low = middle + 1
      else high = middle
    }
    return low
  }
}
