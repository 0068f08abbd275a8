// Snappy in its framing format, for gRPC's registry of compressors: what others plug in.
// Source: google/snappy format_description.txt and framing_format.txt.
import { type Compressor, DecompressedTooLarge } from '../../../lib/grpc/index.ts'

const STREAM_IDENTIFIER = Buffer.from('\xff\x06\x00\x00sNaPpY', 'latin1')
const CHUNK_HEADER_BYTES = 4
const CHECKSUM_BYTES = 4
/** The most that a chunk may hold, uncompressed. */
const MAX_CHUNK_BYTES = 65_536

const Chunk = { Compressed: 0x00, Uncompressed: 0x01, FirstSkippable: 0x80 } as const
const Element = { Literal: 0, Copy1: 1, Copy2: 2 } as const

/** See above. */
export const snappyCompressor: Compressor = {
  name: 'snappy',
  compress(bytes) {
    const chunks: Buffer[] = [STREAM_IDENTIFIER]
    for (let at = 0; at < bytes.length; at += MAX_CHUNK_BYTES) {
      chunks.push(chunkOf(bytes.subarray(at, at + MAX_CHUNK_BYTES)))
    }
    return Buffer.concat(chunks)
  },
  decompress(bytes, maxBytes) {
    if (!bytes.subarray(0, STREAM_IDENTIFIER.length).equals(STREAM_IDENTIFIER)) {
      throw new Error('snappy: want the stream identifier first')
    }
    const parts: Buffer[] = []
    let length = 0
    for (let at = 0; at < bytes.length; ) {
      const end = chunkEnd(bytes, at)
      const part = contentOf(bytes[at]!, bytes.subarray(at + CHUNK_HEADER_BYTES, end))
      length += part.length
      if (length > maxBytes) throw new DecompressedTooLarge(maxBytes)
      parts.push(part)
      at = end
    }
    return Buffer.concat(parts)
  },
}

function chunkOf(content: Buffer): Buffer {
  const compressed = compressBlock(content)
  const isSmaller = compressed.length < content.length
  const body = isSmaller ? compressed : content
  const head = Buffer.alloc(CHUNK_HEADER_BYTES + CHECKSUM_BYTES)
  head[0] = isSmaller ? Chunk.Compressed : Chunk.Uncompressed
  head.writeUIntLE(CHECKSUM_BYTES + body.length, 1, 3)
  head.writeUInt32LE(maskedChecksum(content), CHUNK_HEADER_BYTES)
  return Buffer.concat([head, body])
}

function chunkEnd(bytes: Buffer, at: number): number {
  const bodyAt = at + CHUNK_HEADER_BYTES
  const end = bodyAt <= bytes.length ? bodyAt + bytes.readUIntLE(at + 1, 3) : bodyAt
  if (end > bytes.length) throw new Error('snappy: the last chunk is cut off')
  return end
}

/** What a chunk adds to the message. */
function contentOf(type: number, body: Buffer): Buffer {
  if (type >= Chunk.FirstSkippable) return Buffer.alloc(0) // padding and stream identifiers too
  if (type > Chunk.Uncompressed) throw new Error(`snappy: got a chunk of the reserved type ${type}`)
  if (body.length < CHECKSUM_BYTES) throw new Error('snappy: got a chunk without a checksum')
  const data = body.subarray(CHECKSUM_BYTES)
  const content = type === Chunk.Uncompressed ? data : decompressBlock(data)
  if (content.length > MAX_CHUNK_BYTES) throw new Error('snappy: got a chunk of over 64 KiB')
  if (maskedChecksum(content) !== body.readUInt32LE(0)) throw new Error('snappy: wrong checksum')
  return content
}

