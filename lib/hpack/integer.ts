// Integers with a prefix, RFC 7541 section 5.1.
import { HpackError } from './errors.ts'

/** A place in a block that the read functions advance. The buffer is *borrowed*. */
export interface Cursor {
  buf: Buffer
  pos: number
  /** Where the block ends, exclusive. */
  end: number
}

/** No integer of HPACK has a use for more; RFC 7541 5.1 asks decoders to set a limit. */
const MAX_INTEGER = 2 ** 31 - 1
const MAX_CONTINUATION_OCTETS = 5

/**
 * Reads an integer whose prefix is `mask` (such as 0x7f for 7 bits) of the octet at the cursor,
 * which must exist. The bits outside the mask are the caller's.
 */
export function readInteger(at: Cursor, mask: number): number {
  const prefix = at.buf[at.pos++]! & mask
  return prefix < mask ? prefix : readContinuation(at, mask)
}

function readContinuation(at: Cursor, prefix: number): number {
  let value = prefix
  let scale = 1
  for (let octets = 0; octets < MAX_CONTINUATION_OCTETS; octets++) {
    if (at.pos === at.end) {
      throw new HpackError('integer_truncated', 'the block ends inside an integer')
    }
    const octet = at.buf[at.pos++]!
    value += (octet & 0x7f) * scale
    if (octet < 0x80) return checkedInteger(value)
    scale *= 128
  }
  throw new HpackError(
    'integer_too_long',
    `an integer goes on after ${MAX_CONTINUATION_OCTETS} octets, want at most that many`,
  )
}

function checkedInteger(value: number): number {
  if (value <= MAX_INTEGER) return value
  throw new HpackError('integer_too_large', `got the integer ${value}, want below 2^31`)
}

/** How many octets an integer with the prefix `mask` takes: 1 to 6. */
export function integerOctets(mask: number, value: number): number {
  let octets = 1
  if (value >= mask) {
    octets++
    for (let rest = value - mask; rest >= 0x80; rest >>>= 7) octets++
  }
  return octets
}

/**
 * Writes `value` with the prefix `mask`, `pattern` in the bits outside of it; returns the position
 * after it. Takes at most 6 octets for values below 2^31.
 */
export function writeInteger(
  buf: Buffer,
  pos: number,
  pattern: number,
  mask: number,
  value: number,
): number {
  if (value < mask) {
    buf[pos] = pattern | value
    return pos + 1
  }
  buf[pos++] = pattern | mask
  let rest = value - mask
  for (; rest >= 0x80; rest >>>= 7) buf[pos++] = 0x80 | (rest & 0x7f)
  buf[pos] = rest
  return pos + 1
}
