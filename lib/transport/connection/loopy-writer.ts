// The loopy writer: decides which stream's frame is encoded next, and writes one batch per flush.
//
// A put is encoded straight into the outgoing slab when nothing is before it and both windows cover
// it; otherwise it waits in its stream's queue. Streams with something to send stand in a ring and
// take turns of at most 16 KiB of DATA. A stream without window leaves the ring until it has one.
//
//   put ──┬─ nothing before it, windows open ─▶ slab ─▶ flush ─▶ wire
//         └─ otherwise ─▶ stream.queue ─▶ ring ─▶ turn ─┘
//
// RFC 9113 sections 5.2, 6.1, 6.2, 6.9, 6.10; grpc-go's loopyWriter.
import {
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  MAX_WINDOW_BYTES,
  MIN_MAX_FRAME_SIZE,
  putFrameHeader,
} from '../../frame/index.ts'
import { FIELD_OVERHEAD_BYTES, type HpackEncoder, listBytes } from '../../hpack/index.ts'
import type { SendWindow } from '../stream/flow-control.ts'
import { SendItem, SendKind, SendQueue } from '../stream/send-queue.ts'
import { SendState, type Stream } from '../stream/stream.ts'
import type { OutgoingSlabs } from './outgoing-slabs.ts'

/** The most DATA of one stream in one turn. */
const TURN_BYTES = 16_384

/** What the writer tells the connection as frames are encoded. */
export interface WriterHost {
  requestFlush(urgency: 'soon' | 'later'): void
  /** HEADERS of a stream without id are about to be encoded: give it one. */
  assignId(stream: Stream): void
  /** The peer would refuse this header list (SETTINGS_MAX_HEADER_LIST_SIZE). */
  headerListTooLarge(stream: Stream, bytes: number): void
  headersSent(stream: Stream, endStream: boolean): void
  dataSent(stream: Stream, bytes: number, endStream: boolean): void
}

export interface WriterLimits {
  readonly flushDataBytes: number
  readonly blockedBytes: number
  readonly writeQuotaBytes: number
}

export class LoopyWriter {
  /** The peer's SETTINGS_MAX_FRAME_SIZE. */
  public peerMaxFrameBytes: number = MIN_MAX_FRAME_SIZE
  /** The peer's SETTINGS_MAX_HEADER_LIST_SIZE. */
  public peerMaxListBytes: number = Number.POSITIVE_INFINITY
  /** The connection's send window. */
  public readonly window: SendWindow
  private readonly out: OutgoingSlabs
  private readonly encoder: HpackEncoder
  private readonly host: WriterHost
  private readonly limits: WriterLimits
  /** Octets of data in all streams' queues. */
  public queuedBytes = 0
  /** Octets of data encoded so far. */
  public sentDataBytes = 0
  private unsentBytes = 0
  private ringHead: Stream | undefined
  private ringSize = 0
  /** Something in the ring needs no connection window: headers, or an empty last DATA. */
  private hasWindowless = false
  private writable: Stream[] = []

  public constructor(
    out: OutgoingSlabs,
    encoder: HpackEncoder,
    window: SendWindow,
    limits: WriterLimits,
    host: WriterHost,
  ) {
    this.out = out
    this.encoder = encoder
    this.window = window
    this.limits = limits
    this.host = host
  }

  /** While true only control frames are encoded. */
  public get blocked(): boolean {
    return this.unsentBytes + this.out.pendingBytes >= this.limits.blockedBytes
  }

  /** Whether data waits for the connection's window. */
  public get isWindowBlocked(): boolean {
    return this.ringHead !== undefined && this.window.available <= 0
  }

  /** Whether something waits that no window holds back. */
  private get hasWork(): boolean {
    return this.ringHead !== undefined && (this.window.available > 0 || this.hasWindowless)
  }

  public putHeaders(
    stream: Stream,
    fields: readonly string[],
    extraFields: readonly string[] | undefined,
    endStream: boolean,
  ): void {
    if (this.mayEncode(stream)) this.encodeHeaders(stream, fields, extraFields, endStream)
    else this.enqueue(stream, SendItem.headers(fields, extraFields, endStream))
  }

