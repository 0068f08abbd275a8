// String literals, RFC 7541 section 5.2: to and from latin1 strings, one character an octet.
import { HpackError } from './errors.ts'
import { decodeHuffman, encodeHuffman, maxDecodedOctets } from './huffman.ts'
import { type Cursor, integerOctets, readInteger, writeInteger } from './integer.ts'

const HUFFMAN_FLAG = 0x80
const LENGTH_MASK = 0x7f

/** Methods that every Buffer of Node has and its types leave out. */
interface Latin1Buffer extends Buffer {
  latin1Slice(start: number, end: number): string
  latin1Write(text: string, pos: number, octets: number): number
}

/** What {@link readString} advances. */
export interface StringCursor extends Cursor {
  /** Octets of the string read last, decoded, whether it was made or not. */
  stringBytes: number
}

/**
 * Reads a string literal and advances the cursor. A string longer than `maxBytes` is checked and
 * measured but not made: the result is empty. What is made owns its memory.
 */
export function readString(at: StringCursor, maxBytes: number): string {
  if (at.pos >= at.end) {
    throw new HpackError('string_missing', 'the block ends where a string should begin')
  }
  const isHuffman = at.buf[at.pos]! >= HUFFMAN_FLAG
  const octets = readInteger(at, LENGTH_MASK)
  const start = at.pos
  if (octets > at.end - start) {
    const left = at.end - start
    throw new HpackError('string_truncated', `got a string of ${octets} octets, ${left} are left`)
  }
  at.pos = start + octets
  if (isHuffman) return readHuffman(at, start, maxBytes)
  at.stringBytes = octets
  return octets > maxBytes ? '' : latin1(at.buf, start, at.pos)
}

function readHuffman(at: StringCursor, start: number, maxBytes: number): string {
  const out = scratchOf(maxDecodedOctets(at.pos - start) + 1)
  at.stringBytes = decodeHuffman(at.buf, start, at.pos, out)
  return at.stringBytes > maxBytes ? '' : latin1(out, 0, at.stringBytes)
}

/** Copies octets into a string of its own, so that it never pins the buffer. */
export function latin1(buf: Buffer, start: number, end: number): string {
  return start === end ? '' : (buf as Latin1Buffer).latin1Slice(start, end)
}

const MAX_KEPT_SCRATCH_BYTES = 16_384
let scratch = Buffer.allocUnsafeSlow(512)

/** Process-wide memory to decode one string into; what is larger than the limit is not kept. */
function scratchOf(bytes: number): Buffer {
  if (bytes <= scratch.length) return scratch
  if (bytes > MAX_KEPT_SCRATCH_BYTES) return Buffer.allocUnsafeSlow(bytes)
  scratch = Buffer.allocUnsafeSlow(Math.min(bytes * 2, MAX_KEPT_SCRATCH_BYTES))
  return scratch
}

/**
 * Writes a latin1 string (of each character the low 8 bits); returns the position after it. With
 * `huffman` it is Huffman coded where that is shorter, so it never takes more than 5 octets and
 * its length.
 */
export function writeString(text: string, buf: Buffer, pos: number, huffman: boolean): number {
  if (huffman) {
    const after = writeIfShorter(text, buf, pos)
    if (after >= 0) return after
  }
  return writeLatin1(text, buf, writeInteger(buf, pos, 0, LENGTH_MASK, text.length))
}

/**
 * Writes the Huffman form in one pass: it leaves as many octets for the length as that of the plain
 * form takes, and closes the gap in the rare case that a smaller length needs fewer.
 */
function writeIfShorter(text: string, buf: Buffer, pos: number): number {
  const start = pos + integerOctets(LENGTH_MASK, text.length)
  const end = encodeHuffman(text, buf, start, start + text.length)
  if (end < 0) return -1
  const after = writeInteger(buf, pos, HUFFMAN_FLAG, LENGTH_MASK, end - start)
  if (after === start) return end
  buf.copyWithin(after, start, end)
  return end - (start - after)
}

/** Up to this length a loop beats the call into the runtime. */
const MAX_LOOP_OCTETS = 32

function writeLatin1(text: string, buf: Buffer, pos: number): number {
  if (text.length > MAX_LOOP_OCTETS) {
    return pos + (buf as Latin1Buffer).latin1Write(text, pos, text.length)
  }
  for (let i = 0; i < text.length; i++) buf[pos + i] = text.charCodeAt(i)
  return pos + text.length
}
