// From messages to the DATA of one stream, in order: encode, compress, put, wait for room.
//
//   write ─▶ encode ─▶ [compress] ─▶ [keep] ─▶ stream
//
// A message is encoded when it is given. Compression may take its time: what follows waits behind it.
// A sender may have no stream yet, lose it to another try, or serve several tries at once: what it
// keeps goes to each new one.
import { ByteSink } from '../../base/byte-sink.ts'
import type { Stream } from '../../transport/index.ts'
import type { Codec } from '../protocol/codec.ts'
import { type Compressor, compressMessage } from '../protocol/compression.ts'
import {
  appendMessage,
  checkSendSize,
  encodeMessage,
  isCompressed,
  PREFIX_BYTES,
} from '../protocol/message.ts'
import { RpcError } from '../protocol/rpc-error.ts'

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

/** What can be said of one message. */
export interface SendOptions {
  /** False: this message goes as it is though the call compresses. */
  readonly compress?: boolean
}

/** Hears of each message put on a stream: octets encoded, and on the wire with prefix. */
export type OnSent<T> = (
  message: T,
  messageBytes: number,
  wireBytes: number,
  compressed: boolean,
  stream: Stream,
) => void

/** Whose messages are sent. */
export interface MessageSenderOwner {
  /** A message that was taken cannot be sent: the call has to end. */
  onSendFault(error: RpcError): void
  /** Too much was sent to keep it: no new stream will do. */
  onReplayLost?(): void
}

// Encoding is synchronous, so one scratch serves the process; a codec that sends while it encodes
// finds none and gets its own.
let scratch: ByteSink | undefined = new ByteSink(4096)

