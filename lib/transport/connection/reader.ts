// The reader: from frames to streams. It decides what each frame means for its stream (state table,
// phases, header rules, windows) and calls the stream's owner; what concerns the whole connection it
// hands to its host.
//
//   decoder ─▶ reader ─┬─ header block ─▶ rules ─▶ accept | onHeaders
//                      ├─ data ─▶ both windows ─▶ onData
//                      └─ settings, ping, goaway, window updates ─▶ host
//
// A connection error is thrown; a stream error is a call of `host.streamFault`, and parsing goes on.
import { ErrorCode, type FrameHandler, FrameType, Http2Error } from '../../frame/index.ts'
import type { HeaderBlock } from '../../hpack/index.ts'
import { CONTENT_OVERRUN, contentAfter, isContentComplete } from '../stream/content-length.ts'
import { classifyBlock, HalfPhase } from '../stream/half-phase.ts'
import type { HeaderAssembler } from '../stream/header-assembler.ts'
import { checkTrailers } from '../stream/header-rules.ts'
import { SendState, type Stream } from '../stream/stream.ts'
import type { StreamClosed, StreamHandler } from '../stream/stream-handler.ts'
import {
  FIRST_OUTCOME,
  nextState,
  Outcome,
  StreamInput,
  StreamState,
} from '../stream/stream-state.ts'
import type { GlitchReason } from './abuse-guard.ts'
import type { ActiveStreams } from './active-streams.ts'
import type { BlockChecker } from './block-checker.ts'
import type { GoAwayInfo } from './goaway.ts'
import type { LoopyWriter } from './loopy-writer.ts'
import type { PeerSettingsApplier } from './peer-settings.ts'
import type { ReceiveWindows } from './receive-windows.ts'
import type { ConnectionRole } from './role.ts'

/** What the reader hands to its connection. */
export interface ReaderHost {
  /** False once the connection is over: what is left of the buffer is not for anybody. */
  readonly open: boolean
  firstFrame(type: number, flags: number): void
  /** The peer broke a rule on a stream: RST_STREAM, counted against the peer. Throws Http2Error. */
  streamFault(streamId: number, code: ErrorCode, token: string): void
  /** Counts an oddity. Throws Http2Error when there were too many. */
  glitch(reason: GlitchReason): void
  /** The peer's streams from this one on are not taken: a final GOAWAY is out. */
  readonly refusesNewStreams: boolean
  settingsReceived(): void
  settingsAcknowledged(): void
  pingReceived(hi: number, lo: number): void
  pingAcknowledged(hi: number, lo: number): void
  goAway(info: GoAwayInfo): void
}

/** The parts that the reader works on. */
export interface ReaderParts {
  readonly role: ConnectionRole
  readonly streams: ActiveStreams
  readonly writer: LoopyWriter
  readonly windows: ReceiveWindows
  readonly peerSettings: PeerSettingsApplier
  readonly assembler: HeaderAssembler
  readonly checker: BlockChecker
  readonly maxInformational: number
}

/** Owns a stream that was not handed over, and remembers if it ends before. */
class Doorkeeper implements StreamHandler {
  public closed: StreamClosed | undefined

  public onHeaders(): void {}
  public onData(): void {}
  public onEnd(): void {}
  public onWritable(): void {}

  public onClosed(closed: StreamClosed): void {
    this.closed = closed
  }
}

const CONNECTION_OVER = new Http2Error(
  ErrorCode.NO_ERROR,
  'connection_over',
  'a frame came behind the one whose owner closed the connection',
)

const MAX_DEBUG_TEXT_BYTES = 1024

