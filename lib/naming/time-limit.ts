// Waiting by the clock for things that may be given up. Nothing here keeps the process running, and no
// listener stays on the signal.
import type { Clock } from '../base/clock.ts'

/**
 * Settles as `run` does, or rejects after `limitMs`, or when `outer` is aborted; in the last two cases
 * the signal that `run` has is aborted, and it does not matter whether it notices.
 */
export function withTimeLimit<T>(
  clock: Clock,
  limitMs: number,
  outer: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const inner = new AbortController()
    const settled = (): void => {
      timer.cancel()
      outer.removeEventListener('abort', aborted)
    }
    const giveUp = (reason: string): void => {
      settled()
      reject(new Error(reason))
      inner.abort()
    }
    const aborted = (): void => giveUp('given up')
    const timer = clock.timer(limitMs, () => giveUp(`no answer within ${limitMs} ms`), false)
    outer.addEventListener('abort', aborted)
    run(inner.signal).then(resolve, reject).finally(settled)
  })
}

/** Resolves after `waitMs`, or when `signal` is aborted. */
export function wait(clock: Clock, waitMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.timer(waitMs, done, false)
    signal.addEventListener('abort', done)
  })
}
