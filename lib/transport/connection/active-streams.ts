// activeStreams: every open stream of a connection, from its birth to its one `onClosed`.
//
// All endings meet in `retire`: the stream leaves the writer and the table, how it ended is
// remembered for late frames, held credit is returned, its owner is told, and the role may open the
// next. RFC 9113 sections 5.1, 5.4.2, 6.4, 6.9.
import { DEFAULT_WINDOW_BYTES, ErrorCode } from '../../frame/index.ts'
import { ClosedStreams } from '../stream/closed-streams.ts'
import { RecvWindow } from '../stream/flow-control.ts'
import { HalfPhase } from '../stream/half-phase.ts'
import { ReceiveBudget, type ReceiveBudgetHost } from '../stream/receive-budget.ts'
import { Stream, type StreamHost } from '../stream/stream.ts'
import type { StreamClosed, StreamHandler } from '../stream/stream-handler.ts'
import { FIRST_OUTCOME, nextState, StreamInput, StreamState } from '../stream/stream-state.ts'
import { StreamTable } from '../stream/stream-table.ts'
import type { ControlBuffer } from './control-buffer.ts'
import type { LoopyWriter, WriterHost } from './loopy-writer.ts'
import type { ConnectionRole } from './role.ts'
import { WindowUpdatePolicy } from './window-update-policy.ts'

const ENDED_WELL: StreamClosed = Object.freeze({
  by: 'end',
  initiator: 'peer',
  code: ErrorCode.NO_ERROR,
  processed: true,
})

/** What activeStreams needs of its connection. */
export interface ActiveStreamsHost {
  requestFlush(urgency: 'soon' | 'later'): void
  /** A stream is over, all is told; `well` when both its halves were complete. */
  streamRetired(well: boolean): void
}

export class ActiveStreams implements StreamHost, WriterHost, ReceiveBudgetHost {
  public readonly table: StreamTable = new StreamTable()
  /** How the streams closed last were closed. */
  public readonly closed: ClosedStreams = new ClosedStreams()
  /** Which WINDOW_UPDATEs of the peer are odd. */
  public readonly windowUpdates: WindowUpdatePolicy = new WindowUpdatePolicy()
  /** Received data that no application has taken. */
  public readonly budget: ReceiveBudget
  /** Streams that were created and are not over, those without an identifier included. */
  public live = 0
  /** Receive window of new streams; grows with our SETTINGS. */
  public recvWindowBytes: number
  /** The peer's SETTINGS_INITIAL_WINDOW_SIZE. */
  public sendWindowBytes: number = DEFAULT_WINDOW_BYTES
  private readonly role: ConnectionRole
  private readonly control: ControlBuffer
  private readonly host: ActiveStreamsHost
  private writer!: LoopyWriter

  public constructor(
    role: ConnectionRole,
    control: ControlBuffer,
    recvWindowBytes: number,
    maxBufferedBytes: number,
    host: ActiveStreamsHost,
  ) {
    this.role = role
    this.control = control
    this.recvWindowBytes = recvWindowBytes
    this.host = host
    this.budget = new ReceiveBudget(maxBufferedBytes, this)
  }

  /** The writer that these streams send through; the two know each other. */
  public useWriter(writer: LoopyWriter): void {
    this.writer = writer
  }

  /** A stream of the peer's (`id` known) or of ours (`id` 0, not in the table until encoded). */
  public create(id: number, handler: StreamHandler): Stream {
    const stream = new Stream(
      this,
      id,
      handler,
      new RecvWindow(this.recvWindowBytes),
      this.sendWindowBytes,
    )
    this.live++
    this.windowUpdates.streamOpened()
    if (id !== 0) this.table.add(stream)
    return stream
  }

  /** Every stream that may hear of the connection's end: open, or admitted and not yet encoded. */
  public list(): Stream[] {
    return [...this.table.list(), ...this.writer.unnumbered()]
  }

  /** How a stream that is not in the table was closed; only for identifiers that were opened. */
  public stateOfClosed(id: number): StreamState {
    return this.closed.stateOf(id)
  }

  // ── what the reader does to a stream

  /** Our INITIAL_WINDOW_SIZE moves the peer's windows of all streams (6.9.2). */
  public moveRecvWindows(bytes: number): void {
    this.recvWindowBytes = bytes
    for (const stream of this.table.list()) stream.recvWindow.newLimit(bytes)
  }

  /** Padding is nobody's to take: its credit returns at once. */
  public creditPadding(stream: Stream, padBytes: number): void {
    this.raiseWindow(stream, stream.recvWindow.onPadding(padBytes))
  }

  /** Both halves have ended, the peer's last; the owner has heard all of it. */
  public endedWell(stream: Stream): void {
    this.retire(stream, StreamState.ClosedByEnd, ENDED_WELL)
  }

  /** RST_STREAM from the peer. */
  public peerReset(stream: Stream, code: ErrorCode): void {
    this.retire(stream, StreamState.ClosedByPeerReset, {
      by: 'reset',
      initiator: 'peer',
      code,
      processed: code !== ErrorCode.REFUSED_STREAM,
    })
  }

  /** The peer's GOAWAY says that it never processed the stream. */
  public goneAway(stream: Stream, cause: Error): void {
    this.retire(stream, StreamState.ClosedByPeerReset, {
      by: 'goaway',
      initiator: 'peer',
      code: ErrorCode.REFUSED_STREAM,
      processed: false,
      cause,
    })
  }

