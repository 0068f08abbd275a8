// Keeps the process running while something waits that only the channel's unreferenced timers can
// bring about: a call parked until the next connection attempt.
import type { Clock, Timer } from '../../base/clock.ts'

const REARM_MS = 2 ** 31 - 1

/** Counts who is waiting. */
export class ProcessHold {
  private readonly clock: Clock
  private holders = 0
  private timer: Timer | undefined

  public constructor(clock: Clock) {
    this.clock = clock
  }

  public acquire(): void {
    this.holders += 1
    if (this.holders === 1) this.arm()
  }

  public release(): void {
    this.holders -= 1
    if (this.holders === 0) this.timer?.cancel()
  }

  private arm(): void {
    this.timer = this.clock.timer(REARM_MS, () => this.arm(), true)
  }
}
