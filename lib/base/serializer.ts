// Runs callbacks one after the other, each on a stack of its own. What grpc-go calls the callback
// serializer: the one place where a channel meets policies and resolvers that others wrote.

/**
 * A queue of callbacks that is worked off in a microtask. A callback therefore never runs inside
 * the code that scheduled it, nor inside another callback.
 */
export class Serializer {
  private waiting: (() => void)[] = []
  private readonly drain = (): void => this.runWaiting()

  /** Has `task` called after those already waiting. A task must not throw. */
  public schedule(task: () => void): void {
    if (this.waiting.push(task) === 1) queueMicrotask(this.drain)
  }

  private runWaiting(): void {
    const batch = this.waiting
    this.waiting = []
    let next = 0
    try {
      while (next < batch.length) batch[next++]?.()
    } finally {
      // Only a task that broke its promise leaves some behind; they keep their place.
      if (next < batch.length) this.requeue(batch.slice(next))
    }
  }

  private requeue(rest: (() => void)[]): void {
    const scheduledMeanwhile = this.waiting
    this.waiting = rest.concat(scheduledMeanwhile)
    if (scheduledMeanwhile.length === 0) queueMicrotask(this.drain)
  }
}
