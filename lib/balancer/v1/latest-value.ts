// Hands values to one reader who may be slow: only the newest is kept for it.

/** An asynchronous source of values, each of which replaces one that has not been read. */
export class LatestValue<T> implements AsyncIterable<T> {
  private unread: { readonly value: T } | undefined
  private ended = false
  private wake: (() => void) | undefined

  public put(value: T): void {
    this.unread = { value }
    this.wake?.()
  }

  /** The reader's loop ends, after a value that it has not read. */
  public end(): void {
    this.ended = true
    this.wake?.()
  }

  public async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for (;;) {
      const { unread } = this
      if (unread !== undefined) {
        this.unread = undefined
        yield unread.value
      } else if (this.ended) return
      else {
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
      }
    }
  }
}
