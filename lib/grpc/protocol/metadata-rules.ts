// Which metadata names and values may be sent, and the base64 form of `-bin` values.
// Source: grpc/doc/PROTOCOL-HTTP2.md "Custom-Metadata", RFC 9113 section 8.2.

const NAME = /^[0-9a-z_.-]+$/
// Printable ASCII without outer white space, which HTTP may strip on the way.
const TEXT = /^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/

/** 1 for the characters of base64's standard alphabet. */
const IN_BASE64 = new Uint8Array(256)
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/') {
  IN_BASE64[char.charCodeAt(0)] = 1
}
const COLON = 0x3a
const EQUALS = 0x3d
const LETTER_G = 0x67
const LETTER_T = 0x74

/** Names that the library itself or HTTP/2 writes. */
const RESERVED: ReadonlySet<string> = new Set([
  'content-type',
  'user-agent',
  'te',
  // RFC 9113 section 8.2.2: a message with one of these is malformed.
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  // What HTTP/2 says by :authority and END_STREAM.
  'host',
  'content-length',
])

/** Names under `grpc-` that applications and plugins do write. */
const OPEN_GRPC_NAMES: ReadonlySet<string> = new Set([
  'grpc-previous-rpc-attempts',
  'grpc-retry-pushback-ms',
  'grpc-trace-bin',
  'grpc-tags-bin',
])

/** Names under `grpc-` that say how the call is carried: an application does not see them. */
const HIDDEN: ReadonlySet<string> = new Set([
  'grpc-status',
  'grpc-message',
  'grpc-status-details-bin',
  'grpc-encoding',
  'grpc-accept-encoding',
  'grpc-timeout',
  'grpc-message-type',
  'te',
])

/** Whether a name may stand in metadata at all, reserved or not. */
export function isMetadataName(name: string): boolean {
  return NAME.test(name)
}

/** Whether an application may not send `name`. */
export function isReservedName(name: string): boolean {
  if (name.startsWith('grpc-')) return !OPEN_GRPC_NAMES.has(name)
  return RESERVED.has(name) || name.startsWith(':')
}

/** Whether a received field is kept from the application: protocol fields and pseudo-headers. */
export function isHiddenName(name: string): boolean {
  const first = name.charCodeAt(0)
  if (first === COLON) return name !== ':authority'
  return (first === LETTER_G || first === LETTER_T) && HIDDEN.has(name)
}

/** Whether the values of `name` are octets. */
export function isBinaryName(name: string): boolean {
  return name.endsWith('-bin')
}

/** Whether `value` may be sent as text. */
export function isTextValue(value: string): boolean {
  return TEXT.test(value)
}

/** Octets → base64 without padding, as grpc-go sends it. */
export function encodeBinaryValue(value: Buffer): string {
  const text = value.toString('base64')
  const beyond = value.length % 3
  return beyond === 0 ? text : text.slice(0, beyond - 3)
}

/** Whether a received `-bin` value is base64, padded or not, or a comma-separated list of it. */
export function isBinaryText(value: string): boolean {
  if (isBase64(value)) return true
  return value.includes(',') && value.split(',').every((part) => isBase64(part.trim()))
}

/** The octet strings of a received `-bin` value that passed {@link isBinaryText}. */
export function decodeBinaryValues(value: string): Buffer[] {
  if (!value.includes(',')) return [Buffer.from(value, 'base64')]
  return value.split(',').map((part) => Buffer.from(part, 'base64'))
}

/** Padding may be left out but not be wrong; the spare bits of the last character are not looked at. */
function isBase64(text: string): boolean {
  let end = text.length
  if (end % 4 === 0 && end > 0 && text.charCodeAt(end - 1) === EQUALS) {
    end -= text.charCodeAt(end - 2) === EQUALS ? 2 : 1
  }
  for (let i = 0; i < end; i++) if (IN_BASE64[text.charCodeAt(i)] !== 1) return false
  return end % 4 !== 1
}
