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
    this.path = at + (this.path === '' || this.path.startsWith('[') ? '' : '.') + this.path
    this.message = this.text()
    return this
  }

  private text(): string {
    return this.path === '' ? this.reason : `${this.path}: ${this.reason}`
  }
}

/** Octets are no message of the type. */
export class WireFormatError extends Error {
  public constructor(typeName: string, cause: unknown) {
    super(`malformed ${typeName}: ${(cause as Error).message}`, { cause })
    this.name = 'WireFormatError'
  }
}

/** The error of a field that holds `got`; {@link nest} adds the field's name. */
export function badValue(got: unknown, want: string): FieldError {
  return new FieldError('', `got ${describeValue(got)}, want ${want}`)
}

/** Adds the name of the field that holds the value of which `thrown` tells. */
export function nest(thrown: unknown, at: string): unknown {
  return thrown instanceof FieldError ? thrown.inside(at) : thrown
}

/** A short text for any value, for messages. */
function describeValue(value: unknown): string {
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
