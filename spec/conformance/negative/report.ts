// What a negative server saw of its client. Plain values: they are printed as JSON.

/** One connection. */
export interface ConnectionReport {
  /** The stream ids of its calls. */
  readonly calls: number[]
  /** The most streams open at once since the client acknowledged our SETTINGS. */
  peakStreams: number
  settingsAcked: boolean
  /** The octets of each PING sent, in hex, and of each ACK received. */
  readonly pings: string[]
  readonly pingAcks: string[]
  /** `STREAM CODE` of each RST_STREAM received. */
  readonly rstStreams: string[]
  /** The code of each GOAWAY received. */
  readonly goAways: string[]
  /** Octets sent that flow control counts, and how many of them were padding. */
  flowBytes: number
  paddingBytes: number
  /** What WINDOW_UPDATE gave to the connection, and to its streams. */
  connectionCreditBytes: number
  streamCreditBytes: number
  isOpen: boolean
  /** What the client broke, or what broke here. */
  readonly errors: string[]
}

/** One server, from its start. */
export interface ServerReport {
  readonly connections: readonly ConnectionReport[]
}

/** Nothing seen yet. */
export function newConnectionReport(): ConnectionReport {
  return {
    calls: [],
    peakStreams: 0,
    settingsAcked: false,
    pings: [],
    pingAcks: [],
    rstStreams: [],
    goAways: [],
    flowBytes: 0,
    paddingBytes: 0,
    connectionCreditBytes: 0,
    streamCreditBytes: 0,
    isOpen: true,
    errors: [],
  }
}
