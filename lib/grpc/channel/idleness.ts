// Notices that a channel has had no call for a while. Does not know what being idle means.
// Source: grpc-go internal/idle.
import type { Clock, Timer } from '../../base/clock.ts'

/** Counts calls; one timer, which is not moved per call. */
export class Idleness {
  private readonly clock: Clock
  private readonly timeoutMs: number
  private readonly becomeIdle: () => void
  private activeCalls = 0
  private quietSinceMs = 0
  private timer: Timer | undefined

  /** `becomeIdle` is called after `timeoutMs` without a call; never when that is 0 or Infinity. */
  public constructor(clock: Clock, timeoutMs: number, becomeIdle: () => void) {
    this.clock = clock
    this.timeoutMs = timeoutMs
    this.becomeIdle = becomeIdle
  }

  /** The channel is at work from now on. */
  public start(): void {
    if (this.timer !== undefined || this.timeoutMs === 0 || this.timeoutMs === Infinity) return
    this.quietSinceMs = this.clock.nowMs()
    this.arm(this.timeoutMs)
  }

  /** True for the first call after a lull. */
  public callStarted(): boolean {
    this.activeCalls += 1
    return this.activeCalls === 1
  }

  public callEnded(): void {
    this.activeCalls -= 1
    if (this.activeCalls === 0) this.quietSinceMs = this.clock.nowMs()
  }

  public stop(): void {
    this.timer?.cancel()
    this.timer = undefined
  }

  private arm(delayMs: number): void {
    this.timer = this.clock.timer(delayMs, () => this.check(), false)
  }

  private check(): void {
    const quietForMs = this.activeCalls > 0 ? 0 : this.clock.nowMs() - this.quietSinceMs
    if (quietForMs < this.timeoutMs) {
      this.arm(this.timeoutMs - quietForMs)
    } else {
      this.timer = undefined
      this.becomeIdle()
    }
  }
}
