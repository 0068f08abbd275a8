// Message encodings: gzip, deflate, br and zstd by Node's zlib, others by the same interface; and
// the negotiation by grpc-encoding and grpc-accept-encoding. The only user of node:zlib.
// Source: grpc/doc/compression.md.
import * as zlib from 'node:zlib'
import {
  type BrotliOptions,
  brotliCompress,
  brotliCompressSync,
  brotliDecompress,
  brotliDecompressSync,
  constants,
  deflate,
  deflateSync,
  gunzip,
  gunzipSync,
  gzip,
  gzipSync,
  inflate,
  inflateSync,
  type ZlibOptions,
} from 'node:zlib'
import { Code } from '../../base/status.ts'
import { RpcError } from './rpc-error.ts'
import { zstdFrameEnd } from './zstd-frame.ts'

/** Messages shorter than this go as they are unless an option says otherwise. */
export const DEFAULT_MIN_COMPRESS_BYTES = 1024

/** One message encoding. */
export interface Compressor {
  /** The name in grpc-encoding, in lower case. */
  readonly name: string
  /** Compresses a message. `bytes` stays the caller's and must not change until the result is there. */
  compress(bytes: Buffer): Buffer | Promise<Buffer>
  /**
   * Decompresses a message, using no more memory than about `maxBytes`. Throws or rejects with
   * {@link DecompressedTooLarge} when the result would be longer, with any other error when `bytes`
   * is not exactly one compressed message. `bytes` as in {@link Compressor.compress}.
   */
  decompress(bytes: Buffer, maxBytes: number): Buffer | Promise<Buffer>
}

/** A message would exceed the limit once decompressed. */
export class DecompressedTooLarge extends Error {
  public constructor(maxBytes: number) {
    super(`message larger than max after decompression (more than ${maxBytes})`)
    this.name = 'DecompressedTooLarge'
  }
}

/** This Node cannot do an encoding. */
export class CompressorUnavailable extends Error {
  public readonly token = 'compressor_unavailable'

  public constructor(name: string, needed: string) {
    super(`compressor_unavailable: ${name} needs Node ${needed}; this is ${process.version}`)
    this.name = 'CompressorUnavailable'
  }
}

// Within these sizes zlib takes about half a millisecond, of which a turn through its thread pool
// would be a good part; beyond them the event loop must not wait.
const SYNC_COMPRESS_BYTES = 8 * 1024
const SYNC_DECOMPRESS_INPUT_BYTES = 32 * 1024
const SYNC_DECOMPRESS_OUTPUT_BYTES = 128 * 1024

const MIN_CHUNK_BYTES = 256
const MAX_CHUNK_BYTES = 64 * 1024
const MAX_OUTPUT_BYTES = 0x7fff_ffff

/** Quality 11, the default, takes a hundred times as long for a tenth of the size. */
const BROTLI_QUALITY = 4

type Options = ZlibOptions & BrotliOptions
/** With `info` zlib gives its engine beside the result: that knows how much input was consumed. */
type WithInfo = { buffer: Buffer; engine: { bytesWritten: number } }
type Async = (
  bytes: Buffer,
  options: Options,
  done: (error: Error | null, result: Buffer) => void,
) => void
type Sync = (bytes: Buffer, options: Options) => Buffer

/** What Node has of Zstandard; all or nothing. */
interface Zstd {
  readonly zstdCompressSync: Sync
  readonly zstdCompress: Async
  readonly zstdDecompressSync: Sync
  readonly zstdDecompress: Async
}

class ZlibCompressor implements Compressor {
  public readonly name: string
  private readonly compressSync: Sync
  private readonly compressAsync: Async
  private readonly decompressSync: Sync
  private readonly decompressAsync: Async
  private readonly options: Options

  public constructor(
    name: string,
    [compressSync, compressAsync]: readonly [Sync, Async],
    [decompressSync, decompressAsync]: readonly [Sync, Async],
    options: Options = {},
  ) {
    this.name = name
    this.compressSync = compressSync
    this.compressAsync = compressAsync
    this.decompressSync = decompressSync
    this.decompressAsync = decompressAsync
    this.options = options
  }

