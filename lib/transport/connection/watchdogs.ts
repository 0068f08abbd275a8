// The deadlines of a connection: what must happen in time, each with one timer while it is awaited.
import type { Clock, Timer } from '../../base/clock.ts'

/** What is awaited; see the options of the same names. */
export const Watch = {
  Handshake: 0,
  HeaderBlock: 1,
  SettingsAck: 2,
  ReplyStall: 3,
  WriteStall: 4,
  WindowStall: 5,
  GoAwayPing: 6,
} as const
export type Watch = (typeof Watch)[keyof typeof Watch]

/** The watches over a peer that takes nothing; send-watch.ts says whether it truly does. */
export type StallWatch =
  | typeof Watch.ReplyStall
  | typeof Watch.WriteStall
  | typeof Watch.WindowStall

export function isStall(watch: Watch): watch is StallWatch {
  return watch >= Watch.ReplyStall && watch <= Watch.WindowStall
}

export class Watchdogs {
  private readonly clock: Clock
  private readonly fired: (watch: Watch) => void
  private readonly timers: (Timer | undefined)[] = []

  public constructor(clock: Clock, fired: (watch: Watch) => void) {
    this.clock = clock
    this.fired = fired
  }

  /** Starts waiting; does nothing, and says false, while it already waits for the same. */
  public arm(watch: Watch, delayMs: number): boolean {
    if (this.timers[watch] !== undefined) return false
    this.timers[watch] = this.clock.timer(
      delayMs,
      () => {
        this.timers[watch] = undefined
        this.fired(watch)
      },
      false,
    )
    return true
  }

  public disarm(watch: Watch): void {
    this.timers[watch]?.cancel()
    this.timers[watch] = undefined
  }

  public disarmAll(): void {
    for (const timer of this.timers) timer?.cancel()
    this.timers.length = 0
  }
}
