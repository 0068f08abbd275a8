// The push parser of frames: octets in, calls of a FrameHandler out (RFC 9113 sections 4 and 6).
//
// This file puts frames together and watches the order of header blocks; what a header may say is
// rules.ts, what a payload may say is payload.ts. None of them knows of streams, windows, HPACK,
// roles or the connection preface.
//
//   push ─┬─ frame whole in the input ───────────> deliver    parsed in place
//         └─ in pieces: takeHeader ─┬─ gathered ─> deliver
//                                   └─ DATA ─────> beginData, takeData    passed on as it comes
import { ByteSink } from '../base/byte-sink.ts'
import { uint31, uint32 } from '../base/uint.ts'
import { Flag, FRAME_HEADER_BYTES, FrameType, MIN_MAX_FRAME_SIZE } from './constants.ts'
import { Http2Error } from './errors.ts'
import type { FrameHandler } from './handler.ts'
import { parsePayload } from './payload.ts'
import {
  checkBlockOrder,
  checkHeader,
  checkPadding,
  checkSettingsLength,
  frameTooLarge,
} from './rules.ts'

/** What a {@link FrameDecoder} accepts. */
export interface FrameDecoderOptions {
  /** The longest payload, in octets: our own SETTINGS_MAX_FRAME_SIZE. 16,384 by default. */
  readonly maxFrameSize?: number
  /** The most entries in one SETTINGS frame. 32 by default. */
  readonly maxSettingsEntries?: number
}

// Taken apart because the compiler folds a constant of its own module, but reads an imported one
// from memory at every use.
const { DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE } = FrameType
const { PING, WINDOW_UPDATE, CONTINUATION } = FrameType
const { PADDED, END_STREAM, END_HEADERS, ACK, PRIORITY: PRIORITISED } = Flag
const HEADER_BYTES: 9 = FRAME_HEADER_BYTES

const DEFAULT_MAX_SETTINGS_ENTRIES = 32
/** How large a gathering buffer may be to stay for the next frame in pieces. */
const KEPT_BYTES = 256

/** What the next octet belongs to: a new frame, a header, a payload, data already announced. */
const Stage = { NEXT: 0, HEADER: 1, PAYLOAD: 2, DATA: 3 } as const
type Stage = (typeof Stage)[keyof typeof Stage]

/**
 * Parses the frames of one direction of a connection, cut into pieces anywhere.
 *
 * Between frames it holds no memory, but for a buffer of at most 256 octets once a small frame came
 * in pieces.
 */
export class FrameDecoder {
  /** The longest payload accepted, in octets: our own SETTINGS_MAX_FRAME_SIZE once it counts. */
  public maxFrameSize: number
  /**
   * How far the range pushed last has been taken. After a handler threw,
   * `push(buf, decoder.position, end)` goes on; the rest of that frame's calls may be missing.
   */
  public position = 0

  private readonly handler: FrameHandler
  private readonly maxSettingsEntries: number
  private failure: Http2Error | undefined = undefined

  /** The stream whose header block waits for CONTINUATION, or 0. */
  private blockStreamId = 0
  /** Whether that block began with PUSH_PROMISE. */
  private blockIsPromised = false

  // The frame in pieces, if any.
  private stage: Stage = Stage.NEXT
  private headerOctets = 0
  private length = 0
  private type = 0
  private flags = 0
  private streamId = 0
  private gathered: ByteSink | undefined = undefined
  private dataLeft = 0
  private padLeft = 0

  public constructor(handler: FrameHandler, options: FrameDecoderOptions = {}) {
    this.handler = handler
    this.maxFrameSize = options.maxFrameSize ?? MIN_MAX_FRAME_SIZE
    this.maxSettingsEntries = options.maxSettingsEntries ?? DEFAULT_MAX_SETTINGS_ENTRIES
  }

  /**
   * Parses `buf[start, end)`, *borrowed* until it returns. Not to be called from inside a handler.
   *
   * @throws {Http2Error} a connection error, found here or thrown by the handler; every later push
   * throws it again. Whatever else a handler throws passes through and ends nothing.
   */
  public push(buf: Buffer, start: number, end: number): void {
    if (this.failure !== undefined) throw this.failure
    try {
      this.parse(buf, start, end)
    } catch (error) {
      if (error instanceof Http2Error) this.failure = error
      throw error
    }
  }

  private parse(buf: Buffer, start: number, end: number): void {
    const handler = this.handler
    let pos = this.stage === Stage.NEXT ? start : this.resume(buf, start, end)
    while (end - pos >= HEADER_BYTES) {
      const length = (buf[pos]! << 16) | (buf[pos + 1]! << 8) | buf[pos + 2]!
      const payload = pos + HEADER_BYTES
      if (length > end - payload) break
      const type = buf[pos + 3]!
      const flags = buf[pos + 4]!
      const streamId = uint31(buf, pos + 5)
      this.checkHeader(length, type, flags, streamId)
      pos = payload + length
      this.position = pos
      handler.frame(type, flags, streamId, length)
      // The plain forms of common types at once: behind another call they would take twice as long.
      switch (type) {
        case DATA:
          if ((flags & PADDED) !== 0) break
          handler.dataBegin(streamId, length, 0, (flags & END_STREAM) !== 0)
          if (length !== 0) handler.dataChunk(buf, payload, pos)
          handler.dataEnd()
          continue
        case HEADERS:
          if ((flags & (PADDED | PRIORITISED | END_HEADERS)) !== END_HEADERS) break
          handler.headers(streamId, (flags & END_STREAM) !== 0, true, 0, buf, payload, pos)
          continue
        case RST_STREAM:
          handler.rstStream(streamId, uint32(buf, payload))
          continue
        case PING:
          handler.ping((flags & ACK) !== 0, uint32(buf, payload), uint32(buf, payload + 4))
          continue
        case WINDOW_UPDATE: {
          const increment = uint31(buf, payload)
          if (increment === 0) break
          handler.windowUpdate(streamId, increment)
          continue
        }
      }
      this.deliver(type, flags, streamId, buf, payload, pos)
    }
    if (pos < end) this.begin(buf, pos, end)
    this.position = end
  }

