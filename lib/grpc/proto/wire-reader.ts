// The primitives of generated decoders: a cursor over octets that never reads past its end without
// noticing. Source: protobuf.dev "Encoding".
import { isUtf8 } from 'node:buffer'
import { WireFormatError } from './proto-errors.ts'
import type { EnumSchema } from './schema.ts'

/** How messages may be nested, as in the other implementations. */
export const MAX_DEPTH = 100

const WireType = {
  Varint: 0,
  Fixed64: 1,
  Length: 2,
  GroupStart: 3,
  GroupEnd: 4,
  Fixed32: 5,
} as const

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
const LOW = LITTLE_ENDIAN ? 0 : 1
const HIGH = LITTLE_ENDIAN ? 1 : 0
const bigSigned = new BigInt64Array(1)
const bigUnsigned = new BigUint64Array(bigSigned.buffer)
const halves = new Uint32Array(bigSigned.buffer)
const double = new Float64Array(bigSigned.buffer)
const float = new Float32Array(bigSigned.buffer, 0, 1)

/** The value of an absent bytes field. */
export const NO_BYTES: Buffer = Buffer.alloc(0)
/** Byte fields from this size on are views when the memory is owned: below, a copy pins less. */
const VIEW_BYTES = 1024
/**
 * Text up to this length is built from characters, which beats the call into native code. From 13 on
 * V8 would keep the pieces apart and join them later.
 */
const SHORT_TEXT = 12
const REPLACEMENT = '\ufffd'

/** What `toString` calls after looking at its arguments; not in the types of Node. */
type SlicedBuffer = Buffer & { utf8Slice(start: number, end: number): string }

/** Makes 64-bit values that are not bigint. */
export interface LongFactory {
  fromBits(low: number, high: number, unsigned: boolean): unknown
}

/** A cursor over the octets of one message. One serves all: decoding calls nobody outside. */
export class WireReader {
  public pos = 0
  private buf: SlicedBuffer = NO_BYTES as SlicedBuffer
  private end = 0
  private owned = false
  private low = 0
  private high = 0

  /** Points the cursor at `buf[start, end)`. With `owned`, byte fields may be views of it. */
  public reset(buf: Buffer, start: number, end: number, owned: boolean): void {
    this.buf = buf as SlicedBuffer
    this.pos = start
    this.end = end
    this.owned = owned
  }

  /** Lets the memory go. */
  public release(): void {
    this.buf = NO_BYTES as SlicedBuffer
  }

  public uint32(): number {
    return this.varint() >>> 0
  }

  public int32(): number {
    return this.varint() | 0
  }

  public sint32(): number {
    const value = this.varint()
    return (value >>> 1) ^ -(value & 1)
  }

  public bool(): boolean {
    const octet = this.buf[this.pos]!
    if (octet < 128 && this.pos < this.end) {
      this.pos++
      return octet !== 0
    }
    this.varint64()
    return (this.low | this.high) !== 0
  }

  public fixed32(): number {
    return this.word() >>> 0
  }

  public sfixed32(): number {
    return this.word()
  }

  public float(): number {
    halves[0] = this.word()
    return float[0]!
  }

  public double(): number {
    this.words()
    halves[LOW] = this.low
    halves[HIGH] = this.high
    return double[0]!
  }

  /** Moves over a varint of up to 64 bits and keeps its halves for {@link bigint} and the like. */
  public varint64(): void {
    const { buf } = this
    let pos = this.pos
    let octet = buf[pos++]!
    let low = octet & 127
    let high = 0
    if (octet > 127) {
      let shift = 7
      do {
        if (shift > 63) throw malformed('a varint longer than ten octets')
        octet = buf[pos++]!
        const bits = octet & 127
        if (shift < 28) low |= bits << shift
        else if (shift === 28) {
          low |= bits << 28
          high = bits >> 4
        } else high |= bits << (shift - 32)
        shift += 7
      } while (octet > 127)
    }
    this.advance(pos)
    this.low = low
    this.high = high
  }

  /** As {@link varint64} for the zigzag form. */
  public zigzag64(): void {
    this.varint64()
    const { low, high } = this
    const sign = -(low & 1)
    this.low = ((low >>> 1) | (high << 31)) ^ sign
    this.high = (high >>> 1) ^ sign
  }

  /** Moves over eight octets and keeps them as halves. */
  public words(): void {
    const low = this.word()
    this.high = this.word()
    this.low = low
  }

  public bigint(unsigned: boolean): bigint {
    halves[LOW] = this.low
    halves[HIGH] = this.high
    return unsigned ? bigUnsigned[0]! : bigSigned[0]!
  }

  /** The nearest double: exact up to 2^53. */
  public number(unsigned: boolean): number {
    return (unsigned ? this.high >>> 0 : this.high | 0) * 2 ** 32 + (this.low >>> 0)
  }

  public decimal(unsigned: boolean): string {
    const value = this.number(unsigned)
    return Number.isSafeInteger(value) ? String(value) : String(this.bigint(unsigned))
  }

