// The blocks that a decoder saw lately, so that the same octets need not be decoded again.
//
// A block's octets mean the same fields as long as the table has not moved, if the block itself
// moves nothing. A block is kept when it is seen twice under the same table: traffic that never
// repeats leaves nothing here.
import type { HeaderBlock } from './header-block.ts'
import { latin1 } from './string-literal.ts'

const SLOTS = 8
/** Larger blocks are not kept; with these two limits a memo takes 16 KB at the very most. */
const MAX_WIRE_BYTES = 128
const MAX_LIST_BYTES = 1024

interface Slot {
  /** Hash of the block that was offered last, and the table's version then. */
  seenHash: number
  seenVersion: number
  /** Octets of the block that is kept, one character each. */
  key: string
  /** The table's version that the block belongs to. */
  version: number
  block: HeaderBlock | undefined
}

export class BlockMemo {
  private readonly slots: (Slot | undefined)[] = new Array(SLOTS).fill(undefined)

  /**
   * The fields of the block `buf[start, end)`, whose hash is `hashBlock` of it, if the block is
   * kept and the table still has the same version.
   */
  public find(
    hash: number,
    version: number,
    buf: Buffer,
    start: number,
    end: number,
  ): HeaderBlock | undefined {
    const slot = this.slots[hash % SLOTS]
    if (slot === undefined || slot.version !== version) return undefined
    return matches(slot.key, buf, start, end) ? slot.block : undefined
  }

  /** Notes a decoded block that left the table as it was, or keeps it. */
  public offer(
    hash: number,
    version: number,
    buf: Buffer,
    start: number,
    end: number,
    block: HeaderBlock,
  ): void {
    if (end - start > MAX_WIRE_BYTES || block.listBytes > MAX_LIST_BYTES) return
    const slot = this.slots[hash % SLOTS]
    if (slot === undefined) {
      this.slots[hash % SLOTS] = newSlot(hash, version)
    } else if (slot.seenHash !== hash || slot.seenVersion !== version) {
      slot.seenHash = hash
      slot.seenVersion = version
    } else {
      slot.key = latin1(buf, start, end)
      slot.version = version
      slot.block = block
    }
  }
}

function newSlot(seenHash: number, seenVersion: number): Slot {
  return { seenHash, seenVersion, key: '', version: -1, block: undefined }
}

/** A small hash of a block's length and of at most 16 of its octets. */
export function hashBlock(buf: Buffer, start: number, end: number): number {
  const stride = 1 + ((end - start) >> 4)
  let hash = end - start
  for (let pos = end - 1; pos >= start; pos -= stride) hash = (hash * 31 + buf[pos]!) & 0xffffff
  return hash
}

function matches(key: string, buf: Buffer, start: number, end: number): boolean {
  if (key.length !== end - start) return false
  for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) !== buf[start + i]) return false
  return true
}
