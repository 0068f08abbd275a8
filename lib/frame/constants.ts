// The numbers of RFC 9113: frame types (6), flags, settings (6.5.2), error codes (7) and limits (4.2).

/** Frame types, RFC 9113 section 6. */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const
export type FrameType = (typeof FrameType)[keyof typeof FrameType]

/** Frame flags; END_STREAM and ACK are the same bit on different types. */
export const Flag = {
  END_STREAM: 0x1,
  ACK: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const
export type Flag = (typeof Flag)[keyof typeof Flag]

/** Settings identifiers, RFC 9113 section 6.5.2 (and RFC 8441 for ENABLE_CONNECT_PROTOCOL). */
export const Setting = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
  ENABLE_CONNECT_PROTOCOL: 0x8,
} as const
export type Setting = (typeof Setting)[keyof typeof Setting]

/** Error codes, RFC 9113 section 7. Numbers outside this list may arrive and are kept. */
export const ErrorCode = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode]

const nameOf = (table: Record<string, number>): Map<number, string> =>
  new Map(Object.entries(table).map(([name, value]) => [value, name]))

const ERROR_CODE_NAMES = nameOf(ErrorCode)
const FRAME_TYPE_NAMES = nameOf(FrameType)
const SETTING_NAMES = nameOf(Setting)

const hex = (value: number): string => `0x${value.toString(16).padStart(2, '0')}`

/** The RFC's name of an error code, or `0xnn`. */
export function errorCodeName(code: number): string {
  return ERROR_CODE_NAMES.get(code) ?? hex(code)
}

/** The RFC's name of a frame type, or `0xnn`. */
export function frameTypeName(type: number): string {
  return FRAME_TYPE_NAMES.get(type) ?? hex(type)
}

/** The RFC's name of a setting, or `0xnn`. */
export function settingName(id: number): string {
  return SETTING_NAMES.get(id) ?? hex(id)
}

/** Octets of a frame header, section 4.1. */
export const FRAME_HEADER_BYTES = 9
/** What a client sends first, section 3.4. */
export const CONNECTION_PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
/** The smallest MAX_FRAME_SIZE, and the value before SETTINGS, section 4.2. */
export const MIN_MAX_FRAME_SIZE = 16_384
/** The largest MAX_FRAME_SIZE. */
export const MAX_MAX_FRAME_SIZE = 16_777_215
/** The largest flow-control window, section 6.9.1. */
export const MAX_WINDOW_BYTES = 0x7fff_ffff
/** The flow-control window of streams and connection before SETTINGS, section 6.9.2. */
export const DEFAULT_WINDOW_BYTES = 65_535
/** The largest stream identifier, section 5.1.1. */
export const MAX_STREAM_ID = 0x7fff_ffff
