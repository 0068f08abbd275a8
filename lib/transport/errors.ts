// The errors of the transport that are not the peer's wire faults.

/** The connection is gone (or was never made); `cause` says what took it. */
export class TransportClosed extends Error {
  /** The address of the peer, as in {@link Peer.address}. */
  public readonly address: string

  public constructor(address: string, message: string, cause?: unknown) {
    super(`${address}: ${message}`, cause === undefined ? undefined : { cause })
    this.name = 'TransportClosed'
    this.address = address
  }
}

/** The caller used the API in a way that no peer could cause; `token` names the rule. */
export class TransportUsageError extends Error {
  public readonly token: string

  public constructor(token: string, message: string) {
    super(message)
    this.name = 'TransportUsageError'
    this.token = token
  }
}
