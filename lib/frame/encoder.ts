// Writes frames into memory that the caller has reserved (RFC 9113 sections 4.1 and 6).
//
// Each `put*` returns the position behind what it wrote and allocates nothing. Nothing is checked:
// the transport writes legal frames because it knows its state, a scripted peer must be able to
// write any. Identifiers are written with all 32 bits, so the reserved bit can be set.
import { Flag, FRAME_HEADER_BYTES, FrameType } from './constants.ts'

// Taken apart because the compiler folds a constant of its own module, but reads an imported one
// from memory at every use.
const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS } = FrameType
const { PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } = FrameType
const { END_STREAM, ACK, END_HEADERS, PADDED } = Flag

/** Octets of a whole PRIORITY frame. */
export const PRIORITY_FRAME_BYTES: number = FRAME_HEADER_BYTES + 5
/** Octets of a whole RST_STREAM frame. */
export const RST_STREAM_FRAME_BYTES: number = FRAME_HEADER_BYTES + 4
/** Octets of a whole PING frame. */
export const PING_FRAME_BYTES: number = FRAME_HEADER_BYTES + 8
/** Octets of a whole WINDOW_UPDATE frame. */
export const WINDOW_UPDATE_FRAME_BYTES: number = FRAME_HEADER_BYTES + 4
/** Octets of PUSH_PROMISE before its field block fragment, frame header included. */
export const PUSH_PROMISE_HEADER_BYTES: number = FRAME_HEADER_BYTES + 4

const SETTING_BYTES = 6
const GOAWAY_FIXED_BYTES = 8

/** An entry of SETTINGS. */
export type SettingEntry = readonly [id: number, value: number]

/** Octets of a whole SETTINGS frame with `entries` entries. */
export function settingsFrameBytes(entries: number): number {
  return FRAME_HEADER_BYTES + entries * SETTING_BYTES
}

/** Octets of a whole GOAWAY frame with `debugBytes` octets of debug data. */
export function goAwayFrameBytes(debugBytes: number): number {
  return FRAME_HEADER_BYTES + GOAWAY_FIXED_BYTES + debugBytes
}

/** Writes the nine octets of section 4.1. */
export function putFrameHeader(
  buf: Buffer,
  pos: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  buf[pos] = length >>> 16
  buf[pos + 1] = length >>> 8
  buf[pos + 2] = length
  buf[pos + 3] = type
  buf[pos + 4] = flags
  return putUint32(buf, pos + 5, streamId)
}

/** Writes the header of a DATA frame; `length` octets of data belong behind it. */
export function putDataHeader(
  buf: Buffer,
  pos: number,
  streamId: number,
  length: number,
  endStream: boolean,
): number {
  return putFrameHeader(buf, pos, length, DATA, endStream ? END_STREAM : 0, streamId)
}

/**
 * Writes the header of a HEADERS frame; a fragment of `length` octets belongs behind it, and may
 * be there already: encode the block first, then its length is known.
 */
export function putHeadersHeader(
  buf: Buffer,
  pos: number,
  streamId: number,
  length: number,
  endStream: boolean,
  endHeaders: boolean,
): number {
  const flags = (endStream ? END_STREAM : 0) | (endHeaders ? END_HEADERS : 0)
  return putFrameHeader(buf, pos, length, HEADERS, flags, streamId)
}

/** Writes the header of a CONTINUATION frame; a fragment of `length` octets belongs behind it. */
export function putContinuationHeader(
  buf: Buffer,
  pos: number,
  streamId: number,
  length: number,
  endHeaders: boolean,
): number {
  const flags = endHeaders ? END_HEADERS : 0
  return putFrameHeader(buf, pos, length, CONTINUATION, flags, streamId)
}

/** Writes a PRIORITY frame; `weight` is 1 to 256. */
export function putPriority(
  buf: Buffer,
  pos: number,
  streamId: number,
  dependsOn: number,
  exclusive: boolean,
  weight: number,
): number {
  const payload = putFrameHeader(buf, pos, 5, PRIORITY, 0, streamId)
  const end = putUint32(buf, payload, exclusive ? dependsOn | 0x8000_0000 : dependsOn)
  buf[end] = weight - 1
  return end + 1
}

/** Writes a RST_STREAM frame. */
export function putRstStream(buf: Buffer, pos: number, streamId: number, code: number): number {
  const payload = putFrameHeader(buf, pos, 4, RST_STREAM, 0, streamId)
  return putUint32(buf, payload, code)
}

