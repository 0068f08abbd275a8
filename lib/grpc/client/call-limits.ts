// What may end a client's call from outside: its deadline and its caller's signals. Made only for
// calls that have any of them.
import type { Clock, Timer } from '../../base/clock.ts'
import { Code, type Status } from '../../base/status.ts'
import type { CallContext } from '../call/interceptor.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import type { CallOptions } from './call-options.ts'

type Limits = Pick<CallOptions, 'timeoutMs' | 'deadline' | 'signal' | 'parent'>

/** Hears that the call has to end. */
export interface CallLimitsOwner {
  /** `afterMs` is how long the call was given. */
  onDeadline(afterMs: number): void
  onAborted(status: Status): void
}

export class CallLimits {
  /** On the clock's own scale; Infinity without a deadline. */
  private deadlineMs: number
  private readonly clock: Clock
  private readonly owner: CallLimitsOwner
  private readonly startMs: number
  private readonly signals: readonly AbortSignal[]
  private timer: Timer | undefined

  /** Undefined when nothing limits the call. */
  public static of(clock: Clock, limits: Limits, owner: CallLimitsOwner): CallLimits | undefined {
    const { timeoutMs, deadline, signal, parent } = limits
    if (
      timeoutMs === undefined &&
      deadline === undefined &&
      signal === undefined &&
      parent === undefined
    ) {
      return undefined
    }
    return new CallLimits(clock, limits, owner)
  }

  /** `limits`, watched already, and no more than `timeoutMs` from now. */
  public static within(
    timeoutMs: number,
    limits: CallLimits | undefined,
    clock: Clock,
    owner: CallLimitsOwner,
  ): CallLimits {
    const within = limits ?? new CallLimits(clock, {}, owner)
    within.tighten(timeoutMs)
    return within
  }

  private constructor(clock: Clock, limits: Limits, owner: CallLimitsOwner) {
    const { timeoutMs, deadline, signal, parent } = limits
    this.clock = clock
    this.owner = owner
    this.startMs = clock.nowMs()
    this.deadlineMs = Math.min(
      timeoutMs === undefined ? Number.POSITIVE_INFINITY : this.startMs + timeoutMs,
      this.onClock(deadline),
      this.onClock(parent?.deadline),
    )
    this.signals = signalsOf(signal, parent)
  }

  /** Begins to watch; a limit that is reached already is told at once. */
  public bind(): void {
    for (const signal of this.signals) {
      if (signal.aborted) {
        this.handleEvent({ target: signal })
        return
      }
    }
    const leftMs = this.deadlineMs - this.startMs
    // A deadline that is no number is none that can be kept.
    if (!(leftMs > 0)) {
      this.owner.onDeadline(leftMs)
      return
    }
    for (const signal of this.signals) signal.addEventListener('abort', this)
    this.arm(leftMs)
  }

  /** Watches no more. */
  public release(): void {
    this.timer?.cancel()
    for (const signal of this.signals) signal.removeEventListener('abort', this)
  }

  /** What is left until the deadline, never negative; undefined without one. */
  public get remainingMs(): number | undefined {
    if (this.deadlineMs === Number.POSITIVE_INFINITY) return undefined
    return Math.max(0, this.deadlineMs - this.clock.nowMs())
  }

  public get deadline(): Date | undefined {
    if (this.deadlineMs === Number.POSITIVE_INFINITY) return undefined
    return new Date(this.clock.wallMs() + this.deadlineMs - this.clock.nowMs())
  }

  /** EventListenerObject: a signal was aborted. */
  public handleEvent(event: { readonly target: unknown }): void {
    this.owner.onAborted(statusOfAbort((event.target as AbortSignal).reason))
  }

  private tighten(timeoutMs: number): void {
    const deadlineMs = this.clock.nowMs() + timeoutMs
    if (deadlineMs >= this.deadlineMs) return
    this.deadlineMs = deadlineMs
    this.timer?.cancel()
    if (timeoutMs > 0) this.arm(timeoutMs)
    else this.owner.onDeadline(timeoutMs)
  }

  private arm(leftMs: number): void {
    if (leftMs === Number.POSITIVE_INFINITY) return
    this.timer = this.clock.deadline(leftMs, () => this.owner.onDeadline(leftMs))
  }

  private onClock(date: Date | undefined): number {
    if (date === undefined) return Number.POSITIVE_INFINITY
    return date.getTime() + this.clock.nowMs() - this.clock.wallMs()
  }
}

function signalsOf(
  signal: AbortSignal | undefined,
  parent: CallContext | undefined,
): readonly AbortSignal[] {
  const signals: AbortSignal[] = []
  if (signal !== undefined) signals.push(signal)
  if (parent !== undefined) signals.push(parent.signal)
  return signals
}

/** The status of a call whose signal was aborted: CANCELLED, unless a deadline was the reason. */
function statusOfAbort(reason: unknown): Status {
  const { code, rawMessage: text } = RpcError.from(reason)
  return {
    code: code === Code.DeadlineExceeded ? code : Code.Cancelled,
    message: `the call was cancelled: ${text}`,
    cause: reason,
  }
}

/** The status of a call whose deadline has passed; `detail` says what it was waiting for. */
export function deadlineStatus(afterMs: number, detail = '', cause?: unknown): Status {
  const message = `deadline exceeded after ${Math.round(afterMs * 1000) / 1000} ms${detail}`
  return { code: Code.DeadlineExceeded, message, cause }
}
