// Field lists as people write and read them. RFC 9113 section 8.2, RFC 9110 section 5.
import { checkSend } from '../stream/header-rules.ts'

/** Names and values to send; names in any letter case. */
export type FieldInit =
  | Readonly<Record<string, string | readonly string[]>>
  | readonly (readonly [name: string, value: string])[]

/** The flat form `[name, value…]`, names in lower case, behind `pseudo`. Throws TransportUsageError. */
export function fieldList(
  pseudo: readonly string[],
  init: FieldInit | undefined,
  kind: 'request' | 'response' | 'trailers',
): readonly string[] {
  const fields = [...pseudo]
  for (const [name, values] of entriesOf(init ?? {})) {
    for (const value of typeof values === 'string' ? [values] : values) {
      fields.push(name.toLowerCase(), value)
    }
  }
  checkSend(fields, kind)
  return fields
}

type Entries = Iterable<readonly [string, string | readonly string[]]>

function entriesOf(init: FieldInit): Entries {
  return Array.isArray(init) ? (init as Entries) : (Object.entries(init) as Entries)
}

/** A received field list. */
export class Fields implements Iterable<[name: string, value: string]> {
  /** As it came: name, value, name, value…, pseudo-headers first. */
  public readonly list: readonly string[]

  public constructor(list: readonly string[]) {
    this.list = list
  }

  /** The value of a field; several are joined by `, ` (cookie crumbs by `; `). */
  public get(name: string): string | undefined {
    const values = this.getAll(name)
    if (values.length === 0) return undefined
    return values.join(name.toLowerCase() === 'cookie' ? '; ' : ', ')
  }

  /** All values of a field, in order. */
  public getAll(name: string): string[] {
    const wanted = name.toLowerCase()
    const values: string[] = []
    for (let i = 0; i < this.list.length; i += 2) {
      if (this.list[i] === wanted) values.push(this.list[i + 1]!)
    }
    return values
  }

  /** Names and values without pseudo-headers. */
  public *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    for (let i = 0; i < this.list.length; i += 2) {
      const name = this.list[i]!
      if (!name.startsWith(':')) yield [name, this.list[i + 1]!]
    }
  }
}