  private checkHeader(length: number, type: number, flags: number, streamId: number): void {
    if (length > this.maxFrameSize) throw frameTooLarge(length, type, this.maxFrameSize)
    if (this.blockStreamId !== 0 || type === CONTINUATION) {
      checkBlockOrder(type, streamId, this.blockStreamId)
    }
    checkHeader(length, type, streamId)
    if (type === SETTINGS) checkSettingsLength(length, flags, this.maxSettingsEntries)
  }

  /** Calls what the handler has for any frame; keeps track of the block that it opens or ends. */
  private deliver(
    type: number,
    flags: number,
    streamId: number,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    const endHeaders = (flags & END_HEADERS) !== 0
    if (type === CONTINUATION) {
      if (endHeaders) this.blockStreamId = 0
      if (this.blockIsPromised) return
    } else if ((type === HEADERS || type === PUSH_PROMISE) && !endHeaders) {
      this.blockStreamId = streamId
      this.blockIsPromised = type === PUSH_PROMISE
    }
    parsePayload(this.handler, type, flags, streamId, buf, start, end)
  }

  // --- frames in pieces -------------------------------------------------------------------------

  /** Takes octets of the frame in pieces; returns where they end. */
  private resume(buf: Buffer, start: number, end: number): number {
    let pos = start
    if (this.stage === Stage.HEADER) {
      pos = this.takeHeader(buf, pos, end)
      if (this.headerOctets < HEADER_BYTES) return pos
    }
    if (this.stage === Stage.PAYLOAD) {
      if (this.type !== DATA || end - pos >= this.length) {
        return this.takePayload(buf, pos, end)
      }
      if (pos === end) return pos
      pos = this.beginData(buf, pos)
    }
    return this.takeData(buf, pos, end)
  }

  /** Starts over with a frame that is not whole. */
  private begin(buf: Buffer, start: number, end: number): void {
    this.stage = Stage.HEADER
    this.headerOctets = 0
    this.resume(buf, start, end)
  }

  /** Gathers the nine octets in fields: a header cut in two costs no memory. */
  private takeHeader(buf: Buffer, start: number, end: number): number {
    let pos = start
    for (; pos < end && this.headerOctets < HEADER_BYTES; pos++) {
      const octet = buf[pos]!
      const index = this.headerOctets++
      if (index === 0) this.length = octet
      else if (index < 3) this.length = (this.length << 8) | octet
      else if (index === 3) this.type = octet
      else if (index === 4) this.flags = octet
      else if (index === 5) this.streamId = octet & 0x7f
      else this.streamId = (this.streamId << 8) | octet
    }
    if (this.headerOctets === HEADER_BYTES) {
      this.checkHeader(this.length, this.type, this.flags, this.streamId)
      this.stage = Stage.PAYLOAD
      this.position = pos
      this.handler.frame(this.type, this.flags, this.streamId, this.length)
    }
    return pos
  }

  /** Gathers a payload; parses it in place if none of it had to be gathered. */
  private takePayload(buf: Buffer, start: number, end: number): number {
    const next = start + this.length - (this.gathered?.pos ?? 0)
    if (next > end) {
      if (start === end) return end
      // The buffer grows as octets arrive: a length is only the peer's word.
      this.gathered ??= new ByteSink(Math.min(this.length, KEPT_BYTES))
      this.gathered.append(buf, start, end)
      return end
    }
    this.stage = Stage.NEXT
    this.position = next
    if (this.gathered === undefined || this.gathered.pos === 0) {
      this.deliver(this.type, this.flags, this.streamId, buf, start, next)
      return next
    }
    this.gathered.append(buf, start, next)
    const whole = this.gathered.buf
    this.gathered.pos = 0
    if (whole.length > KEPT_BYTES) this.gathered = undefined
    this.deliver(this.type, this.flags, this.streamId, whole, 0, this.length)
    return next
  }

  /** Announces a DATA frame whose first octet is here and whose last is not. */
  private beginData(buf: Buffer, start: number): number {
    const padded = (this.flags & PADDED) !== 0
    const pos = padded ? start + 1 : start
    const padLength = padded ? buf[start]! : 0
    const room = this.length - (pos - start)
    checkPadding('data_padding', padLength, room)
    this.dataLeft = room - padLength
    this.padLeft = padLength
    this.stage = Stage.DATA
    this.position = pos
    const endStream = (this.flags & END_STREAM) !== 0
    const padBytes = padded ? 1 + padLength : 0
    this.handler.dataBegin(this.streamId, this.length, padBytes, endStream)
    return pos
  }

  /** Passes on what is there of a DATA frame, and drops its padding. */
  private takeData(buf: Buffer, start: number, end: number): number {
    const dataEnd = Math.min(end, start + this.dataLeft)
    const next = Math.min(end, dataEnd + this.padLeft)
    this.dataLeft -= dataEnd - start
    this.padLeft -= next - dataEnd
    const whole = this.dataLeft === 0 && this.padLeft === 0
    if (whole) this.stage = Stage.NEXT
    this.position = next
    if (start < dataEnd) this.handler.dataChunk(buf, start, dataEnd)
    if (whole) this.handler.dataEnd()
    return next
  }
}
