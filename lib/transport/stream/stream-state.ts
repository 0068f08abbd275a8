// The life of a stream, RFC 9113 section 5.1, as one table: state x input -> next state or outcome.
// Not here: whether a stream id may be opened by that side at all (5.1.1, the stream table), what
// the header blocks of an open half mean (half-phase.ts), and flow control.

/**
 * The states of section 5.1. `closed` is split by what closed the stream, since that decides what a
 * late frame costs its sender.
 */
export const StreamState = {
  Idle: 0,
  ReservedLocal: 1,
  ReservedPeer: 2,
  Open: 3,
  /** We have sent END_STREAM. */
  HalfClosedLocal: 4,
  /** The peer has sent END_STREAM. */
  HalfClosedPeer: 5,
  /** Both sides have sent END_STREAM. */
  ClosedByEnd: 6,
  ClosedByPeerReset: 7,
  ClosedByLocalReset: 8,
  /** Closed so long ago that we no longer know how. */
  ClosedForgotten: 9,
} as const
export type StreamState = (typeof StreamState)[keyof typeof StreamState]

/** The frames that move a stream. `...End` carries END_STREAM. PUSH_PROMISE names the promised id. */
export const StreamInput = {
  RecvHeaders: 0,
  RecvHeadersEnd: 1,
  RecvData: 2,
  RecvDataEnd: 3,
  RecvReset: 4,
  RecvWindowUpdate: 5,
  RecvPriority: 6,
  RecvPushPromise: 7,
  SendHeaders: 8,
  SendHeadersEnd: 9,
  SendData: 10,
  SendDataEnd: 11,
  SendReset: 12,
  SendWindowUpdate: 13,
  SendPushPromise: 14,
} as const
export type StreamInput = (typeof StreamInput)[keyof typeof StreamInput]

/** What {@link nextState} answers when the frame leads to no state. */
export const Outcome = {
  /** Received: drop the frame (its header block and its flow-control cost still count). Sent: don't. */
  Ignore: 16,
  /** A stream error of type STREAM_CLOSED. */
  StreamClosedStream: 17,
  /** A connection error of type STREAM_CLOSED. */
  StreamClosedConnection: 18,
  /** A connection error of type PROTOCOL_ERROR. */
  ProtocolErrorConnection: 19,
  /** The frame may not be sent: a fault of the caller. */
  Misuse: 20,
} as const
export type Outcome = (typeof Outcome)[keyof typeof Outcome]

/** Answers of {@link nextState} below this are states, the others outcomes. */
export const FIRST_OUTCOME = 16

const IDLE = StreamState.Idle
const RSVL = StreamState.ReservedLocal
const RSVP = StreamState.ReservedPeer
const OPEN = StreamState.Open
const HCLO = StreamState.HalfClosedLocal
const HCPE = StreamState.HalfClosedPeer
const END_ = StreamState.ClosedByEnd
const RSTP = StreamState.ClosedByPeerReset
const RSTL = StreamState.ClosedByLocalReset
const skip = Outcome.Ignore
const scSt = Outcome.StreamClosedStream
const scCo = Outcome.StreamClosedConnection
const prot = Outcome.ProtocolErrorConnection
const misu = Outcome.Misuse

