// Waiting as a promise, for code that reads as a sequence.
import type { Clock } from './clock.ts'

/** Resolves after `ms`, or as soon as `signal` is aborted. For `keepAlive` see {@link Clock.timer}. */
export function pause(
  clock: Clock,
  ms: number,
  signal: AbortSignal | undefined,
  keepAlive: boolean,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve()
      return
    }
    const done = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.timer(ms, done, keepAlive)
    signal?.addEventListener('abort', done)
  })
}
