// The public vectors of http2jp/http2-frame-test-case as checks: each is decoded, whole and octet by
// octet, and the legal ones are encoded again.
import { deepStrictEqual, equal, ok } from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  ErrorCode,
  errorCodeName,
  Flag,
  FrameDecoder,
  FrameType,
  frame,
  Http2Error,
  putContinuationHeader,
  putFrame,
  putGoAway,
  putHeadersHeader,
  putPing,
  putPriority,
  putRstStream,
  putSettings,
  putWindowUpdate,
  type SettingEntry,
} from '../../lib/frame/index.ts'
import { RecordingHandler } from './recording-handler.ts'

const FOLDER = 'spec/vectors/http2-frame-test-case'

interface Payload {
  readonly data: string
  readonly padding_length: number | null
  readonly padding: string | null
  readonly header_block_fragment: string
  readonly stream_dependency: number | null
  readonly weight: number
  readonly exclusive: boolean
  readonly error_code: number
  readonly settings: readonly SettingEntry[]
  readonly promised_stream_id: number
  readonly opaque_data: string
  readonly last_stream_id: number
  readonly additional_debug_data: string
  readonly window_size_increment: number
}

interface Vector {
  readonly description: string
  readonly wire: string
  readonly error: readonly number[] | null
  readonly frame: {
    readonly length: number
    readonly type: FrameType
    readonly flags: number
    readonly stream_identifier: number
    readonly frame_payload: Payload
  }
}

const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex')

/** What the decoder must call for a payload, by type. */
const CALLS: Record<FrameType, (streamId: number, flags: number, p: Payload) => string[]> = {
  [FrameType.DATA]: (streamId, flags, p) => [
    `dataBegin ${streamId} flow=${p.data.length + 1 + p.padding!.length} ` +
      `pad=${1 + p.padding_length!} end=${(flags & Flag.END_STREAM) !== 0}`,
    `dataEnd [${hex(p.data)}]`,
  ],
  [FrameType.HEADERS]: (streamId, flags, p) => [
    `headers ${streamId} endStream=false endHeaders=${(flags & Flag.END_HEADERS) !== 0} ` +
      `pad=${p.padding_length ?? 0} [${hex(p.header_block_fragment)}]`,
  ],
  [FrameType.PRIORITY]: (streamId, _flags, p) => [
    `priority ${streamId} dependsOn=${p.stream_dependency} exclusive=${p.exclusive} ` +
      `weight=${p.weight}`,
  ],
  [FrameType.RST_STREAM]: (streamId, _flags, p) => [
    `rstStream ${streamId} ${errorCodeName(p.error_code)}`,
  ],
  [FrameType.SETTINGS]: (_streamId, _flags, p) => [
    ...p.settings.map(([id, value]) => `setting ${id}=${value}`),
    'settingsEnd',
  ],
  [FrameType.PUSH_PROMISE]: (streamId) => [`pushPromise ${streamId}`],
  [FrameType.PING]: (_streamId, flags, p) => {
    const opaque = Buffer.from(p.opaque_data, 'latin1')
    const ack = (flags & Flag.ACK) !== 0
    return [`ping ack=${ack} ${opaque.readUInt32BE(0)} ${opaque.readUInt32BE(4)}`]
  },
  [FrameType.GOAWAY]: (_streamId, _flags, p) => [
    `goAway last=${p.last_stream_id} ${errorCodeName(p.error_code)} "${p.additional_debug_data}"`,
  ],
  [FrameType.WINDOW_UPDATE]: (streamId, _flags, p) => [
    `windowUpdate ${streamId} +${p.window_size_increment}`,
  ],
  [FrameType.CONTINUATION]: (streamId, flags, p) => [
    `continuation ${streamId} endHeaders=${(flags & Flag.END_HEADERS) !== 0} ` +
      `[${hex(p.header_block_fragment)}]`,
  ],
}

type Put = (buf: Buffer, streamId: number, flags: number, p: Payload) => number

/** Padding of the vectors is text, which no `put*` but `putFrame` writes. */
const putPadded =
  (type: FrameType, contents: (p: Payload) => Buffer): Put =>
  (buf, streamId, flags, p) => {
    const padding = Buffer.from(p.padding!, 'latin1')
    const payload = Buffer.concat([Buffer.of(p.padding_length!), contents(p), padding])
    return putFrame(buf, 0, type, flags, streamId, payload)
  }

function uint32(value: number): Buffer {
  const octets = Buffer.alloc(4)
  octets.writeUInt32BE(value)
  return octets
}

const putHeadersWithPriority = putPadded(FrameType.HEADERS, (p) =>
  Buffer.concat([
    uint32((p.exclusive ? 2 ** 31 : 0) + p.stream_dependency!),
    Buffer.of(p.weight - 1),
    Buffer.from(p.header_block_fragment, 'latin1'),
  ]),
)

