// Metadata of a call: an ordered list of names and values, read lazily from received fields.
// The rules for names and values are in metadata-rules.ts.
import { Code } from '../../base/status.ts'
import { FIELD_OVERHEAD_BYTES } from '../../transport/index.ts'
import { MetadataError } from './metadata-error.ts'
import {
  decodeBinaryValues,
  encodeBinaryValue,
  isBinaryName,
  isBinaryText,
  isHiddenName,
  isMetadataName,
  isReservedName,
  isTextValue,
} from './metadata-rules.ts'

/** A value: text, or octets under a name that ends in `-bin`. */
export type MetadataValue = string | Uint8Array

/** What {@link Metadata.get} gives for a name. */
export type ReceivedValue<Name extends string> = Name extends `${string}-bin`
  ? Buffer
  : string extends Name
    ? string | Buffer
    : string

/** What metadata can be made of. */
export type MetadataInit =
  | Metadata
  | Iterable<readonly [name: string, value: MetadataValue]>
  | Readonly<Record<string, MetadataValue | readonly MetadataValue[]>>

/** Names and values sent beyond this size are refused: many peers and proxies would do so. */
export const MAX_METADATA_BYTES = 8192

type Entries = (string | Buffer)[]

/**
 * The metadata of one direction of a call: headers or trailers. Names are case-insensitive and kept
 * in lower case; a name may have several values, whose order is kept.
 *
 * Names are `[0-9a-z_.-]+`. Values are printable ASCII without outer white space; names that end in
 * `-bin` take a Uint8Array, which is kept, not copied. Anything else throws a
 * {@link MetadataError} that names the key, as do names which the protocol uses itself.
 */
export class Metadata implements Iterable<[name: string, value: string | Buffer]> {
  /** name, value, name, value… once somebody asked; until then `received` has them. */
  private entryList: Entries | undefined
  private received: readonly string[]

  public constructor() {
    this.entryList = []
    this.received = NO_FIELDS
  }

  /** Metadata with the entries of `init`. */
  public static from(init: MetadataInit): Metadata {
    if (init instanceof Metadata) return init.clone()
    const metadata = new Metadata()
    if (isIterable(init)) {
      for (const [name, value] of init) metadata.append(name, value)
      return metadata
    }
    for (const [name, value] of Object.entries(init)) {
      if (typeof value === 'string' || value instanceof Uint8Array) metadata.append(name, value)
      else if (Array.isArray(value)) for (const each of value) metadata.append(name, each)
      else throw badValue(name.toLowerCase(), value)
    }
    return metadata
  }

  /**
   * Metadata of a received field list, which must have passed {@link binaryFault}. Keeps the list
   * and reads it when first asked. Fields of the protocol itself are left out.
   */
  public static fromFields(fields: readonly string[]): Metadata {
    const metadata = new Metadata()
    metadata.entryList = undefined
    metadata.received = fields
    return metadata
  }

  /** Number of values over all names. */
  public get size(): number {
    return this.list().length >> 1
  }

  /** The first value of `name`. */
  public get<Name extends string>(name: Name): ReceivedValue<Name> | undefined {
    const key = name.toLowerCase()
    const { entryList, received } = this
    if (entryList === undefined) return receivedValue(received, key) as ReceivedValue<Name>
    const at = indexOfName(entryList, key, 0)
    return at < 0 ? undefined : (entryList[at + 1] as ReceivedValue<Name>)
  }

  /** All values of `name`, in order. */
  public getAll<Name extends string>(name: Name): ReceivedValue<Name>[] {
    const list = this.list()
    const key = name.toLowerCase()
    const values: (string | Buffer)[] = []
    for (let at = indexOfName(list, key, 0); at >= 0; at = indexOfName(list, key, at + 2)) {
      values.push(list[at + 1]!)
    }
    return values as ReceivedValue<Name>[]
  }

  public has(name: string): boolean {
    return this.get(name) !== undefined
  }

  /** Replaces all values of `name` by one. */
  public set(name: string, value: MetadataValue): this {
    const key = checkName(name)
    const checked = checkValue(key, value)
    this.delete(key)
    this.list().push(key, checked)
    return this
  }

  /** Adds a value after those that `name` has. */
  public append(name: string, value: MetadataValue): this {
    const key = checkName(name)
    this.list().push(key, checkValue(key, value))
    return this
  }

