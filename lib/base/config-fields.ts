// Reads configuration that came as JSON, field by field, and says of the first wrong one where it is,
// what came and what was expected. Knows no configuration. Durations as protobuf's JSON has them.

/** A configuration that means nothing. The message begins with the path of the field. */
export class ConfigError extends Error {
  public override readonly name: string = 'ConfigError'
}

/** The largest of protobuf's uint32. */
export const MAX_UINT32: number = 2 ** 32 - 1

type Json = Readonly<Record<string, unknown>>

const DURATION = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/

/** The fields of one object. Those that nobody asks for are allowed: newer writers know more. */
export class ConfigFields {
  /** Where this object is, as in `loadBalancingConfig[0].round_robin`. */
  public readonly path: string
  private readonly json: Json

  /** Throws {@link ConfigError} when `json` is no object. */
  public constructor(json: unknown, path: string) {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw wrong(path, json, 'an object')
    }
    this.json = json as Json
    this.path = path
  }

  /** Names of the fields that are there. */
  public get names(): readonly string[] {
    return Object.keys(this.json)
  }

  public has(name: string): boolean {
    return this.value(name) !== undefined
  }

  /** Undefined when absent; null counts as absent. */
  public value(name: string): unknown {
    const value = Object.hasOwn(this.json, name) ? this.json[name] : undefined
    return value === null ? undefined : value
  }

  /** Throws when the field is absent. */
  public required(name: string): this {
    if (this.has(name)) return this
    throw new ConfigError(`${this.pathOf(name)}: got nothing, want the field, which is required`)
  }

  public string(name: string): string | undefined {
    return this.typed(name, 'a string', (value) => typeof value === 'string') as string | undefined
  }

  public boolean(name: string): boolean | undefined {
    return this.typed(name, 'true or false', (value) => typeof value === 'boolean') as
      | boolean
      | undefined
  }

  /** A number within bounds, both included. Strings of digits count, as in protobuf's JSON. */
  public number(name: string, least: number, most: number): number | undefined {
    const value = this.value(name)
    if (value === undefined) return undefined
    const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
    if (typeof number === 'number' && number >= least && number <= most) return number
    throw wrong(this.pathOf(name), value, `a number from ${least} to ${most}`)
  }

  /** A whole number within bounds, both included. */
  public integer(name: string, least: number, most: number): number | undefined {
    const number = this.number(name, least, most)
    if (number === undefined || Number.isInteger(number)) return number
    throw wrong(this.pathOf(name), number, 'a whole number')
  }

  /** A duration such as `"1.5s"`, in ms, at least `leastMs`. */
  public durationMs(name: string, leastMs: number = 0): number | undefined {
    const value = this.value(name)
    if (value === undefined) return undefined
    const match = typeof value === 'string' ? DURATION.exec(value) : null
    if (match === null) throw wrong(this.pathOf(name), value, 'a duration such as "1.5s"')
    const [, sign, seconds, fraction = ''] = match
    const ms = Number(seconds) * 1000 + Number(fraction.padEnd(9, '0')) / 1e6
    const signed = sign === '-' ? -ms : ms
    if (signed < leastMs) {
      throw wrong(this.pathOf(name), value, `a duration of at least ${leastMs / 1000}s`)
    }
    return signed
  }

  /** An object inside this one. */
  public object(name: string): ConfigFields | undefined {
    const value = this.value(name)
    return value === undefined ? undefined : new ConfigFields(value, this.pathOf(name))
  }

  /** An object whose fields have names of the writer's choice, each of them an object read by `read`. */
  public map<T>(name: string, read: (fields: ConfigFields) => T): Map<string, T> | undefined {
    const fields = this.object(name)
    return (
      fields &&
      new Map(fields.names.map((key) => [key, read(fields.required(key).object(key)!)] as const))
    )
  }

  /** A list, each element read by `read`, which is told where the element is. */
  public list<T>(name: string, read: (value: unknown, path: string) => T): T[] | undefined {
    const value = this.value(name)
    if (value === undefined) return undefined
    if (!Array.isArray(value)) throw wrong(this.pathOf(name), value, 'a list')
    return value.map((element, i) => read(element, `${this.pathOf(name)}[${i}]`))
  }

  /** The path of a field, for messages. */
  public pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`
  }

  private typed(name: string, want: string, fits: (value: unknown) => boolean): unknown {
    const value = this.value(name)
    if (value === undefined || fits(value)) return value
    throw wrong(this.pathOf(name), value, want)
  }
}

const MAX_SHOWN_CHARS = 60

/** What says that a field is wrong. */
export function wrong(path: string, got: unknown, want: string): ConfigError {
  const text = JSON.stringify(got) ?? String(got)
  const shown = text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text
  return new ConfigError(`${path === '' ? 'config' : path}: got ${shown}, want ${want}`)
}