  public compress(bytes: Buffer): Buffer | Promise<Buffer> {
    const options = { ...this.options, chunkSize: chunkBytes(bytes.length + MIN_CHUNK_BYTES) }
    if (bytes.length <= SYNC_COMPRESS_BYTES) return this.compressSync(bytes, options)
    return new Promise((resolve, reject) => {
      this.compressAsync(bytes, options, (error, result) => {
        if (error === null) resolve(result)
        else reject(error)
      })
    })
  }

  public decompress(bytes: Buffer, maxBytes: number): Buffer | Promise<Buffer> {
    if (bytes.length > SYNC_DECOMPRESS_INPUT_BYTES) return this.decompressLater(bytes, maxBytes)
    const firstMaxBytes = Math.min(maxBytes, SYNC_DECOMPRESS_OUTPUT_BYTES)
    try {
      const result = this.decompressSync(bytes, decompressOptions(bytes, firstMaxBytes))
      return checkResult(result as unknown as WithInfo, bytes, firstMaxBytes)
    } catch (error) {
      if (!isTooLarge(error)) throw error
      if (firstMaxBytes === maxBytes) throw new DecompressedTooLarge(maxBytes)
      return this.decompressLater(bytes, maxBytes)
    }
  }

  private decompressLater(bytes: Buffer, maxBytes: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.decompressAsync(bytes, decompressOptions(bytes, maxBytes), (error, result) => {
        try {
          if (error !== null) throw error
          resolve(checkResult(result as unknown as WithInfo, bytes, maxBytes))
        } catch (thrown) {
          reject(isTooLarge(thrown) ? new DecompressedTooLarge(maxBytes) : thrown)
        }
      })
    })
  }
}

function chunkBytes(wanted: number): number {
  return Math.min(MAX_CHUNK_BYTES, Math.max(MIN_CHUNK_BYTES, wanted))
}

function decompressOptions(bytes: Buffer, maxBytes: number): Options {
  return {
    info: true,
    // zlib wants at least 1; checkResult looks at the exact limit.
    maxOutputLength: Math.max(1, Math.min(maxBytes, MAX_OUTPUT_BYTES)),
    chunkSize: chunkBytes(bytes.length * 4),
  }
}

function checkResult(result: WithInfo, bytes: Buffer, maxBytes: number): Buffer {
  if (result.buffer.length > maxBytes) throw new DecompressedTooLarge(maxBytes)
  const { bytesWritten } = result.engine
  if (bytesWritten !== bytes.length) {
    throw new Error(`got ${bytes.length - bytesWritten} octets after the end of compressed data`)
  }
  return result.buffer
}

function isTooLarge(error: unknown): boolean {
  return (
    error instanceof DecompressedTooLarge ||
    (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
  )
}

/** RFC 1952; several members count as one message. */
export const gzipCompressor: Compressor = new ZlibCompressor(
  'gzip',
  [gzipSync, gzip],
  [gunzipSync, gunzip],
)

/** The zlib format, RFC 1950, which is what gRPC and HTTP mean by "deflate". */
export const deflateCompressor: Compressor = new ZlibCompressor(
  'deflate',
  [deflateSync, deflate],
  [inflateSync, inflate],
)

/** Brotli, RFC 7932. */
export const brotliCompressor: Compressor = new ZlibCompressor(
  'br',
  [brotliCompressSync, brotliCompress],
  [brotliDecompressSync, brotliDecompress],
  { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } },
)

/**
 * Zstandard, RFC 8878, one frame a message. Not among the default compressors. Throws
 * {@link CompressorUnavailable} where Node is older than 22.15, or 23 before 23.8.
 */
export function zstdCompressor(): Compressor {
  if (!('zstdCompress' in zlib)) throw new CompressorUnavailable('zstd', '22.15, 23.8 or newer')
  const { zstdCompressSync, zstdCompress, zstdDecompressSync, zstdDecompress } =
    zlib as unknown as Zstd
  const node = new ZlibCompressor(
    'zstd',
    [zstdCompressSync, zstdCompress],
    [zstdDecompressSync, zstdDecompress],
  )
  return {
    name: node.name,
    compress: (bytes) => node.compress(bytes),
    decompress(bytes, maxBytes) {
      // Node 22 takes a frame that is cut off for an empty one; others refuse it themselves.
      if (zstdFrameEnd(bytes) !== bytes.length) throw new Error('want exactly one whole zstd frame')
      return node.decompress(bytes, maxBytes)
    },
  }
}

