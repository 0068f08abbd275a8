// The states of a channel and of a SubConn. Source: grpc/doc/connectivity-semantics-and-api.md.

/** How far a channel or a SubConn is from carrying calls. `SHUTDOWN` is final. */
export const ConnectivityState = {
  Idle: 'IDLE',
  Connecting: 'CONNECTING',
  Ready: 'READY',
  TransientFailure: 'TRANSIENT_FAILURE',
  Shutdown: 'SHUTDOWN',
} as const
export type ConnectivityState = (typeof ConnectivityState)[keyof typeof ConnectivityState]
