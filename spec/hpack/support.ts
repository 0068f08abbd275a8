// What the specs of this room share: octets as text, blocks by our encoder, the oracle hpack.js.
import hpack from 'hpack.js'
import type { HpackDecoder, HpackEncoder } from '../../lib/hpack/index.ts'

/** Octets from spaced hex. */
export const octets = (hex: string): Buffer => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex')

/** A whole block with these fields, size updates included, checked against its bound. */
export function encodeBlock(
  encoder: HpackEncoder,
  fields: readonly string[],
  neverIndexed?: readonly number[],
): Buffer {
  const bound = encoder.encodedBound(fields)
  const buf = Buffer.alloc(bound)
  const end = encoder.encode(fields, buf, encoder.begin(buf, 0), neverIndexed)
  if (end > bound) throw new Error(`wrote ${end} octets, the bound was ${bound}`)
  return buf.subarray(0, end)
}

export const decodeBlock = (
  decoder: HpackDecoder,
  block: Buffer,
): ReturnType<HpackDecoder['decode']> => decoder.decode(block, 0, block.length)

/** hpack.js as a decoder that throws, and gives fields as ours does. */
export class OracleDecoder {
  private readonly decompressor: ReturnType<typeof hpack.decompressor.create>

  public constructor(largestTableBytes = 4096) {
    this.decompressor = hpack.decompressor.create({ table: { maxSize: largestTableBytes } })
    this.decompressor.updateTableSize(Math.min(4096, largestTableBytes))
    this.decompressor.on('error', (error) => {
      throw error
    })
  }

  public decode(block: Buffer): string[] {
    this.decompressor.write(block)
    this.decompressor.execute()
    const fields: string[] = []
    for (let field = this.decompressor.read(); field; field = this.decompressor.read()) {
      fields.push(field.name, field.value)
    }
    return fields
  }
}
