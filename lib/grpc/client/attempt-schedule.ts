// The attempts of a call that may be tried again: which are under way, and when another one begins,
// after a failure (retries) or beside the others (hedging). Made only for calls with such a policy, and
// dropped once the call is committed to an attempt. What attempts do is ClientCall's business.
// Source: gRFC A6; grpc-go stream.go (shouldRetry) for retries.
import type { Clock, Timer } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { Status } from '../../base/status.ts'
import type { AttemptPolicy, HedgingSettings, RetrySettings } from '../channel/method-config.ts'
import type { Attempt } from './attempt.ts'
import type { RetryThrottle } from './retry-throttle.ts'

/** The header by which a server says when a call may be tried again. */
const PUSHBACK = 'grpc-retry-pushback-ms'
const MAX_PUSHBACK_MS = 2 ** 31 - 1

/** What the server said of another attempt: nothing, to wait so many ms, or not to make one. */
type Pushback = number | 'refused' | undefined

/** What follows a failure: the call ends with it, it alone is over, or the wait until a next attempt. */
type Next = 'final' | 'none' | number

/** Whose attempts are scheduled. */
export interface ScheduleOwner {
  /** Another attempt is due; `previousAttempts` were before it. */
  beginAttempt(previousAttempts: number): void
}

/** What a schedule is made of besides its policy. */
interface ScheduleOptions {
  readonly clock: Clock
  readonly random: Random
  readonly throttle: RetryThrottle | undefined
}

export abstract class AttemptSchedule<Res> {
  /** Attempts under way, oldest first. */
  public live: Attempt<Res>[] = []
  /** What the last attempt failed with that was not the end. */
  public latestFailure: Status | undefined
  /** Attempts that had no transport. */
  public failedPicks = 0
  /** Attempts so far; those that are made again unseen are not counted. */
  protected begun = 1
  protected readonly options: ScheduleOptions
  protected readonly owner: ScheduleOwner
  private timer: Timer | undefined

  protected constructor(options: ScheduleOptions, owner: ScheduleOwner) {
    this.options = options
    this.owner = owner
  }

  /** The newest attempt has its stream. */
  public abstract opened(previousAttempts: number): void

  /** An attempt failed, with nothing that commits the call to it. */
  protected abstract afterFailure(code: number, pushback: Pushback): Next

  /** An attempt is over. */
  public remove(attempt: Attempt<Res>): void {
    this.live = this.live.filter((each) => each !== attempt)
  }

  /**
   * An attempt is over and was not answered well. False: so is the call. `dropped`: its policy does
   * not want it tried again (gRFC A31).
   */
  public goesOn(status: Status, trailers: readonly string[], dropped: boolean): boolean {
    if (dropped) this.stop()
    const next = dropped ? 'none' : this.afterFailure(status.code, pushbackOf(trailers))
    if (next === 'final' || (next === 'none' && this.live.length === 0)) return false
    this.latestFailure = status
    if (next !== 'none') this.beginIn(next)
    return true
  }

  /** Has the next attempt begin, instead of when it was due before. */
  protected beginIn(delayMs: number): void {
    this.stop()
    if (delayMs === 0) this.begin()
    else this.timer = this.options.clock.timer(delayMs, () => this.due())
  }

  /** No more attempts. */
  public stop(): void {
    this.timer?.cancel()
  }

  protected due(): void {
    this.begin()
  }

  protected begin(): void {
    this.owner.beginAttempt(this.begun++)
  }
}

class RetrySchedule<Res> extends AttemptSchedule<Res> {
  private readonly policy: RetrySettings
  private sincePushback = 0

  public constructor(policy: RetrySettings, options: ScheduleOptions, owner: ScheduleOwner) {
    super(options, owner)
    this.policy = policy
  }

  public opened(): void {}

  protected afterFailure(code: number, pushback: Pushback): Next {
    const { maxAttempts, retryableCodes } = this.policy
    const { throttle } = this.options
    if (pushback === 'refused' || retryableCodes.has(code)) throttle?.failed()
    if (pushback === 'refused' || !retryableCodes.has(code)) return 'final'
    if (throttle?.isExhausted === true || this.begun >= maxAttempts) return 'final'
    if (pushback === undefined) return this.backoffMs()
    this.sincePushback = 0
    return pushback
  }

  /** Between 0.8 and 1.2 of what has grown; after a pushback it grows from the start. */
  private backoffMs(): number {
    const { initialBackoffMs, maxBackoffMs, backoffMultiplier } = this.policy
    const grownMs = initialBackoffMs * backoffMultiplier ** this.sincePushback++
    return Math.min(grownMs, maxBackoffMs) * (0.8 + 0.4 * this.options.random())
  }
}

class HedgingSchedule<Res> extends AttemptSchedule<Res> {
  private readonly policy: HedgingSettings
  private refused = false

  public constructor(policy: HedgingSettings, options: ScheduleOptions, owner: ScheduleOwner) {
    super(options, owner)
    this.policy = policy
  }

  public opened(previousAttempts: number): void {
    const isNewest = previousAttempts === this.begun - 1
    if (!isNewest || !this.mayBegin) return
    const { delayMs } = this.policy
    this.beginIn(delayMs)
  }

  protected afterFailure(code: number, pushback: Pushback): Next {
    const isFatal = !this.policy.nonFatalCodes.has(code)
    if (pushback === 'refused' || !isFatal) this.options.throttle?.failed()
    if (isFatal) return 'final'
    if (pushback === 'refused') this.refused = true
    else if (this.mayBegin) return pushback ?? 0
    this.stop()
    return 'none'
  }

  protected override due(): void {
    if (this.mayBegin) this.begin()
  }

  private get mayBegin(): boolean {
    if (this.refused || this.options.throttle?.isExhausted === true) return false
    return this.begun < this.policy.maxAttempts
  }
}

/** The schedule of one call. Its first attempt is begun by the call. */
export function scheduleOf<Res>(
  policy: AttemptPolicy,
  options: ScheduleOptions,
  owner: ScheduleOwner,
): AttemptSchedule<Res> {
  return policy.kind === 'retry'
    ? new RetrySchedule(policy, options, owner)
    : new HedgingSchedule(policy, options, owner)
}

/** Reads the fields that ended a response. What cannot be read, or comes twice, forbids: gRFC A6. */
export function pushbackOf(fields: readonly string[]): Pushback {
  let pushback: Pushback
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== PUSHBACK) continue
    const text = fields[i + 1]!
    const ms = /^\d{1,10}$/.test(text) ? Number(text) : Infinity
    if (pushback !== undefined || ms > MAX_PUSHBACK_MS) return 'refused'
    pushback = ms
  }
  return pushback
}