/** Writes a SETTINGS frame with `entries` in their order. */
export function putSettings(buf: Buffer, pos: number, entries: readonly SettingEntry[]): number {
  const length = entries.length * SETTING_BYTES
  let end = putFrameHeader(buf, pos, length, SETTINGS, 0, 0)
  for (let i = 0; i < entries.length; i++) {
    const [id, value] = entries[i]!
    buf[end] = id >>> 8
    buf[end + 1] = id
    end = putUint32(buf, end + 2, value)
  }
  return end
}

/** Writes the ACK of a SETTINGS frame. */
export function putSettingsAck(buf: Buffer, pos: number): number {
  return putFrameHeader(buf, pos, 0, SETTINGS, ACK, 0)
}

/**
 * Writes PUSH_PROMISE up to its fragment; a fragment of `fragmentBytes` octets belongs behind it.
 */
export function putPushPromiseHeader(
  buf: Buffer,
  pos: number,
  streamId: number,
  promisedId: number,
  fragmentBytes: number,
  endHeaders: boolean,
): number {
  const flags = endHeaders ? END_HEADERS : 0
  const length = 4 + fragmentBytes
  const payload = putFrameHeader(buf, pos, length, PUSH_PROMISE, flags, streamId)
  return putUint32(buf, payload, promisedId)
}

/** Writes a PING frame; the opaque octets as two 32-bit halves. */
export function putPing(buf: Buffer, pos: number, ack: boolean, hi: number, lo: number): number {
  const payload = putFrameHeader(buf, pos, 8, PING, ack ? ACK : 0, 0)
  return putUint32(buf, putUint32(buf, payload, hi), lo)
}

/** Writes a GOAWAY frame; `debug` one octet a character (latin1). */
export function putGoAway(
  buf: Buffer,
  pos: number,
  lastStreamId: number,
  code: number,
  debug = '',
): number {
  const length = GOAWAY_FIXED_BYTES + debug.length
  const payload = putFrameHeader(buf, pos, length, GOAWAY, 0, 0)
  const end = putUint32(buf, putUint32(buf, payload, lastStreamId), code)
  return end + buf.write(debug, end, 'latin1')
}

/** Writes a WINDOW_UPDATE frame; stream 0 is the connection. */
export function putWindowUpdate(
  buf: Buffer,
  pos: number,
  streamId: number,
  increment: number,
): number {
  const payload = putFrameHeader(buf, pos, 4, WINDOW_UPDATE, 0, streamId)
  return putUint32(buf, payload, increment)
}

/** Writes a frame of any type with a copy of `payload`, legal or not. */
export function putFrame(
  buf: Buffer,
  pos: number,
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array,
): number {
  const start = putFrameHeader(buf, pos, payload.length, type, flags, streamId)
  buf.set(payload, start)
  return start + payload.length
}

/**
 * Writes a frame with padding: sets PADDED, puts `padLength` before `contents` and as many zeros
 * behind. `contents` is all that stands between, such as priority and fragment of HEADERS.
 */
export function putPaddedFrame(
  buf: Buffer,
  pos: number,
  type: number,
  flags: number,
  streamId: number,
  contents: Uint8Array,
  padLength: number,
): number {
  const length = 1 + contents.length + padLength
  const start = putFrameHeader(buf, pos, length, type, flags | PADDED, streamId)
  buf[start] = padLength
  buf.set(contents, start + 1)
  const end = start + length
  buf.fill(0, end - padLength, end)
  return end
}

/**
 * A frame of any type as an *owned* buffer, legal or not. `payload` are its octets, or hex digits
 * with or without space.
 */
export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array | string = '',
): Buffer {
  const octets = typeof payload === 'string' ? fromHex(payload) : payload
  const buf = Buffer.allocUnsafe(FRAME_HEADER_BYTES + octets.length)
  putFrame(buf, 0, type, flags, streamId, octets)
  return buf
}

/** A frame with padding, see {@link putPaddedFrame}, as an *owned* buffer. */
export function paddedFrame(
  type: number,
  flags: number,
  streamId: number,
  contents: Uint8Array | string,
  padLength: number,
): Buffer {
  const octets = typeof contents === 'string' ? fromHex(contents) : contents
  const buf = Buffer.allocUnsafe(FRAME_HEADER_BYTES + 1 + octets.length + padLength)
  putPaddedFrame(buf, 0, type, flags, streamId, octets, padLength)
  return buf
}

function fromHex(text: string): Buffer {
  const digits = text.replaceAll(/\s/g, '')
  const octets = Buffer.from(digits, 'hex')
  if (octets.length * 2 !== digits.length) throw new TypeError(`not hex digits: ${text}`)
  return octets
}

function putUint32(buf: Buffer, pos: number, value: number): number {
  buf[pos] = value >>> 24
  buf[pos + 1] = value >>> 16
  buf[pos + 2] = value >>> 8
  buf[pos + 3] = value
  return pos + 4
}
