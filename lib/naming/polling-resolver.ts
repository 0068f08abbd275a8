// When a resolver that has to ask does so: at the start, when a lookup has failed, when the channel
// wants it, and at intervals if asked to. Does not know what is looked up.
// Source: grpc-go internal/resolver/dns.
//
//   resolving --ok--> settled --resolveNow--> (30 s after the last success) --> resolving
//       |                `-------refresh interval, if any----------------------> resolving
//       `--failed--> reported, connect backoff --> resolving
import { backoffMs } from '../base/backoff.ts'
import type { Timer } from '../base/clock.ts'
import type { Status } from '../base/status.ts'
import type { Resolver, ResolverClientConn, ResolverOptions, ResolverState } from './resolver.ts'
import { withTimeLimit } from './time-limit.ts'

/** When to ask. */
export interface PollingOptions {
  /** The least time between a success and the next lookup, ms. Default 30,000. */
  readonly minIntervalMs?: number
  /** How long a lookup may take, ms. Default 30,000. */
  readonly lookupTimeoutMs?: number
  /**
   * Looks up again this long after each success, give or take 10 %, ms; no sooner than
   * `minIntervalMs`. Default: only when a connection was lost or could not be made.
   */
  readonly refreshIntervalMs?: number
}

/** What is looked up. */
export interface PolledSource {
  state(signal: AbortSignal): Promise<ResolverState>
  /** What a failure of {@link PolledSource.state}, also by its time limit, means to the channel. */
  failure(error: unknown): Status
}

const DEFAULT_MIN_INTERVAL_MS = 30_000
const DEFAULT_LOOKUP_TIMEOUT_MS = 30_000
const REFRESH_JITTER = 0.1

/** Asks a source from its construction until it is closed. */
export class PollingResolver implements Resolver {
  private readonly source: PolledSource
  private readonly cc: ResolverClientConn
  private readonly options: ResolverOptions
  private readonly minIntervalMs: number
  private readonly lookupTimeoutMs: number
  private readonly refreshIntervalMs: number | undefined
  /** Present while a lookup runs. */
  private running: AbortController | undefined
  /** What starts the next lookup, if anything does. */
  private timer: Timer | undefined
  private failures = 0
  private nextAllowedMs = 0
  private wanted = false
  private closed = false

  public constructor(
    source: PolledSource,
    cc: ResolverClientConn,
    options: ResolverOptions,
    polling: PollingOptions = {},
  ) {
    this.source = source
    this.cc = cc
    this.options = options
    this.minIntervalMs = polling.minIntervalMs ?? DEFAULT_MIN_INTERVAL_MS
    this.lookupTimeoutMs = polling.lookupTimeoutMs ?? DEFAULT_LOOKUP_TIMEOUT_MS
    this.refreshIntervalMs = polling.refreshIntervalMs
    void this.resolve()
  }

  /** Remembered while a lookup runs; one that is due after a failure is not hurried. */
  public resolveNow(): void {
    if (this.wanted || this.closed) return
    this.wanted = true
    if (this.running === undefined && this.failures === 0) this.resolveAt(this.nextAllowedMs)
  }

  public close(): void {
    this.closed = true
    this.timer?.cancel()
    this.running?.abort()
  }

  private resolveAt(dueMs: number): void {
    this.timer?.cancel()
    const waitMs = dueMs - this.options.clock.nowMs()
    if (waitMs <= 0) void this.resolve()
    else this.timer = this.options.clock.timer(waitMs, () => void this.resolve(), false)
  }

  private async resolve(): Promise<void> {
    const running = new AbortController()
    this.running = running
    this.wanted = false
    try {
      const state = await withTimeLimit(
        this.options.clock,
        this.lookupTimeoutMs,
        running.signal,
        (signal) => this.source.state(signal),
      )
      if (!this.closed) this.succeeded(state)
    } catch (error) {
      if (!this.closed) this.failed(error)
    }
    running.abort() // what a failure has left running
  }

  private succeeded(state: ResolverState): void {
    const { clock, random } = this.options
    const nowMs = clock.nowMs()
    this.running = undefined
    this.failures = 0
    this.nextAllowedMs = nowMs + this.minIntervalMs
    this.cc.updateState(state)
    if (this.wanted) this.resolveAt(this.nextAllowedMs)
    else if (this.refreshIntervalMs !== undefined) {
      const waitMs = this.refreshIntervalMs * (1 + REFRESH_JITTER * (2 * random() - 1))
      this.resolveAt(Math.max(this.nextAllowedMs, nowMs + waitMs))
    }
  }

  private failed(error: unknown): void {
    const { clock, random, backoff } = this.options
    this.running = undefined
    const dueMs = clock.nowMs() + backoffMs(this.failures++, random, backoff)
    this.cc.reportError(this.source.failure(error))
    this.resolveAt(dueMs)
  }
}
