// The encodings that connectconformance knows: those of this Node, and snappy by a codec of our own.
import * as zlib from 'node:zlib'
import {
  brotliCompressor,
  type Compressor,
  deflateCompressor,
  gzipCompressor,
  zstdCompressor,
} from '../../../lib/grpc/index.ts'
import { snappyCompressor } from './snappy.ts'

/** Whether this Node has zstd. */
export const hasZstd: boolean = 'zstdCompress' in zlib

/** All encodings that can be spoken. */
export const COMPRESSORS: readonly Compressor[] = [
  ...[gzipCompressor, deflateCompressor, brotliCompressor, snappyCompressor],
  ...(hasZstd ? [zstdCompressor()] : []),
]

/** The encodings by the numbers of the enumeration Compression. */
const NAMES = ['identity', 'identity', 'gzip', 'br', 'zstd', 'deflate', 'snappy']

/** The name in grpc-encoding. */
export function encodingOf(compression: number): string {
  const name = NAMES[compression]
  if (name === undefined) throw new Error(`got compression ${compression}, which has no name`)
  return name
}