function takeScratch(): ByteSink {
  const sink = scratch ?? new ByteSink()
  scratch = undefined
  sink.pos = 0
  return sink
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
  onSent?: OnSent<T>,
  headers?: readonly string[],
): boolean {
  const sink = takeScratch()
  try {
    const messageBytes = encodeMessage(codec, message, sink, maxMessageBytes)
    if (headers !== undefined) stream.headers(headers, false)
    onSent?.(message, messageBytes, PREFIX_BYTES + messageBytes, false, stream)
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

/** A message in its form on the wire, prefix included; *owned*. */
interface Encoded<T> {
  /** Kept only for who observes. */
  readonly message: T | undefined
  readonly messageBytes: number
  readonly bytes: Buffer
}

const EMPTY = Buffer.alloc(0)
const NO_STREAMS: readonly Stream[] = []
const DONE: Promise<void> = Promise.resolve()

/** The sending half of a call. A message that cannot be encoded throws at whoever gave it. */
export class MessageSender<T> {
  private options: SendingOptions<T>
  private readonly owner: MessageSenderOwner
  private readonly onSent: OnSent<T> | undefined
  private readonly maxKeptBytes: number
  /** The newest one. */
  private stream: Stream | undefined
  /** Those before it that go on beside it. */
  private others: Stream[] | undefined
  /** What another stream would need; undefined when nothing is kept any more. */
  private kept: Encoded<T>[] | undefined
  private keptBytes = 0
  /** Settles when what is being compressed, and all behind it, was put. */
  private compressing: Promise<void> | undefined
  private last: ((stream: Stream) => void) | undefined
  private lastRan = false
  private waiting: (() => void)[] | undefined
  private streamFull = false
  private over = false

  /** `stream` is absent when messages may come before it; `maxKeptBytes` then is for another try. */
  public constructor(
    options: SendingOptions<T>,
    owner: MessageSenderOwner,
    onSent: OnSent<T> | undefined,
    stream?: Stream,
    maxKeptBytes = 0,
  ) {
    this.options = options
    this.owner = owner
    this.onSent = onSent
    this.stream = stream
    this.maxKeptBytes = maxKeptBytes
    this.kept = stream === undefined ? [] : undefined
  }

  /** Whether everything sent so far can be sent once more. */
  public get replayable(): boolean {
    return this.kept !== undefined
  }

  /** Other options from now on. Throws RpcError when a message that is kept is too large for them. */
  public configure(options: SendingOptions<T>): void {
    this.options = options
    for (const { bytes } of this.kept ?? []) {
      checkSendSize(bytes.length - PREFIX_BYTES, options.maxMessageBytes)
    }
  }

  /** Puts all that is kept on `stream`, and what follows: there, and where it was put before. */
  public attach(stream: Stream): void {
    if (this.stream !== undefined) {
      this.others ??= []
      this.others.push(this.stream)
    }
    let hasRoom = true
    for (const encoded of this.kept ?? []) hasRoom = this.putOn(stream, encoded)
    this.streamFull = !hasRoom && (this.stream === undefined || this.streamFull)
    this.stream = stream
    this.limitKept()
    if (this.lastRan) this.last?.(stream)
    else this.runLast()
    this.wake()
  }

  /** The stream is gone; another may follow. */
  public detach(stream: Stream): void {
    if (this.stream === stream) this.stream = this.others?.pop()
    else this.others = this.others?.filter((other) => other !== stream)
    if (this.stream === undefined) this.lastRan = false
    // The one that had no room may have been this one.
    this.onWritable()
  }

  /** There will be no other stream: keeps nothing. */
  public commit(): void {
    if (this.stream !== undefined) this.kept = undefined
  }

  /**
   * Takes one message; false when no more should be given before {@link MessageSender.writable}.
   * Throws RpcError for a message that cannot be encoded; the call goes on without it.
   */
  public write(message: T, options?: SendOptions): boolean {
    if (this.over) return false
    const compressor = options?.compress === false ? undefined : this.options.compressor
    const { stream } = this
    if (
      compressor === undefined &&
      stream !== undefined &&
      this.kept === undefined &&
      this.compressing === undefined
    ) {
      const { codec, maxMessageBytes } = this.options
      const hasRoom = putMessage(stream, codec, message, maxMessageBytes, false, this.onSent)
      this.streamFull = !hasRoom && !stream.closed
      return hasRoom
    }
    const encoded = this.encode(message)
    if (compressor === undefined) this.place(encoded)
    else this.compress(compressor, encoded)
    return !this.isFull
  }

  /** Resolves when more may be given, or nothing may be given any more. */
  public writable(): Promise<void> {
    if (!this.isFull || this.over) return DONE
    return new Promise((resolve) => {
      this.waiting ??= []
      this.waiting.push(resolve)
    })
  }

  /** No message follows: runs `task` once all are on the stream, and so for each later stream. */
  public afterAll(task: (stream: Stream) => void): void {
    this.last = task
    this.runLast()
  }

  /** Ends our half of the stream behind all messages. */
  public end(): void {
    this.afterAll((stream) => stream.data(EMPTY, 0, 0, true))
  }

  /** A stream has room again. */
  public onWritable(): void {
    this.streamFull = false
    this.wake()
  }

  /** The call is over: waits end, what follows is dropped. */
  public stop(): void {
    this.over = true
    this.kept = undefined
    this.wake()
  }

  private get isFull(): boolean {
    return this.stream === undefined || this.compressing !== undefined || this.streamFull
  }

  private encode(message: T): Encoded<T> {
    const { codec, maxMessageBytes } = this.options
    const sink = takeScratch()
    try {
      const messageBytes = encodeMessage(codec, message, sink, maxMessageBytes)
      const bytes =
        sink.pos < HAND_OVER_BYTES ? Buffer.from(sink.buf.subarray(0, sink.pos)) : sink.detach()
      return { message: this.onSent === undefined ? undefined : message, messageBytes, bytes }
    } finally {
      scratch = sink
    }
  }

  private compress(compressor: Compressor, encoded: Encoded<T>): void {
    const { minCompressBytes, maxMessageBytes } = this.options
    const plain = encoded.bytes.subarray(PREFIX_BYTES)
    const result = compressMessage(compressor, plain, minCompressBytes)
    if (result === undefined) this.place(encoded)
    else if (Buffer.isBuffer(result)) {
      this.place({ ...encoded, bytes: prefixed(result, maxMessageBytes) })
    } else {
      const later = result.then((bytes) => ({
        ...encoded,
        bytes: prefixed(bytes, maxMessageBytes),
      }))
      // Looked at only once what is before it is done.
      later.catch(() => {})
      this.placeBehind(later)
    }
  }

  private place(encoded: Encoded<T>): void {
    if (this.compressing === undefined) this.keepAndPut(encoded)
    else this.placeBehind(encoded)
  }

  private placeBehind(encoded: Encoded<T> | Promise<Encoded<T>>): void {
    const placed = (this.compressing ?? DONE)
      .then(() => encoded)
      .then(
        (whole) => this.keepAndPut(whole),
        (thrown) => {
          if (!this.over) this.owner.onSendFault(RpcError.from(thrown))
        },
      )
      .then(() => {
        if (this.compressing !== placed) return
        this.compressing = undefined
        this.runLast()
        this.wake()
      })
    this.compressing = placed
  }

  private keepAndPut(encoded: Encoded<T>): void {
    if (this.over) return
    if (this.kept !== undefined) {
      this.kept.push(encoded)
      this.keptBytes += encoded.bytes.length
    }
    if (this.stream === undefined) return
    this.put(encoded, this.stream)
    this.limitKept()
  }

  private put(encoded: Encoded<T>, stream: Stream): void {
    let hasRoom = this.putOn(stream, encoded)
    // The slowest of several does not hold up the others.
    for (const other of this.others ?? NO_STREAMS) hasRoom = this.putOn(other, encoded) || hasRoom
    this.streamFull = !hasRoom
  }

  /** True when more may be put there. */
  private putOn(stream: Stream, { message, messageBytes, bytes }: Encoded<T>): boolean {
    this.onSent?.(message as T, messageBytes, bytes.length, isCompressed(bytes), stream)
    // Kept memory is lent, not given: what is put must not change, and does not.
    return stream.data(bytes, 0, bytes.length, false, true) || stream.closed
  }

  private limitKept(): void {
    if (this.kept === undefined || this.keptBytes <= this.maxKeptBytes) return
    this.kept = undefined
    this.owner.onReplayLost?.()
  }

  private runLast(): void {
    if (this.last === undefined || this.lastRan) return
    if (this.stream === undefined || this.compressing !== undefined) return
    this.lastRan = true
    this.last(this.stream)
    for (const other of this.others ?? NO_STREAMS) this.last(other)
  }

  private wake(): void {
    const { waiting } = this
    if (waiting === undefined || (this.isFull && !this.over)) return
    this.waiting = undefined
    for (const resolve of waiting) resolve()
  }
}

function prefixed(bytes: Buffer, maxMessageBytes: number): Buffer {
  const sink = new ByteSink(PREFIX_BYTES + bytes.length)
  appendMessage(bytes, true, sink, maxMessageBytes)
  return sink.buf.subarray(0, sink.pos)
}
