// HPACK, header compression for HTTP/2 (RFC 7541): usable without the rest of this library.
export { HpackDecoder, type HpackDecoderOptions } from './decoder.ts'
export { HpackEncoder, type HpackEncoderOptions } from './encoder.ts'
export { HpackError } from './errors.ts'
export { FIELD_OVERHEAD_BYTES, type HeaderBlock, listBytes } from './header-block.ts'
export { defaultIndexing, Indexing } from './indexing.ts'
