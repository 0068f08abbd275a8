// The content-type of gRPC. Source: grpc/doc/PROTOCOL-HTTP2.md, "Content-Type".

const BASE = 'application/grpc'
const PLUS = 0x2b
const SEMICOLON = 0x3b

/** `application/grpc`, with the codec's subtype when it has one. */
export function contentTypeOf(contentSubtype: string | undefined): string {
  return contentSubtype === undefined ? BASE : `${BASE}+${contentSubtype}`
}

/**
 * The subtype of a gRPC content-type: the part after `+` up to parameters, '' when there is none.
 * Undefined when the content-type is not gRPC's. Letter case does not matter (RFC 9110 8.3.1).
 */
export function contentSubtypeOf(contentType: string): string | undefined {
  if (contentType === BASE) return ''
  const text = contentType.toLowerCase()
  if (!text.startsWith(BASE)) return undefined
  if (text.length === BASE.length) return ''
  const next = text.charCodeAt(BASE.length)
  if (next === SEMICOLON) return ''
  if (next !== PLUS) return undefined
  const parameters = text.indexOf(';', BASE.length)
  return text.slice(BASE.length + 1, parameters < 0 ? text.length : parameters).trim()
}
