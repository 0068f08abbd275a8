// The errors of the transport that are not the peer's wire faults.
import { errorCodeName } from '../frame/index.ts'
import type { StreamClosed } from './stream/stream-handler.ts'

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

/** A stream ended before its message was complete; `closed` says by what and by whom. */
export class StreamClosedError extends Error {
  public readonly closed: StreamClosed

  public constructor(address: string, closed: StreamClosed) {
    const { token, cause } = closed
    const suffix = token === undefined ? '' : ` (${token})`
    super(reasonOf(address, closed) + suffix, cause === undefined ? undefined : { cause })
    this.name = 'StreamClosedError'
    this.closed = closed
  }
}

function reasonOf(address: string, { by, initiator, code, cause }: StreamClosed): string {
  if (by === 'reset') {
    const who = initiator === 'peer' ? 'peer' : 'library'
    return `${address}: the stream was reset by the ${who} with ${errorCodeName(code)}`
  }
  // It names the address itself.
  if (cause instanceof TransportClosed) return cause.message
  return `${address}: ${cause?.message ?? 'the connection is gone'}`
}