// Received frames. Capitals are states, small letters outcomes. The notes give the sentence of
// section 5.1 behind a row.
//
// Idle       "any frame other than HEADERS or PRIORITY": connection PROTOCOL_ERROR.
// Reserved…  a promised stream: only what the text lists may come, all else is a connection error.
// HalfClosedPeer  additional frames other than WINDOW_UPDATE, PRIORITY, RST_STREAM: stream error
//            STREAM_CLOSED.
// ClosedByEnd  the peer itself said that nothing would follow: "MAY treat … as a connection error
//            of type STREAM_CLOSED". Its WINDOW_UPDATE or RST_STREAM can have crossed our END_STREAM.
// ClosedByPeerReset  nothing may follow a RST_STREAM but PRIORITY; a stream error is enough.
// ClosedByLocalReset  the peer may not have seen our RST_STREAM: "MUST minimally process and then
//            discard" whatever comes.
// ClosedForgotten  one of the three above, we cannot tell: the mildest answer that is one.
// PUSH_PROMISE  the promised stream must be idle (6.6); a connection that refuses push has closed
//            before it asks here.
// biome-ignore format: a table
const RECEIVED: readonly (readonly number[])[] = [
  //                        HEADERS +END  DATA  +END  RST   WINDOW PRIORITY PUSH_PROMISE
  /* Idle               */ [OPEN,   HCPE, prot, prot, prot, prot,  IDLE,    RSVP],
  /* ReservedLocal      */ [prot,   prot, prot, prot, RSTP, RSVL,  RSVL,    prot],
  /* ReservedPeer       */ [HCLO,   END_, prot, prot, RSTP, prot,  RSVP,    prot],
  /* Open               */ [OPEN,   HCPE, OPEN, HCPE, RSTP, OPEN,  OPEN,    prot],
  /* HalfClosedLocal    */ [HCLO,   END_, HCLO, END_, RSTP, HCLO,  HCLO,    prot],
  /* HalfClosedPeer     */ [scSt,   scSt, scSt, scSt, RSTP, HCPE,  HCPE,    prot],
  /* ClosedByEnd        */ [scCo,   scCo, scCo, scCo, skip, skip,  skip,    prot],
  /* ClosedByPeerReset  */ [scSt,   scSt, scSt, scSt, skip, skip,  skip,    prot],
  /* ClosedByLocalReset */ [skip,   skip, skip, skip, skip, skip,  skip,    prot],
  /* ClosedForgotten    */ [scSt,   scSt, scSt, scSt, skip, skip,  skip,    prot],
]

// Sent frames.
//
// Idle       RST_STREAM "MUST NOT be sent for a stream in the idle state" (6.4).
// HalfClosedLocal  only WINDOW_UPDATE, PRIORITY and RST_STREAM may still be sent.
// ClosedBy…Reset  what the application sends crosses the reset that it has not heard of: dropped.
//            After its own END_STREAM it is misuse.
// RST_STREAM, WINDOW_UPDATE when closed: a late cancel, or data taken late; nothing is sent.
// biome-ignore format: a table
const SENT: readonly (readonly number[])[] = [
  //                        HEADERS +END  DATA  +END  RST   WINDOW PUSH_PROMISE
  /* Idle               */ [OPEN,   HCLO, misu, misu, misu, misu,  RSVL],
  /* ReservedLocal      */ [HCPE,   END_, misu, misu, RSTL, misu,  misu],
  /* ReservedPeer       */ [misu,   misu, misu, misu, RSTL, RSVP,  misu],
  /* Open               */ [OPEN,   HCLO, OPEN, HCLO, RSTL, OPEN,  misu],
  /* HalfClosedLocal    */ [misu,   misu, misu, misu, RSTL, HCLO,  misu],
  /* HalfClosedPeer     */ [HCPE,   END_, HCPE, END_, RSTL, HCPE,  misu],
  /* ClosedByEnd        */ [misu,   misu, misu, misu, skip, skip,  misu],
  /* ClosedByPeerReset  */ [skip,   skip, skip, skip, skip, skip,  misu],
  /* ClosedByLocalReset */ [skip,   skip, skip, skip, skip, skip,  misu],
  /* ClosedForgotten    */ [skip,   skip, skip, skip, skip, skip,  misu],
]

/** log2 of the cells that a state takes. */
const ROW_SHIFT = 4

const TABLE = new Uint8Array(RECEIVED.length << ROW_SHIFT)
for (const [state, received] of RECEIVED.entries()) {
  TABLE.set(received, state << ROW_SHIFT)
  TABLE.set(SENT[state]!, (state << ROW_SHIFT) + received.length)
}

/**
 * The state after `input`, or, from {@link FIRST_OUTCOME} on, an {@link Outcome}. RFC 9113 section
 * 5.1.
 */
export function nextState(state: StreamState, input: StreamInput): number {
  return TABLE[(state << ROW_SHIFT) | input]!
}

/** Whether the stream has ended, however. */
export function isClosed(state: StreamState): boolean {
  return state >= StreamState.ClosedByEnd
}
