// The primitives of generated encoders: checked values into a ByteSink.
// Functions named put* with (buf, pos, …) expect room and return the next position; those that take a
// sink make room themselves. Source: protobuf.dev "Encoding".
import type { ByteSink } from '../../base/byte-sink.ts'
import { describeValue, FieldError } from './proto-errors.ts'
import type { EnumSchema } from './schema.ts'

/** One 64-bit number, seen as bigint and as two halves. */
const scratch64 = new BigInt64Array(1)
const halves = new Uint32Array(scratch64.buffer)
const scratchU64 = new BigUint64Array(scratch64.buffer)
const scratchDouble = new Float64Array(scratch64.buffer)
const scratchFloat = new Float32Array(scratch64.buffer, 0, 1)
const octets = new Uint8Array(scratch64.buffer)
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
const LOW = LITTLE_ENDIAN ? 0 : 1
const HIGH = LITTLE_ENDIAN ? 1 : 0

/** Longest varint. */
export const MAX_VARINT_BYTES = 10

/** The error of a field that holds `got`. */
export function badValue(fieldName: string, got: unknown, want: string): FieldError {
  return new FieldError(fieldName, `got ${describeValue(got)}, want ${want}`)
}

/** Adds the name of the field that holds the message in which `thrown` arose. */
export function nest(thrown: unknown, at: string): unknown {
  return thrown instanceof FieldError ? thrown.inside(at) : thrown
}

/** The error of a oneof with two members. */
export function oneofTwice(oneof: string, first: string, second: string): FieldError {
  return new FieldError(oneof, `got both ${first} and ${second}, want one member of the oneof`)
}

/** The error of messages nested too deep, or in themselves. */
export function tooDeep(messageName: string): FieldError {
  return new FieldError('', `${messageName} nested deeper than 100 messages`)
}

export function putUint32(buf: Buffer, pos: number, value: number): number {
  let rest = value
  while (rest > 127) {
    buf[pos++] = (rest & 127) | 128
    rest >>>= 7
  }
  buf[pos++] = rest
  return pos
}

/** Negative numbers take ten octets, as their 64-bit form. */
export function putInt32(buf: Buffer, pos: number, value: number): number {
  if (value >= 0) return putUint32(buf, pos, value)
  buf[pos] = (value & 127) | 128
  buf[pos + 1] = ((value >>> 7) & 127) | 128
  buf[pos + 2] = ((value >>> 14) & 127) | 128
  buf[pos + 3] = ((value >>> 21) & 127) | 128
  buf[pos + 4] = (value >>> 28) | 0xf0
  buf[pos + 5] = 255
  buf[pos + 6] = 255
  buf[pos + 7] = 255
  buf[pos + 8] = 255
  buf[pos + 9] = 1
  return pos + 10
}

export function putSint32(buf: Buffer, pos: number, value: number): number {
  return putUint32(buf, pos, ((value << 1) ^ (value >> 31)) >>> 0)
}

export function putFixed32(buf: Buffer, pos: number, value: number): number {
  buf[pos] = value
  buf[pos + 1] = value >>> 8
  buf[pos + 2] = value >>> 16
  buf[pos + 3] = value >>> 24
  return pos + 4
}

export function putFloat(buf: Buffer, pos: number, value: number): number {
  scratchFloat[0] = value
  for (let i = 0; i < 4; i++) buf[pos + i] = octets[LITTLE_ENDIAN ? i : 3 - i]!
  return pos + 4
}

export function putDouble(buf: Buffer, pos: number, value: number): number {
  scratchDouble[0] = value
  if (!LITTLE_ENDIAN) return putFixed64(buf, pos)
  buf[pos] = octets[0]!
  buf[pos + 1] = octets[1]!
  buf[pos + 2] = octets[2]!
  buf[pos + 3] = octets[3]!
  buf[pos + 4] = octets[4]!
  buf[pos + 5] = octets[5]!
  buf[pos + 6] = octets[6]!
  buf[pos + 7] = octets[7]!
  return pos + 8
}

