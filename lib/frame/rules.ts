// What a frame header (RFC 9113 sections 4.2 and 6) and a SETTINGS entry (6.5.2) may say.
//
// Tables and the checks that read them; every breach here is a connection error. Rules that need
// other octets of the payload are in payload.ts and decoder.ts.
import {
  ErrorCode,
  Flag,
  FrameType,
  frameTypeName,
  MAX_MAX_FRAME_SIZE,
  MAX_WINDOW_BYTES,
  MIN_MAX_FRAME_SIZE,
  Setting,
  settingName,
} from './constants.ts'
import { Http2Error } from './errors.ts'

// Taken apart because the compiler folds a constant of its own module, but reads an imported one
// from memory at every use.
const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS } = FrameType
const { PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } = FrameType
const { PROTOCOL_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, ENHANCE_YOUR_CALM } = ErrorCode

const SETTING_BYTES = 6
/** "HTT", the start of an HTTP/1.1 status line, read as a length. */
const HTTP1_LENGTH = 0x48_54_54

/** A set of frame types, one bit each. */
function typeSet(...types: readonly FrameType[]): number {
  return types.reduce<number>((set, type) => set | (1 << type), 0)
}

const STREAM_ONLY = typeSet(DATA, HEADERS, PRIORITY, RST_STREAM, PUSH_PROMISE)
const CONNECTION_ONLY = typeSet(SETTINGS, PING, GOAWAY)

const SCOPE_TOKENS: ReadonlyMap<number, string> = new Map<number, string>([
  [DATA, 'data_on_stream_zero'],
  [HEADERS, 'headers_on_stream_zero'],
  [PRIORITY, 'priority_on_stream_zero'],
  [RST_STREAM, 'rst_stream_on_stream_zero'],
  [PUSH_PROMISE, 'push_promise_on_stream_zero'],
  [SETTINGS, 'settings_on_stream'],
  [PING, 'ping_on_stream'],
  [GOAWAY, 'goaway_on_stream'],
])

// By frame type, as far as the type alone decides and the breach ends the connection.
const ANY = MAX_MAX_FRAME_SIZE
const MIN_LENGTHS = [0, 0, 0, 4, 0, 0, 8, 8, 4, 0]
const MAX_LENGTHS = [ANY, ANY, ANY, 4, ANY, ANY, 8, ANY, 4, ANY]

const LENGTH_TOKENS: ReadonlyMap<number, string> = new Map<number, string>([
  [RST_STREAM, 'rst_stream_length'],
  [PING, 'ping_length'],
  [GOAWAY, 'goaway_length'],
  [WINDOW_UPDATE, 'window_update_length'],
])

/**
 * Checks the length against the type, and whether the type goes with a stream or the connection.
 *
 * @throws {Http2Error} sections 6.1 to 6.9; of an unknown type all is right (section 5.5).
 */
export function checkHeader(length: number, type: number, streamId: number): void {
  if (type > CONTINUATION) return
  const misplaced = streamId === 0 ? STREAM_ONLY : CONNECTION_ONLY
  if ((misplaced & (1 << type)) !== 0) throw wrongScope(type, streamId)
  if (length < MIN_LENGTHS[type]! || length > MAX_LENGTHS[type]!) throw wrongLength(type, length)
}

function wrongScope(type: number, streamId: number): Http2Error {
  const expected = streamId === 0 ? 'a stream' : 'stream 0'
  return new Http2Error(
    PROTOCOL_ERROR,
    SCOPE_TOKENS.get(type)!,
    `${frameTypeName(type)} on stream ${streamId}, expected ${expected}`,
  )
}

function wrongLength(type: number, length: number): Http2Error {
  const least = MIN_LENGTHS[type]!
  const expected = least === MAX_LENGTHS[type] ? least : `at least ${least}`
  return new Http2Error(
    FRAME_SIZE_ERROR,
    LENGTH_TOKENS.get(type)!,
    `${frameTypeName(type)} of ${length} octets, expected ${expected}`,
  )
}

/** Section 4.2; `length` is over `maxFrameSize`. */
export function frameTooLarge(length: number, type: number, maxFrameSize: number): Http2Error {
  const hint = length === HTTP1_LENGTH ? ' (it reads as an HTTP/1.1 status line)' : ''
  return new Http2Error(
    FRAME_SIZE_ERROR,
    'frame_too_large',
    `${frameTypeName(type)} of ${length} octets${hint}, expected at most ${maxFrameSize}`,
  )
}