export class Reader implements FrameHandler {
  /** The highest stream that the peer opened. */
  public lastPeerStreamId = 0
  private readonly host: ReaderHost
  private readonly role: ConnectionRole
  private readonly streams: ActiveStreams
  private readonly writer: LoopyWriter
  private readonly windows: ReceiveWindows
  private readonly peerSettings: PeerSettingsApplier
  private readonly assembler: HeaderAssembler
  private readonly checker: BlockChecker
  private readonly maxInformational: number
  private readonly doorkeeper = new Doorkeeper()
  private settingsSeen = false
  /** Header blocks that have begun. */
  private headerBlocks = 0
  private headerBlockOpen = false
  /** The identifiers that the peer passed over last: they can never be opened (5.1.1). */
  private skippedFrom = 0
  private skippedTo = 0
  private blockEndsStream = false
  /** A stream error found in HEADERS, due when the block was decoded. */
  private blockFault: string | undefined
  /** The stream that takes the DATA frame being read; undefined while it is discarded. */
  private dataStream: Stream | undefined
  private dataEndsStream = false

  public constructor(host: ReaderHost, parts: ReaderParts) {
    this.host = host
    this.role = parts.role
    this.streams = parts.streams
    this.writer = parts.writer
    this.windows = parts.windows
    this.peerSettings = parts.peerSettings
    this.assembler = parts.assembler
    this.checker = parts.checker
    this.maxInformational = parts.maxInformational
  }

  /** The number of the header block that has begun and is not complete; 0 when there is none. */
  public get openHeaderBlock(): number {
    return this.headerBlockOpen ? this.headerBlocks : 0
  }

  public frame(type: number, flags: number, _streamId: number, _length: number): void {
    if (!this.host.open) throw CONNECTION_OVER
    if (!this.settingsSeen) {
      this.host.firstFrame(type, flags)
      this.settingsSeen = true
    }
    if (type === FrameType.HEADERS) {
      this.headerBlockOpen = true
      this.headerBlocks++
    }
  }

  // ── DATA

  public dataBegin(
    streamId: number,
    flowBytes: number,
    padBytes: number,
    endStream: boolean,
  ): void {
    this.windows.charge(flowBytes)
    if (flowBytes === 0 && !endStream) this.host.glitch('emptyData')
    this.dataStream = this.acceptData(streamId, flowBytes, padBytes, endStream)
    this.dataEndsStream = endStream
  }

  public dataChunk(buf: Buffer, start: number, end: number): void {
    const stream = this.dataStream
    // The owner may have reset the stream on an earlier chunk.
    if (stream === undefined || stream.closed) return
    stream.handler.onData(buf, start, end)
  }

  public dataEnd(): void {
    const stream = this.dataStream
    this.dataStream = undefined
    if (stream === undefined || stream.closed || !this.dataEndsStream) return
    this.finishPeerHalf(stream)
  }

  private acceptData(
    streamId: number,
    flowBytes: number,
    padBytes: number,
    endStream: boolean,
  ): Stream | undefined {
    const input = endStream ? StreamInput.RecvDataEnd : StreamInput.RecvData
    const stream = this.streams.table.get(streamId)
    const state = nextState(stream?.state ?? this.stateOfUnknown(streamId), input)
    if (state >= FIRST_OUTCOME || stream === undefined) {
      this.refuse(streamId, state, 'data')
      return undefined
    }
    if (stream.recvPhase === HalfPhase.AwaitingHeaders) {
      this.host.streamFault(streamId, ErrorCode.PROTOCOL_ERROR, 'data_before_headers')
      return undefined
    }
    if (!stream.recvWindow.onData(flowBytes)) {
      this.host.streamFault(streamId, ErrorCode.FLOW_CONTROL_ERROR, 'stream_window_exceeded')
      return undefined
    }
    const dataBytes = flowBytes - padBytes
    this.streams.budget.heldBytes += dataBytes
    if (endStream) stream.recvPhase = HalfPhase.Done
    if (padBytes > 0) this.streams.creditPadding(stream, padBytes)
    stream.contentRemaining = contentAfter(stream.contentRemaining, dataBytes)
    if (stream.contentRemaining === CONTENT_OVERRUN) {
      this.host.streamFault(streamId, ErrorCode.PROTOCOL_ERROR, 'content_length_exceeded')
      return undefined
    }
    return stream
  }

