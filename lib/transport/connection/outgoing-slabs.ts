// Outgoing memory of a connection: frames are encoded into it in wire order and leave with the next
// flush.
//
//   sealed: [slab 64 KiB][slab 64 KiB]   current: [######·····]
//                                                        ^ pos
import type { Slabs, Wire } from '../io/wire.ts'

const EMPTY = Buffer.alloc(0)

export class OutgoingSlabs {
  /** The slab being filled; replaced by {@link OutgoingSlabs.reserve}. */
  public buf: Buffer = EMPTY
  /** Where the next octet goes in {@link OutgoingSlabs.buf}. */
  public pos = 0
  /** Octets handed to the wire so far. */
  public writtenBytes = 0
  private readonly slabs: Slabs
  private sealed: Buffer[] | undefined
  private sealedBytes = 0

  public constructor(slabs: Slabs) {
    this.slabs = slabs
  }

  /** Octets that wait for the next flush. */
  public get pendingBytes(): number {
    return this.sealedBytes + this.pos
  }

  /** Makes room for `octets` in one piece at `buf[pos…]`. */
  public reserve(octets: number): void {
    if (this.pos + octets > this.buf.length) this.replaceSlab(octets)
  }

  /** Hands everything over, as one write as a rule; several slabs leave corked. */
  public writeTo(wire: Wire): void {
    this.writtenBytes += this.pendingBytes
    if (this.sealed !== undefined) {
      wire.cork()
      for (const slab of this.sealed) this.writeSlab(wire, slab, slab.length)
      this.sealed = undefined
      this.sealedBytes = 0
      if (this.pos > 0) this.writeSlab(wire, this.buf, this.pos)
      wire.uncork()
    } else if (this.pos > 0) {
      this.writeSlab(wire, this.buf, this.pos)
    }
    this.buf = EMPTY
    this.pos = 0
  }

  /** Forgets what waits: the wire is gone. */
  public discard(): void {
    if (this.buf.length === this.slabs.slabBytes) this.slabs.give(this.buf)
    this.buf = EMPTY
    this.pos = 0
    this.sealed = undefined
    this.sealedBytes = 0
  }

  private replaceSlab(octets: number): void {
    if (this.pos > 0) {
      this.sealed ??= []
      this.sealed.push(this.buf.subarray(0, this.pos))
      this.sealedBytes += this.pos
    }
    const { slabs } = this
    this.buf = octets <= slabs.slabBytes ? slabs.take() : Buffer.allocUnsafeSlow(octets)
    this.pos = 0
  }

  // A whole slab that the wire has taken goes back to the pool. A sealed one is a shorter view of
  // its slab and is left to the garbage collector, as is memory that the wire keeps.
  private writeSlab(wire: Wire, slab: Buffer, length: number): void {
    const reusable = wire.write(length === slab.length ? slab : slab.subarray(0, length))
    if (reusable && slab.length === this.slabs.slabBytes) this.slabs.give(slab)
  }
}