const WANT_INT64 = 'a bigint, integer, decimal string or Long from -2^63 to 2^63-1'
const WANT_UINT64 = 'a bigint, integer, decimal string or Long from 0 to 2^64-1'

/** Loads a signed 64-bit value into the scratch for {@link putVarint64}, {@link putFixed64}. */
export function loadInt64(value: unknown, fieldName: string): void {
  if (typeof value === 'bigint') {
    scratch64[0] = value
    if (scratch64[0] !== value) throw badValue(fieldName, value, WANT_INT64)
  } else if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw badValue(fieldName, value, WANT_INT64)
    halves[LOW] = value
    halves[HIGH] = Math.floor(value / 2 ** 32)
  } else if (isLong(value)) {
    if (value.unsigned === true && value.high < 0) throw badValue(fieldName, value, WANT_INT64)
    halves[LOW] = value.low
    halves[HIGH] = value.high
  } else loadInt64(parseInteger(value, fieldName, WANT_INT64), fieldName)
}

/** Loads an unsigned 64-bit value, as {@link loadInt64}. */
export function loadUint64(value: unknown, fieldName: string): void {
  if (typeof value === 'bigint') {
    scratchU64[0] = value
    if (scratchU64[0] !== value) throw badValue(fieldName, value, WANT_UINT64)
  } else if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || value < 0) throw badValue(fieldName, value, WANT_UINT64)
    halves[LOW] = value
    halves[HIGH] = value / 2 ** 32
  } else if (isLong(value)) {
    if (value.unsigned !== true && value.high < 0) throw badValue(fieldName, value, WANT_UINT64)
    halves[LOW] = value.low
    halves[HIGH] = value.high
  } else loadUint64(parseInteger(value, fieldName, WANT_UINT64), fieldName)
}

/** Loads a signed 64-bit value in its zigzag form. */
export function loadSint64(value: unknown, fieldName: string): void {
  loadInt64(value, fieldName)
  const low = halves[LOW]!
  const high = halves[HIGH]!
  const sign = -(high >>> 31)
  halves[HIGH] = ((high << 1) | (low >>> 31)) ^ sign
  halves[LOW] = (low << 1) ^ sign
}

function parseInteger(value: unknown, fieldName: string, want: string): bigint {
  if (typeof value !== 'string' || !/^-?\d{1,20}$/.test(value)) {
    throw badValue(fieldName, value, want)
  }
  return BigInt(value)
}

interface LongLike {
  readonly low: number
  readonly high: number
  readonly unsigned?: boolean
}

function isLong(value: unknown): value is LongLike {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as LongLike).low === 'number' &&
    typeof (value as LongLike).high === 'number'
  )
}

/** Whether the loaded 64-bit value is not zero. */
export function isLoaded(): boolean {
  return (halves[LOW]! | halves[HIGH]!) !== 0
}

/** Writes the loaded 64-bit value as a varint. */
export function putVarint64(buf: Buffer, pos: number): number {
  let low = halves[LOW]!
  let high = halves[HIGH]!
  while (high !== 0) {
    buf[pos++] = (low & 127) | 128
    low = ((low >>> 7) | (high << 25)) >>> 0
    high >>>= 7
  }
  return putUint32(buf, pos, low)
}

/** Writes the loaded 64-bit value in eight octets. */
export function putFixed64(buf: Buffer, pos: number): number {
  putFixed32(buf, pos, halves[LOW]!)
  putFixed32(buf, pos + 4, halves[HIGH]!)
  return pos + 8
}

/** The number of an enum value given by name or number. */
export function enumNumber(schema: EnumSchema, value: unknown, fieldName: string): number {
  const number = typeof value === 'string' ? schema.numberOf.get(value) : value
  if (typeof number !== 'number' || (number | 0) !== number) {
    throw badValue(fieldName, value, `a name or number of ${schema.name}`)
  }
  return number
}

