// Where a Zstandard frame ends, by its headers alone; nothing is decompressed. RFC 8878 section 3.1.

const MAGIC = 0xfd2fb528
const MAGIC_BYTES = 4
const BLOCK_HEADER_BYTES = 3
const CHECKSUM_BYTES = 4

/** Sizes by the two bits of the descriptor. RFC 8878 3.1.1.1.3 and 3.1.1.1.4. */
const DICTIONARY_ID_BYTES = [0, 1, 2, 4]
const CONTENT_SIZE_BYTES = [0, 2, 4, 8]

const SINGLE_SEGMENT = 0x20
const HAS_CHECKSUM = 0x04
const LAST_BLOCK = 0x01
const RLE_BLOCK = 1

/** The offset after the frame at the start of `bytes`; undefined when it is no frame or is cut off. */
export function zstdFrameEnd(bytes: Buffer): number | undefined {
  if (bytes.length <= MAGIC_BYTES || bytes.readUInt32LE(0) !== MAGIC) return undefined
  const descriptor = bytes[MAGIC_BYTES]!
  let at = MAGIC_BYTES + 1 + frameHeaderBytes(descriptor)
  for (let isLast = false; !isLast; ) {
    if (at + BLOCK_HEADER_BYTES > bytes.length) return undefined
    const header = bytes.readUIntLE(at, BLOCK_HEADER_BYTES)
    isLast = (header & LAST_BLOCK) !== 0
    at += BLOCK_HEADER_BYTES + blockBytes(header)
  }
  if ((descriptor & HAS_CHECKSUM) !== 0) at += CHECKSUM_BYTES
  return at > bytes.length ? undefined : at
}

/** What follows the descriptor. */
function frameHeaderBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & SINGLE_SEGMENT) !== 0
  const sizeFlag = descriptor >> 6
  const contentSizeBytes = sizeFlag === 0 && isSingleSegment ? 1 : CONTENT_SIZE_BYTES[sizeFlag]!
  const windowBytes = isSingleSegment ? 0 : 1
  return windowBytes + DICTIONARY_ID_BYTES[descriptor & 3]! + contentSizeBytes
}

/** An RLE block says how often its one octet comes. RFC 8878 3.1.1.2. */
function blockBytes(header: number): number {
  return ((header >> 1) & 3) === RLE_BLOCK ? 1 : header >> 3
}
