// What a connection holds at one moment: for diagnostics, and for specs that prove it holds nothing.

/** All counts are 0, and the windows whole, while nobody uses the connection. */
export interface ConnectionLoad {
  /** Streams that were created and are not over, those that wait to be opened included. */
  readonly streams: number
  /** Received octets that no application has taken. */
  readonly heldBytes: number
  /** Octets of data that wait for a window or their turn. */
  readonly queuedBytes: number
  /** Encoded octets that wait for the next flush. */
  readonly unflushedBytes: number
  /** What the peer lets us send on the connection. */
  readonly sendWindowBytes: number
  /** What we let the peer send on the connection. */
  readonly recvWindowBytes: number
  /** {@link ConnectionLoad.recvWindowBytes} when all is credited; up to a quarter is gathered first. */
  readonly recvWindowLimitBytes: number
}
