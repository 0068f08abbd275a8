// The budget for what a peer may do that is legal, or a mere stream error, and yet only costs: one
// bucket for all kinds, so that an attacker cannot mix them. RFC 9113 section 10.5. Not here: what
// counts as an oddity (the callers, window-update-policy.ts, ping-policy.ts), and memory, which has
// limits of its own.

/** Each kind of oddity and the token of the GOAWAY(ENHANCE_YOUR_CALM) that it may end in. */
export const GLITCH_TOKENS = {
  /** A peer's RST_STREAM before its handler had started. Servers only. */
  earlyReset: 'too_many_early_resets',
  /** A RST_STREAM that we send for a fault of the peer. */
  fault: 'too_many_faults',
  /** A stream beyond the limit. Servers only. */
  refused: 'too_many_refused_streams',
  settings: 'too_many_settings',
  priority: 'too_many_priorities',
  /** A frame of unknown type. */
  extension: 'too_many_unknown_frames',
  /** DATA without content and without END_STREAM. */
  emptyData: 'too_many_empty_data',
  tinyWindowUpdate: 'too_many_tiny_window_updates',
  excessWindowUpdate: 'too_many_window_updates',
} as const
export type GlitchReason = keyof typeof GLITCH_TOKENS

/** How fast the budget fills for a peer that works: per stream that ended well. */
const REFILL_PER_STREAM = 0.5

/** The sizes of the bucket; {@link ConnectionOptions} has the defaults. */
export interface AbuseLimits {
  readonly glitchBurst: number
  readonly glitchesPerSecond: number
}

/**
 * A token bucket. It refills with the larger of a steady rate and half of the streams that ended
 * well, so that a busy proxy whose clients cancel a lot is not taken for an attacker.
 */
export class AbuseGuard {
  private readonly burst: number
  private readonly perMs: number
  private budget: number
  private refilledMs: number
  private endedWell: number
  /** How often each kind was charged; made for the first. */
  private counts: Map<GlitchReason, number> | undefined

  public constructor(limits: AbuseLimits, nowMs: number) {
    this.burst = limits.glitchBurst
    this.perMs = limits.glitchesPerSecond / 1000
    this.budget = limits.glitchBurst
    this.refilledMs = nowMs
    this.endedWell = 0
    this.counts = undefined
  }

  /**
   * Charges one oddity. False: the budget is spent, the connection shall end with
   * `GLITCH_TOKENS[reason]`.
   */
  public charge(reason: GlitchReason, nowMs: number): boolean {
    this.counts ??= new Map()
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1)
    this.refill(nowMs)
    if (this.budget < 1) return false
    this.budget -= 1
    return true
  }

  /** A stream was served to its end. */
  public streamEndedWell(): void {
    this.endedWell += 1
  }

  /** What was charged so far, as `settings 998, fault 3`: text for the error. */
  public describe(): string {
    return [...(this.counts ?? [])].map(([reason, count]) => `${reason} ${count}`).join(', ')
  }

  private refill(nowMs: number): void {
    const byTime = (nowMs - this.refilledMs) * this.perMs
    const byStreams = this.endedWell * REFILL_PER_STREAM
    this.budget = Math.min(this.burst, this.budget + Math.max(byTime, byStreams))
    this.refilledMs = nowMs
    this.endedWell = 0
  }
}
