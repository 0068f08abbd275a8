// How fast frames are decoded and encoded, against loops that do the least one can do.
import {
  FRAME_HEADER_BYTES,
  FrameDecoder,
  type FrameHandler,
  FrameType,
  putContinuationHeader,
  putDataHeader,
  putGoAway,
  putHeadersHeader,
  putPaddedFrame,
  putPing,
  putPriority,
  putRstStream,
  putSettings,
  putSettingsAck,
  putWindowUpdate,
  RST_STREAM_FRAME_BYTES,
  Setting,
} from '../../lib/frame/index.ts'
import type { BenchOptions } from '../report/result.ts'
import { type BenchResult, type Candidate, measure } from './measure.ts'

const READ_BYTES = 65_536
/** What TCP over Ethernet carries in a segment: reads that cut frames anywhere. */
const SEGMENT_BYTES = 1_448
const MESSAGE_BYTES = 100
const WARM_UP_RUNS = 200
const BLOCK_BYTES = 40

/** Writes one frame, or the frames that belong together, at `pos`. */
type Put = (buf: Buffer, pos: number, streamId: number) => number

const putMessage: Put = (buf, pos, streamId) =>
  putDataHeader(buf, pos, streamId, MESSAGE_BYTES, false) + MESSAGE_BYTES
const putBlock: Put = (buf, pos, streamId) =>
  putHeadersHeader(buf, pos, streamId, BLOCK_BYTES, false, true) + BLOCK_BYTES

/** A unary call as a client sees it, with the control frames it causes. */
const putCall: Put = (buf, pos, streamId) => {
  const data = putMessage(buf, putBlock(buf, pos, streamId), streamId)
  const trailers = putHeadersHeader(buf, data, streamId, 3, true, true) + 3
  return putWindowUpdate(buf, trailers, 0, MESSAGE_BYTES)
}

/** One frame of each type, some with padding or cut in two. */
const putEveryType: Put = (buf, pos, streamId) => {
  let end = putBlock(buf, pos, streamId)
  end = putHeadersHeader(buf, end, streamId, BLOCK_BYTES, false, false) + BLOCK_BYTES
  end = putContinuationHeader(buf, end, streamId, BLOCK_BYTES, true) + BLOCK_BYTES
  end = putMessage(buf, end, streamId)
  end = putPaddedFrame(buf, end, FrameType.DATA, 0, streamId, Buffer.alloc(MESSAGE_BYTES), 8)
  end = putPriority(buf, end, streamId, 0, false, 16)
  end = putRstStream(buf, end, streamId, 8)
  end = putSettings(buf, end, [[Setting.INITIAL_WINDOW_SIZE, 65_535]])
  end = putSettingsAck(buf, end)
  end = putPing(buf, end, true, 1, 2)
  end = putGoAway(buf, end, streamId, 0, 'bye')
  return putWindowUpdate(buf, end, streamId, 1_000)
}

const MIXES: Readonly<Record<string, Put>> = {
  PING: (buf, pos, streamId) => putPing(buf, pos, false, streamId, 7),
  WINDOW_UPDATE: (buf, pos, streamId) => putWindowUpdate(buf, pos, streamId, 1_000),
  'DATA of 100': putMessage,
  'HEADERS of 40': putBlock,
  'unary calls': putCall,
  'every type': putEveryType,
}

/** Does with each frame what is hardly worth a name. */
class CountingHandler implements FrameHandler {
  public frames = 0
  public sum = 0

  public frame(_type: number, _flags: number, _streamId: number, _length: number): void {
    this.frames++
  }
  public dataBegin(streamId: number, flowBytes: number): void {
    this.sum = (this.sum + streamId + flowBytes) | 0
  }
  public dataChunk(_buf: Buffer, start: number, end: number): void {
    this.sum = (this.sum + end - start) | 0
  }
  public dataEnd(): void {
    this.sum ^= 1
  }
  public headers(
    streamId: number,
    endStream: boolean,
    _endHeaders: boolean,
    _padLength: number,
    _buf: Buffer,
    start: number,
    end: number,
  ): void {
    this.sum = (this.sum + streamId + end - start + (endStream ? 1 : 0)) | 0
  }
  public continuation(streamId: number): void {
    this.sum ^= streamId
  }
  public priority(streamId: number): void {
    this.sum ^= streamId
  }
  public pushPromise(streamId: number): void {
    this.sum ^= streamId
  }
  public extension(type: number): void {
    this.sum ^= type
  }
  public rstStream(streamId: number, code: number): void {
    this.sum = (this.sum + streamId + code) | 0
  }
  public setting(id: number, value: number): void {
    this.sum = (this.sum + id + value) | 0
  }
  public settingsEnd(): void {
    this.sum ^= 2
  }
  public settingsAck(): void {
    this.sum ^= 4
  }
  public ping(_ack: boolean, hi: number, lo: number): void {
    this.sum = (this.sum + hi + lo) | 0
  }
  public goAway(lastStreamId: number): void {
    this.sum ^= lastStreamId
  }
  public windowUpdate(streamId: number, increment: number): void {
    this.sum = (this.sum + streamId + increment) | 0
  }
  public streamError(streamId: number): void {
    this.sum ^= streamId
  }
}

