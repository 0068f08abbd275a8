// When a field section makes its message malformed: RFC 9113 sections 8.2, 8.3 and 8.5. A malformed
// message is a stream error of type PROTOCOL_ERROR (8.1.1); what is returned is the token of the
// first rule broken. The verdict depends on the block alone, so it can be remembered by its
// identity. Not here: size limits (the decoder has set `exceeded`), where the block stands in its
// stream (half-phase.ts), content counted against content-length (content-length.ts).
import type { HeaderBlock } from '../../hpack/index.ts'
import { TransportUsageError } from '../errors.ts'
import { BAD_CONTENT_LENGTH, NO_CONTENT_LENGTH, parseContentLength } from './content-length.ts'
import { isPseudo, KNOWN_FIELDS, type KnownField, Role, UNKNOWN_FIELD } from './field-roles.ts'
import {
  Charset,
  consistsOf,
  hasOuterWhitespace,
  isFieldValue,
  withoutOuterWhitespace,
} from './field-syntax.ts'

/** The unique name of the rule that makes a message malformed. */
export type Malformed =
  | 'field_name_empty'
  | 'field_name_uppercase'
  | 'field_name_forbidden_character'
  | 'field_value_forbidden_character'
  | 'field_value_outer_whitespace'
  | 'field_connection_specific'
  | 'te_not_trailers'
  | 'pseudo_header_after_field'
  | 'pseudo_header_repeated'
  | 'pseudo_header_unknown'
  | 'pseudo_header_protocol'
  | 'pseudo_header_of_request'
  | 'pseudo_header_of_response'
  | 'pseudo_header_in_trailers'
  | 'method_missing'
  | 'method_invalid'
  | 'scheme_missing'
  | 'scheme_invalid'
  | 'path_missing'
  | 'path_empty'
  | 'path_not_absolute'
  | 'path_forbidden_character'
  | 'authority_empty'
  | 'authority_userinfo'
  | 'authority_forbidden_character'
  | 'host_repeated'
  | 'host_conflict'
  | 'connect_with_scheme'
  | 'connect_with_path'
  | 'connect_without_authority'
  | 'status_missing'
  | 'status_invalid'
  | 'status_switching_protocols'
  | 'content_length_invalid'
  | 'content_length_conflict'

const METHOD = bit(Role.Method)
const SCHEME = bit(Role.Scheme)
const PATH = bit(Role.Path)
const AUTHORITY = bit(Role.Authority)
const STATUS = bit(Role.Status)
const HOST = bit(Role.Host)
const REQUEST_PSEUDO = METHOD | SCHEME | PATH | AUTHORITY

/** The longest value that is remembered as good. */
const MAX_REMEMBERED_LENGTH = 256

function bit(role: Role): number {
  return 1 << role
}

/**
 * What one pass over a field section found. One for the process, since a check runs to its end at
 * once. A value is meaningful when the bit of its role is in `roles`.
 */
const found = {
  roles: 0,
  /** Index of the field looked at last: of the one at fault. -1 when the fault is in no one field. */
  index: 0,
  /** By role: the pseudo-headers and Host. */
  values: ['', '', '', '', '', '', '', ''],
  contentLength: NO_CONTENT_LENGTH,
}

/** The first rule of section 8.3.1 (or 8.5 for CONNECT) or 8.2 that a request's block breaks. */
export function checkRequest(block: HeaderBlock): Malformed | undefined {
  return requestFault(block.fields)
}

/** The first rule of section 8.3.2 or 8.2 that a response's block, final or not, breaks. */
export function checkResponse(block: HeaderBlock): Malformed | undefined {
  return responseFault(block.fields)
}

/** The first rule of section 8.1 or 8.2 that a trailer section breaks. */
export function checkTrailers(block: HeaderBlock): Malformed | undefined {
  return trailersFault(block.fields)
}

/**
 * Checks what an embedder wants to send by the same rules, and that it is a list of names and values
 * of latin1 characters. Throws {@link TransportUsageError} that names the field; never its value.
 */
export function checkSend(
  fields: readonly string[],
  kind: 'request' | 'response' | 'trailers',
): void {
  if (fields.length % 2 !== 0) {
    throw new TransportUsageError(
      'fields_odd_length',
      `${kind} fields: got ${fields.length} strings, want name, value, name, value…`,
    )
  }
  for (let i = 0; i < fields.length; i++) {
    if (typeof fields[i] === 'string') continue
    const part = i % 2 === 0 ? 'name' : `value of ${JSON.stringify(fields[i - 1])}`
    throw new TransportUsageError(
      'field_not_a_string',
      `${kind} field ${i >> 1}: its ${part} is a ${typeof fields[i]}, want a string`,
    )
  }
  const fault = FAULT_OF[kind](fields)
  if (fault === undefined) return
  const where = found.index < 0 ? 'fields' : `field ${JSON.stringify(fields[found.index])}`
  throw new TransportUsageError(fault, `${kind} ${where}: ${fault.replaceAll('_', ' ')}`)
}

