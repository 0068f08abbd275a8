// Which metadata names and values may be sent, and the base64 form of `-bin` values.
// Source: grpc/doc/PROTOCOL-HTTP2.md "Custom-Metadata", RFC 9113 section 8.2.

const NAME = /^[0-9a-z_.-]+$/
// Printable ASCII without outer white space, which HTTP may strip on the way.
const TEXT = /^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/
// Standard alphabet, padded or not; an encoder's spare bits are not looked at.
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/

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
  return name.startsWith(':') ? name !== ':authority' : HIDDEN.has(name)
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
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  return padding === 0 ? text : text.slice(0, -padding)
}

/** Whether a received `-bin` value is base64, padded or not, or a comma-separated list of it. */
export function isBinaryText(value: string): boolean {
  return value.includes(',')
    ? value.split(',').every((part) => BASE64.test(part.trim()))
    : BASE64.test(value)
}

/** The octet strings of a received `-bin` value that passed {@link isBinaryText}. */
export function decodeBinaryValues(value: string): Buffer[] {
  return value.split(',').map((part) => Buffer.from(part, 'base64'))
}