const PUTS: Record<FrameType, Put> = {
  [FrameType.DATA]: putPadded(FrameType.DATA, (p) => Buffer.from(p.data, 'latin1')),
  [FrameType.HEADERS]: (buf, streamId, flags, p) => {
    if (p.padding !== null) return putHeadersWithPriority(buf, streamId, flags, p)
    const fragment = p.header_block_fragment
    const endHeaders = (flags & Flag.END_HEADERS) !== 0
    const pos = putHeadersHeader(buf, 0, streamId, fragment.length, false, endHeaders)
    return pos + buf.write(fragment, pos, 'latin1')
  },
  [FrameType.PRIORITY]: (buf, streamId, _flags, p) =>
    putPriority(buf, 0, streamId, p.stream_dependency!, p.exclusive, p.weight),
  [FrameType.RST_STREAM]: (buf, streamId, _flags, p) =>
    putRstStream(buf, 0, streamId, p.error_code),
  [FrameType.SETTINGS]: (buf, _streamId, _flags, p) => putSettings(buf, 0, p.settings),
  [FrameType.PUSH_PROMISE]: putPadded(FrameType.PUSH_PROMISE, (p) =>
    Buffer.concat([uint32(p.promised_stream_id), Buffer.from(p.header_block_fragment, 'latin1')]),
  ),
  [FrameType.PING]: (buf, _streamId, flags, p) => {
    const opaque = Buffer.from(p.opaque_data, 'latin1')
    const ack = (flags & Flag.ACK) !== 0
    return putPing(buf, 0, ack, opaque.readUInt32BE(0), opaque.readUInt32BE(4))
  },
  [FrameType.GOAWAY]: (buf, _streamId, _flags, p) =>
    putGoAway(buf, 0, p.last_stream_id, p.error_code, p.additional_debug_data),
  [FrameType.WINDOW_UPDATE]: (buf, streamId, _flags, p) =>
    putWindowUpdate(buf, 0, streamId, p.window_size_increment),
  [FrameType.CONTINUATION]: (buf, streamId, flags, p) => {
    const fragment = p.header_block_fragment
    const endHeaders = (flags & Flag.END_HEADERS) !== 0
    const pos = putContinuationHeader(buf, 0, streamId, fragment.length, endHeaders)
    return pos + buf.write(fragment, pos, 'latin1')
  },
}

interface Decoded {
  readonly payloads: string[]
  /** Of the connection error or the stream error. */
  readonly errorCode: number | undefined
}

function decode(wire: Buffer, pieceBytes: number): Decoded {
  const handler = new RecordingHandler()
  const codes: number[] = []
  handler.streamError = (_streamId, code) => {
    codes.push(code)
  }
  const decoder = new FrameDecoder(handler)
  try {
    // CONTINUATION is legal only behind a block that is not complete.
    if (wire[3] === FrameType.CONTINUATION) {
      const open = frame(FrameType.HEADERS, 0, wire.readUInt32BE(5))
      decoder.push(open, 0, open.length)
      handler.calls.length = 0
    }
    for (let pos = 0; pos < wire.length; pos += pieceBytes) {
      decoder.push(wire, pos, Math.min(wire.length, pos + pieceBytes))
    }
  } catch (error) {
    if (!(error instanceof Http2Error)) throw error
    codes.push(error.code)
  }
  return { payloads: handler.payloads, errorCode: codes[0] }
}

/** A vector by name; `check` throws what differs. */
export interface FrameVector {
  readonly name: string
  readonly check: () => void
}

/** All vectors, in the order of their names. */
export function frameVectors(): FrameVector[] {
  return readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => ({
      name: name.replace('.json', ''),
      check: () => checkVector(JSON.parse(readFileSync(join(FOLDER, name), 'utf8'))),
    }))
}

function checkVector(vector: Vector): void {
  const wire = Buffer.from(vector.wire, 'hex')
  for (const pieceBytes of [wire.length, 1]) {
    const decoded = decode(wire, pieceBytes)
    if (vector.error === null) checkDecoded(vector, decoded)
    else ok(vector.error.includes(decoded.errorCode ?? ErrorCode.NO_ERROR), vector.description)
  }
  if (vector.error === null) checkEncoded(vector)
}

function checkDecoded({ frame }: Vector, { payloads, errorCode }: Decoded): void {
  equal(errorCode, undefined)
  deepStrictEqual(
    payloads,
    CALLS[frame.type](frame.stream_identifier, frame.flags, frame.frame_payload),
  )
}

function checkEncoded({ frame, wire }: Vector): void {
  const buf = Buffer.alloc(100)
  const end = PUTS[frame.type](buf, frame.stream_identifier, frame.flags, frame.frame_payload)
  equal(buf.toString('hex', 0, end), wire.toLowerCase(), 'encoded again')
}
