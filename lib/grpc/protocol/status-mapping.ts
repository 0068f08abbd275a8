// How the ends of streams and HTTP responses become gRPC status codes: one table each.
// What a call itself decides (deadline, abort, limits) is not here.
// Sources: grpc/doc/PROTOCOL-HTTP2.md "Errors", grpc/doc/http-grpc-status-mapping.md, gRFC A54.
import { Code, type Status } from '../../base/status.ts'
import { ErrorCode, errorCodeName, type StreamClosed } from '../../transport/index.ts'

/**
 * RST_STREAM code → status code, indexed by the error code: PROTOCOL-HTTP2.md "HTTP2 Transport
 * Mapping". Two rows follow that document where grpc-go does not: FLOW_CONTROL_ERROR, and codes
 * beyond the table.
 */
const CODE_OF_RESET: readonly Code[] = (() => {
  const table: Code[] = []
  table[ErrorCode.NO_ERROR] = Code.Internal // a status was due before any reset
  table[ErrorCode.PROTOCOL_ERROR] = Code.Internal
  table[ErrorCode.INTERNAL_ERROR] = Code.Internal
  table[ErrorCode.FLOW_CONTROL_ERROR] = Code.Internal
  table[ErrorCode.SETTINGS_TIMEOUT] = Code.Internal // the document says: no mapping
  table[ErrorCode.STREAM_CLOSED] = Code.Internal // the document says: no mapping
  table[ErrorCode.FRAME_SIZE_ERROR] = Code.Internal
  table[ErrorCode.REFUSED_STREAM] = Code.Unavailable // not processed: may be tried again
  table[ErrorCode.CANCEL] = Code.Cancelled
  table[ErrorCode.COMPRESSION_ERROR] = Code.Internal
  table[ErrorCode.CONNECT_ERROR] = Code.Internal
  table[ErrorCode.ENHANCE_YOUR_CALM] = Code.ResourceExhausted
  table[ErrorCode.INADEQUATE_SECURITY] = Code.PermissionDenied
  table[ErrorCode.HTTP_1_1_REQUIRED] = Code.Internal // grpc-go http_util.go
  return table
})()

/**
 * The status code of a reset stream. A peer that cancels once our own deadline has passed was told
 * the deadline and kept to it, so that is DEADLINE_EXCEEDED (grpc-go http2_client.go).
 */
export function codeOfReset(errorCode: number, deadlinePassed: boolean): Code {
  if (deadlinePassed && errorCode === ErrorCode.CANCEL) return Code.DeadlineExceeded
  return CODE_OF_RESET[errorCode] ?? Code.Internal
}

/** The status of a call whose stream closed before its status arrived. */
export function statusOfClosed(closed: StreamClosed, deadlinePassed: boolean): Status {
  switch (closed.by) {
    case 'reset':
      return {
        code: codeOfReset(closed.code, deadlinePassed),
        message:
          closed.initiator === 'peer'
            ? `stream terminated by RST_STREAM with error code: ${errorCodeName(closed.code)}`
            : `stream reset for a fault of the peer: ${closed.token ?? errorCodeName(closed.code)}`,
        cause: closed.cause,
      }
    case 'goaway':
      return {
        code: Code.Unavailable,
        message: 'the peer is going away and did not process the stream',
        cause: closed.cause,
      }
    case 'transport':
      return {
        code: Code.Unavailable,
        message: closed.cause?.message ?? 'the connection was closed',
        cause: closed.cause,
      }
    case 'end':
      // grpc-go: "server closed the stream without sending trailers".
      return { code: Code.Internal, message: 'the server ended the stream without a status' }
  }
}

/** :status → status code for a response without grpc-status: http-grpc-status-mapping.md. */
const CODE_OF_HTTP_STATUS: ReadonlyMap<number, Code> = new Map<number, Code>([
  [400, Code.Internal],
  [401, Code.Unauthenticated],
  [403, Code.PermissionDenied],
  [404, Code.Unimplemented],
  [429, Code.Unavailable],
  [502, Code.Unavailable],
  [503, Code.Unavailable],
  [504, Code.Unavailable],
])

/** The status code for the :status of a response that carries no grpc-status. */
export function codeOfHttpStatus(httpStatus: number): Code {
  return CODE_OF_HTTP_STATUS.get(httpStatus) ?? Code.Unknown
}

/** Codes that only an application may produce, gRFC A54. */
const NOT_FOR_CONTROL_PLANE: ReadonlySet<number> = new Set<number>([
  Code.InvalidArgument,
  Code.NotFound,
  Code.AlreadyExists,
  Code.FailedPrecondition,
  Code.Aborted,
  Code.OutOfRange,
  Code.DataLoss,
])

/**
 * What a status from a picker, a config selector or call credentials may become on a call: codes
 * reserved for applications turn into INTERNAL (gRFC A54).
 */
export function restrictControlPlaneCode(status: Status): Status {
  if (!NOT_FOR_CONTROL_PLANE.has(status.code)) return status
  return {
    code: Code.Internal,
    message: `control plane gave the illegal status code ${status.code}: ${status.message}`,
    cause: status.cause,
  }
}
