// The header and trailer sections of a response: building them (server) and reading them (client).
// Source: grpc/doc/PROTOCOL-HTTP2.md "Responses", grpc/doc/http-grpc-status-mapping.md.
import { Code, type Status } from '../../base/status.ts'
import { contentSubtypeOf, contentTypeOf } from './content-type.ts'
import { decodeGrpcMessage, encodeGrpcMessage } from './grpc-message.ts'
import { binaryFault, type Metadata } from './metadata.ts'
import { isBinaryName } from './metadata-rules.ts'
import { codeOfHttpStatus } from './status-mapping.ts'

/** Builds the response fields for one content-subtype and encoding; the plain ones are built once. */
export class ResponseTemplate {
  private readonly plain: readonly string[]
  private readonly plainOk: readonly string[]
  private readonly contentType: string

  public constructor(contentSubtype: string | undefined, encoding: string | undefined) {
    this.contentType = contentTypeOf(contentSubtype)
    const head = [':status', '200', 'content-type', this.contentType]
    this.plain = encoding === undefined ? head : [...head, 'grpc-encoding', encoding]
    this.plainOk = [...head, ...OK_TRAILERS]
  }

  /** The header section. Without metadata always the same object. Throws MetadataError. */
  public headers(metadata: Metadata | undefined): readonly string[] {
    if (metadata === undefined || metadata.size === 0) return this.plain
    const fields = this.plain.slice()
    metadata.toFields(fields)
    return fields
  }

  /** Header and trailer section in one, for a response without messages. Throws MetadataError. */
  public trailersOnly(
    status: Status,
    detailsBin: string | undefined,
    metadata: Metadata | undefined,
    httpStatus = 200,
  ): readonly string[] {
    const plain = metadata === undefined || metadata.size === 0
    if (plain && status.code === Code.Ok && status.message === '' && httpStatus === 200) {
      return this.plainOk
    }
    const fields = [':status', String(httpStatus), 'content-type', this.contentType]
    return pushTrailers(fields, status, detailsBin, metadata)
  }
}

const OK_TRAILERS: readonly string[] = ['grpc-status', '0']

/**
 * The trailer section. Without message, details and metadata an OK is always the same object.
 * `detailsBin` is the encoded google.rpc.Status. Throws MetadataError.
 */
export function trailerFields(
  status: Status,
  detailsBin: string | undefined,
  metadata: Metadata | undefined,
): readonly string[] {
  const plain = metadata === undefined || metadata.size === 0
  if (plain && status.code === Code.Ok && status.message === '') return OK_TRAILERS
  return pushTrailers([], status, detailsBin, metadata)
}

function pushTrailers(
  fields: string[],
  status: Status,
  detailsBin: string | undefined,
  metadata: Metadata | undefined,
): string[] {
  fields.push('grpc-status', String(status.code))
  if (status.message !== '') fields.push('grpc-message', encodeGrpcMessage(status.message))
  if (detailsBin !== undefined) fields.push('grpc-status-details-bin', detailsBin)
  metadata?.toFields(fields)
  return fields
}

/** What a client reads in the header section of a response. Immutable. */
export interface ResponseHead {
  readonly httpStatus: number
  /** Whether the content-type is gRPC's. */
  readonly isGrpc: boolean
  /** '' when the content-type has none. */
  readonly contentSubtype: string
  /** grpc-encoding as sent; 'identity' when absent. */
  readonly encoding: string
  /** Ends the call at once: the content-type is not gRPC's, or metadata is malformed. */
  readonly fault: Status | undefined
  /** What the call ends with if no grpc-status follows: :status is not 200, or not gRPC at all. */
  readonly httpFault: Status | undefined
}