  public long(unsigned: boolean, factory: LongFactory): unknown {
    return factory.fromBits(this.low | 0, this.high | 0, unsigned)
  }

  /** Text; octets that are not UTF-8 become U+FFFD. */
  public string(): string {
    const end = this.limit(this.end)
    const start = this.pos
    this.pos = end
    return this.text(start, end)
  }

  /** Text; octets that are not UTF-8 are an error, as proto3 has it. */
  public stringVerified(): string {
    const end = this.limit(this.end)
    const start = this.pos
    this.pos = end
    const text = this.text(start, end)
    if (text.includes(REPLACEMENT) && !isUtf8(this.buf.subarray(start, end))) {
      throw malformed('a string that is not UTF-8')
    }
    return text
  }

  public bytes(): Buffer {
    const end = this.limit(this.end)
    const start = this.pos
    this.pos = end
    if (start === end) return NO_BYTES
    if (this.owned && end - start >= VIEW_BYTES) return this.buf.subarray(start, end)
    const copy = Buffer.allocUnsafe(end - start)
    this.buf.copy(copy, 0, start, end)
    return copy
  }

  /** Reads a length and gives where what it measures ends; that may not be after `end`. */
  public limit(end: number): number {
    const length = this.varint() >>> 0
    const limit = this.pos + length
    if (limit > end) throw malformed(`a length of ${length} with ${end - this.pos} octets left`)
    return limit
  }

  /** Moves over the field whose tag was just read. */
  public skip(tag: number, depth: number): void {
    if (tag < 8) throw malformed('field number 0')
    switch (tag & 7) {
      case WireType.Varint:
        this.varint64()
        break
      case WireType.Fixed64:
        this.advance(this.pos + 8)
        break
      case WireType.Length:
        this.pos = this.limit(this.end)
        break
      case WireType.GroupStart:
        this.skipGroup(tag + 1, depth)
        break
      case WireType.Fixed32:
        this.advance(this.pos + 4)
        break
      default:
        throw malformed(`wire type ${tag & 7} of field ${tag >>> 3}`)
    }
  }

  private skipGroup(endTag: number, depth: number): void {
    if (depth > MAX_DEPTH) throw tooDeep()
    for (;;) {
      const tag = this.uint32()
      if (tag === endTag) return
      this.skip(tag, depth + 1)
    }
  }

  private text(start: number, end: number): string {
    const { buf } = this
    if (end - start > SHORT_TEXT) return buf.utf8Slice(start, end)
    let text = ''
    let all = 0
    let i = start
    for (; i + 4 <= end; i += 4) {
      const a = buf[i]!
      const b = buf[i + 1]!
      const c = buf[i + 2]!
      const d = buf[i + 3]!
      all |= a | b | c | d
      text += String.fromCharCode(a, b, c, d)
    }
    for (; i < end; i++) {
      const char = buf[i]!
      all |= char
      text += String.fromCharCode(char)
    }
    return all > 127 ? buf.utf8Slice(start, end) : text
  }

  /** The low 32 bits of a varint, signed. */
  private varint(): number {
    const { buf } = this
    let pos = this.pos
    let octet = buf[pos++]!
    let value = octet & 127
    if (octet > 127) {
      octet = buf[pos++]!
      value |= (octet & 127) << 7
      if (octet > 127) {
        octet = buf[pos++]!
        value |= (octet & 127) << 14
        if (octet > 127) {
          octet = buf[pos++]!
          value |= (octet & 127) << 21
          if (octet > 127) {
            octet = buf[pos++]!
            value |= octet << 28
            // What a 64-bit varint has beyond 32 bits is dropped, up to ten octets in all.
            for (let more = 0; octet > 127; more++) {
              if (more === 5) throw malformed('a varint longer than ten octets')
              octet = buf[pos++]!
            }
          }
        }
      }
    }
    this.advance(pos)
    return value
  }

  private word(): number {
    const { buf, pos } = this
    this.advance(pos + 4)
    return buf[pos]! | (buf[pos + 1]! << 8) | (buf[pos + 2]! << 16) | (buf[pos + 3]! << 24)
  }

  private advance(pos: number): void {
    if (pos > this.end) throw malformed('the end of the message inside a field')
    this.pos = pos
  }
}

/** The error for octets that break the wire format. */
export function malformed(got: string): WireFormatError {
  return new WireFormatError(`malformed message: got ${got}`)
}

/** The error for messages nested deeper than {@link MAX_DEPTH}. */
export function tooDeep(): WireFormatError {
  return new WireFormatError(`message nested deeper than ${MAX_DEPTH} messages`)
}

/** The error for an absent field that the type requires. */
export function missingField(messageName: string, fieldName: string): WireFormatError {
  return new WireFormatError(`missing required field ${messageName}.${fieldName}`)
}

/** The name of an enum value, or its number when it has none. */
export function enumValue(schema: EnumSchema, value: number): string | number {
  return schema.nameOf.get(value) ?? value
}

/** Sets a map's entry: `__proto__` is a key like others. */
export function setEntry(map: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(map, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  } else {
    map[key] = value
  }
}