/**
 * The block with spaces and tabs around its field values cut off, or the very same block when there
 * are none. For `fieldWhitespace: 'trim'`: only after a check said `field_value_outer_whitespace`,
 * followed by another check. Pseudo-headers are left alone, so white space there stays malformed.
 */
export function trimFieldWhitespace(block: HeaderBlock): HeaderBlock {
  let trimmed: string[] | undefined
  for (let i = 0; i < block.fields.length; i += 2) {
    const value = block.fields[i + 1]!
    if (block.fields[i]!.startsWith(':') || !hasOuterWhitespace(value)) continue
    trimmed ??= [...block.fields]
    trimmed[i + 1] = withoutOuterWhitespace(value)
  }
  return trimmed === undefined ? block : { ...block, fields: trimmed }
}

/** The number of a `:status` value, or 0 when it is not three digits from 100 to 999. */
export function parseStatus(value: string): number {
  return /^[1-9][0-9][0-9]$/.test(value) ? Number(value) : 0
}

/** The status of a response block that passed {@link checkResponse}: its one pseudo-header is first. */
export function statusOf(block: HeaderBlock): number {
  return parseStatus(block.fields[1]!)
}

/** Whether a status is interim: the final block is still to come. RFC 9110 section 15.2. */
export function isInformational(status: number): boolean {
  return status >= 100 && status < 200
}

function lastValue(role: Role): string {
  return found.values[role]!
}

const FAULT_OF = {
  request: requestFault,
  response: responseFault,
  trailers: trailersFault,
} as const

function requestFault(fields: readonly string[]): Malformed | undefined {
  const fault = scan(fields, REQUEST_PSEUDO)
  if (fault !== undefined) return fault
  found.index = -1
  const { roles } = found
  if ((roles & METHOD) === 0) return 'method_missing'
  const method = lastValue(Role.Method)
  if (method === 'CONNECT') return connectFault(roles)
  if ((roles & SCHEME) === 0) return 'scheme_missing'
  if ((roles & PATH) === 0) return 'path_missing'
  // "… MUST begin with '/', with the exception of an OPTIONS request … '*'" (8.3.1).
  const path = lastValue(Role.Path)
  if (!path.startsWith('/') && !(path === '*' && method === 'OPTIONS')) {
    return 'path_not_absolute'
  }
  // A request that names no authority at all is passed on: grpc-go and others serve it.
  return (roles & HOST) === 0 ? undefined : hostFault(roles)
}

/** Section 8.5: ":scheme" and ":path" are omitted, ":authority" holds host and port. */
function connectFault(roles: number): Malformed | undefined {
  if ((roles & SCHEME) !== 0) return 'connect_with_scheme'
  if ((roles & PATH) !== 0) return 'connect_with_path'
  if ((roles & AUTHORITY) === 0) return 'connect_without_authority'
  return (roles & HOST) === 0 ? undefined : hostFault(roles)
}

/** Section 8.3.1: a Host that names another entity than ":authority", once both are normalized. */
function hostFault(roles: number): Malformed | undefined {
  if ((roles & AUTHORITY) === 0) return undefined
  const host = lastValue(Role.Host)
  const authority = lastValue(Role.Authority)
  if (host === authority) return undefined
  const scheme = (roles & SCHEME) === 0 ? '' : lastValue(Role.Scheme)
  const same = normalAuthority(host, scheme) === normalAuthority(authority, scheme)
  return same ? undefined : 'host_conflict'
}

const DEFAULT_PORT: ReadonlyMap<string, string> = new Map([
  ['http', ':80'],
  ['https', ':443'],
])

function normalAuthority(authority: string, scheme: string): string {
  const lower = authority.toLowerCase()
  const port = DEFAULT_PORT.get(scheme)
  return port !== undefined && lower.endsWith(port) ? lower.slice(0, -port.length) : lower
}

function responseFault(fields: readonly string[]): Malformed | undefined {
  const fault = scan(fields, STATUS)
  if (fault !== undefined) return fault
  found.index = -1
  return (found.roles & STATUS) === 0 ? 'status_missing' : undefined
}

function trailersFault(fields: readonly string[]): Malformed | undefined {
  return scan(fields, 0)
}

/** Looks at each field by itself; `allowed` are the pseudo-headers that the section may have. */
function scan(fields: readonly string[], allowed: number): Malformed | undefined {
  found.roles = 0
  for (let i = 0; i < fields.length; i += 2) {
    found.index = i
    const known = KNOWN_FIELDS.get(fields[i]!) ?? UNKNOWN_FIELD
    const fault = faultOf(known, fields[i]!, fields[i + 1]!, allowed)
    if (fault !== undefined) return fault
    found.roles |= bit(known.role)
  }
  return undefined
}

