// The lists that an encoder wrote lately, so that the same list need not be encoded again.
//
// A list's octets stay right as long as the table has not moved, if writing them moved nothing. A
// list is known by its identity alone: whoever uses this must not change an array once given. It is
// kept when it is seen twice under the same table, so that lists made for one call cost no more
// than a glance. (Freezing would make sure, but reading frozen arrays is four times slower.)
import { latin1 } from './string-literal.ts'

const SLOTS = 8
/** Longer encodings are not kept. */
const MAX_WIRE_BYTES = 128

/** By slot: parallel arrays are searched faster than an array of objects. */
export class ListMemo {
  private readonly lists: (readonly string[] | undefined)[] = new Array(SLOTS).fill(undefined)
  /** The table's version when the list was written last. */
  private readonly versions: number[] = new Array(SLOTS).fill(-1)
  /** What was written, one character an octet; undefined when it was not kept. */
  private readonly octets: (string | undefined)[] = new Array(SLOTS).fill(undefined)
  /** A bit for each slot that was copied since a new list looked for room there. */
  private usedSlots = 0
  /** Where a new list begins to look. */
  private next = 0

  /** The slot of a list, else -1. */
  public slotOf(fields: readonly string[]): number {
    for (let slot = 0; slot < SLOTS; slot++) if (this.lists[slot] === fields) return slot
    return -1
  }

  /** Writes the octets of a slot if they are kept and still right; returns the position after. */
  public copy(slot: number, version: number, buf: Buffer, pos: number): number {
    const octets = this.octets[slot]
    if (octets === undefined || this.versions[slot] !== version) return -1
    for (let i = 0; i < octets.length; i++) buf[pos + i] = octets.charCodeAt(i)
    this.usedSlots |= 1 << slot
    return pos + octets.length
  }

  /** Notes that the list of `slot` was written as `buf[start, end)` and left the table alone. */
  public keep(slot: number, version: number, buf: Buffer, start: number, end: number): void {
    const isSeen = this.versions[slot] === version && end - start <= MAX_WIRE_BYTES
    this.octets[slot] = isSeen ? latin1(buf, start, end) : undefined
    this.versions[slot] = version
  }

  /** Gives a list a slot that was not used lately; those passed over must be used again to stay. */
  public admit(fields: readonly string[], version: number): void {
    while ((this.usedSlots & (1 << this.next)) !== 0) {
      this.usedSlots &= ~(1 << this.next)
      this.next = (this.next + 1) % SLOTS
    }
    this.lists[this.next] = fields
    this.versions[this.next] = version
    this.octets[this.next] = undefined
    this.next = (this.next + 1) % SLOTS
  }
}
