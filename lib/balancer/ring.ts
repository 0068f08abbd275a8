// The ring of ring_hash: each backend has entries at places that depend on nothing but its key, so that
// when backends come and go most keys stay where they were. Source: gRFC A42, grpc-go ringhash ring.go.
import { upper53, xxHash64 } from './xxhash64.ts'

/** A backend. */
export interface RingMember {
  readonly hashKey: string
  readonly weight: number
}

/** A place on the ring: the upper 53 bits of a hash. */
export type RingPosition = number

export const RING_CIRCUMFERENCE: number = 2 ** 53

/** Entries in the order of their positions. */
export class Ring {
  private readonly positions: Float64Array
  /** To which of the members an entry belongs. */
  private readonly owners: Uint32Array

  /**
   * A ring for at least one member, as large as the lightest member needs for a whole number of entries,
   * within bounds. The order of the members decides who has one entry more: give them in that of their
   * keys.
   */
  public constructor(members: readonly RingMember[], minSize: number, maxSize: number) {
    const total = members.reduce((sum, { weight }) => sum + weight, 0)
    const least = members.reduce((min, { weight }) => Math.min(min, weight), total) / total
    const scale = Math.min(Math.ceil(least * minSize) / least, maxSize)
    const positions: number[] = []
    const owners: number[] = []
    let wanted = 0
    for (const [owner, { hashKey, weight }] of members.entries()) {
      wanted += (scale * weight) / total
      for (let i = 0; positions.length < wanted; i++) {
        positions.push(ringPosition(`${hashKey}_${i}`))
        owners.push(owner)
      }
    }
    const order = Uint32Array.from(positions.keys()).sort((a, b) => positions[a]! - positions[b]!)
    this.positions = Float64Array.from(order, (i) => positions[i]!)
    this.owners = order.map((i) => owners[i]!)
  }

  public get size(): number {
    return this.positions.length
  }

  /** The first entry at or after a position. */
  public find(position: RingPosition): number {
    let low = 0
    let high = this.positions.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.positions[middle]! >= position) high = middle
      else low = middle + 1
    }
    return low === this.positions.length ? 0 : low
  }

  /** The member, by its place in the list, `steps` entries after an entry. */
  public ownerAfter(entry: number, steps: number): number {
    return this.owners[(entry + steps) % this.owners.length]!
  }
}

/** A ring with so many entries for each endpoint is not larger than this. */
const MAX_GROWN_SIZE = 128 * 1024

/**
 * The size of a ring whose lightest member has `entries`. Such a ring grows with its members: nobody's
 * entries become fewer when another one joins, as they do in a ring of one size.
 */
export function grownSize(members: readonly RingMember[], entries: number): number {
  const total = members.reduce((sum, { weight }) => sum + weight, 0)
  const least = members.reduce((min, { weight }) => Math.min(min, weight), total)
  return Math.min((entries * total) / least, MAX_GROWN_SIZE)
}

/** Where a key is on every ring. */
export function ringPosition(key: string): RingPosition {
  return upper53(xxHash64(key))
}