function faultOf(
  known: KnownField,
  name: string,
  value: string,
  allowed: number,
): Malformed | undefined {
  if (known === UNKNOWN_FIELD) return nameFault(name) ?? valueFault(value)
  if (isPseudo(known.role)) return pseudoFault(known, value, allowed)
  return fieldFault(known, value, allowed)
}

/** Section 8.3: pseudo-headers come first, once, and only where they are defined. */
function pseudoFault(known: KnownField, value: string, allowed: number): Malformed | undefined {
  const mask = bit(known.role)
  if (allowed === 0) return 'pseudo_header_in_trailers'
  if ((allowed & mask) === 0) return foreignPseudoFault(known.role, allowed)
  if (found.roles >= bit(Role.Ordinary)) return 'pseudo_header_after_field'
  if ((found.roles & mask) !== 0) return 'pseudo_header_repeated'
  found.values[known.role] = value
  if (value === known.good) return undefined
  return remember(known, value, pseudoValueFault(known.role, value))
}

/** Passes `fault` on; a value without one becomes the known good one. */
function remember(
  known: KnownField,
  value: string,
  fault: Malformed | undefined,
): Malformed | undefined {
  if (fault === undefined && value.length <= MAX_REMEMBERED_LENGTH) known.good = value
  return fault
}

function pseudoValueFault(role: Role, value: string): Malformed | undefined {
  switch (role) {
    case Role.Method:
      return consistsOf(value, Charset.Token) ? undefined : 'method_invalid'
    case Role.Scheme:
      return consistsOf(value, Charset.Scheme) && /^[A-Za-z]/.test(value)
        ? undefined
        : 'scheme_invalid'
    case Role.Path:
      if (value === '') return 'path_empty'
      return consistsOf(value, Charset.Path) ? undefined : 'path_forbidden_character'
    case Role.Authority:
      return authorityFault(value)
    default:
      return statusFault(value)
  }
}

function foreignPseudoFault(role: Role, allowed: number): Malformed {
  if (role === Role.Status) return 'pseudo_header_of_response'
  // RFC 8441 section 3: only after SETTINGS_ENABLE_CONNECT_PROTOCOL, which we never send.
  if (role === Role.Protocol && allowed === REQUEST_PSEUDO) return 'pseudo_header_protocol'
  return 'pseudo_header_of_request'
}

/** Section 8.3.1: not empty, and no userinfo. */
function authorityFault(value: string): Malformed | undefined {
  if (value === '') return 'authority_empty'
  if (consistsOf(value, Charset.Authority)) return undefined
  return value.includes('@') ? 'authority_userinfo' : 'authority_forbidden_character'
}

/** RFC 9110 section 15: three digits. RFC 9113 section 8.6: HTTP/2 has no 101. */
function statusFault(value: string): Malformed | undefined {
  if (value === '101') return 'status_switching_protocols'
  return parseStatus(value) === 0 ? 'status_invalid' : undefined
}

/** Sections 8.2.1 and 8.2.2. */
function fieldFault(known: KnownField, value: string, allowed: number): Malformed | undefined {
  switch (known.role) {
    case Role.Ordinary:
      return value === known.good ? undefined : remember(known, value, valueFault(value))
    case Role.Te:
      // The one connection-specific field that may pass, with this one value.
      if (value === 'trailers' || value.toLowerCase() === 'trailers') return undefined
      return valueFault(value) ?? 'te_not_trailers'
    case Role.ConnectionSpecific:
      return 'field_connection_specific'
    case Role.ContentLength:
      return valueFault(value) ?? contentLengthFault(value)
    default:
      return valueFault(value) ?? (allowed === REQUEST_PSEUDO ? hostValueFault(value) : undefined)
  }
}

function hostValueFault(value: string): Malformed | undefined {
  if ((found.roles & HOST) !== 0) return 'host_repeated'
  found.values[Role.Host] = value
  return authorityFault(value)
}

/** RFC 9110 section 8.6: digits; the same again is tolerated, another length is not. */
function contentLengthFault(value: string): Malformed | undefined {
  const length = parseContentLength(value)
  if (length === BAD_CONTENT_LENGTH) return 'content_length_invalid'
  const repeated = (found.roles & bit(Role.ContentLength)) !== 0
  if (repeated && length !== found.contentLength) return 'content_length_conflict'
  found.contentLength = length
  return undefined
}

function nameFault(name: string): Malformed | undefined {
  if (consistsOf(name, Charset.Name)) return undefined
  if (name === '') return 'field_name_empty'
  if (name.startsWith(':')) return 'pseudo_header_unknown'
  return /[A-Z]/.test(name) ? 'field_name_uppercase' : 'field_name_forbidden_character'
}

function valueFault(value: string): Malformed | undefined {
  if (!isFieldValue(value)) return 'field_value_forbidden_character'
  return hasOuterWhitespace(value) ? 'field_value_outer_whitespace' : undefined
}
