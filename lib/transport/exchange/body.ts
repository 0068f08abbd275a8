// The body of a message: read as chunks at the reader's pace, written from bytes, text or a source of
// chunks at the wire's pace. RFC 9113 sections 6.1, 8.1.
import type { Stream } from '../stream/stream.ts'

/** What a body can be written from; chunks are *borrowed* until they were written. */
export type BodySource =
  | string
  | Uint8Array
  | AsyncIterable<Uint8Array | string>
  | Iterable<Uint8Array | string>

interface Waiter {
  readonly resolve: (result: IteratorResult<Buffer>) => void
  readonly reject: (error: Error) => void
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** A received body. Chunks are *owned* by whoever reads them; flow control follows the reading. */
export class Body implements AsyncIterableIterator<Buffer> {
  private readonly credit: (bytes: number) => void
  private readonly left: () => void
  private firstRead: (() => void) | undefined
  private chunks: Buffer[] = []
  private waiter: Waiter | undefined
  private ended = false
  private failure: Error | undefined

  /**
   * `credit` returns flow-control credit for what was taken; `firstRead` is called when somebody
   * first asks for data; `left` when the reader leaves before the end.
   */
  public constructor(credit: (bytes: number) => void, left: () => void, firstRead?: () => void) {
    this.credit = credit
    this.left = left
    this.firstRead = firstRead
  }

  /** The next chunk. Rejects with StreamClosedError when the stream was cut off. */
  public next(): Promise<IteratorResult<Buffer>> {
    const { firstRead } = this
    this.firstRead = undefined
    firstRead?.()
    const chunk = this.chunks.shift()
    if (chunk !== undefined) {
      this.credit(chunk.length)
      return Promise.resolve({ done: false, value: chunk })
    }
    if (this.failure !== undefined) return Promise.reject(this.failure)
    if (this.ended) return Promise.resolve(DONE)
    return new Promise((resolve, reject) => {
      this.waiter = { resolve, reject }
    })
  }

  /** The reader has enough; the rest is dropped. */
  public return(): Promise<IteratorResult<Buffer>> {
    for (const chunk of this.chunks) this.credit(chunk.length)
    this.chunks = []
    if (!this.ended) this.left()
    this.end()
    return Promise.resolve(DONE)
  }

  public [Symbol.asyncIterator](): this {
    return this
  }

  /** The whole body as one. Rejects with RangeError when it is longer than `maxBytes`. */
  public async bytes(maxBytes: number = DEFAULT_MAX_BYTES): Promise<Buffer> {
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of this) {
      length += chunk.length
      if (length > maxBytes) throw new RangeError(`body_too_large: want at most ${maxBytes} octets`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  }

  /** The whole body as UTF-8. */
  public async text(maxBytes?: number): Promise<string> {
    return (await this.bytes(maxBytes)).toString()
  }

  /** @internal A chunk arrived; the range is borrowed. */
  public push(buf: Buffer, start: number, end: number): void {
    if (this.ended) {
      this.credit(end - start)
      return
    }
    const chunk = Buffer.from(buf.subarray(start, end))
    const { waiter } = this
    if (waiter === undefined) {
      this.chunks.push(chunk)
      return
    }
    this.waiter = undefined
    this.credit(chunk.length)
    waiter.resolve({ done: false, value: chunk })
  }

  /** @internal Nothing follows; with `failure` that is why. */
  public end(failure?: Error): void {
    if (this.ended) return
    this.ended = true
    this.failure = failure
    const { waiter } = this
    this.waiter = undefined
    if (failure === undefined) waiter?.resolve(DONE)
    else waiter?.reject(failure)
  }
}

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024
const NOTHING = Buffer.alloc(0)

/** Writes bodies and trailers to a stream, waiting for room. One for each stream. */
export class BodyWriter {
  private readonly stream: Stream
  private wake: (() => void) | undefined

  public constructor(stream: Stream) {
    this.stream = stream
  }

  /** For the stream's owner: `onWritable`, or the stream is closed. */
  public go(): void {
    const { wake } = this
    this.wake = undefined
    wake?.()
  }

  /** Writes a source to its end, then `trailers` if there are any. Rejects with what the source throws. */
  public async write(source: BodySource, trailers?: readonly string[]): Promise<void> {
    const { stream } = this
    const endsHere = trailers === undefined
    if (typeof source === 'string' || source instanceof Uint8Array) {
      this.put(source, endsHere)
    } else {
      for await (const chunk of source) {
        if (stream.closed) return
        if (!this.put(chunk, false) && !stream.closed) await this.room()
      }
      if (endsHere) stream.data(NOTHING, 0, 0, true)
    }
    if (trailers !== undefined) stream.trailers(trailers)
  }

  private put(chunk: Uint8Array | string, endStream: boolean): boolean {
    const bytes =
      typeof chunk === 'string'
        ? Buffer.from(chunk)
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    return this.stream.data(bytes, 0, bytes.length, endStream)
  }

  private room(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve
    })
  }
}
