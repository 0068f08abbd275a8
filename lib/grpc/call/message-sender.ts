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

/** Hears of each message sent: octets encoded, and on the wire with prefix. */
export type OnSent<T> = (message: T, messageBytes: number, wireBytes: number) => void

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
 * Encodes one uncompressed message and puts it on the stream, behind `headers` when they are given
 * (a message that cannot be encoded leaves no headers behind). False when the stream's write quota is
 * used up: the message was taken, wait for `onWritable`. Throws RpcError; then nothing was put.
 */
export function putMessage<T>(
  stream: Stream,
  codec: Codec<T>,
  message: T,
  maxMessageBytes: number,
  endStream: boolean,
  onEncoded?: OnSent<T>,
  headers?: readonly string[],
): boolean {
  const sink = scratch ?? new ByteSink()
  scratch = undefined
  sink.pos = 0
  try {
    const messageBytes = encodeMessage(codec, message, sink, maxMessageBytes)
    if (headers !== undefined) stream.headers(headers, false)
    onEncoded?.(message, messageBytes, PREFIX_BYTES + messageBytes)
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
  onSent?: OnSent<T>,
): Buffer | Promise<Buffer> {
  const { codec, maxMessageBytes, minCompressBytes } = options
  return withScratch((sink) => {
    const messageBytes = encodeMessage(codec, message, sink, maxMessageBytes)
    const done = (octets: Buffer, compressed: boolean): Buffer => {
      const whole = prefixed(octets, compressed, maxMessageBytes)
      onSent?.(message, messageBytes, whole.length)
      return whole
    }
    const plain = sink.buf.subarray(PREFIX_BYTES, sink.pos)
    // The compressor may take its time with the octets, the scratch is needed at once.
    const bytes = Buffer.from(plain)
    const result = compressMessage(compressor, bytes, minCompressBytes)
    if (result === undefined) return done(bytes, false)
    if (Buffer.isBuffer(result)) return done(result, true)
    return result.then((compressed) => done(compressed, true))
  })
}

function prefixed(bytes: Buffer, compressed: boolean, maxMessageBytes: number): Buffer {
  const sink = new ByteSink(PREFIX_BYTES + bytes.length)
  appendMessage(bytes, compressed, sink, maxMessageBytes)
  return sink.buf.subarray(0, sink.pos)
}

const SENT: Promise<void> = Promise.resolve()

/**
 * The sending half of a streaming call. Order is kept also when compression is asynchronous; waits
 * end when there is room or the stream is over.
 */
export class MessageSender<T> {
  private readonly stream: Stream
  private readonly options: SendingOptions<T>
  private readonly onSent: OnSent<T> | undefined
  private tail: Promise<void> | undefined
  private waiting: (() => void)[] | undefined
  private full = false
  private over = false

  public constructor(stream: Stream, options: SendingOptions<T>, onSent?: OnSent<T>) {
    this.stream = stream
    this.options = options
    this.onSent = onSent
  }

  /**
   * Puts one message; false when no more should be put before {@link MessageSender.writable}. Only
   * for messages that are not compressed asynchronously. Throws RpcError for a bad message.
   */
  public write(message: T): boolean {
    const { codec, maxMessageBytes } = this.options
    if (this.over) return false
    const hasRoom = putMessage(this.stream, codec, message, maxMessageBytes, false, this.onSent)
    this.full = !hasRoom && !this.stream.closed
    return hasRoom
  }

  /** Puts one message and resolves when more may be put. Rejects with RpcError for a bad message. */
  public send(message: T): Promise<void> {
    const { compressor } = this.options
    if (compressor !== undefined) return this.sendCompressed(compressor, message)
    try {
      return this.write(message) ? SENT : this.writable()
    } catch (thrown) {
      return Promise.reject(thrown)
    }
  }

  /** Resolves when more may be put, or nothing may be put any more. */
  public writable(): Promise<void> {
    if (!this.full || this.over) return SENT
    return new Promise((resolve) => {
      this.waiting ??= []
      this.waiting.push(resolve)
    })
  }

  /** Runs `task` behind everything sent so far. */
  public afterAll(task: () => void): void {
    if (this.tail === undefined) task()
    else this.tail = this.tail.then(task, task)
  }

  /** The stream has room again. */
  public onWritable(): void {
    this.full = false
    this.wake()
  }

  /** The stream is over: waits end, what follows is dropped. */
  public stop(): void {
    this.over = true
    this.wake()
  }

  private sendCompressed(compressor: Compressor, message: T): Promise<void> {
    const sent = (this.tail ?? SENT).then(async () => {
      const bytes = await compressedMessage(this.options, compressor, message, this.onSent)
      if (this.over) return
      this.full = !this.stream.data(bytes, 0, bytes.length, false, true)
      await this.writable()
    })
    // The chain goes on after a message that could not be encoded; whoever sent it hears.
    this.tail = sent.catch(() => {})
    return sent
  }

  private wake(): void {
    const waiting = this.waiting
    this.waiting = undefined
    if (waiting !== undefined) for (const resolve of waiting) resolve()
  }
}
