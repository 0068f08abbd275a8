// The one error of this room. In HTTP/2 it is always a connection error of type COMPRESSION_ERROR
// (RFC 9113 section 4.3): after it the two tables may differ, so no later block can be trusted.

/** A header block broke a rule of RFC 7541. `token` is the rule's unique name. */
export class HpackError extends Error {
  public readonly token: string

  public constructor(token: string, message: string) {
    super(`COMPRESSION_ERROR (${token}): ${message}`)
    this.name = 'HpackError'
    this.token = token
  }
}