  /** END_STREAM, and all before it was delivered. */
  private finishPeerHalf(stream: Stream): void {
    if (!isContentComplete(stream.contentRemaining)) {
      this.host.streamFault(stream.id, ErrorCode.PROTOCOL_ERROR, 'content_length_short')
      return
    }
    stream.state = nextState(stream.state, StreamInput.RecvDataEnd) as StreamState
    const isOver = stream.closed
    // The owner may answer to the end at once, and so close a stream that was not over.
    stream.handler.onEnd()
    if (isOver) this.streams.endedWell(stream)
  }

  // ── header blocks

  public headers(
    streamId: number,
    endStream: boolean,
    endHeaders: boolean,
    _padLength: number,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    this.blockEndsStream = endStream
    this.blockFault = undefined
    const block = this.assembler.headers(endHeaders, buf, start, end)
    if (block !== undefined) this.receiveBlock(streamId, block)
  }

  public continuation(
    streamId: number,
    endHeaders: boolean,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    const block = this.assembler.continuation(endHeaders, buf, start, end)
    if (block === undefined) return
    this.receiveBlock(streamId, block)
    const fault = this.blockFault
    if (fault === undefined) return
    this.blockFault = undefined
    this.streamError(streamId, ErrorCode.PROTOCOL_ERROR, fault)
  }

  private receiveBlock(streamId: number, block: HeaderBlock): void {
    this.headerBlockOpen = false
    const endStream = this.blockEndsStream
    const stream = this.streams.table.get(streamId)
    if (stream !== undefined) this.receiveFurtherBlock(stream, block, endStream)
    else if (this.isNewPeerStream(streamId)) this.openPeerStream(streamId, block, endStream)
    else {
      const input = endStream ? StreamInput.RecvHeadersEnd : StreamInput.RecvHeaders
      const known = this.stateOfUnknown(streamId)
      // A stream that is idle but not the peer's to open, or that was passed over (5.1.1).
      const state =
        known === StreamState.Idle || this.wasSkipped(streamId)
          ? Outcome.ProtocolErrorConnection
          : nextState(known, input)
      this.refuse(streamId, state, 'headers')
    }
  }

  private isNewPeerStream(streamId: number): boolean {
    return this.role.peerOpensStreams && (streamId & 1) === 1 && streamId > this.lastPeerStreamId
  }

  private wasSkipped(streamId: number): boolean {
    return streamId >= this.skippedFrom && streamId <= this.skippedTo
  }

  private openPeerStream(streamId: number, block: HeaderBlock, endStream: boolean): void {
    if (streamId > this.lastPeerStreamId + 2) {
      this.skippedFrom = this.lastPeerStreamId + 1
      this.skippedTo = streamId - 1
    }
    this.lastPeerStreamId = streamId
    if (this.host.refusesNewStreams) {
      this.streams.closed.note(streamId, StreamState.ClosedByLocalReset)
      return
    }
    const stream = this.streams.create(streamId, this.doorkeeper)
    stream.state = endStream ? StreamState.HalfClosedPeer : StreamState.Open
    stream.recvPhase = endStream ? HalfPhase.Done : HalfPhase.Body
    if (!this.role.mayAccept(this.streams.table.size - 1)) {
      this.host.glitch('refused')
      stream.reset(ErrorCode.REFUSED_STREAM, 'too_many_streams')
      return
    }
    if (block.exceeded !== undefined) {
      this.host.glitch('fault')
      this.role.headerListExceeded(stream)
      return
    }
    const token = this.checkFinalBlock(stream, block, endStream)
    if (token !== undefined) {
      this.host.streamFault(streamId, ErrorCode.PROTOCOL_ERROR, token)
      return
    }
    const handler = this.role.acceptStream(stream, this.checker.block, endStream)
    stream.handler = handler
    // It may have been answered, reset, or lost with the connection as it was handed over.
    if (stream.closed) handler.onClosed(this.doorkeeper.closed as StreamClosed)
    else if (endStream) handler.onEnd()
  }

