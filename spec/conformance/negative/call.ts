// One request at a negative server, and the frames that a script answers it with.
import {
  Flag,
  FrameType,
  frame,
  MIN_MAX_FRAME_SIZE,
  paddedFrame,
  putRstStream,
  RST_STREAM_FRAME_BYTES,
} from '../../../lib/frame/index.ts'

/** What a call needs of its connection. */
export interface CallLink {
  write(octets: Buffer): void
  encode(fields: readonly string[]): Buffer
  /** What the client lets the connection send now. */
  readonly windowBytes: number
  /** Takes from it for a DATA frame. */
  spend(flowBytes: number, paddingBytes: number): void
  /** The stream is closed. */
  close(streamId: number): void
}

/** Into which DATA frames octets are cut. */
export interface DataShape {
  /** Octets of data in each frame. */
  readonly chunkBytes: number
  /** Octets of padding behind them; absent for frames without padding. */
  readonly padLength?: number
}

/** A promise and what resolves it. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((give) => {
    resolve = give
  })
  return { promise, resolve }
}

/** Octets that wait for the client's windows. */
interface Sending {
  readonly octets: Buffer
  readonly shape: DataShape
  readonly sent: () => void
  pos: number
}

const RESPONSE_HEADERS = [':status', '200', 'content-type', 'application/grpc']
const TRAILERS = ['grpc-status', '0']
const LARGE_FRAMES: DataShape = { chunkBytes: MIN_MAX_FRAME_SIZE }

/** See above. */
export class Call {
  public readonly streamId: number
  private readonly link: CallLink
  private readonly chunks: Buffer[] = []
  private readonly whole: Deferred<Buffer> = deferred()
  /** What the client lets this stream send. */
  private windowBytes: number
  private sending: Sending | undefined

  public constructor(link: CallLink, streamId: number, windowBytes: number) {
    this.link = link
    this.streamId = streamId
    this.windowBytes = windowBytes
  }

  // ── what a script says

  /** The octets of the request, once it has ended. */
  public body(): Promise<Buffer> {
    return this.whole.promise
  }

  /** Sends the response's HEADERS. */
  public sendHeaders(): void {
    this.sendBlock(RESPONSE_HEADERS, 0)
  }

  /** Sends octets in DATA frames as the windows allow; resolves when the last one is written. */
  public sendData(octets: Buffer, shape: DataShape = LARGE_FRAMES): Promise<void> {
    const { promise, resolve } = deferred<void>()
    this.sending = { octets, shape, sent: resolve, pos: 0 }
    this.pump()
    return promise
  }

  /** Sends trailers with status OK, which end the stream. */
  public sendTrailers(): void {
    this.sendBlock(TRAILERS, Flag.END_STREAM)
    this.link.close(this.streamId)
  }

  /** Sends RST_STREAM. */
  public sendReset(code: number): void {
    const buf = Buffer.alloc(RST_STREAM_FRAME_BYTES)
    putRstStream(buf, 0, this.streamId, code)
    this.link.write(buf)
    this.link.close(this.streamId)
  }

  // ── what the connection received

  /** Octets of the request; *borrowed*. */
  public receive(octets: Buffer): void {
    this.chunks.push(Buffer.from(octets))
  }

  /** The request's END_STREAM. */
  public receiveEnd(): void {
    this.whole.resolve(Buffer.concat(this.chunks))
  }

  /** More, or less, window for this stream. */
  public grant(octets: number): void {
    this.windowBytes += octets
    this.pump()
  }

  /** Sends what waits, as far as both windows have room. */
  public pump(): void {
    while (this.sending !== undefined) {
      const { octets, shape, sent, pos } = this.sending
      const paddingBytes = shape.padLength === undefined ? 0 : 1 + shape.padLength
      const roomBytes = Math.min(this.windowBytes, this.link.windowBytes) - paddingBytes
      if (roomBytes <= 0) return
      const end = Math.min(pos + Math.min(shape.chunkBytes, roomBytes), octets.length)
      const flowBytes = end - pos + paddingBytes
      this.windowBytes -= flowBytes
      this.link.spend(flowBytes, paddingBytes)
      this.link.write(dataFrame(this.streamId, octets.subarray(pos, end), shape))
      this.sending.pos = end
      if (end < octets.length) continue
      this.sending = undefined
      sent()
    }
  }

  private sendBlock(fields: readonly string[], flags: number): void {
    const block = this.link.encode(fields)
    this.link.write(frame(FrameType.HEADERS, flags | Flag.END_HEADERS, this.streamId, block))
  }
}

function dataFrame(streamId: number, octets: Buffer, { padLength }: DataShape): Buffer {
  if (padLength === undefined) return frame(FrameType.DATA, 0, streamId, octets)
  return paddedFrame(FrameType.DATA, 0, streamId, octets, padLength)
}
