// The header section of a request: building it (client) and reading it (server).
// Pure functions of field lists; malformed HTTP never gets here, the transport rejects it.
// Source: grpc/doc/PROTOCOL-HTTP2.md "Requests"; order and checks of grpc-go http2_client.go,
// http2_server.go.
import { Code } from '../../base/status.ts'
import { contentSubtypeOf, contentTypeOf } from './content-type.ts'
import { binaryFault, type Metadata } from './metadata.ts'
import { isBinaryName } from './metadata-rules.ts'
import { encodeTimeout, parseTimeout } from './timeout.ts'

/** What does not change from call to call of one method on one channel. */
export interface RequestTemplateOptions {
  readonly scheme: 'http' | 'https'
  /** `/package.Service/Method`. */
  readonly path: string
  readonly authority: string
  readonly userAgent: string
  readonly contentSubtype?: string | undefined
  /** grpc-encoding of the call's messages; absent for identity. */
  readonly encoding?: string | undefined
  /** grpc-accept-encoding; absent to send none. */
  readonly acceptEncoding?: string | undefined
}

/** What differs between calls. */
export interface RequestCallOptions {
  /** Attempts before this one; 0 for the first. */
  readonly previousAttempts?: number
  /** What is left of the deadline. */
  readonly timeoutMs?: number | undefined
  /** From call credentials; stands before the caller's own. */
  readonly credentials?: Metadata | undefined
  readonly metadata?: Metadata | undefined
}

/** Builds the request fields of one method: a constant list, and what a call adds to it. */
export class RequestTemplate {
  /** What every call of the method sends. One object, so that encoders remember its octets. */
  public readonly fields: readonly string[]

  public constructor(options: RequestTemplateOptions) {
    const fields = [
      ':method',
      'POST',
      ':scheme',
      options.scheme,
      ':path',
      options.path,
      ':authority',
      options.authority,
      'content-type',
      contentTypeOf(options.contentSubtype),
      'user-agent',
      options.userAgent,
      'te',
      'trailers',
    ]
    if (options.encoding !== undefined) fields.push('grpc-encoding', options.encoding)
    if (options.acceptEncoding !== undefined) {
      fields.push('grpc-accept-encoding', options.acceptEncoding)
    }
    this.fields = fields
  }
}

/**
 * The fields that one call adds to its method's; undefined when there are none. Throws MetadataError
 * when metadata is too large.
 */
export function extraRequestFields(call: RequestCallOptions): readonly string[] | undefined {
  const { previousAttempts = 0, timeoutMs, credentials, metadata } = call
  const ownMetadata = (credentials?.size ?? 0) + (metadata?.size ?? 0) > 0
  if (previousAttempts === 0 && timeoutMs === undefined && !ownMetadata) return undefined
  const fields: string[] = []
  if (previousAttempts > 0) fields.push('grpc-previous-rpc-attempts', String(previousAttempts))
  if (timeoutMs !== undefined) fields.push('grpc-timeout', encodeTimeout(timeoutMs))
  credentials?.toFields(fields)
  metadata?.toFields(fields)
  return fields
}

/** Why a request is answered without looking for its method. */
export interface RequestFault {
  /** The :status of the trailers-only answer. */
  readonly httpStatus: number
  readonly code: Code
  readonly message: string
  readonly token: string
}

/** What a server reads in a request's header section. Immutable. */
export interface RequestHead {
  readonly path: string
  readonly authority: string
  /** '' when the content-type has none. */
  readonly contentSubtype: string
  readonly timeoutMs: number | undefined
  /** grpc-encoding as sent; 'identity' when absent. */
  readonly encoding: string
  /** grpc-accept-encoding as sent; '' when absent. */
  readonly acceptEncoding: string
  readonly userAgent: string
  readonly previousAttempts: number
  /** The first rule that the request breaks. */
  readonly fault: RequestFault | undefined
}

/** Reads the header section of a request. Never throws. */
export function parseRequestHead(fields: readonly string[]): RequestHead {
  let method = ''
  let path = ''
  let authority = ''
  let host = ''
  let contentType = ''
  let timeout: string | undefined
  let encoding = 'identity'
  let acceptEncoding = ''
  let userAgent = ''
  let previousAttempts = 0
  let badBinary: string | undefined
  for (let i = 0; i < fields.length; i += 2) {
    const value = fields[i + 1]!
    switch (fields[i]!) {
      case ':method':
        method = value
        break
      case ':path':
        path = value
        break
      case ':authority':
        authority = value
        break
      case ':scheme':
      case 'te':
        break
      case 'content-type':
        contentType = value
        break
      case 'user-agent':
        userAgent = value
        break
      case 'grpc-timeout':
        timeout ??= value
        break
      case 'grpc-encoding':
        encoding = value
        break
      case 'grpc-accept-encoding':
        acceptEncoding = acceptEncoding === '' ? value : `${acceptEncoding},${value}`
        break
      case 'grpc-previous-rpc-attempts':
        previousAttempts = /^\d{1,6}$/.test(value) ? Number(value) : 0
        break
      case 'host':
        host = value
        break
      default:
        if (badBinary === undefined && isBinaryName(fields[i]!)) {
          badBinary = binaryFault(fields[i]!, value)
        }
    }
  }
  const contentSubtype = contentSubtypeOf(contentType)
  const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout)
  let fault: RequestFault | undefined
  if (contentSubtype === undefined) fault = badContentType(contentType)
  else if (timeout !== undefined && timeoutMs === undefined) fault = badTimeout(timeout)
  else if (badBinary !== undefined) fault = badMetadata(badBinary)
  else if (method !== 'POST') fault = badMethod(method)
  return {
    path,
    // grpc-go: host stands in for a missing :authority.
    authority: authority === '' ? host : authority,
    contentSubtype: contentSubtype ?? '',
    timeoutMs,
    encoding,
    acceptEncoding,
    userAgent,
    previousAttempts,
    fault,
  }
}

/** PROTOCOL-HTTP2.md: a server answers 415 so that other HTTP/2 clients see the failure. */
function badContentType(contentType: string): RequestFault {
  return {
    httpStatus: 415,
    code: Code.InvalidArgument,
    message: `invalid gRPC request content-type: got ${quote(contentType)}, want application/grpc`,
    token: 'request_content_type',
  }
}

function badTimeout(timeout: string): RequestFault {
  return {
    httpStatus: 400,
    code: Code.Internal,
    message: `malformed grpc-timeout: got ${quote(timeout)}, want 1 to 8 digits and one of H M S m u n`,
    token: 'request_timeout_malformed',
  }
}

function badMetadata(message: string): RequestFault {
  return { httpStatus: 400, code: Code.Internal, message, token: 'request_metadata_malformed' }
}

/** PROTOCOL-HTTP2.md: requests are POST; grpc-go http2_server.go answers 405. */
function badMethod(method: string): RequestFault {
  return {
    httpStatus: 405,
    code: Code.Internal,
    message: `unexpected :method: got ${quote(method)}, want "POST"`,
    token: 'request_method',
  }
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 64))
}
