// The gRPC status codes, their names, and nothing that carries them.
// Source: grpc/doc/statuscodes.md.

/** A gRPC status code. Numbers outside 0..16 may arrive from a peer and are kept as they are. */
export const Code = {
  Ok: 0,
  Cancelled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const
export type Code = (typeof Code)[keyof typeof Code]

const CODE_NAMES: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
]

/** The name of a code as service configs and JSON write it; `CODE_n` for a number that has none. */
export function codeName(code: number): string {
  return CODE_NAMES[code] ?? `CODE_${code}`
}

/** The code of a name such as `NOT_FOUND`; undefined when there is none. */
export function codeFromName(name: string): Code | undefined {
  const code = CODE_NAMES.indexOf(name)
  return code < 0 ? undefined : (code as Code)
}

/** What a call ended with. Immutable. */
export interface Status {
  readonly code: number
  readonly message: string
  readonly cause?: unknown
}

/** The status of a call that went well. */
export const STATUS_OK: Status = Object.freeze({ code: Code.Ok, message: '' })
