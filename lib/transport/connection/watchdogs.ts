// The deadlines of a connection: what must happen in time, each with one timer while it is awaited,
// and what the connection ends with when it did not.
import type { Clock, Timer } from '../../base/clock.ts'
import { ErrorCode } from '../../frame/index.ts'

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

type Overdue = readonly [code: ErrorCode, token: string, text: string]

/** What a missed deadline ends the connection with; GOAWAY's PING only moves the drain on. */
export const OVERDUE: Record<Exclude<Watch, typeof Watch.GoAwayPing>, Overdue> = {
  [Watch.Handshake]: [
    ErrorCode.PROTOCOL_ERROR,
    'handshake_timeout',
    "the peer's preface and SETTINGS did not come in time",
  ],
  [Watch.HeaderBlock]: [
    ErrorCode.ENHANCE_YOUR_CALM,
    'header_block_timeout',
    'a field block was not complete in time',
  ],
  [Watch.SettingsAck]: [
    ErrorCode.SETTINGS_TIMEOUT,
    'settings_ack_timeout',
    'our SETTINGS were not acknowledged in time',
  ],
  [Watch.ReplyStall]: [
    ErrorCode.ENHANCE_YOUR_CALM,
    'reply_stall',
    'the peer does not read our replies',
  ],
  [Watch.WriteStall]: [ErrorCode.NO_ERROR, 'write_stall', 'the peer does not read what we send'],
  [Watch.WindowStall]: [
    ErrorCode.ENHANCE_YOUR_CALM,
    'window_stall',
    'the peer lets us send nothing while much is waiting',
  ],
}

/** Who hears of what did not happen in time. */
export interface WatchdogsHost {
  overdue(watch: Watch): void
}

export class Watchdogs {
  private readonly clock: Clock
  private readonly host: WatchdogsHost
  /** Absent while nothing is awaited, as on a connection at rest. */
  private timers: Map<Watch, Timer> | undefined = undefined

  public constructor(clock: Clock, host: WatchdogsHost) {
    this.clock = clock
    this.host = host
  }

  /** Starts waiting; does nothing, and says false, while it already waits for the same. */
  public arm(watch: Watch, delayMs: number): boolean {
    this.timers ??= new Map()
    if (this.timers.has(watch)) return false
    const timer = this.clock.timer(delayMs, () => this.fire(watch), false)
    this.timers.set(watch, timer)
    return true
  }

  public disarm(watch: Watch): void {
    this.timers?.get(watch)?.cancel()
    this.forget(watch)
  }

  public disarmAll(): void {
    for (const timer of this.timers?.values() ?? []) timer.cancel()
    this.timers = undefined
  }

  private fire(watch: Watch): void {
    this.forget(watch)
    this.host.overdue(watch)
  }

  private forget(watch: Watch): void {
    if (this.timers?.delete(watch) && this.timers.size === 0) this.timers = undefined
  }
}
