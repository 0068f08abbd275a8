// The dynamic table, RFC 7541 sections 2.3.2 and 4: entries in order of insertion, evicted when
// they no longer fit. It knows nothing of what a block looks like.
//
// Entries live in a ring: the one inserted as number `id` (from 0) is at `2 * (id & mask)`. An id
// never changes, an index does with every insertion: index = 61 + inserted - id.
import { FIELD_OVERHEAD_BYTES } from './header-block.ts'
import { STATIC_FIELDS, STATIC_LENGTH } from './static-table.ts'

const FIRST_CAPACITY = 8
const NO_ENTRIES: string[] = []

export class DynamicTable {
  /** How many entries there are. */
  public length = 0
  /** Their size, each its name + value + 32 (RFC 7541 4.1). */
  public bytes = 0
  /** How many entries were ever inserted. */
  public inserted = 0
  /** Changes with every change of the table: as long as it is the same, so are all indices. */
  public version = 0
  /** What they may take at most. */
  public maxBytes: number
  /** Names and values by turns. */
  private entries: string[] = NO_ENTRIES
  private mask = 0

  public constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  /** The largest index in use, static ones included (RFC 7541 2.3.3). */
  public get lastIndex(): number {
    return STATIC_LENGTH + this.length
  }

  /** Where the field with an index from 1 to `lastIndex` is: in which list, see `slotOf`. */
  public listOf(index: number): readonly string[] {
    return index <= STATIC_LENGTH ? STATIC_FIELDS : this.entries
  }

  /** Where in `listOf(index)` the field's name is; its value follows. */
  public slotOf(index: number): number {
    return index <= STATIC_LENGTH
      ? 2 * index
      : 2 * ((this.inserted + STATIC_LENGTH - index) & this.mask)
  }

  /** Evicts until the entries fit (RFC 7541 4.3). */
  public setMaxBytes(maxBytes: number): void {
    this.maxBytes = maxBytes
    this.version++
    this.evictTo(maxBytes)
  }

  /**
   * Inserts an entry of `bytes` octets (name + value + 32). One that is larger than the table
   * empties it and is not inserted (RFC 7541 4.4).
   */
  public insert(name: string, value: string, bytes: number): void {
    this.version++
    this.evictTo(this.maxBytes - bytes)
    if (bytes > this.maxBytes) return
    if (2 * this.length === this.entries.length) this.grow()
    const slot = 2 * (this.inserted & this.mask)
    this.entries[slot] = name
    this.entries[slot + 1] = value
    this.inserted++
    this.length++
    this.bytes += bytes
  }

  private evictTo(maxBytes: number): void {
    while (this.bytes > maxBytes && this.length > 0) this.evictOldest()
  }

  private evictOldest(): void {
    const id = this.inserted - this.length
    const slot = 2 * (id & this.mask)
    const name = this.entries[slot]!
    const value = this.entries[slot + 1]!
    this.entries[slot] = ''
    this.entries[slot + 1] = ''
    this.length--
    this.bytes -= name.length + value.length + FIELD_OVERHEAD_BYTES
    this.onEvicted(id, name, value)
  }

  /** Called after the entry left the table. */
  protected onEvicted(_id: number, _name: string, _value: string): void {}

  private grow(): void {
    const old = this.entries
    const oldMask = this.mask
    const capacity = this.length === 0 ? FIRST_CAPACITY : this.length * 2
    this.entries = new Array<string>(2 * capacity).fill('')
    this.mask = capacity - 1
    for (let id = this.inserted - this.length; id < this.inserted; id++) {
      const from = 2 * (id & oldMask)
      const to = 2 * (id & this.mask)
      this.entries[to] = old[from]!
      this.entries[to + 1] = old[from + 1]!
    }
  }
}
