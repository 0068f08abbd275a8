// Field lists to header blocks, RFC 7541 sections 4.2 and 6.
//
// It writes into memory that the caller reserved and never grows it. Whether a list is well-formed
// (RFC 9113 section 8) or within the peer's limit is not looked at.
import { EncoderTable } from './encoder-table.ts'
import { FIELD_OVERHEAD_BYTES, listBytes } from './header-block.ts'
import { defaultIndexing, Indexing } from './indexing.ts'
import { writeInteger } from './integer.ts'
import { ListMemo } from './list-memo.ts'
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
  WITHOUT_INDEXING,
} from './representation.ts'
import { writeString } from './string-literal.ts'

/** Two integers of at most 6 octets. */
const MAX_SIZE_UPDATES_OCTETS = 12

export interface HpackEncoderOptions {
  /** The table is never larger, whatever the peer allows. 4096. */
  maxTableBytes?: number
  /**
   * Decides how a field is written that no table holds; it must say the same for the same field.
   * Default: `defaultIndexing`.
   */
  indexing?: (name: string, value: string) => Indexing
  /** Whether strings are Huffman coded where that is shorter. True. */
  huffman?: boolean
  /**
   * Remembers lists by their identity: one that is written again while the table is the same is
   * copied. The caller promises not to change an array after it was given to `encode`. False.
   */
  rememberLists?: boolean
}

/** Encodes the header blocks of one direction of one connection, in their order on the wire. */
export class HpackEncoder {
  private readonly table: EncoderTable
  private readonly capBytes: number
  private readonly indexing: (name: string, value: string) => Indexing
  private readonly huffman: boolean
  /** The table size that the next block announces last, and the smallest since the block before. */
  private nextBytes: number
  private smallestBytes: number
  private readonly rememberLists: boolean
  private memo: ListMemo | undefined = undefined

  public constructor(options: HpackEncoderOptions = {}) {
    this.capBytes = options.maxTableBytes ?? INITIAL_TABLE_BYTES
    this.indexing = options.indexing ?? defaultIndexing
    this.huffman = options.huffman ?? true
    this.rememberLists = options.rememberLists ?? false
    this.table = new EncoderTable(INITIAL_TABLE_BYTES)
    this.nextBytes = INITIAL_TABLE_BYTES
    this.smallestBytes = INITIAL_TABLE_BYTES
    this.setPeerMaxTableBytes(INITIAL_TABLE_BYTES)
  }