/** The encodings that one client or server speaks beside identity. Immutable. */
export class Compressors {
  /** What is sent as grpc-accept-encoding. */
  public readonly acceptEncoding: string
  private readonly byName: ReadonlyMap<string, Compressor>

  public constructor(
    compressors: readonly Compressor[] = [gzipCompressor, deflateCompressor, brotliCompressor],
  ) {
    this.byName = new Map(compressors.map((compressor) => [compressor.name, compressor]))
    this.acceptEncoding = ['identity', ...this.byName.keys()].join(',')
  }

  /** Undefined for identity and for what is not registered; {@link Compressors.knows} tells them apart. */
  public get(encoding: string): Compressor | undefined {
    return this.byName.get(encoding)
  }

  /** Whether messages in this encoding can be read. */
  public knows(encoding: string): boolean {
    return encoding === 'identity' || this.byName.has(encoding)
  }
}

/** Whether a peer that sent `acceptEncoding` reads messages in `encoding`. */
export function acceptsEncoding(acceptEncoding: string, encoding: string): boolean {
  if (encoding === 'identity') return true
  return acceptEncoding.split(',').some((name) => name.trim() === encoding)
}

/**
 * The error for a grpc-encoding that is not registered. compression.md: UNIMPLEMENTED from a server,
 * which says what it accepts in grpc-accept-encoding; INTERNAL at a client.
 */
export function unknownEncoding(encoding: string, role: 'client' | 'server'): RpcError {
  return new RpcError(
    role === 'server' ? Code.Unimplemented : Code.Internal,
    `no decompressor for grpc-encoding "${encoding.slice(0, 64)}"`,
    { token: 'message_encoding_unknown' },
  )
}

/**
 * Compresses an encoded message, or says undefined when it is not worth it: it is empty or shorter
 * than `minBytes`. Throws or rejects with RpcError INTERNAL.
 */
export function compressMessage(
  compressor: Compressor,
  bytes: Buffer,
  minBytes = 1,
): Buffer | Promise<Buffer> | undefined {
  if (bytes.length < Math.max(1, minBytes)) return undefined
  return settle(() => compressor.compress(bytes), compressError)
}

/**
 * Decompresses a message whose flag says that it is compressed. `compressor` is undefined when
 * grpc-encoding is identity or absent. The range is *borrowed* unless `owned`. Throws or rejects
 * with RpcError: RESOURCE_EXHAUSTED over `maxBytes`, INTERNAL for anything malformed.
 */
export function decompressMessage(
  compressor: Compressor | undefined,
  buf: Buffer,
  start: number,
  end: number,
  owned: boolean,
  maxBytes: number,
): Buffer | Promise<Buffer> {
  if (compressor === undefined) {
    throw new RpcError(
      Code.Internal,
      'compressed flag set with identity or empty grpc-encoding: want a named encoding',
      { token: 'message_compressed_identity' },
    )
  }
  const view = buf.subarray(start, end)
  const bytes = owned ? view : Buffer.from(view)
  return settle(() => compressor.decompress(bytes, maxBytes), decompressError)
}

function settle(
  run: () => Buffer | Promise<Buffer>,
  wrap: (thrown: unknown) => RpcError,
): Buffer | Promise<Buffer> {
  try {
    const result = run()
    if (Buffer.isBuffer(result)) return result
    return result.catch((thrown) => {
      throw wrap(thrown)
    })
  } catch (thrown) {
    throw wrap(thrown)
  }
}

function compressError(thrown: unknown): RpcError {
  return new RpcError(Code.Internal, `failed to compress message: ${textOf(thrown)}`, {
    cause: thrown,
    token: 'message_compress_failed',
  })
}

function decompressError(thrown: unknown): RpcError {
  if (thrown instanceof DecompressedTooLarge) {
    return new RpcError(Code.ResourceExhausted, thrown.message, {
      cause: thrown,
      token: 'message_too_large_decompressed',
    })
  }
  return new RpcError(Code.Internal, `failed to decompress message: ${textOf(thrown)}`, {
    cause: thrown,
    token: 'message_decompress_failed',
  })
}

function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
