// The connection error of RFC 9113 section 5.4.1. Stream errors (5.4.2) are calls, never thrown.
import { type ErrorCode, errorCodeName } from './constants.ts'

/**
 * A connection error: the peer (or an embedder) broke a rule that ends the whole connection.
 *
 * `code` goes into GOAWAY; `token` is the rule's unique name (also metric and spec name), its text
 * says what came and what was expected.
 */
export class Http2Error extends Error {
  public readonly code: ErrorCode
  public readonly token: string

  public constructor(code: ErrorCode, token: string, message: string) {
    super(`${errorCodeName(code)} (${token}): ${message}`)
    this.name = 'Http2Error'
    this.code = code
    this.token = token
  }
}