/** Reads the header section of a response that did not end with it. Never throws. */
export function parseResponseHead(fields: readonly string[]): ResponseHead {
  let httpStatus = 0
  let contentType: string | undefined
  let encoding = 'identity'
  let badBinary: string | undefined
  for (let i = 0; i < fields.length; i += 2) {
    const value = fields[i + 1]!
    switch (fields[i]!) {
      case ':status':
        httpStatus = Number(value)
        break
      case 'content-type':
        contentType = value
        break
      case 'grpc-encoding':
        encoding = value
        break
      default:
        if (badBinary === undefined && isBinaryName(fields[i]!)) {
          badBinary = binaryFault(fields[i]!, value)
        }
    }
  }
  const contentSubtype = contentType === undefined ? undefined : contentSubtypeOf(contentType)
  const isGrpc = contentSubtype !== undefined
  const httpFault = isGrpc && httpStatus === 200 ? undefined : faultOfHttp(httpStatus, contentType)
  let fault: Status | undefined
  if (!isGrpc) fault = httpFault
  else if (badBinary !== undefined) fault = { code: Code.Internal, message: badBinary }
  return {
    httpStatus,
    isGrpc,
    contentSubtype: contentSubtype ?? '',
    encoding,
    fault,
    httpFault,
  }
}

/** http-grpc-status-mapping.md, for a response that lacks grpc-status; the text is grpc-go's. */
function faultOfHttp(httpStatus: number, contentType: string | undefined): Status {
  const parts: string[] = []
  if (httpStatus !== 200) {
    parts.push(`unexpected HTTP status code received from server: ${httpStatus}`)
  }
  if (contentType === undefined) parts.push('missing content-type')
  else if (contentSubtypeOf(contentType) === undefined) {
    parts.push(`unexpected content-type: got ${quote(contentType)}, want application/grpc`)
  }
  return { code: codeOfHttpStatus(httpStatus), message: parts.join('; ') }
}

/** The status that a response ended with, as it was sent. */
export interface EndingStatus extends Status {
  /** grpc-status-details-bin as sent; absent unless there is exactly one. */
  readonly detailsBin?: string | undefined
}

const ENDING_OK: EndingStatus = Object.freeze({ code: Code.Ok, message: '' })

/**
 * The status of a response by the section that ended it. `head` is what came before; undefined when
 * the section is all there was (Trailers-Only). A grpc-status counts only in a gRPC response; without
 * one the HTTP status decides. Never throws.
 */
export function parseEnding(
  fields: readonly string[],
  head: ResponseHead | undefined,
): EndingStatus {
  const isPlainOk = fields.length === 2 && fields[0] === 'grpc-status' && fields[1] === '0'
  if (isPlainOk && head?.isGrpc === true) return ENDING_OK
  let status: string | undefined
  let message = ''
  let detailsBin: string | undefined
  let detailsCount = 0
  let badBinary: string | undefined
  for (let i = 0; i < fields.length; i += 2) {
    const value = fields[i + 1]!
    switch (fields[i]!) {
      case 'grpc-status':
        status ??= value
        break
      case 'grpc-message':
        message = value
        break
      case 'grpc-status-details-bin':
        detailsBin = value
        detailsCount++
        break
      default:
        if (badBinary === undefined && isBinaryName(fields[i]!)) {
          badBinary = binaryFault(fields[i]!, value)
        }
    }
  }
  const whole = head ?? parseResponseHead(fields)
  if (!whole.isGrpc || status === undefined) {
    return (
      whole.httpFault ?? { code: Code.Unknown, message: 'the response ended without grpc-status' }
    )
  }
  if (badBinary !== undefined) return { code: Code.Internal, message: badBinary }
  if (status === '0' && message === '') return ENDING_OK
  const code = parseStatusCode(status)
  if (code === undefined) {
    return {
      code: Code.Unknown,
      message: `malformed grpc-status: got ${quote(status)}, want a decimal number`,
    }
  }
  // grpc-go: repeated details are ignored.
  return {
    code,
    message: decodeGrpcMessage(message),
    detailsBin: detailsCount === 1 ? detailsBin : undefined,
  }
}

function parseStatusCode(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined
  const code = Number(text)
  return code <= 0x7fff_ffff ? code : undefined
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 64))
}