  private receiveFurtherBlock(stream: Stream, block: HeaderBlock, endStream: boolean): void {
    const input = endStream ? StreamInput.RecvHeadersEnd : StreamInput.RecvHeaders
    const state = nextState(stream.state, input)
    if (state >= FIRST_OUTCOME) {
      this.refuse(stream.id, state, 'headers')
      return
    }
    if (block.exceeded !== undefined) {
      this.host.glitch('fault')
      this.role.headerListExceeded(stream)
      return
    }
    const informational =
      stream.recvPhase === HalfPhase.AwaitingHeaders && this.role.isInformational(block)
    const verdict = classifyBlock(stream.recvPhase, informational, endStream)
    const token = verdict.token ?? this.checkBlock(stream, block, verdict.kind, endStream)
    if (verdict.kind === undefined || token !== undefined) {
      this.host.streamFault(stream.id, verdict.code || ErrorCode.PROTOCOL_ERROR, token as string)
      return
    }
    stream.recvPhase = verdict.phase
    stream.handler.onHeaders(this.checker.block, verdict.kind, endStream)
    if (endStream && !stream.closed) this.finishPeerHalf(stream)
  }

  private checkBlock(
    stream: Stream,
    block: HeaderBlock,
    kind: 'informational' | 'headers' | 'trailers' | undefined,
    endStream: boolean,
  ): string | undefined {
    if (kind === 'headers') return this.checkFinalBlock(stream, block, endStream)
    if (kind === 'trailers') return this.checker.check(block, checkTrailers)
    stream.informationalCount++
    if (stream.informationalCount > this.maxInformational) return 'too_many_informational'
    return this.checker.check(block, this.role.checkHeaders)
  }

  private checkFinalBlock(
    stream: Stream,
    block: HeaderBlock,
    endStream: boolean,
  ): string | undefined {
    const token = this.checker.check(block, this.role.checkHeaders)
    if (token !== undefined) return token
    const { fields } = this.checker.block
    // RFC 9110 8.6: in the answer to HEAD and with 304 it speaks of content that does not come.
    if (stream.bodyless || (fields[0] === ':status' && fields[1] === '304')) return undefined
    stream.contentRemaining = this.checker.contentLength
    return endStream && !isContentComplete(stream.contentRemaining)
      ? 'content_length_short'
      : undefined
  }

  /** The state of a stream that is not in the table: never opened, or how it closed. */
  private stateOfUnknown(streamId: number): StreamState {
    const opened =
      (streamId & 1) === 1
        ? this.role.peerOpensStreams
          ? streamId <= this.lastPeerStreamId
          : streamId <= this.role.lastStreamId
        : false
    if (!opened) return StreamState.Idle
    const state = this.streams.stateOfClosed(streamId)
    // Of our own streams only those that we reset can be so long gone and still get frames.
    return state === StreamState.ClosedForgotten && this.role.opensStreams
      ? StreamState.ClosedByLocalReset
      : state
  }

  private refuse(streamId: number, outcome: number, what: string): void {
    switch (outcome) {
      case Outcome.Ignore:
        return
      case Outcome.StreamClosedStream:
        this.host.streamFault(streamId, ErrorCode.STREAM_CLOSED, `${what}_on_closed_stream`)
        return
      case Outcome.StreamClosedConnection:
        throw new Http2Error(
          ErrorCode.STREAM_CLOSED,
          `${what}_after_end_stream`,
          `${what} on stream ${streamId}, which its sender had ended`,
        )
      default:
        throw new Http2Error(
          ErrorCode.PROTOCOL_ERROR,
          `${what}_on_idle_stream`,
          `${what} on stream ${streamId}, which nobody has opened`,
        )
    }
  }

