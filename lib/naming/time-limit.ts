// Work that is given up when it takes too long, whether or not it notices the abort.
import type { Clock } from '../base/clock.ts'

/**
 * Settles as `run` does, or rejects after `limitMs`, or when `outer` is aborted; in the last two cases
 * the signal that `run` has is aborted. Does not keep the process running.
 */
export function withTimeLimit<T>(
  clock: Clock,
  limitMs: number,
  outer: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const inner = new AbortController()
    const giveUp = (reason: string): void => {
      timer.cancel()
      reject(new Error(reason))
      inner.abort()
    }
    const timer = clock.timer(limitMs, () => giveUp(`no answer within ${limitMs} ms`), false)
    outer.addEventListener('abort', () => giveUp('given up'), { once: true })
    run(inner.signal)
      .then(resolve, reject)
      .finally(() => timer.cancel())
  })
}
