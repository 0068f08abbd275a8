// Header blocks to field lists, RFC 7541 sections 3 and 6.
//
// A block is parsed whole, never in pieces. Limits on the list stop the making of strings, not the
// decoding: the table must follow every block, or later ones would be misread. What the fields
// mean, and whether they are well-formed (RFC 9113 section 8), is not looked at.
import { BlockMemo, hashBlock } from './block-memo.ts'
import { DynamicTable } from './dynamic-table.ts'
import { HpackError } from './errors.ts'
import { FIELD_OVERHEAD_BYTES, type HeaderBlock } from './header-block.ts'
import { readInteger } from './integer.ts'
import {
  INCREMENTAL,
  INCREMENTAL_MASK,
  INDEXED,
  INDEXED_MASK,
  INITIAL_TABLE_BYTES,
  LITERAL_MASK,
  NEVER_INDEXED,
  SIZE_UPDATE,
  SIZE_UPDATE_MASK,
} from './representation.ts'
import { readString, type StringCursor } from './string-literal.ts'

const DEFAULT_MAX_LIST_BYTES = 16_384
const DEFAULT_MAX_FIELDS = 100

/** The last first octet of an indexed field whose index needs no further octet. */
const MAX_PLAIN_INDEXED = INDEXED + INDEXED_MASK - 1

const NO_UPDATE_DUE = -1
const NO_BUFFER = Buffer.alloc(0)

/** Where `decode`, which is never re-entered, reads: one for the process, empty between blocks. */
const cursor: StringCursor = { buf: NO_BUFFER, pos: 0, end: 0, stringBytes: 0 }

export interface HpackDecoderOptions {
  /** Table size in force at first: the protocol's default, or what both sides agreed on. 4096. */
  maxTableBytes?: number
  /** A list larger than this, counted as RFC 9113 10.5.1 does, is `exceeded`. 16384. */
  maxListBytes?: number
  /** A list with more fields than this is `exceeded`. 100. */
  maxFields?: number
}

/** A header block while it is made. */
interface Draft extends HeaderBlock {
  readonly fields: string[]
  listBytes: number
  neverIndexed: number[] | undefined
  exceeded: HeaderBlock['exceeded']
}

/** Decodes the header blocks of one direction of one connection, in their order on the wire. */
export class HpackDecoder {
  private readonly table: DynamicTable
  private readonly maxListBytes: number
  private readonly maxFields: number
  /** The largest table that the peer may ask for: our acknowledged setting. */
  private maxTableBytes: number
  /** The next block must begin with an update to at most this. */
  private updateDueBytes = NO_UPDATE_DUE
  private memo: BlockMemo | undefined = undefined
  private failure: unknown = undefined

  public constructor(options: HpackDecoderOptions = {}) {
    this.maxTableBytes = options.maxTableBytes ?? INITIAL_TABLE_BYTES
    this.maxListBytes = options.maxListBytes ?? DEFAULT_MAX_LIST_BYTES
    this.maxFields = options.maxFields ?? DEFAULT_MAX_FIELDS
    this.table = new DynamicTable(this.maxTableBytes)
  }

  /** Size of the dynamic table's entries now, at most what the setting allows. */
  public get tableBytes(): number {
    return this.table.bytes
  }

  /**
   * The peer acknowledged our SETTINGS_HEADER_TABLE_SIZE: blocks from here on obey it. If its
   * table was larger, the next block must begin with a size update (RFC 7541 4.2).
   */
  public setMaxTableBytes(bytes: number): void {
    this.maxTableBytes = bytes
    const dueBytes =
      this.updateDueBytes === NO_UPDATE_DUE ? this.table.maxBytes : this.updateDueBytes
    if (bytes < dueBytes) this.updateDueBytes = bytes
  }

  /**
   * Decodes the block `buf[start, end)`, which is *borrowed*: the strings own their memory.
   *
   * Throws {@link HpackError}, and the same again whenever it is called after that. The result may
   * be the very object that an equal block gave before.
   */
  public decode(buf: Buffer, start: number, end: number): HeaderBlock {
    if (this.failure !== undefined) throw this.failure
    const version = this.table.version
    const hash = hashBlock(buf, start, end)
    if (this.memo !== undefined && this.updateDueBytes === NO_UPDATE_DUE) {
      const known = this.memo.find(hash, version, buf, start, end)
      if (known !== undefined) return known
    }
    cursor.buf = buf
    cursor.pos = start
    cursor.end = end
    try {
      this.readSizeUpdates()
      const block = this.readFields(end - start)
      if (this.table.version === version) {
        this.memo ??= new BlockMemo()
        this.memo.offer(hash, version, buf, start, end, block)
      }
      return block
    } catch (error) {
      this.failure = error
      throw error
    } finally {
      cursor.buf = NO_BUFFER
    }
  }

  private readSizeUpdates(): void {
    while (cursor.pos < cursor.end && cursor.buf[cursor.pos]! >> 5 === SIZE_UPDATE >> 5) {
      const bytes = readInteger(cursor, SIZE_UPDATE_MASK)
      // "The new maximum size MUST be lower than or equal to the limit determined by the protocol
      // using HPACK"; the first after a reduction also obeys the smallest limit since (4.2).
      const limit = this.updateDueBytes === NO_UPDATE_DUE ? this.maxTableBytes : this.updateDueBytes
      if (bytes > limit) {
        throw new HpackError('size_update_too_large', `got ${bytes} octets, want at most ${limit}`)
      }
      this.updateDueBytes = NO_UPDATE_DUE
      this.table.setMaxBytes(bytes)
    }
    if (this.updateDueBytes === NO_UPDATE_DUE) return
    throw new HpackError(
      'size_update_missing',
      `a block must begin with a size update to at most ${this.updateDueBytes} octets`,
    )
  }