  /** True when more may be put: the stream's queue is within its write quota. */
  public putData(
    stream: Stream,
    buf: Buffer,
    start: number,
    end: number,
    endStream: boolean,
    owned: boolean,
  ): boolean {
    const length = end - start
    // An empty frame that ends nothing would be for the peer to count as an oddity.
    if (length === 0 && !endStream) return stream.queuedBytes < this.limits.writeQuotaBytes
    if (
      this.mayEncode(stream) &&
      this.ringHead === undefined &&
      length <= stream.sendWindowBytes &&
      length <= this.window.available &&
      length <= this.limits.flushDataBytes
    ) {
      this.encodeData(stream, buf, start, end, endStream)
      return true
    }
    if (length === 0 && stream.queue?.endWithLastData()) return true
    const kept =
      owned || length === 0
        ? SendItem.data(buf, start, end, endStream)
        : copy(buf, start, end, endStream)
    stream.queuedBytes += length
    this.queuedBytes += length
    this.enqueue(stream, kept)
    if (stream.queuedBytes < this.limits.writeQuotaBytes) return true
    stream.writerWaits = true
    return false
  }

  /** A stream that waited for the peer's concurrency limit may open. */
  public admit(stream: Stream): void {
    stream.admitted = true
    if (stream.queue === undefined) return
    this.hasWindowless = true
    this.activate(stream)
    this.host.requestFlush('soon')
  }

  /** Takes back the admission of the last `count` streams whose HEADERS are not encoded; says which. */
  public withhold(count: number): Stream[] {
    const streams = this.unnumbered().slice(-count)
    for (const stream of streams) {
      this.leaveRing(stream)
      stream.sendState = SendState.Empty
      stream.admitted = false
    }
    return streams
  }

  /** Streams in the ring whose HEADERS are not encoded yet. */
  public unnumbered(): Stream[] {
    const streams: Stream[] = []
    let stream = this.ringHead
    for (let left = this.ringSize; left > 0; left--) {
      if (stream!.id === 0) streams.push(stream!)
      stream = stream!.ringNext
    }
    return streams
  }

  /** Forgets what the stream has queued. */
  public drop(stream: Stream): void {
    if (stream.sendState === SendState.Active) this.leaveRing(stream)
    stream.sendState = SendState.Empty
    stream.queue = undefined
    this.queuedBytes -= stream.queuedBytes
    stream.queuedBytes = 0
  }

  /** WINDOW_UPDATE on a stream, or a changed INITIAL_WINDOW_SIZE. False: over 2^31-1. */
  public streamWindowChanged(stream: Stream, delta: number): boolean {
    stream.sendWindowBytes += delta
    if (stream.sendWindowBytes > MAX_WINDOW_BYTES) return false
    if (stream.sendState === SendState.WaitingForWindow && stream.sendWindowBytes > 0) {
      this.activate(stream)
      this.host.requestFlush('soon')
    }
    return true
  }

  /** WINDOW_UPDATE on the connection. False: over 2^31-1. */
  public connectionWindowUpdate(increment: number): boolean {
    if (!this.window.add(increment)) return false
    if (this.ringHead !== undefined) this.host.requestFlush('soon')
    return true
  }

  /** The first half of a flush: encodes what the windows allow. */
  public encodeBatch(unsentBytes: number): void {
    this.unsentBytes = unsentBytes
    this.takeTurns()
  }

  /** The second half, once the batch was written: goes on later, and tells who may put more. */
  public batchWritten(unsentBytes: number): void {
    this.unsentBytes = unsentBytes
    if (this.hasWork && !this.blocked) this.host.requestFlush('later')
    this.notifyWriters()
  }

  /** The wire has drained. */
  public unblocked(unsentBytes: number): void {
    this.unsentBytes = unsentBytes
    if (this.hasWork) this.host.requestFlush('soon')
  }

  private mayEncode(stream: Stream): boolean {
    return stream.queue === undefined && stream.admitted && !this.blocked
  }

  private takeTurns(): void {
    // A stream that sends alone need not yield to others.
    let budget = this.ringSize === 1 ? this.limits.blockedBytes : this.limits.flushDataBytes
    let passedOver = 0
    while (this.ringHead !== undefined && budget > 0 && passedOver < this.ringSize) {
      if (!this.hasWork || this.blocked) return
      const sent = this.turn(this.ringHead)
      if (sent < 0) {
        passedOver++
      } else {
        passedOver = 0
        budget -= sent
      }
    }
    // Whoever is left in the ring waits for the connection window.
    if (passedOver > 0 && passedOver >= this.ringSize) this.hasWindowless = false
  }