/** Section 4.3: a header block is one run of frames, none of another type or stream between. */
export function checkBlockOrder(type: number, streamId: number, blockStreamId: number): void {
  if (type === CONTINUATION && streamId === blockStreamId && streamId !== 0) return
  const got = `${frameTypeName(type)} on stream ${streamId}`
  if (blockStreamId === 0) {
    throw new Http2Error(
      PROTOCOL_ERROR,
      'continuation_unexpected',
      `${got}, expected only after HEADERS without END_HEADERS`,
    )
  }
  throw new Http2Error(
    PROTOCOL_ERROR,
    type === CONTINUATION ? 'continuation_wrong_stream' : 'continuation_expected',
    `${got}, expected CONTINUATION on stream ${blockStreamId}`,
  )
}

/** Section 6.5; the cap on entries is this project's own. */
export function checkSettingsLength(length: number, flags: number, maxEntries: number): void {
  if ((flags & Flag.ACK) !== 0 && length !== 0) {
    throw new Http2Error(
      FRAME_SIZE_ERROR,
      'settings_ack_length',
      `SETTINGS ACK of ${length} octets, expected 0`,
    )
  }
  if (length % SETTING_BYTES !== 0) {
    throw new Http2Error(
      FRAME_SIZE_ERROR,
      'settings_length',
      `SETTINGS of ${length} octets, expected a multiple of ${SETTING_BYTES}`,
    )
  }
  if (length > maxEntries * SETTING_BYTES) {
    throw new Http2Error(
      ENHANCE_YOUR_CALM,
      'settings_too_many_entries',
      `${length / SETTING_BYTES} settings in a frame, expected at most ${maxEntries}`,
    )
  }
}

/**
 * Checks that a payload has room for the octets that its flags announce.
 *
 * @throws {Http2Error} section 4.2: too small for its mandatory octets.
 */
export function checkFixedPart(token: string, fixedBytes: number, length: number): void {
  if (length >= fixedBytes) return
  throw new Http2Error(
    FRAME_SIZE_ERROR,
    token,
    `payload of ${length} octets, expected at least ${fixedBytes} by its flags`,
  )
}

/**
 * Checks the length of padding against the octets that it and the contents share.
 *
 * @throws {Http2Error} sections 6.1, 6.2 and 6.6: padding that exceeds them.
 */
export function checkPadding(token: string, padLength: number, room: number): void {
  if (padLength <= room) return
  throw new Http2Error(
    PROTOCOL_ERROR,
    token,
    `${padLength} octets of padding, expected at most ${room}`,
  )
}

interface SettingRule {
  readonly min: number
  readonly max: number
  readonly code: ErrorCode
  readonly token: string
}

function range(min: number, max: number, code: ErrorCode, token: string): SettingRule {
  return { min, max, code, token }
}

/** By identifier; a setting not listed takes any value. ENABLE_CONNECT_PROTOCOL is RFC 8441's. */
const SETTING_RULES: ReadonlyMap<number, SettingRule> = new Map([
  [Setting.ENABLE_PUSH, range(0, 1, PROTOCOL_ERROR, 'settings_enable_push')],
  [
    Setting.INITIAL_WINDOW_SIZE,
    range(0, MAX_WINDOW_BYTES, FLOW_CONTROL_ERROR, 'settings_initial_window_size'),
  ],
  [
    Setting.MAX_FRAME_SIZE,
    range(MIN_MAX_FRAME_SIZE, MAX_MAX_FRAME_SIZE, PROTOCOL_ERROR, 'settings_max_frame_size'),
  ],
  [
    Setting.ENABLE_CONNECT_PROTOCOL,
    range(0, 1, PROTOCOL_ERROR, 'settings_enable_connect_protocol'),
  ],
])

/**
 * Checks the value of a setting. What only one role may send is not checked here.
 *
 * @throws {Http2Error} section 6.5.2
 */
export function checkSetting(id: number, value: number): void {
  const rule = SETTING_RULES.get(id)
  if (rule === undefined || (value >= rule.min && value <= rule.max)) return
  throw new Http2Error(
    rule.code,
    rule.token,
    `${settingName(id)} ${value}, expected ${rule.min} to ${rule.max}`,
  )
}
