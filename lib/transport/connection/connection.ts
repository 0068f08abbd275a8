// One HTTP/2 connection, for either role, without sockets and without scheduling: octets come in by
// `receive`, leave by `wire.write` inside `flush`, and time is the clock's. RFC 9113.
//
//   wire ─▶ receive ─▶ decoder ─▶ reader ─▶ streams ─▶ owners
//   owners ─▶ streams ─▶ loopy writer ─▶ slabs ─▶ flush ─▶ wire
//                        control buffer ─┘
//
// The three tasks of grpc-go's transport live here: the reader, the loopy writer with its control
// buffer, and keepalive. This file holds what concerns all of them: the handshake, settings, pings,
// and the one place where a connection error is caught. How a connection ends is ending.ts.
import type { Clock } from '../../base/clock.ts'
import {
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  FrameDecoder,
  Http2Error,
  Setting,
} from '../../frame/index.ts'
import { HpackEncoder } from '../../hpack/index.ts'
import type { Peer, Slabs, Wire, WireEvents } from '../io/wire.ts'
import type { KeepaliveOptions, ResolvedConnectionOptions } from '../options.ts'
import { SendWindow } from '../stream/flow-control.ts'
import { HeaderAssembler } from '../stream/header-assembler.ts'
import type { Stream } from '../stream/stream.ts'
import { AbuseGuard, GLITCH_TOKENS, type GlitchReason } from './abuse-guard.ts'
import { ActiveStreams, type ActiveStreamsHost } from './active-streams.ts'
import { BlockChecker } from './block-checker.ts'
import { ControlBuffer, type ControlBufferHost } from './control-buffer.ts'
import { Ending } from './ending.ts'
import type { GoAwayInfo } from './goaway.ts'
import { Handshake, PREFACE } from './handshake.ts'
import { Keepalive, type KeepaliveHost } from './keepalive.ts'
import type { ConnectionLoad } from './load.ts'
import { LoopyWriter } from './loopy-writer.ts'
import { OutgoingSlabs } from './outgoing-slabs.ts'
import { PeerSettingsApplier } from './peer-settings.ts'
import { PingPayload, UserPings } from './ping.ts'
import { Reader, type ReaderHost } from './reader.ts'
import { ReceiveWindows, type ReceiveWindowsHost } from './receive-windows.ts'
import type { ConnectionRole } from './role.ts'
import { SendWatch } from './send-watch.ts'
import {
  announcedSettings,
  LocalSettings,
  type PeerSettings,
  type SettingEntries,
  settingValue,
} from './settings.ts'
import { isStall, OVERDUE, Watch, Watchdogs, type WatchdogsHost } from './watchdogs.ts'

/** What a connection is built on. */
export interface ConnectionParts {
  readonly wire: Wire
  readonly peer: Peer
  readonly slabs: Slabs
  readonly clock: Clock
  readonly options: ResolvedConnectionOptions
  readonly keepalive: KeepaliveOptions
}

/** Work put off until the parser is done with the buffer; see {@link Connection.afterReceive}. */
export interface Runnable {
  run(): void
}