/** Reads the nine octets of each header into locals and skips the payload. */
function bareRead(buf: Buffer, start: number, end: number): number {
  let sum = 0
  let pos = start
  while (end - pos >= FRAME_HEADER_BYTES) {
    const length = (buf[pos]! << 16) | (buf[pos + 1]! << 8) | buf[pos + 2]!
    const type = buf[pos + 3]!
    const flags = buf[pos + 4]!
    const streamId =
      ((buf[pos + 5]! & 0x7f) << 24) | (buf[pos + 6]! << 16) | (buf[pos + 7]! << 8) | buf[pos + 8]!
    sum = (sum + length + type + flags + streamId) | 0
    pos += FRAME_HEADER_BYTES + length
  }
  return sum
}

interface Read {
  readonly buf: Buffer
  readonly frames: number
}

/** As many of what `put` writes as fit one read. */
function fill(put: Put): Read {
  const buf = Buffer.alloc(READ_BYTES + 1_024)
  let end = 0
  for (let streamId = 1; end < READ_BYTES; streamId += 2) end = put(buf, end, streamId)
  let frames = 0
  for (let pos = 0; pos < end; frames++) {
    pos += FRAME_HEADER_BYTES + buf.readUIntBE(pos, 3)
  }
  return { buf: buf.subarray(0, end), frames }
}

function decodeCandidates({ buf, frames }: Read): Candidate[] {
  const handler = new CountingHandler()
  const decoder = new FrameDecoder(handler)
  return [
    { name: 'bare loop', ops: frames, run: () => bareRead(buf, 0, buf.length) },
    {
      name: 'decoder',
      ops: frames,
      run: () => {
        decoder.push(buf, 0, buf.length)
        return handler.sum ^ handler.frames
      },
    },
    {
      name: `decoder, reads of ${SEGMENT_BYTES}`,
      ops: frames,
      run: () => {
        for (let pos = 0; pos < buf.length; pos += SEGMENT_BYTES) {
          decoder.push(buf, pos, Math.min(buf.length, pos + SEGMENT_BYTES))
        }
        return handler.sum ^ handler.frames
      },
    },
  ]
}

/** Writes the nine octets of a header from locals. */
function bareWrite(buf: Buffer, pos: number, streamId: number): number {
  buf[pos] = 0
  buf[pos + 1] = 0
  buf[pos + 2] = 4
  buf[pos + 3] = 3
  buf[pos + 4] = 0
  buf[pos + 5] = streamId >>> 24
  buf[pos + 6] = streamId >>> 16
  buf[pos + 7] = streamId >>> 8
  buf[pos + 8] = streamId
  return pos + RST_STREAM_FRAME_BYTES
}

const ENCODERS: Readonly<Record<string, Put>> = {
  'bare header': bareWrite,
  RST_STREAM: (buf, pos, streamId) => putRstStream(buf, pos, streamId, 8),
  WINDOW_UPDATE: MIXES['WINDOW_UPDATE']!,
  PING: MIXES['PING']!,
  'DATA header': (buf, pos, streamId) => putDataHeader(buf, pos, streamId, 0, true),
  'HEADERS header': (buf, pos, streamId) => putHeadersHeader(buf, pos, streamId, 0, false, true),
}

function encodeCandidates(): Candidate[] {
  const buf = Buffer.alloc(READ_BYTES)
  const ops = 2_000
  return Object.entries(ENCODERS).map(([name, put]) => ({
    name,
    ops,
    run: () => {
      let pos = 0
      for (let i = 0; i < ops; i++) pos = put(buf, pos, 2 * i + 1)
      return pos
    },
  }))
}

/**
 * Measures the frame room: nanoseconds a frame. The decoder first sees all mixes, as it would in a
 * process that serves calls: code compiled for one frame type alone would look faster than it is.
 */
export function run(options: BenchOptions): BenchResult[] {
  const mixes = Object.entries(MIXES).map(
    ([mix, put]) => [`frame decode, ${mix}`, decodeCandidates(fill(put))] as const,
  )
  for (let i = 0; i < WARM_UP_RUNS; i++) {
    for (const [, candidates] of mixes) for (const candidate of candidates) candidate.run()
  }
  const decoded = mixes.flatMap(([bench, candidates]) => measure(bench, candidates, options))
  return [...decoded, ...measure('frame encode', encodeCandidates(), options)]
}
