// How far one half of a stream has come, and so what its next header block is: RFC 9113 section 8.1.
// The same rules serve what a peer sent and what an embedder wants to send. Not here: END_STREAM and
// RST_STREAM as such (stream-state.ts), the fields of the block (header-rules.ts).
import { ErrorCode } from '../../frame/index.ts'
import type { HeadersKind } from './stream-handler.ts'

/** What of the message a half has carried. */
export const HalfPhase = {
  /** Nothing but informational blocks. */
  AwaitingHeaders: 0,
  /** The final header block. */
  Body: 1,
  /** END_STREAM. */
  Done: 2,
} as const
export type HalfPhase = (typeof HalfPhase)[keyof typeof HalfPhase]

/** What a header block is in its place. One of a few shared objects. */
export interface BlockVerdict {
  /** Undefined when the block may not stand there. */
  readonly kind: HeadersKind | undefined
  /** The phase after the block. */
  readonly phase: HalfPhase
  /** The rule that the block breaks, and the code of the stream error that this is. */
  readonly token: string | undefined
  readonly code: ErrorCode
}

const accepted = (kind: HeadersKind, phase: HalfPhase): BlockVerdict => {
  return { kind, phase, token: undefined, code: ErrorCode.NO_ERROR }
}
const refused = (token: string, code: ErrorCode = ErrorCode.PROTOCOL_ERROR): BlockVerdict => {
  return { kind: undefined, phase: HalfPhase.Done, token, code }
}

// "A HEADERS frame with the END_STREAM flag set that carries an informational status code is
// malformed"; a HEADERS frame without END_STREAM after the final one likewise (section 8.1). A 1xx
// after the final block is neither: trailers carry no :status.
const informationalAtEnd = refused('informational_with_end_stream')
const informationalLate = refused('informational_after_headers')
const afterEnd = refused('headers_after_end_stream', ErrorCode.STREAM_CLOSED)

/** Index: phase * 4 + informational * 2 + endStream. */
const VERDICTS: readonly BlockVerdict[] = [
  /* AwaitingHeaders, final        */ accepted('headers', HalfPhase.Body),
  /*                  … END_STREAM */ accepted('headers', HalfPhase.Done),
  /*                  1xx          */ accepted('informational', HalfPhase.AwaitingHeaders),
  /*                  … END_STREAM */ informationalAtEnd,
  /* Body,            final        */ refused('trailers_without_end_stream'),
  /*                  … END_STREAM */ accepted('trailers', HalfPhase.Done),
  /*                  1xx          */ informationalLate,
  /*                  … END_STREAM */ informationalLate,
  /* Done                          */ afterEnd,
  afterEnd,
  afterEnd,
  afterEnd,
]

/**
 * Says what a header block is, given how far its half has come. `informational` is true for a
 * response whose status is 1xx; a request has none.
 */
export function classifyBlock(
  phase: HalfPhase,
  informational: boolean,
  endStream: boolean,
): BlockVerdict {
  return VERDICTS[(phase << 2) | (informational ? 2 : 0) | (endStream ? 1 : 0)]!
}
