// Integers of the wire, big endian.

/** Reads the 31 bits of an identifier or increment; the reserved bit is ignored (RFC 9113, 4.1). */
export function uint31(buf: Buffer, pos: number): number {
  return ((buf[pos]! & 0x7f) << 24) | (buf[pos + 1]! << 16) | (buf[pos + 2]! << 8) | buf[pos + 3]!
}

/** Reads 32 bits. */
export function uint32(buf: Buffer, pos: number): number {
  return ((buf[pos]! << 24) | (buf[pos + 1]! << 16) | (buf[pos + 2]! << 8) | buf[pos + 3]!) >>> 0
}