  /** Size of the dynamic table's entries now. */
  public get tableBytes(): number {
    return this.table.bytes
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE, 0 to 2^32 - 1: the next block obeys it. */
  public setPeerMaxTableBytes(bytes: number): void {
    this.nextBytes = Math.min(bytes, this.capBytes)
    this.smallestBytes = Math.min(this.smallestBytes, this.nextBytes)
  }

  /**
   * An upper bound of the octets of a block with these fields, its size updates included. It is
   * `listBytes(fields)` and 12: what a field costs on the wire beyond its text, at most 1 octet and
   * two lengths, is less than the 32 that the list size counts.
   */
  public encodedBound(fields: readonly string[]): number {
    return listBytes(fields) + MAX_SIZE_UPDATES_OCTETS
  }

  /**
   * Begins a block: writes the size updates that are due, at most 12 octets. Returns the position
   * after them.
   */
  public begin(buf: Buffer, pos: number): number {
    // "the smallest maximum table size that occurs in that interval MUST be signaled in a dynamic
    // table size update. The final maximum size is always signaled, resulting in at most two"
    let after = pos
    if (this.smallestBytes < Math.min(this.nextBytes, this.table.maxBytes)) {
      after = this.resize(this.smallestBytes, buf, after)
    }
    if (this.nextBytes !== this.table.maxBytes) after = this.resize(this.nextBytes, buf, after)
    this.smallestBytes = this.nextBytes
    return after
  }

  /**
   * Appends a list to the block that was begun last; a block may take several, and must be sent once
   * it is begun. Returns the position after the list. `buf` must have room for
   * `encodedBound(fields)` octets after `pos`; octets behind the result may be clobbered up to there.
   *
   * `fields` is name, value, name, value… of which each character counts as one octet (its low 8
   * bits). `neverIndexed` has the indices of names whose fields must be never-indexed literals,
   * besides those that the policy says.
   */
  public encode(
    fields: readonly string[],
    buf: Buffer,
    pos: number,
    neverIndexed?: readonly number[],
  ): number {
    if (neverIndexed !== undefined) return this.writeMarked(fields, buf, pos, neverIndexed)
    return this.rememberLists
      ? this.writeRemembered(fields, buf, pos)
      : this.writeList(fields, buf, pos)
  }

  private writeList(fields: readonly string[], buf: Buffer, pos: number): number {
    let after = pos
    for (let i = 0; i < fields.length; i += 2) {
      after = this.writeField(fields[i]!, fields[i + 1]!, buf, after)
    }
    return after
  }

  private writeRemembered(fields: readonly string[], buf: Buffer, pos: number): number {
    this.memo ??= new ListMemo()
    const memo = this.memo
    const version = this.table.version
    const slot = memo.slotOf(fields)
    if (slot >= 0) {
      const copied = memo.copy(slot, version, buf, pos)
      if (copied >= 0) return copied
    }
    const after = this.writeList(fields, buf, pos)
    if (this.table.version !== version) return after
    if (slot >= 0) memo.keep(slot, version, buf, pos, after)
    else memo.admit(fields, version)
    return after
  }

  private writeMarked(
    fields: readonly string[],
    buf: Buffer,
    pos: number,
    neverIndexed: readonly number[],
  ): number {
    let after = pos
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i]!
      const value = fields[i + 1]!
      after = neverIndexed.includes(i)
        ? this.writeNever(name, value, buf, after)
        : this.writeField(name, value, buf, after)
    }
    return after
  }

  private writeField(name: string, value: string, buf: Buffer, pos: number): number {
    const found = this.table.find(name, value)
    if (found > 0) return writeInteger(buf, pos, INDEXED, INDEXED_MASK, found)
    const indexing = this.indexing(name, value)
    const bytes = name.length + value.length + FIELD_OVERHEAD_BYTES
    if (this.isInserted(indexing, name, bytes)) {
      const after = this.writeLiteral(INCREMENTAL, INCREMENTAL_MASK, -found, name, value, buf, pos)
      this.table.insert(name, value, bytes)
      return after
    }
    const pattern = indexing === Indexing.Never ? NEVER_INDEXED : WITHOUT_INDEXING
    return this.writeLiteral(pattern, LITERAL_MASK, -found, name, value, buf, pos)
  }

  /** What is larger than the table would only empty it (RFC 7541 4.4). */
  private isInserted(indexing: Indexing, name: string, bytes: number): boolean {
    if (bytes > this.table.maxBytes) return false
    if (indexing === Indexing.Adaptive) return this.table.earnsEntry(name)
    return indexing === Indexing.Incremental
  }

  private writeNever(name: string, value: string, buf: Buffer, pos: number): number {
    const nameIndex = this.table.findName(name)
    return this.writeLiteral(NEVER_INDEXED, LITERAL_MASK, nameIndex, name, value, buf, pos)
  }

  private writeLiteral(
    pattern: number,
    mask: number,
    nameIndex: number,
    name: string,
    value: string,
    buf: Buffer,
    pos: number,
  ): number {
    let after = writeInteger(buf, pos, pattern, mask, nameIndex)
    if (nameIndex === 0) after = writeString(name, buf, after, this.huffman)
    return writeString(value, buf, after, this.huffman)
  }

  private resize(bytes: number, buf: Buffer, pos: number): number {
    this.table.setMaxBytes(bytes)
    return writeInteger(buf, pos, SIZE_UPDATE, SIZE_UPDATE_MASK, bytes)
  }
}
