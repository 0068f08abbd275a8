// The state of a channel and who wants to hear of its changes.
// Source: grpc/doc/connectivity-semantics-and-api.md, grpc-go connectivityStateManager.
import { ConnectivityState } from '../../balancer/index.ts'
import type { Clock } from '../../base/clock.ts'
import { Code, type Status } from '../../base/status.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import type { ProcessHold } from './process-hold.ts'

/** Hears of a state. Runs on a stack of its own, so it may do anything with the channel. */
export type StateListener = (state: ConnectivityState) => void

/** What may end a wait before its time. */
export interface WaitLimits {
  /** Rejects with DEADLINE_EXCEEDED after this long. Default: never. */
  readonly timeoutMs?: number
  /** Rejects with CANCELLED when aborted. */
  readonly signal?: AbortSignal
}

/** What calls and waits end with when their channel is closed. */
export const CHANNEL_CLOSED: Status = { code: Code.Cancelled, message: 'the channel is closed' }

/** One per channel; starts IDLE, ends SHUTDOWN. */
export class ConnectivityStateManager {
  private readonly clock: Clock
  private readonly hold: ProcessHold
  private current: ConnectivityState = ConnectivityState.Idle
  private latestFailure: Status | undefined
  private readonly listeners = new Set<StateListener>()

  public constructor(clock: Clock, hold: ProcessHold) {
    this.clock = clock
    this.hold = hold
  }

  public get state(): ConnectivityState {
    return this.current
  }

  /** Nothing leaves SHUTDOWN; the same state again is no change. */
  public update(state: ConnectivityState): void {
    if (state === this.current || this.current === ConnectivityState.Shutdown) return
    this.current = state
    if (state === ConnectivityState.Ready) this.latestFailure = undefined
    for (const listener of this.listeners) {
      queueMicrotask(() => {
        if (this.listeners.has(listener)) listener(state)
      })
    }
  }

  /** Keeps why the channel is not READY, for the errors of those who wait. */
  public noteFailure(status: Status): void {
    this.latestFailure = status
  }

  /** Calls `listener` with every change from now on. Returns what ends it. */
  public listen(listener: StateListener): () => void {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  /** Resolves once the state is, or has been, another than `source`. */
  public changeFrom(source: ConnectivityState, limits: WaitLimits = {}): Promise<void> {
    const { timeoutMs = Infinity, signal } = limits
    if (this.current !== source) return Promise.resolve()
    if (signal?.aborted === true) return Promise.reject(this.aborted(signal))
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.hold.release()
        stopListening()
        timer?.cancel()
        signal?.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => {
        stop()
        reject(this.aborted(signal))
      }
      const onTimeout = (): void => {
        stop()
        reject(this.timedOut())
      }
      this.hold.acquire()
      signal?.addEventListener('abort', onAbort)
      const timer = timeoutMs < Infinity ? this.clock.timer(timeoutMs, onTimeout) : undefined
      const stopListening = this.listen(() => {
        stop()
        resolve()
      })
    })
  }

  /** Resolves when READY. `connect` is called whenever the channel is IDLE. */
  public async untilReady(connect: () => void, limits: WaitLimits): Promise<void> {
    const { timeoutMs = Infinity, signal } = limits
    const untilMs = this.clock.nowMs() + timeoutMs
    while (this.current !== ConnectivityState.Ready) {
      if (this.current === ConnectivityState.Shutdown) throw RpcError.fromStatus(CHANNEL_CLOSED)
      if (this.current === ConnectivityState.Idle) connect()
      const restMs = untilMs - this.clock.nowMs()
      await this.changeFrom(this.current, { timeoutMs: restMs, ...(signal && { signal }) })
    }
  }

  private timedOut(): RpcError {
    const { current, latestFailure } = this
    const latest = latestFailure === undefined ? '' : `; latest failure: ${latestFailure.message}`
    return new RpcError(Code.DeadlineExceeded, `the channel is still ${current}${latest}`, {
      cause: latestFailure?.cause,
    })
  }

  private aborted(signal: AbortSignal | undefined): RpcError {
    const message = `the wait for a channel that is ${this.current} was aborted`
    return new RpcError(Code.Cancelled, message, { cause: signal?.reason })
  }
}
