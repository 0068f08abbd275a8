// Does something many times, some at once: opening connections faster overruns the listen backlog.

const BATCH = 100

/** Resolves when all are done. */
export async function inBatches(count: number, one: () => Promise<unknown>): Promise<void> {
  for (let done = 0; done < count; done += BATCH) {
    await Promise.all(Array.from({ length: Math.min(BATCH, count - done) }, one))
  }
}
