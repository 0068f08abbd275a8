// Callers that each make one call after another: what a client of the unary bench runs.
import { performance } from 'node:perf_hooks'
import { cpuUs } from './answers.ts'

/** What a round of a client does. */
export interface RoundPlan {
  readonly callers: number
  readonly durationMs: number
}

/** What it did. Calls in flight at the end are waited for and counted. */
export interface RoundResult {
  readonly calls: number
  readonly elapsedMs: number
  /** Of the client process. */
  readonly cpuUs: number
}

/** Says when a round is over; polling it costs a call next to nothing. */
export class Whistle {
  public blown = false

  public constructor(durationMs: number) {
    setTimeout(() => {
      this.blown = true
    }, durationMs)
  }
}

/** Measures `work`, which resolves with the number of calls that it made. */
export async function timeRound(work: () => Promise<number>): Promise<RoundResult> {
  const startMs = performance.now()
  const startUs = cpuUs()
  const calls = await work()
  return { calls, elapsedMs: performance.now() - startMs, cpuUs: cpuUs() - startUs }
}

/** A round of callers that await `call`. */
export function closedLoop(
  { callers, durationMs }: RoundPlan,
  call: () => Promise<unknown>,
): Promise<RoundResult> {
  return timeRound(async () => {
    const whistle = new Whistle(durationMs)
    let calls = 0
    const caller = async (): Promise<void> => {
      while (!whistle.blown) {
        await call()
        calls++
      }
    }
    await Promise.all(Array.from({ length: callers }, caller))
    return calls
  })
}
