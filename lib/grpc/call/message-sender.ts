// From messages to the DATA of one stream, in order: encode, compress, put, wait for room.
import { ByteSink } from '../../base/byte-sink.ts'
import type { Stream } from '../../transport/index.ts'
import type { Codec } from '../protocol/codec.ts'
import { type Compressor, compressMessage } from '../protocol/compression.ts'
import { appendMessage, encodeMessage, PREFIX_BYTES } from '../protocol/message.ts'

/** Over this an encoded message is handed over with its memory instead of being copied. */
const HAND_OVER_BYTES = 64 * 1024

/** How the messages of one direction of a call are sent. */
export interface SendingOptions<T> {
  readonly codec: Codec<T>
  readonly maxMessageBytes: number
  /** Absent: messages go as they are. */
  readonly compressor: Compressor | undefined
  /** Shorter messages are not compressed. */
  readonly minCompressBytes: number
}

// Encoding is synchronous, so one scratch serves the process; a codec that sends while it encodes
// finds none and gets its own.
let scratch: ByteSink | undefined = new ByteSink(4096)

/** Runs `use` with an empty sink, *borrowed* until it returns. */
export function withScratch<R>(use: (sink: ByteSink) => R): R {
  const sink = scratch ?? new ByteSink()
  scratch = undefined
  sink.pos = 0
  try {
    return use(sink)
  } finally {
    scratch = sink
  }
}

/**
 * Encodes one uncompressed message and puts it on the stream. False when the stream's write quota is
 * used up: the message was taken, wait for `onWritable`. Throws RpcError; then nothing was put.
 */
export function putMessage<T>(
  stream: Stream,
  codec: Codec<T>,
  message: T,
  maxMessageBytes: number,
  endStream: boolean,
): boolean {
  const sink = scratch ?? new ByteSink()
  scratch = undefined
  sink.pos = 0
  try {
    encodeMessage(codec, message, sink, maxMessageBytes)
    return putSink(stream, sink, endStream)
  } finally {
    scratch = sink
  }
}

function putSink(stream: Stream, sink: ByteSink, endStream: boolean): boolean {
  if (sink.pos < HAND_OVER_BYTES) return stream.data(sink.buf, 0, sink.pos, endStream)
  const bytes = sink.detach()
  return stream.data(bytes, 0, bytes.length, endStream, true)
}

/** Encodes and compresses one message; the result is *owned*. Throws or rejects with RpcError. */
export function compressedMessage<T>(
  options: SendingOptions<T>,
  compressor: Compressor,
  message: T,
): Buffer | Promise<Buffer> {
  const { codec, maxMessageBytes, minCompressBytes } = options
  return withScratch((sink) => {
    encodeMessage(codec, message, sink, maxMessageBytes)
    const plain = sink.buf.subarray(PREFIX_BYTES, sink.pos)
    // The compressor may take its time with the octets, the scratch is needed at once.
    const bytes = Buffer.from(plain)
    const result = compressMessage(compressor, bytes, minCompressBytes)
    if (result === undefined) return prefixed(bytes, false, maxMessageBytes)
    if (Buffer.isBuffer(result)) return prefixed(result, true, maxMessageBytes)
    return result.then((compressed) => prefixed(compressed, true, maxMessageBytes))
  })
}

function prefixed(bytes: Buffer, compressed: boolean, maxMessageBytes: number): Buffer {
  const sink = new ByteSink(PREFIX_BYTES + bytes.length)
  appendMessage(bytes, compressed, sink, maxMessageBytes)
  return sink.buf.subarray(0, sink.pos)
}