  /** The connection is over: every stream ends with it. */
  public transportClosed(stream: Stream, initiator: 'local' | 'peer', cause: Error): void {
    this.retire(stream, StreamState.ClosedByLocalReset, {
      by: 'transport',
      initiator,
      code: ErrorCode.NO_ERROR,
      processed: stream.id !== 0,
      cause,
    })
  }

  // ── StreamHost: what an owner asks of its stream

  public putHeaders(
    stream: Stream,
    fields: readonly string[],
    extraFields: readonly string[] | undefined,
    endStream: boolean,
  ): void {
    this.writer.putHeaders(stream, fields, extraFields, endStream)
  }

  public putInformational(stream: Stream, fields: readonly string[]): void {
    this.writer.putHeaders(stream, fields, undefined, false)
  }

  public putData(
    stream: Stream,
    buf: Buffer,
    start: number,
    end: number,
    endStream: boolean,
    owned: boolean,
  ): boolean {
    return this.writer.putData(stream, buf, start, end, endStream, owned)
  }

  public reset(stream: Stream, code: ErrorCode, token: string): void {
    const endIsQueued = stream.sendPhase === HalfPhase.Done && stream.queue !== undefined
    if (code === ErrorCode.NO_ERROR && endIsQueued) {
      stream.resetWhenSent = token
      return
    }
    if (stream.id !== 0) this.control.putRstStream(stream.id, code)
    this.retire(stream, StreamState.ClosedByLocalReset, {
      by: 'reset',
      initiator: 'local',
      code,
      processed: stream.id !== 0,
      token,
    })
  }

  public credit(stream: Stream, bytes: number): void {
    const { recvWindow } = stream
    const heldBefore = recvWindow.heldBytes
    const extendedBefore = recvWindow.extendedBytes
    const increment = recvWindow.onRead(bytes)
    this.budget.release(
      heldBefore - recvWindow.heldBytes,
      extendedBefore - recvWindow.extendedBytes,
    )
    if (increment > 0) this.raiseWindow(stream, increment)
  }

  public expect(stream: Stream, bytes: number): void {
    if (stream.recvPhase === HalfPhase.Done) return
    stream.expectedBytes = bytes
    this.budget.expect(stream)
  }

  // ── WriterHost: what the loopy writer reports

  public requestFlush(urgency: 'soon' | 'later'): void {
    this.host.requestFlush(urgency)
  }

  public assignId(stream: Stream): void {
    stream.id = this.role.nextStreamId()
    // SETTINGS may have passed while it waited.
    stream.sendWindowBytes = this.sendWindowBytes
    stream.recvWindow.newLimit(this.recvWindowBytes)
    this.table.add(stream)
  }

  public headerListTooLarge(stream: Stream, bytes: number): void {
    if (stream.id !== 0) this.control.putRstStream(stream.id, ErrorCode.INTERNAL_ERROR)
    this.retire(stream, StreamState.ClosedByLocalReset, {
      by: 'reset',
      initiator: 'local',
      code: ErrorCode.INTERNAL_ERROR,
      processed: stream.id !== 0,
      token: 'header_list_too_large_to_send',
      cause: new Error(`a header list of ${bytes} octets is over the peer's limit`),
    })
  }

  public headersSent(stream: Stream, endStream: boolean): void {
    this.sent(stream, endStream ? StreamInput.SendHeadersEnd : StreamInput.SendHeaders)
  }

  public dataSent(stream: Stream, bytes: number, endStream: boolean): void {
    this.windowUpdates.dataSent(bytes)
    this.sent(stream, endStream ? StreamInput.SendDataEnd : StreamInput.SendData)
  }

  private sent(stream: Stream, input: StreamInput): void {
    this.role.framesSent()
    const state = nextState(stream.state, input)
    if (state >= FIRST_OUTCOME) return
    if (state === StreamState.ClosedByEnd) {
      this.retire(stream, state, ENDED_WELL)
    } else {
      stream.state = state as StreamState
      const token = stream.resetWhenSent
      if (token !== undefined && stream.queue === undefined) {
        this.reset(stream, ErrorCode.NO_ERROR, token)
      }
    }
    this.host.requestFlush('soon')
  }

  // ── ReceiveBudgetHost

  public grantExpected(stream: Stream): void {
    const bytes = stream.expectedBytes
    stream.expectedBytes = 0
    const { recvWindow } = stream
    const extendedBefore = recvWindow.extendedBytes
    const increment = recvWindow.maybeAdjust(recvWindow.heldBytes + bytes)
    this.budget.extendedBytes += recvWindow.extendedBytes - extendedBefore
    if (increment > 0) this.raiseWindow(stream, increment)
  }

  // Once the peer has ended its half there is nothing left to let through.
  private raiseWindow(stream: Stream, increment: number): void {
    if (stream.id === 0 || stream.recvPhase === HalfPhase.Done) return
    this.control.putWindowUpdate(stream.id, increment)
  }

  private retire(stream: Stream, state: StreamState, closed: StreamClosed): void {
    // Whoever was told of another stream's end may have ended this one.
    if (stream.retired) return
    stream.retired = true
    stream.state = state
    this.live--
    this.writer.drop(stream)
    if (stream.id !== 0) {
      this.table.remove(stream)
      this.closed.note(stream.id, state)
    }
    this.budget.release(stream.recvWindow.heldBytes, stream.recvWindow.extendedBytes)
    this.budget.forget(stream)
    try {
      stream.handler.onClosed(closed)
    } finally {
      this.role.streamClosed(stream)
      this.host.streamRetired(closed === ENDED_WELL)
    }
  }
}