  // ── the other frames

  public priority(): void {
    this.host.glitch('priority')
  }

  public pushPromise(streamId: number): void {
    // 6.6, 8.4: we send ENABLE_PUSH 0, and a server never takes a push.
    throw new Http2Error(
      ErrorCode.PROTOCOL_ERROR,
      'push_promise_refused',
      `PUSH_PROMISE on stream ${streamId}, push is disabled`,
    )
  }

  public extension(): void {
    this.host.glitch('extension')
  }

  public rstStream(streamId: number, code: number): void {
    const stream = this.streams.table.get(streamId)
    if (stream !== undefined) {
      const early = this.role.peerOpensStreams && !stream.handlerStarted
      this.streams.peerReset(stream, code as ErrorCode)
      if (early) this.host.glitch('earlyReset')
      return
    }
    const outcome = nextState(this.stateOfUnknown(streamId), StreamInput.RecvReset)
    if (outcome >= FIRST_OUTCOME) this.refuse(streamId, outcome, 'rst_stream')
  }

  public setting(id: number, value: number): void {
    this.peerSettings.apply(id, value)
  }

  public settingsEnd(): void {
    this.peerSettings.applied()
    this.host.settingsReceived()
  }

  public settingsAck(): void {
    this.host.settingsAcknowledged()
  }

  public ping(ack: boolean, hi: number, lo: number): void {
    if (ack) this.host.pingAcknowledged(hi, lo)
    else this.host.pingReceived(hi, lo)
  }

  public goAway(lastStreamId: number, code: number, buf: Buffer, start: number, end: number): void {
    const debugText = buf.toString('utf8', start, Math.min(end, start + MAX_DEBUG_TEXT_BYTES))
    this.host.goAway({ lastStreamId, code, debugText })
  }

  public windowUpdate(streamId: number, increment: number): void {
    if (streamId === 0) {
      this.countWindowUpdate(increment, this.writer.isWindowBlocked)
      if (this.writer.connectionWindowUpdate(increment)) return
      throw new Http2Error(
        ErrorCode.FLOW_CONTROL_ERROR,
        'connection_window_overflow',
        `WINDOW_UPDATE of ${increment} raises the connection's window beyond 2^31-1`,
      )
    }
    const stream = this.streams.table.get(streamId)
    if (stream === undefined) {
      const outcome = nextState(this.stateOfUnknown(streamId), StreamInput.RecvWindowUpdate)
      if (outcome >= FIRST_OUTCOME) this.refuse(streamId, outcome, 'window_update')
      return
    }
    this.countWindowUpdate(increment, stream.sendState === SendState.WaitingForWindow)
    if (!this.writer.streamWindowChanged(stream, increment)) {
      this.host.streamFault(streamId, ErrorCode.FLOW_CONTROL_ERROR, 'stream_window_overflow')
    }
  }

  private countWindowUpdate(increment: number, wasBlocked: boolean): void {
    const reason = this.streams.windowUpdates.received(increment, wasBlocked)
    if (reason !== undefined) this.host.glitch(reason)
  }

  public streamError(streamId: number, code: ErrorCode, token: string): void {
    // A fault in HEADERS waits for the rest of its block: HPACK must stay in step.
    if (this.headerBlockOpen) {
      this.blockFault = token
      return
    }
    if (this.streams.table.get(streamId) === undefined) {
      const state = this.stateOfUnknown(streamId)
      if (state === StreamState.Idle) {
        // 6.4: RST_STREAM "MUST NOT be sent for a stream in the idle state".
        throw new Http2Error(code, token, `on stream ${streamId}, which nobody has opened`)
      }
      if (state === StreamState.ClosedByLocalReset) {
        this.host.glitch('fault') // 5.1: what crosses our RST_STREAM is discarded
        return
      }
    }
    this.host.streamFault(streamId, code, token)
  }
}
