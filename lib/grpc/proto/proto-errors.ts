// What is wrong with a value that should be encoded, or with octets that should be decoded.

/** A value cannot be encoded; says which field, what it holds and what was expected. */
export class FieldError extends Error {
  /** As in `route.points[2].latitude`; '' for the message itself. */
  public path: string
  private readonly reason: string

  public constructor(path: string, reason: string) {
    super()
    this.name = 'FieldError'
    this.path = path
    this.reason = reason
    this.message = this.text()
  }

  /** The same fault seen from the message around: `at` is the field that holds the inner one. */
  public inside(at: string): this {
    this.path = this.path === '' ? at : `${at}.${this.path}`
    this.message = this.text()
    return this
  }

  private text(): string {
    return this.path === '' ? this.reason : `${this.path}: ${this.reason}`
  }
}

/** Octets are no message of the type. */
export class WireFormatError extends Error {
  public constructor(message: string) {
    super(message)
    this.name = 'WireFormatError'
  }
}

/** A short text for any value, for messages. */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`
    case 'number':
      return `number ${value}`
    case 'bigint':
      return `bigint ${value}`
    case 'boolean':
      return `${value}`
    case 'object':
      if (value === null) return 'null'
      if (Array.isArray(value)) return 'an array'
      return `an object (${value.constructor?.name ?? 'no prototype'})`
    default:
      return typeof value
  }
}