  /** One turn of one stream: DATA octets encoded, or -1 when the connection window held it back. */
  private turn(stream: Stream): number {
    const queue = stream.queue as SendQueue
    let item = queue.head as SendItem
    let sent = 0
    if (item.kind === SendKind.Data) {
      const remaining = item.end - item.start
      const windowBytes = Math.min(stream.sendWindowBytes, this.window.available)
      if (remaining > 0 && windowBytes <= 0) return this.passOver(stream)
      const size = remaining === 0 ? 0 : Math.min(remaining, TURN_BYTES, windowBytes)
      const from = item.start
      item.start += size
      sent = size
      this.creditWriter(stream, size)
      if (item.start < item.end) {
        this.rotate(stream)
        this.encodeFrame(stream, item.buf, from, item.start, false)
        return sent
      }
      queue.shift()
      const endStream = item.endStream
      if (queue.head === undefined) this.queueEmptied(stream)
      else this.rotate(stream)
      this.encodeFrame(stream, item.buf, from, item.start, endStream)
      if (stream.queue?.head === undefined || stream.queue.head.kind === SendKind.Data) return sent
      item = stream.queue.head
    }
    // Headers need no window: trailers follow their last data in the same turn.
    queue.shift()
    if (queue.head === undefined) this.queueEmptied(stream)
    else if (queue.head.kind === SendKind.Headers) this.hasWindowless = true
    this.encodeHeaders(stream, item.fields, item.extraFields, item.endStream)
    return sent
  }

  private passOver(stream: Stream): number {
    if (stream.sendWindowBytes <= 0) {
      this.leaveRing(stream)
      stream.sendState = SendState.WaitingForWindow
      return 0
    }
    this.rotate(stream)
    return -1
  }

  private creditWriter(stream: Stream, bytes: number): void {
    stream.queuedBytes -= bytes
    this.queuedBytes -= bytes
    if (!stream.writerWaits || stream.queuedBytes >= this.limits.writeQuotaBytes) return
    stream.writerWaits = false
    this.writable.push(stream)
  }

  // Owners are told after the batch, when the ring is at rest: they will put more.
  private notifyWriters(): void {
    if (this.writable.length === 0) return
    const streams = this.writable
    this.writable = []
    for (const stream of streams) if (!stream.closed) stream.handler.onWritable()
  }

  private enqueue(stream: Stream, item: SendItem): void {
    stream.queue ??= new SendQueue()
    stream.queue.push(item)
    if (!stream.admitted) return
    if (item.start === item.end) this.hasWindowless = true
    if (stream.sendState === SendState.Empty) this.activate(stream)
    this.host.requestFlush('soon')
  }

  private queueEmptied(stream: Stream): void {
    stream.queue = undefined
    this.leaveRing(stream)
    stream.sendState = SendState.Empty
  }

  private activate(stream: Stream): void {
    stream.sendState = SendState.Active
    this.ringSize++
    const head = this.ringHead
    if (head === undefined) {
      stream.ringNext = stream
      stream.ringPrevious = stream
      this.ringHead = stream
      return
    }
    const tail = head.ringPrevious as Stream
    stream.ringNext = head
    stream.ringPrevious = tail
    tail.ringNext = stream
    head.ringPrevious = stream
  }

  private leaveRing(stream: Stream): void {
    this.ringSize--
    if (this.ringSize === 0) {
      this.ringHead = undefined
    } else {
      const next = stream.ringNext as Stream
      const previous = stream.ringPrevious as Stream
      previous.ringNext = next
      next.ringPrevious = previous
      if (this.ringHead === stream) this.ringHead = next
    }
    stream.ringNext = undefined
    stream.ringPrevious = undefined
  }

  private rotate(stream: Stream): void {
    this.ringHead = stream.ringNext
  }

  private encodeData(
    stream: Stream,
    buf: Buffer,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    let from = start
    while (end - from > TURN_BYTES) {
      this.encodeFrame(stream, buf, from, from + TURN_BYTES, false)
      from += TURN_BYTES
    }
    this.encodeFrame(stream, buf, from, end, endStream)
  }

