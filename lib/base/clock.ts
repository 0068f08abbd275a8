// Time for everyone: what the hour is and what to call later. Nothing else in lib/ touches timers,
// so specs and simulations put a fake clock in its place.

/** A callback that is due once. */
export interface Timer {
  /** Drops the callback; does nothing once it has run. */
  cancel(): void
}

/** A source of time. Handed to every part that waits, never reached for globally. */
export interface Clock {
  /** Monotonic milliseconds from an arbitrary origin; fractions allowed. */
  nowMs(): number
  /** Milliseconds since 1970, for log lines and statistics. */
  wallMs(): number
  /**
   * Calls `callback` once, no sooner than `delayMs` from now. Any length: delays over 2^31-1 ms are
   * chained. With `keepAlive` false the timer does not keep the process running.
   */
  timer(delayMs: number, callback: () => void, keepAlive?: boolean): Timer
  /**
   * A timer for a call's deadline: rounded up to a grid of 1/16 of its length, at most 64 ms, so
   * that many calls share one of Node's timer lists. Exact below 128 ms.
   */
  deadline(delayMs: number, callback: () => void, keepAlive?: boolean): Timer
}

const MAX_NODE_DELAY_MS = 2 ** 31 - 1
const GRID_EXACT_BELOW_MS = 128
const GRID_MAX_MS = 64

/** The delay of a deadline rounded up to its grid; see {@link Clock.deadline}. */
export function deadlineGridMs(delayMs: number): number {
  if (delayMs < GRID_EXACT_BELOW_MS) return Math.ceil(delayMs)
  const grid = Math.min(GRID_MAX_MS, 2 ** Math.floor(Math.log2(delayMs / 16)))
  return Math.ceil(delayMs / grid) * grid
}

class SystemTimer implements Timer {
  private readonly callback: () => void
  private readonly dueMs: number
  private readonly keepAlive: boolean
  private handle: NodeJS.Timeout | undefined

  public constructor(delayMs: number, callback: () => void, keepAlive: boolean) {
    this.callback = callback
    this.dueMs = performance.now() + delayMs
    this.keepAlive = keepAlive
    this.arm(delayMs)
  }

  public cancel(): void {
    clearTimeout(this.handle)
    this.handle = undefined
  }

  private arm(delayMs: number): void {
    this.handle =
      delayMs <= MAX_NODE_DELAY_MS
        ? setTimeout(this.callback, delayMs)
        : setTimeout(() => this.arm(this.dueMs - performance.now()), MAX_NODE_DELAY_MS)
    if (!this.keepAlive) this.handle.unref()
  }
}

/** The machine's own time. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  timer: (delayMs, callback, keepAlive = true) => new SystemTimer(delayMs, callback, keepAlive),
  deadline: (delayMs, callback, keepAlive = true) =>
    new SystemTimer(deadlineGridMs(delayMs), callback, keepAlive),
}