  private readFields(wireBytes: number): HeaderBlock {
    const list: Draft = {
      fields: [],
      wireBytes,
      listBytes: 0,
      neverIndexed: undefined,
      exceeded: undefined,
    }
    while (cursor.pos < cursor.end) {
      this.readIndexedRun(list)
      if (cursor.pos < cursor.end) this.readField(list)
    }
    return list
  }

  /**
   * The fast lane: fields of the tables in one octet, which is what most blocks consist of. Stops
   * at whatever is not that plain, an error or a limit included, and leaves it to `readField`.
   */
  private readIndexedRun(list: Draft): void {
    const { buf, end } = cursor
    const { table, maxListBytes } = this
    const fields = list.fields
    const maxLength = 2 * this.maxFields
    const lastOctet = Math.min(INDEXED + table.lastIndex, MAX_PLAIN_INDEXED)
    let listBytes = list.listBytes
    let pos = cursor.pos
    for (; pos < end && fields.length < maxLength; pos++) {
      const octet = buf[pos]!
      if (octet <= INDEXED || octet > lastOctet) break
      const index = octet & INDEXED_MASK
      const source = table.listOf(index)
      const slot = table.slotOf(index)
      const name = source[slot]!
      const value = source[slot + 1]!
      const bytes = name.length + value.length + FIELD_OVERHEAD_BYTES
      if (listBytes + bytes > maxListBytes) break
      listBytes += bytes
      fields.push(name, value)
    }
    list.listBytes = listBytes
    cursor.pos = pos
  }

  private readField(list: Draft): void {
    const octet = cursor.buf[cursor.pos]!
    if (octet >= INDEXED) this.readIndexed(list)
    else if (octet >= INCREMENTAL) this.readInserted(list)
    else if (octet < SIZE_UPDATE) this.readLiteral(list, octet >= NEVER_INDEXED)
    // "This dynamic table size update MUST occur at the beginning of the first header block"
    else throw new HpackError('size_update_late', 'got a size update after a field')
  }

  /** RFC 7541 6.1. */
  private readIndexed(list: Draft): void {
    const index = this.readIndex(INDEXED_MASK)
    const source = this.table.listOf(index)
    const slot = this.table.slotOf(index)
    const name = source[slot]!
    const value = source[slot + 1]!
    this.add(list, name, value, name.length + value.length + FIELD_OVERHEAD_BYTES, false)
  }

  /** RFC 7541 6.2.1. What the table will hold is made even when the list has no room for it. */
  private readInserted(list: Draft): void {
    const maxStringBytes = Math.max(this.roomBytes(list), this.table.maxBytes)
    const name = this.readName(INCREMENTAL_MASK, maxStringBytes)
    const nameBytes = cursor.stringBytes
    const value = readString(cursor, maxStringBytes)
    const bytes = nameBytes + cursor.stringBytes + FIELD_OVERHEAD_BYTES
    this.table.insert(name, value, bytes)
    this.add(list, name, value, bytes, false)
  }

  /** RFC 7541 6.2.2 and 6.2.3. */
  private readLiteral(list: Draft, never: boolean): void {
    const maxStringBytes = this.roomBytes(list)
    const name = this.readName(LITERAL_MASK, maxStringBytes)
    const nameBytes = cursor.stringBytes
    const value = readString(cursor, maxStringBytes)
    const bytes = nameBytes + cursor.stringBytes + FIELD_OVERHEAD_BYTES
    this.add(list, name, value, bytes, never)
  }

  /** A literal's name: an index, or 0 and a string. Leaves its octets in `cursor.stringBytes`. */
  private readName(mask: number, maxStringBytes: number): string {
    if ((cursor.buf[cursor.pos]! & mask) === 0) {
      cursor.pos++
      return readString(cursor, maxStringBytes)
    }
    const index = this.readIndex(mask)
    const name = this.table.listOf(index)[this.table.slotOf(index)]!
    cursor.stringBytes = name.length
    return name
  }

  private readIndex(mask: number): number {
    const index = readInteger(cursor, mask)
    // "The index value of 0 is not used. It MUST be treated as a decoding error"; "Indices strictly
    // greater than the sum of the lengths of both tables MUST be treated as a decoding error."
    if (index > 0 && index <= this.table.lastIndex) return index
    throw new HpackError('index_invalid', `got ${index}, want 1 to ${this.table.lastIndex}`)
  }

  /** A string longer than this cannot be part of the list any more. */
  private roomBytes(list: Draft): number {
    return list.exceeded === undefined ? this.maxListBytes - list.listBytes : -1
  }

  private add(list: Draft, name: string, value: string, bytes: number, never: boolean): void {
    list.listBytes += bytes
    if (list.exceeded !== undefined) return
    if (list.listBytes > this.maxListBytes) list.exceeded = 'listBytes'
    else if (list.fields.length === 2 * this.maxFields) list.exceeded = 'fields'
    else {
      if (never) {
        list.neverIndexed ??= []
        list.neverIndexed.push(list.fields.length)
      }
      list.fields.push(name, value)
    }
  }
}
