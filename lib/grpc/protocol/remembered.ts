// One result of a pure function, remembered by the identity of its argument.

/**
 * Remembers what the last field list gave: equal header blocks of one connection share one list, so
 * a connection that keeps one of these reads most heads only once.
 */
export class Remembered<T> {
  private readonly parse: (fields: readonly string[]) => T
  private lastFields: readonly string[] | undefined
  private lastResult: T | undefined

  public constructor(parse: (fields: readonly string[]) => T) {
    this.parse = parse
  }

  public of(fields: readonly string[]): T {
    if (fields === this.lastFields) return this.lastResult as T
    const result = this.parse(fields)
    this.lastFields = fields
    this.lastResult = result
    return result
  }
}