/** Texts up to this length are worth a loop before the call into native code. */
const SHORT_TEXT = 40
const LONE_SURROGATE = /\p{Surrogate}/u

/** Appends a tag and text behind its length. */
export function putString(out: ByteSink, tag: number, value: unknown, fieldName: string): void {
  if (typeof value !== 'string') throw badValue(fieldName, value, 'a string')
  const { length } = value
  out.reserve(MAX_VARINT_BYTES + length * 3)
  const { buf } = out
  let pos = putUint32(buf, out.pos, tag)
  if (length <= SHORT_TEXT) {
    // ASCII has as many octets as characters, so the length is known before.
    let at = pos + 1
    let i = 0
    for (; i < length; i++) {
      const char = value.charCodeAt(i)
      if (char > 127) break
      buf[at++] = char
    }
    if (i === length) {
      buf[pos] = length
      out.pos = at
      return
    }
  }
  const reserved = varintBytes(length)
  const octetCount = buf.write(value, pos + reserved)
  if (octetCount !== length && LONE_SURROGATE.test(value)) {
    throw badValue(fieldName, value, 'text without lone surrogates')
  }
  const needed = varintBytes(octetCount)
  if (needed !== reserved) buf.copyWithin(pos + needed, pos + reserved, pos + reserved + octetCount)
  pos = putUint32(buf, pos, octetCount)
  out.pos = pos + octetCount
}

/** Appends a tag and octets behind their length. */
export function putBytes(out: ByteSink, tag: number, value: unknown, fieldName: string): void {
  if (!(value instanceof Uint8Array)) throw badValue(fieldName, value, 'a Uint8Array')
  const { length } = value
  out.reserve(MAX_VARINT_BYTES + length)
  const pos = putUint32(out.buf, putUint32(out.buf, out.pos, tag), length)
  out.buf.set(value, pos)
  out.pos = pos + length
}

/** Appends a tag alone. */
export function putTag(out: ByteSink, tag: number): void {
  out.reserve(MAX_VARINT_BYTES)
  out.pos = putUint32(out.buf, out.pos, tag)
}

/**
 * Begins a length-delimited field: the tag, and `lengthBytes` octets of room for its length, which is
 * a guess. Returns where the content starts.
 */
export function beginDelimited(out: ByteSink, tag: number, lengthBytes: number): number {
  out.reserve(MAX_VARINT_BYTES)
  out.pos = putUint32(out.buf, out.pos, tag) + lengthBytes
  return out.pos
}

/** Writes the length of the content begun at `start`, moving it when the guess was wrong. Returns the right guess. */
export function endDelimited(out: ByteSink, start: number, lengthBytes: number): number {
  const length = out.pos - start
  const needed = varintBytes(length)
  if (needed !== lengthBytes) {
    out.reserve(MAX_VARINT_BYTES)
    out.buf.copyWithin(start - lengthBytes + needed, start, out.pos)
    out.pos += needed - lengthBytes
  }
  putUint32(out.buf, start - lengthBytes, length)
  return needed
}

function varintBytes(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  return value < 0x1000_0000 ? 4 : 5
}

/** Anything with numbered elements: arrays and typed arrays. */
export function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))
}

/** The entries of a Map or of a plain object. */
export function entriesOf(
  value: unknown,
  fieldName: string,
): Iterable<readonly [key: unknown, value: unknown]> {
  if (value instanceof Map) return value
  if (typeof value === 'object' && value !== null && !isList(value)) return Object.entries(value)
  throw badValue(fieldName, value, 'a Map or a plain object')
}

/** A map's key as its type wants it: property names are text whatever the type. */
export function integerKey(key: unknown): unknown {
  return typeof key === 'string' && /^-?\d{1,10}$/.test(key) ? Number(key) : key
}

/** As {@link integerKey}, for booleans. */
export function boolKey(key: unknown): unknown {
  if (key === 'true') return true
  return key === 'false' ? false : key
}
