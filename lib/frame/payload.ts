// Parses payloads of any type and form, all octets at hand (RFC 9113 section 6).
//
// Their headers have been checked (rules.ts). How a payload comes together is decoder.ts, which also
// takes a short cut for the plain forms of common types.
import { uint31, uint32 } from '../base/uint.ts'
import { ErrorCode, Flag } from './constants.ts'
import { Http2Error } from './errors.ts'
import type { FrameHandler } from './handler.ts'
import { checkFixedPart, checkPadding, checkSetting } from './rules.ts'

const PRIORITY_BYTES = 5
const SETTING_BYTES = 6
const STREAM_ID_BYTES = 4
const GOAWAY_FIXED_BYTES = 8

type Parse = (
  handler: FrameHandler,
  flags: number,
  streamId: number,
  buf: Buffer,
  start: number,
  end: number,
) => void

/** By frame type. */
const PARSERS: readonly Parse[] = [
  parseData,
  parseHeaders,
  parsePriority,
  parseRstStream,
  parseSettings,
  parsePushPromise,
  parsePing,
  parseGoAway,
  parseWindowUpdate,
  parseContinuation,
]

/**
 * Calls what `handler` has for a frame with the payload `buf[start, end)`.
 *
 * @throws {Http2Error} a connection error; stream errors are calls of `handler.streamError`.
 */
export function parsePayload(
  handler: FrameHandler,
  type: number,
  flags: number,
  streamId: number,
  buf: Buffer,
  start: number,
  end: number,
): void {
  if (type < PARSERS.length) PARSERS[type]!(handler, flags, streamId, buf, start, end)
  else handler.extension(type, flags, streamId, buf, start, end)
}

function parseData(
  handler: FrameHandler,
  flags: number,
  streamId: number,
  buf: Buffer,
  start: number,
  end: number,
): void {
  const padded = (flags & Flag.PADDED) !== 0
  const data = padded ? start + 1 : start
  checkFixedPart('data_length', data - start, end - start)
  const padLength = padded ? buf[start]! : 0
  checkPadding('data_padding', padLength, end - data)
  const dataEnd = end - padLength
  const padBytes = padded ? 1 + padLength : 0
  handler.dataBegin(streamId, end - start, padBytes, (flags & Flag.END_STREAM) !== 0)
  if (data < dataEnd) handler.dataChunk(buf, data, dataEnd)
  handler.dataEnd()
}

function parseHeaders(
  handler: FrameHandler,
  flags: number,
  streamId: number,
  buf: Buffer,
  start: number,
  end: number,
): void {
  const padded = (flags & Flag.PADDED) !== 0
  const prioritised = (flags & Flag.PRIORITY) !== 0
  const fragment = start + (padded ? 1 : 0) + (prioritised ? PRIORITY_BYTES : 0)
  checkFixedPart('headers_length', fragment - start, end - start)
  const padLength = padded ? buf[start]! : 0
  checkPadding('headers_padding', padLength, end - fragment)
  const endStream = (flags & Flag.END_STREAM) !== 0
  const endHeaders = (flags & Flag.END_HEADERS) !== 0
  handler.headers(streamId, endStream, endHeaders, padLength, buf, fragment, end - padLength)
  // RFC 7540 section 5.3.1: "A stream cannot depend on itself." The block goes first, since it
  // counts for the HPACK state all the same.
  if (prioritised && uint31(buf, fragment - PRIORITY_BYTES) === streamId) {
    handler.streamError(streamId, ErrorCode.PROTOCOL_ERROR, 'headers_self_dependency')
  }
}

function parsePriority(
  handler: FrameHandler,
  _flags: number,
  streamId: number,
  buf: Buffer,
  start: number,
  end: number,
): void {
  // Section 6.3: the one length whose breach is a stream error.
  if (end - start !== PRIORITY_BYTES) {
    handler.streamError(streamId, ErrorCode.FRAME_SIZE_ERROR, 'priority_length')
    return
  }
  const dependsOn = uint31(buf, start)
  // RFC 7540 section 5.3.1.
  if (dependsOn === streamId) {
    handler.streamError(streamId, ErrorCode.PROTOCOL_ERROR, 'priority_self_dependency')
    return
  }
  const exclusive = (buf[start]! & 0x80) !== 0
  handler.priority(streamId, dependsOn, exclusive, buf[start + STREAM_ID_BYTES]! + 1)
}

function parseRstStream(
  handler: FrameHandler,
  _flags: number,
  streamId: number,
  buf: Buffer,
  start: number,
): void {
  handler.rstStream(streamId, uint32(buf, start))
}

function parseSettings(
  handler: FrameHandler,
  flags: number,
  _streamId: number,
  buf: Buffer,
  start: number,
  end: number,
): void {
  if ((flags & Flag.ACK) !== 0) {
    handler.settingsAck()
    return
  }
  for (let pos = start; pos < end; pos += SETTING_BYTES) {
    const id = (buf[pos]! << 8) | buf[pos + 1]!
    const value = uint32(buf, pos + 2)
    checkSetting(id, value)
    handler.setting(id, value)
  }
  handler.settingsEnd()
}

function parsePushPromise(
  handler: FrameHandler,
  flags: number,
  streamId: number,
  buf: Buffer,
  start: number,
  end: number,
): void {
  const padded = (flags & Flag.PADDED) !== 0
  const promised = padded ? start + 1 : start
  const fragment = promised + STREAM_ID_BYTES
  checkFixedPart('push_promise_length', fragment - start, end - start)
  checkPadding('push_promise_padding', padded ? buf[start]! : 0, end - fragment)
  const promisedId = uint31(buf, promised)
  // Section 6.6 with 5.1.1: the next stream of a server has an even identifier other than 0.
  if (promisedId === 0 || promisedId % 2 === 1) {
    throw new Http2Error(
      ErrorCode.PROTOCOL_ERROR,
      'push_promise_promised_id',
      `PUSH_PROMISE of stream ${promisedId}, expected an even identifier`,
    )
  }
  handler.pushPromise(streamId)
}

function parsePing(
  handler: FrameHandler,
  flags: number,
  _streamId: number,
  buf: Buffer,
  start: number,
): void {
  handler.ping((flags & Flag.ACK) !== 0, uint32(buf, start), uint32(buf, start + 4))
}

function parseGoAway(
  handler: FrameHandler,
  _flags: number,
  _streamId: number,
  buf: Buffer,
  start: number,
  end: number,
): void {
  const debug = start + GOAWAY_FIXED_BYTES
  handler.goAway(uint31(buf, start), uint32(buf, start + STREAM_ID_BYTES), buf, debug, end)
}

function parseWindowUpdate(
  handler: FrameHandler,
  _flags: number,
  streamId: number,
  buf: Buffer,
  start: number,
): void {
  const increment = uint31(buf, start)
  if (increment !== 0) {
    handler.windowUpdate(streamId, increment)
    return
  }
  // Section 6.9: an increment of 0 is an error of what it was for.
  if (streamId !== 0) {
    handler.streamError(streamId, ErrorCode.PROTOCOL_ERROR, 'window_update_zero_on_stream')
    return
  }
  throw new Http2Error(
    ErrorCode.PROTOCOL_ERROR,
    'window_update_zero_on_connection',
    'WINDOW_UPDATE of 0 on the connection, expected at least 1',
  )
}

function parseContinuation(
  handler: FrameHandler,
  flags: number,
  streamId: number,
  buf: Buffer,
  start: number,
  end: number,
): void {
  handler.continuation(streamId, (flags & Flag.END_HEADERS) !== 0, buf, start, end)
}