  private encodeFrame(
    stream: Stream,
    buf: Buffer,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    const length = end - start
    const { out } = this
    out.reserve(FRAME_HEADER_BYTES + length)
    const flags = endStream ? Flag.END_STREAM : 0
    const pos = putFrameHeader(out.buf, out.pos, length, FrameType.DATA, flags, stream.id)
    if (length > 0) copyInto(out.buf, pos, buf, start, end)
    out.pos = pos + length
    stream.sendWindowBytes -= length
    this.window.take(length)
    this.sentDataBytes += length
    this.host.dataSent(stream, length, endStream)
  }

  private encodeHeaders(
    stream: Stream,
    fields: readonly string[],
    extraFields: readonly string[] | undefined,
    endStream: boolean,
  ): void {
    const { out, encoder } = this
    const bound =
      encoder.encodedBound(fields) +
      (extraFields === undefined ? 0 : encoder.encodedBound(extraFields))
    if (this.refusesList(bound, fields, extraFields)) {
      this.host.headerListTooLarge(stream, totalListBytes(fields, extraFields))
      return
    }
    if (stream.id === 0) this.host.assignId(stream)
    const frames = Math.max(1, Math.ceil(bound / this.peerMaxFrameBytes))
    out.reserve(bound + frames * FRAME_HEADER_BYTES)
    const { buf, pos } = out
    const blockStart = pos + FRAME_HEADER_BYTES
    let blockEnd = encoder.begin(buf, blockStart)
    blockEnd = encoder.encode(fields, buf, blockEnd)
    if (extraFields !== undefined) blockEnd = encoder.encode(extraFields, buf, blockEnd)
    out.pos = this.frameBlock(stream.id, buf, pos, blockEnd, endStream)
    this.host.headersSent(stream, endStream)
  }

  // The block stands at `pos + 9`; puts the frame header before it, and opens gaps for
  // CONTINUATION headers when it is longer than the peer's largest frame.
  private frameBlock(
    id: number,
    buf: Buffer,
    pos: number,
    blockEnd: number,
    endStream: boolean,
  ): number {
    const max = this.peerMaxFrameBytes
    const blockStart = pos + FRAME_HEADER_BYTES
    const length = blockEnd - blockStart
    const endFlag = endStream ? Flag.END_STREAM : 0
    if (length <= max) {
      putFrameHeader(buf, pos, length, FrameType.HEADERS, endFlag | Flag.END_HEADERS, id)
      return blockEnd
    }
    const last = Math.ceil(length / max) - 1
    for (let i = last; i > 0; i--) {
      const from = blockStart + i * max
      const to = Math.min(from + max, blockEnd)
      const at = from + i * FRAME_HEADER_BYTES
      buf.copyWithin(at, from, to)
      const flags = i === last ? Flag.END_HEADERS : 0
      putFrameHeader(buf, at - FRAME_HEADER_BYTES, to - from, FrameType.CONTINUATION, flags, id)
    }
    putFrameHeader(buf, pos, max, FrameType.HEADERS, endFlag, id)
    return blockEnd + last * FRAME_HEADER_BYTES
  }

  // The bound on the encoded octets also bounds names and values, so the exact sum is rarely needed.
  private refusesList(
    bound: number,
    fields: readonly string[],
    extraFields: readonly string[] | undefined,
  ): boolean {
    const count = (fields.length + (extraFields?.length ?? 0)) >> 1
    if (bound + count * FIELD_OVERHEAD_BYTES <= this.peerMaxListBytes) return false
    return totalListBytes(fields, extraFields) > this.peerMaxListBytes
  }
}

function totalListBytes(
  fields: readonly string[],
  extraFields: readonly string[] | undefined,
): number {
  return listBytes(fields) + (extraFields === undefined ? 0 : listBytes(extraFields))
}

function copy(buf: Buffer, start: number, end: number, endStream: boolean): SendItem {
  const kept = Buffer.allocUnsafeSlow(end - start)
  buf.copy(kept, 0, start, end)
  return SendItem.data(kept, 0, kept.length, endStream)
}

// A call into the runtime costs more than moving a few octets by hand.
function copyInto(target: Buffer, at: number, source: Buffer, start: number, end: number): void {
  if (end - start > 64) {
    source.copy(target, at, start, end)
    return
  }
  let to = at
  for (let from = start; from < end; from++) target[to++] = source[from] as number
}