  /** Removes all values of `name`; false when there was none. */
  public delete(name: string): boolean {
    const list = this.list()
    const key = name.toLowerCase()
    let kept = 0
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === key) continue
      list[kept] = list[i]!
      list[kept + 1] = list[i + 1]!
      kept += 2
    }
    const removed = kept < list.length
    list.length = kept
    return removed
  }

  /**
   * Adds all values of `other` after those that are here; of received metadata only what an
   * application may send, so that it can be passed on.
   */
  public merge(other: MetadataInit): this {
    const source = other instanceof Metadata ? other : Metadata.from(other)
    const list = this.list()
    const added = source.list()
    const wasReceived = source.received !== NO_FIELDS
    // By index up to a length taken before: merging metadata into itself must end.
    for (let i = 0, length = added.length; i < length; i += 2) {
      if (wasReceived && isReservedName(added[i] as string)) continue
      list.push(added[i]!, added[i + 1]!)
    }
    return this
  }

  /** A copy; values of `-bin` names are shared. */
  public clone(): Metadata {
    const copy = new Metadata()
    copy.entryList = this.entryList?.slice()
    copy.received = this.received
    return copy
  }

  /** Names and values in order; a name with several values comes several times. */
  public *entries(): IterableIterator<[name: string, value: string | Buffer]> {
    const list = this.list()
    for (let i = 0; i < list.length; i += 2) yield [list[i] as string, list[i + 1]!]
  }

  public [Symbol.iterator](): IterableIterator<[name: string, value: string | Buffer]> {
    return this.entries()
  }

  /**
   * Appends the fields for sending to `fields`. Entries received under names that only the library
   * may send are left out, so that received metadata can be passed on. Throws MetadataError
   * RESOURCE_EXHAUSTED when name + value + 32 over all of them exceed `maxBytes`.
   */
  public toFields(fields: string[], maxBytes: number = MAX_METADATA_BYTES): void {
    const list = this.list()
    let bytes = 0
    for (let i = 0; i < list.length; i += 2) {
      const name = list[i] as string
      const value = list[i + 1]!
      if (this.received !== NO_FIELDS && isReservedName(name)) continue
      const text = typeof value === 'string' ? value : encodeBinaryValue(value)
      bytes += name.length + text.length + FIELD_OVERHEAD_BYTES
      fields.push(name, text)
    }
    if (bytes > maxBytes) {
      throw new MetadataError(
        'metadata_too_large',
        `metadata to send larger than max (${bytes} vs. ${maxBytes})`,
        Code.ResourceExhausted,
      )
    }
  }

  private list(): Entries {
    return this.entryList ?? this.readReceived()
  }

  private readReceived(): Entries {
    const { received } = this
    const list: Entries = []
    for (let i = 0; i < received.length; i += 2) {
      const name = received[i]!
      if (isHiddenName(name)) continue
      if (!isBinaryName(name)) list.push(name, received[i + 1]!)
      else for (const value of decodeBinaryValues(received[i + 1]!)) list.push(name, value)
    }
    this.entryList = list
    return list
  }
}

const NO_FIELDS: readonly string[] = []

/** The fault of a received `-bin` field as text, undefined when it is well-formed. */
export function binaryFault(name: string, value: string): string | undefined {
  return isBinaryText(value)
    ? undefined
    : `malformed binary metadata in field "${name}": got ${JSON.stringify(value.slice(0, 64))}, want base64`
}

/** The first value of a name in received fields, without reading the others. */
function receivedValue(fields: readonly string[], key: string): string | Buffer | undefined {
  const at = isHiddenName(key) ? -1 : indexOfName(fields, key, 0)
  if (at < 0) return undefined
  const value = fields[at + 1] as string
  return isBinaryName(key) ? decodeBinaryValues(value)[0] : value
}

function indexOfName(list: readonly unknown[], name: string, from: number): number {
  for (let i = from; i < list.length; i += 2) if (list[i] === name) return i
  return -1
}

function isIterable(init: object): init is Iterable<readonly [string, MetadataValue]> {
  return Symbol.iterator in init
}

function checkName(name: string): string {
  const key = name.toLowerCase()
  if (!isMetadataName(key) && !key.startsWith(':')) {
    throw new MetadataError(
      'metadata_name_invalid',
      `metadata name ${JSON.stringify(name)}: want characters of 0-9 a-z _ . -`,
    )
  }
  if (isReservedName(key)) {
    throw new MetadataError(
      'metadata_name_reserved',
      `metadata name "${key}": want a name that the protocol does not use itself`,
    )
  }
  return key
}

function checkValue(key: string, value: unknown): string | Buffer {
  if (isBinaryName(key)) {
    if (!(value instanceof Uint8Array)) throw badValue(key, value)
    return Buffer.isBuffer(value)
      ? value
      : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  }
  if (typeof value !== 'string' || !isTextValue(value)) throw badValue(key, value)
  return value
}

function badValue(key: string, value: unknown): MetadataError {
  const want = isBinaryName(key)
    ? 'a Uint8Array'
    : 'printable ASCII without outer white space (octets go under a name ending in -bin)'
  const got = typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : kindOf(value)
  return new MetadataError(
    'metadata_value_invalid',
    `metadata value of "${key}": got ${got}, want ${want}`,
  )
}

function kindOf(value: unknown): string {
  if (value instanceof Uint8Array) return 'octets'
  return value === null ? 'null' : typeof value
}
