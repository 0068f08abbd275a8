// The details of a status: typed objects ↔ grpc-status-details-bin, which is a google.rpc.Status.
// Source: google/rpc/status.proto, google/rpc/error_details.proto; grpc-go http2_client.go.
import { ByteSink } from '../../base/byte-sink.ts'
import { Code } from '../../base/status.ts'
import { badValue, nest } from '../proto/proto-errors.ts'
import type { Codec } from './codec.ts'
import { encodeBinaryValue, isBinaryText } from './metadata-rules.ts'
import { DETAILS, type RpcStatus, STATUS, type TypedAny } from './status-types.ts'

/** The cause of an error by a stable reason and the domain that defines it. */
export interface ErrorInfo {
  readonly '@type': 'google.rpc.ErrorInfo'
  readonly reason?: string
  readonly domain?: string
  readonly metadata?: Readonly<Record<string, string>>
}

/** When the call may be tried again. */
export interface RetryInfo {
  readonly '@type': 'google.rpc.RetryInfo'
  readonly retryDelay?: { readonly seconds?: bigint | number; readonly nanos?: number }
}

/** For developers, not for users. */
export interface DebugInfo {
  readonly '@type': 'google.rpc.DebugInfo'
  readonly stackEntries?: readonly string[]
  readonly detail?: string
}

/** Which quotas were exceeded. */
export interface QuotaFailure {
  readonly '@type': 'google.rpc.QuotaFailure'
  readonly violations?: readonly {
    readonly subject?: string
    readonly description?: string
    readonly apiService?: string
    readonly quotaMetric?: string
    readonly quotaId?: string
    readonly quotaDimensions?: Readonly<Record<string, string>>
    readonly quotaValue?: bigint | number
    readonly futureQuotaValue?: bigint | number
  }[]
}

/** Which preconditions failed. */
export interface PreconditionFailure {
  readonly '@type': 'google.rpc.PreconditionFailure'
  readonly violations?: readonly {
    readonly type?: string
    readonly subject?: string
    readonly description?: string
  }[]
}

/** Which fields of the request are wrong. */
export interface BadRequest {
  readonly '@type': 'google.rpc.BadRequest'
  readonly fieldViolations?: readonly {
    readonly field?: string
    readonly description?: string
    readonly reason?: string
    readonly localizedMessage?: { readonly locale?: string; readonly message?: string }
  }[]
}

/** How to name the request when reporting it. */
export interface RequestInfo {
  readonly '@type': 'google.rpc.RequestInfo'
  readonly requestId?: string
  readonly servingData?: string
}

/** The resource that was accessed. */
export interface ResourceInfo {
  readonly '@type': 'google.rpc.ResourceInfo'
  readonly resourceType?: string
  readonly resourceName?: string
  readonly owner?: string
  readonly description?: string
}

/** Where to read on. */
export interface Help {
  readonly '@type': 'google.rpc.Help'
  readonly links?: readonly { readonly description?: string; readonly url?: string }[]
}

/** A message for users in their language. */
export interface LocalizedMessage {
  readonly '@type': 'google.rpc.LocalizedMessage'
  readonly locale?: string
  readonly message?: string
}

/** Any other message: the full name of its type and its encoded form. */
export interface UnknownDetail {
  /** `package.Type`; with a prefix and slash when that is not `type.googleapis.com/`. */
  readonly '@type': string
  readonly value: Uint8Array
}

/** One detail of a status. Decoded ones have all their fields. */
export type StatusDetail =
  | ErrorInfo
  | RetryInfo
  | DebugInfo
  | QuotaFailure
  | PreconditionFailure
  | BadRequest
  | RequestInfo
  | ResourceInfo
  | Help
  | LocalizedMessage
  | UnknownDetail

const PREFIX = 'type.googleapis.com/'

/** What {@link decodeStatusDetails} found. */
export interface DecodedStatus {
  readonly code: number
  readonly message: string
  readonly details: readonly StatusDetail[]
}

/**
 * Encodes details for grpc-status-details-bin, base64 without padding. Throws FieldError for a detail
 * that is not of its type.
 */
export function encodeStatusDetails(
  code: number,
  message: string,
  details: readonly StatusDetail[],
): string {
  const status: RpcStatus = {
    code,
    message,
    details: details.map((detail, i) => {
      try {
        return toAny(detail)
      } catch (thrown) {
        throw nest(thrown, `details[${i}]`)
      }
    }),
  }
  return encodeBinaryValue(encode(STATUS, status))
}

/** Decodes a received grpc-status-details-bin. Undefined when it is malformed. Never throws. */
export function decodeStatusDetails(detailsBin: string): DecodedStatus | undefined {
  if (!isBinaryText(detailsBin)) return undefined
  const octets = Buffer.from(detailsBin, 'base64')
  try {
    const status = STATUS.decode(octets, 0, octets.length, true)
    return { code: status.code, message: status.message, details: status.details.map(fromAny) }
  } catch {
    return undefined
  }
}

/**
 * A received status with its details: grpc-go's rule. Malformed details are ignored; well-formed ones
 * win over grpc-message; a code that is not that of grpc-status makes the whole INTERNAL.
 */
export function withDetails(
  status: { readonly code: number; readonly message: string },
  detailsBin: string | undefined,
): DecodedStatus {
  const plain = { code: status.code, message: status.message, details: [] }
  const rich = detailsBin === undefined ? undefined : decodeStatusDetails(detailsBin)
  if (rich === undefined) return plain
  if (rich.code === status.code) return rich
  return {
    code: Code.Internal,
    message: `grpc-status-details-bin says code ${rich.code}, want ${status.code} as in grpc-status`,
    details: [],
  }
}

function toAny(detail: StatusDetail): TypedAny {
  const type = detail['@type']
  const typeUrl = type.includes('/') ? type : PREFIX + type
  if (isUnknown(detail)) return { typeUrl, value: detail.value }
  const codec = DETAILS.get(type)
  if (codec === undefined) {
    throw badValue(detail, `a standard detail, or { '@type', value: Uint8Array } for ${type}`)
  }
  return { typeUrl, value: encode(codec, detail) }
}

function fromAny({ typeUrl, value }: TypedAny): StatusDetail {
  const type = typeUrl.startsWith(PREFIX) ? typeUrl.slice(PREFIX.length) : typeUrl
  const unknown: UnknownDetail = { '@type': type, value }
  const codec = DETAILS.get(type)
  if (codec === undefined) return unknown
  try {
    const octets = value as Buffer
    const fields = codec.decode(octets, 0, octets.length, true)
    return { '@type': type, ...fields } as StatusDetail
  } catch {
    return unknown
  }
}

function isUnknown(detail: StatusDetail): detail is UnknownDetail {
  return 'value' in detail && detail.value instanceof Uint8Array
}

function encode<T>(codec: Codec<T>, message: T): Buffer {
  const sink = new ByteSink()
  codec.encode(message, sink)
  return sink.detach()
}