/** A block of runs and literals: a run is all that one octet repeated can be said by. */
function compressBlock(content: Buffer): Buffer {
  const out = [varint(content.length)]
  let literalAt = 0
  for (let at = 0; at < content.length; ) {
    const run = runLength(content, at)
    if (run < 2 * MIN_RUN) {
      at += run
      continue
    }
    // The octet itself, then copies from one octet back.
    out.push(literal(content.subarray(literalAt, at + 1)), copiesOfOne(run - 1))
    at += run
    literalAt = at
  }
  if (literalAt < content.length) out.push(literal(content.subarray(literalAt)))
  return Buffer.concat(out)
}

const MIN_RUN = 4
const MAX_COPY = 64

function runLength(content: Buffer, at: number): number {
  let end = at + 1
  while (end < content.length && content[end] === content[at]) end++
  return end - at
}

function literal(content: Buffer): Buffer {
  const last = content.length - 1
  const head =
    last < 60
      ? [(last << 2) | Element.Literal]
      : [(61 << 2) | Element.Literal, last & 0xff, last >> 8]
  return Buffer.concat([Buffer.from(head), content])
}

function copiesOfOne(length: number): Buffer {
  const out: number[] = []
  for (let left = length; left > 0; left -= MAX_COPY) {
    out.push(((Math.min(left, MAX_COPY) - 1) << 2) | Element.Copy2, 1, 0)
  }
  return Buffer.from(out)
}

function varint(value: number): Buffer {
  const out: number[] = []
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) out.push((rest & 0x7f) | 0x80)
  out.push(rest)
  return Buffer.from(out)
}

function decompressBlock(data: Buffer): Buffer {
  const block = new BlockReader(data)
  while (!block.isAtEnd) block.element()
  return block.content
}

/** Reads a block's length, then its elements one by one. */
class BlockReader {
  private readonly data: Buffer
  private readonly out: Buffer
  private at = 0
  private length = 0

  public constructor(data: Buffer) {
    this.data = data
    const length = this.varint()
    if (length > MAX_CHUNK_BYTES) throw new Error('snappy: got a block of over 64 KiB')
    this.out = Buffer.alloc(length)
  }

  public get isAtEnd(): boolean {
    return this.at === this.data.length
  }

  public get content(): Buffer {
    if (this.length !== this.out.length) throw new Error('snappy: got a block of another length')
    return this.out
  }

  public element(): void {
    const tag = this.octets(1)
    const high = tag >> 2
    const kind = tag & 3
    if (kind === Element.Literal) this.literal(1 + (high < 60 ? high : this.octets(high - 59)))
    else if (kind === Element.Copy1) this.copy(4 + (high & 7), ((tag >> 5) << 8) | this.octets(1))
    else this.copy(1 + high, this.octets(kind === Element.Copy2 ? 2 : 4))
  }

  private literal(length: number): void {
    const end = this.at + length
    if (end > this.data.length) throw new Error('snappy: a literal is cut off')
    this.checkRoom(length)
    this.data.copy(this.out, this.length, this.at, end)
    this.at = end
    this.length += length
  }

  private copy(length: number, offset: number): void {
    if (offset === 0 || offset > this.length) throw new Error('snappy: got a copy from nowhere')
    this.checkRoom(length)
    for (const end = this.length + length; this.length < end; this.length++) {
      this.out[this.length] = this.out[this.length - offset]!
    }
  }

  private checkRoom(length: number): void {
    if (this.length + length > this.out.length) throw new Error('snappy: a block is too long')
  }

  private octets(count: number): number {
    if (this.at + count > this.data.length) throw new Error('snappy: an element is cut off')
    const value = this.data.readUIntLE(this.at, count)
    this.at += count
    return value
  }

  private varint(): number {
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const octet = this.octets(1)
      value |= (octet & 0x7f) << shift
      if (octet < 0x80) return value
    }
    throw new Error('snappy: got a length that is too long')
  }
}

/** CRC-32C by its reversed polynomial. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, octet) => {
  let crc = octet
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  return crc
})

function maskedChecksum(content: Buffer): number {
  let crc = 0xffff_ffff
  for (const octet of content) crc = CRC_TABLE[(crc ^ octet) & 0xff]! ^ (crc >>> 8)
  crc = ~crc >>> 0
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}
