// A growing buffer that encoders write into.

const FIRST_CAPACITY = 1024

/**
 * Memory that an encoder appends to: `reserve(n)`, write at `buf[pos…]`, advance `pos`.
 *
 * The bytes belong to the sink until {@link ByteSink.detach}; a caller that keeps them must copy or
 * detach.
 */
export class ByteSink {
  /** The memory. Replaced when it grows: read it again after every `reserve`. */
  public buf: Buffer
  /** Where the next octet goes. */
  public pos = 0

  public constructor(capacity: number = FIRST_CAPACITY) {
    this.buf = Buffer.allocUnsafeSlow(capacity)
  }

  /** Makes room for `octets` more octets after `pos`. */
  public reserve(octets: number): void {
    const needed = this.pos + octets
    if (needed <= this.buf.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buf.length * 2))
    this.buf.copy(grown, 0, 0, this.pos)
    this.buf = grown
  }

  /** Appends a copy of `source[start, end)`. */
  public append(source: Uint8Array, start = 0, end: number = source.length): void {
    this.reserve(end - start)
    this.buf.set(
      start === 0 && end === source.length ? source : source.subarray(start, end),
      this.pos,
    )
    this.pos += end - start
  }

  /** Gives the written octets away and starts over with fresh memory. */
  public detach(): Buffer {
    const written = this.buf.subarray(0, this.pos)
    this.buf = Buffer.allocUnsafeSlow(FIRST_CAPACITY)
    this.pos = 0
    return written
  }
}