export class Connection
  implements
    WireEvents,
    ReaderHost,
    ActiveStreamsHost,
    ControlBufferHost,
    KeepaliveHost,
    ReceiveWindowsHost,
    WatchdogsHost
{
  public readonly peer: Peer
  public readonly clock: Clock
  public readonly streams: ActiveStreams
  /** When octets came last, on the scale of the clock. */
  public lastReadMs: number

  private readonly wire: Wire
  private readonly role: ConnectionRole
  private readonly options: ResolvedConnectionOptions
  private readonly out: OutgoingSlabs
  private readonly control: ControlBuffer
  private readonly writer: LoopyWriter
  private readonly reader: Reader
  private readonly decoder: FrameDecoder
  private readonly assembler: HeaderAssembler
  private readonly handshake: Handshake
  private readonly localSettings = new LocalSettings()
  private readonly peerSettings: PeerSettingsApplier
  private readonly windows: ReceiveWindows
  private readonly userPings = new UserPings()
  private readonly guard: AbuseGuard
  private readonly keepalive: Keepalive
  private readonly watchdogs: Watchdogs
  private readonly sendWatch: SendWatch
  private readonly ending: Ending
  private ready: Runnable[] = []
  private receiving = false
  private flushRequested = false
  private settingsSeen = false
  private watchedHeaderBlock = 0

  public constructor(parts: ConnectionParts, role: ConnectionRole) {
    const { wire, peer, clock, options } = parts
    this.wire = wire
    this.peer = peer
    this.clock = clock
    this.role = role
    this.options = options
    this.lastReadMs = clock.nowMs()
    this.out = new OutgoingSlabs(parts.slabs)
    this.control = new ControlBuffer(this.out, this)
    const { initialStreamWindowBytes, maxBufferedBytes } = options
    // A window smaller than the protocol's holds only when the peer has acknowledged it (6.9.2).
    this.streams = new ActiveStreams(
      role,
      this.control,
      Math.max(initialStreamWindowBytes, DEFAULT_WINDOW_BYTES),
      maxBufferedBytes,
      this,
    )
    const encoder = new HpackEncoder({
      maxTableBytes: options.maxEncoderTableBytes,
      rememberLists: true,
    })
    const sendWindow = new SendWindow(DEFAULT_WINDOW_BYTES)
    this.writer = new LoopyWriter(this.out, encoder, sendWindow, options, this.streams)
    this.streams.useWriter(this.writer)
    this.peerSettings = new PeerSettingsApplier(
      encoder,
      this.writer,
      this.streams,
      this.control,
      role.peerOpensStreams,
    )
    this.windows = new ReceiveWindows(
      this.streams,
      this.control,
      this,
      clock,
      initialStreamWindowBytes,
      options.growWindows,
    )
    this.assembler = new HeaderAssembler(options.maxHeaderListBytes, options.maxHeaderFields)
    this.reader = new Reader(this, {
      role,
      streams: this.streams,
      writer: this.writer,
      windows: this.windows,
      peerSettings: this.peerSettings,
      assembler: this.assembler,
      checker: new BlockChecker(options.fieldWhitespace === 'trim'),
      maxInformational: options.maxInformational,
    })
    this.decoder = new FrameDecoder(this.reader, {
      maxFrameSize: options.maxFrameBytes,
      maxSettingsEntries: options.maxSettingsEntries,
    })
    this.handshake = new Handshake(role.expectsPreface)
    this.guard = new AbuseGuard(options, this.lastReadMs)
    this.watchdogs = new Watchdogs(clock, this)
    this.sendWatch = new SendWatch(
      wire,
      this.out,
      this.control,
      this.writer,
      this.watchdogs,
      options,
    )
    this.keepalive = new Keepalive(clock, parts.keepalive, this)
    this.ending = new Ending({
      wire,
      peer,
      out: this.out,
      control: this.control,
      reader: this.reader,
      streams: this.streams,
      role,
      watchdogs: this.watchdogs,
      keepalive: this.keepalive,
      userPings: this.userPings,
      closeGraceMs: options.closeGraceMs,
      goAwayPingTimeoutMs: options.goAwayPingTimeoutMs,
    })
  }

  // ── life

  /** Sends the preface and our SETTINGS and begins to wait for the peer's. Call once. */
  public start(): void {
    const { control, options, role, watchdogs } = this
    if (!role.expectsPreface) control.putBytes(PREFACE)
    this.sendSettings(announcedSettings(options, role.extraSettings))
    this.windows.open(options.initialConnectionWindowBytes)
    watchdogs.arm(Watch.Handshake, options.handshakeTimeoutMs)
  }

  /** Whether frames still come and go. */
  public get open(): boolean {
    return this.ending.cause === undefined
  }

  /** What ended the connection; undefined while it is open. */
  public get endedBy(): Error | undefined {
    return this.ending.cause
  }

  /** The peer's settings as they hold now. */
  public get settings(): PeerSettings {
    return this.peerSettings.settings
  }

  /** The peer's GOAWAY, if it sent one. */
  public get goAwayReceived(): GoAwayInfo | undefined {
    return this.ending.goAwayReceived
  }

  /** What it holds now. */
  public get load(): ConnectionLoad {
    return {
      streams: this.streams.live,
      heldBytes: this.streams.budget.heldBytes,
      queuedBytes: this.writer.queuedBytes,
      unflushedBytes: this.out.pendingBytes,
      sendWindowBytes: this.writer.window.available,
      recvWindowBytes: this.windows.availableBytes,
      recvWindowLimitBytes: this.windows.limitBytes,
    }
  }

  /**
   * Ends the connection: GOAWAY, what is encoded leaves, the wire half-closes and gets a grace time.
   * Open streams are closed with `by: 'transport'`. `token` names the reason.
   */
  public end(code: ErrorCode, token: string, text: string, cause?: unknown): void {
    this.ending.now(code, token, text, cause)
  }

  /** Ends the connection when its last stream is done, at once when there is none. */
  public endWhenIdle(): void {
    this.ending.whenIdle()
  }

  /** A server's graceful end: GOAWAY(2^31-1) and a PING now, GOAWAY(last stream) on its ACK. */
  public announceGoAway(debugText: string): void {
    this.ending.announce(debugText)
  }

  /** Measures a round trip, in ms. Rejects when the connection ends first. */
  public ping(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.endedBy !== undefined) reject(this.endedBy)
      else this.control.putPing(...this.userPings.add(this.clock.nowMs(), resolve, reject))
    })
  }

  /**
   * Runs `task` when the buffer being received was parsed to its end; at once when nothing is being
   * received. So no user code runs inside the parser, and ranges borrowed in it are still valid.
   */
  public afterReceive(task: Runnable): void {
    if (this.receiving) this.ready.push(task)
    else task.run()
  }

  /** A stream of ours or of the peer's has opened. */
  public streamOpened(): void {
    this.keepalive.streamOpened()
  }

  /** A stream that waited may open: its queue joins the ring. */
  public admit(stream: Stream): void {
    this.writer.admit(stream)
  }

  /** The limit was lowered: as many of the streams admitted last, if not yet opened, wait again. */
  public withhold(count: number): readonly Stream[] {
    return this.writer.withhold(count)
  }

  // ── WireEvents

  public receive(buf: Buffer, start: number, end: number): void {
    if (!this.open) return
    this.lastReadMs = this.clock.nowMs()
    this.receiving = true
    try {
      this.decoder.push(buf, this.handshake.skipPreface(buf, start, end), end)
    } catch (error) {
      this.fail(error)
    }
    this.runReady()
    this.receiving = false
    if (this.open) this.watchHeaderBlock()
  }

  public flush(): void {
    if (!this.open) return
    this.flushRequested = true // what is encoded meanwhile leaves with this flush
    this.writer.encodeBatch(this.wire.unsentBytes)
    this.flushRequested = false
    if (!this.open) return // the owner of a stream that ended with the batch closed it
    this.out.writeTo(this.wire)
    this.windows.flushed()
    this.sendWatch.look()
    this.writer.batchWritten(this.wire.unsentBytes)
  }

  public writable(): void {
    if (!this.open) return
    this.sendWatch.look()
    this.writer.unblocked(this.wire.unsentBytes)
  }

  public ended(): void {
    this.ending.peerEnded()
  }

  public closed(error?: Error): void {
    this.ending.wireClosed(error)
  }

  // ── what the parts ask of the whole

  public requestFlush(urgency: 'soon' | 'later'): void {
    if (this.flushRequested || !this.open) return
    this.flushRequested = urgency === 'soon'
    this.wire.requestFlush(urgency)
  }

  public get openStreams(): number {
    return this.streams.table.size
  }

  public sendPing(): void {
    this.control.putPing(...PingPayload.Keepalive)
  }

  public keepaliveFailed(): void {
    this.end(NO_ERROR, 'keepalive_timeout', KEEPALIVE_TEXT)
  }

  public streamRetired(well: boolean): void {
    if (well) this.guard.streamEndedWell()
    this.ending.checkIdle()
  }

  public get refusesNewStreams(): boolean {
    return this.ending.refusesNewStreams
  }

  public firstFrame(type: number, flags: number): void {
    this.handshake.firstFrame(type, flags)
    this.watchdogs.disarm(Watch.Handshake)
    this.awaitSettingsAck()
  }

  public sendSettings(entries: SettingEntries): void {
    this.control.putSettings(entries)
    this.localSettings.sent(entries)
    if (this.settingsSeen) this.awaitSettingsAck()
  }

  public settingsReceived(): void {
    const first = !this.settingsSeen
    this.settingsSeen = true
    if (first) this.keepalive.start()
    else this.glitch('settings')
    this.role.settingsApplied(this.settings, first)
  }

  public settingsAcknowledged(): void {
    const entries = this.localSettings.acknowledged()
    this.watchdogs.disarm(Watch.SettingsAck)
    if (this.localSettings.outstanding > 0) this.awaitSettingsAck()
    const tableBytes = settingValue(entries, Setting.HEADER_TABLE_SIZE)
    if (tableBytes !== undefined) this.assembler.setMaxTableBytes(tableBytes)
    const windowBytes = settingValue(entries, Setting.INITIAL_WINDOW_SIZE)
    if (windowBytes !== undefined && this.localSettings.outstanding === 0) {
      this.streams.moveRecvWindows(windowBytes)
    }
  }

  public pingReceived(hi: number, lo: number): void {
    this.control.putPingAck(hi, lo)
    const token = this.role.pingReceived(this.lastReadMs, this.streams.table.size)
    if (token === undefined) return
    throw new Http2Error(ErrorCode.ENHANCE_YOUR_CALM, token, 'PING more often than is permitted')
  }

  public pingAcknowledged(hi: number, lo: number): void {
    if (isPing(PingPayload.Bdp, hi, lo)) this.windows.sampleAcknowledged()
    else if (isPing(PingPayload.GoAway, hi, lo)) this.ending.announced()
    else this.userPings.acknowledged(hi, lo, this.lastReadMs)
  }

  public goAway(info: GoAwayInfo): void {
    this.ending.received(info)
  }

  public streamFault(streamId: number, code: ErrorCode, token: string): void {
    const stream = this.streams.table.get(streamId)
    if (stream !== undefined) stream.reset(code, token)
    else this.control.putRstStream(streamId, code)
    this.glitch('fault')
  }

  public glitch(reason: GlitchReason): void {
    if (this.guard.charge(reason, this.lastReadMs)) return
    throw new Http2Error(
      ErrorCode.ENHANCE_YOUR_CALM,
      GLITCH_TOKENS[reason],
      `the peer's oddities are over the budget: ${this.guard.describe()}`,
    )
  }

  public overdue(watch: Watch): void {
    if (watch === Watch.GoAwayPing) {
      this.ending.announced()
      return
    }
    if (isStall(watch) && !this.sendWatch.isStalled(watch)) return
    const [code, token, text] = OVERDUE[watch]
    this.end(code, token, text)
  }

  // ── private

  private runReady(): void {
    for (let i = 0; i < this.ready.length; i++) {
      try {
        this.ready[i]!.run()
      } catch (error) {
        this.fail(error)
      }
    }
    this.ready.length = 0
  }

  private awaitSettingsAck(): void {
    this.watchdogs.arm(Watch.SettingsAck, this.options.settingsAckTimeoutMs)
  }

  // Each block has its own time, though one read may end a block and begin the next.
  private watchHeaderBlock(): void {
    const { openHeaderBlock } = this.reader
    if (openHeaderBlock === this.watchedHeaderBlock) return
    this.watchedHeaderBlock = openHeaderBlock
    this.watchdogs.disarm(Watch.HeaderBlock)
    if (openHeaderBlock === 0) return
    this.watchdogs.arm(Watch.HeaderBlock, this.options.headerBlockTimeoutMs)
  }

  // The only place where a connection error is caught. Anything else is a fault of our own: the
  // connection ends, the process goes on.
  private fail(error: unknown): void {
    if (error instanceof Http2Error) this.end(error.code, error.token, error.message, error)
    else this.end(ErrorCode.INTERNAL_ERROR, 'internal', `internal error: ${String(error)}`, error)
  }
}

const { NO_ERROR } = ErrorCode
const KEEPALIVE_TEXT = 'keepalive ping failed to receive ACK within timeout'

function isPing(payload: readonly [number, number], hi: number, lo: number): boolean {
  return payload[0] === hi && payload[1] === lo
}
