// The server's end of a connection for a script that misbehaves: it reads frames, acknowledges SETTINGS
// and PING, gives back credit for what it received, keeps to the client's windows, and writes the
// frames that a script asks for. It knows neither the scripts nor what they expect.
import type { Socket } from 'node:net'
import {
  CONNECTION_PREFACE,
  DEFAULT_WINDOW_BYTES,
  errorCodeName,
  Flag,
  FrameDecoder,
  type FrameHandler,
  FrameType,
  frame,
  goAwayFrameBytes,
  PING_FRAME_BYTES,
  putGoAway,
  putPing,
  putSettings,
  putWindowUpdate,
  Setting,
  type SettingEntry,
  settingsFrameBytes,
  WINDOW_UPDATE_FRAME_BYTES,
} from '../../../lib/frame/index.ts'
import { HpackDecoder, HpackEncoder } from '../../../lib/hpack/index.ts'
import { Call, type CallLink, type Deferred, deferred } from './call.ts'
import { type ConnectionReport, newConnectionReport } from './report.ts'

const PREFACE = Buffer.from(CONNECTION_PREFACE, 'latin1')
/** The first half of the octets of each PING sent; the second counts them. */
const PING_MARK = 0x6e656761

/** See above. */
export class Peer implements CallLink, FrameHandler {
  public readonly report: ConnectionReport = newConnectionReport()
  /** Resolves when the socket is closed. */
  public readonly closed: Promise<void>
  /** What the client lets the connection send. */
  public windowBytes: number = DEFAULT_WINDOW_BYTES
  private readonly socket: Socket
  private readonly onCall: (call: Call) => void
  private readonly frames: FrameDecoder = new FrameDecoder(this)
  private readonly decoder = new HpackDecoder()
  private readonly encoder = new HpackEncoder()
  /** Open streams: reset by neither side, and not ended by this one, which ends them last. */
  private readonly calls = new Map<number, Call>()
  /** What the client lets each new stream send. */
  private initialWindowBytes = DEFAULT_WINDOW_BYTES
  private prefaceOctets = 0
  /** The header block being received. */
  private block: Buffer[] = []
  private blockEndsStream = false
  /** The DATA frame being received. */
  private dataStreamId = 0
  private dataEndsStream = false
  private outgoing: Buffer[] = []
  private pingAck: Deferred<void> = deferred()

  /** Sends SETTINGS with `settings`; tells `onCall` of each request once its HEADERS are here. */
  public constructor(
    socket: Socket,
    settings: readonly SettingEntry[],
    onCall: (call: Call) => void,
  ) {
    this.socket = socket
    this.onCall = onCall
    socket.setNoDelay(true)
    socket.on('data', (octets: Buffer) => this.receive(octets))
    socket.on('error', () => {}) // a client may leave as it likes
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.report.isOpen = false
        resolve()
      })
    })
    const buf = Buffer.alloc(settingsFrameBytes(settings.length))
    putSettings(buf, 0, settings)
    this.write(buf)
  }

  // ── what a script says

  /** Sends a PING with octets that no other has. */
  public sendPing(): void {
    const { pings } = this.report
    this.write(pingFrame(false, PING_MARK, pings.length))
    pings.push(pingOctets(PING_MARK, pings.length))
  }

  /** Resolves once as many pings are acknowledged as were sent. */
  public async pingsAnswered(): Promise<void> {
    while (this.report.pingAcks.length < this.report.pings.length) await this.pingAck.promise
  }

  /** Sends GOAWAY. */
  public sendGoAway(lastStreamId: number, code: number): void {
    const buf = Buffer.alloc(goAwayFrameBytes(0))
    putGoAway(buf, 0, lastStreamId, code)
    this.write(buf)
  }

  /** Notes what went wrong and ends the connection at once. */
  public fail(error: unknown): void {
    this.report.errors.push(String(error))
    this.destroy()
  }

  public destroy(): void {
    this.socket.destroy()
  }

  // ── what a call needs

  public spend(flowBytes: number, paddingBytes: number): void {
    this.windowBytes -= flowBytes
    this.report.flowBytes += flowBytes
    this.report.paddingBytes += paddingBytes
  }

  public encode(fields: readonly string[]): Buffer {
    const buf = Buffer.alloc(this.encoder.encodedBound(fields))
    return buf.subarray(0, this.encoder.encode(fields, buf, this.encoder.begin(buf, 0)))
  }

  public close(streamId: number): void {
    this.calls.delete(streamId)
  }

  /** Sends frames; what is sent in one turn is one write. */
  public write(octets: Buffer): void {
    if (this.outgoing.push(octets) > 1) return
    queueMicrotask(() => {
      const whole = Buffer.concat(this.outgoing)
      this.outgoing = []
      if (this.socket.writable) this.socket.write(whole)
    })
  }

  // ── what comes in

  private receive(octets: Buffer): void {
    try {
      this.frames.push(octets, this.skipPreface(octets), octets.length)
    } catch (error) {
      this.fail(error)
    }
  }

  private skipPreface(octets: Buffer): number {
    const count = Math.min(PREFACE.length - this.prefaceOctets, octets.length)
    const expected = PREFACE.subarray(this.prefaceOctets, this.prefaceOctets + count)
    if (!expected.equals(octets.subarray(0, count))) throw new Error('bad_preface')
    this.prefaceOctets += count
    return count
  }

  public frame(): void {}

  public headers(
    streamId: number,
    endStream: boolean,
    endHeaders: boolean,
    _padLength: number,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    this.block = []
    this.blockEndsStream = endStream
    this.continuation(streamId, endHeaders, buf, start, end)
  }

  public continuation(
    streamId: number,
    endHeaders: boolean,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    this.block.push(Buffer.from(buf.subarray(start, end)))
    if (endHeaders) this.request(streamId)
  }

  /** A request's fields are decoded for the sake of the table, not looked at. */
  private request(streamId: number): void {
    const block = Buffer.concat(this.block)
    this.decoder.decode(block, 0, block.length)
    const { report, calls } = this
    const call = new Call(this, streamId, this.initialWindowBytes)
    calls.set(streamId, call)
    report.calls.push(streamId)
    if (report.settingsAcked) report.peakStreams = Math.max(report.peakStreams, calls.size)
    if (this.blockEndsStream) call.receiveEnd()
    this.onCall(call)
  }

  public dataBegin(streamId: number, flowBytes: number, _pad: number, endStream: boolean): void {
    this.dataStreamId = streamId
    this.dataEndsStream = endStream
    if (flowBytes === 0) return
    this.giveCredit(0, flowBytes)
    if (!endStream && this.calls.has(streamId)) this.giveCredit(streamId, flowBytes)
  }

  public dataChunk(buf: Buffer, start: number, end: number): void {
    this.calls.get(this.dataStreamId)?.receive(buf.subarray(start, end))
  }

  public dataEnd(): void {
    if (this.dataEndsStream) this.calls.get(this.dataStreamId)?.receiveEnd()
  }

  public rstStream(streamId: number, code: number): void {
    this.report.rstStreams.push(`${streamId} ${errorCodeName(code)}`)
    this.close(streamId)
  }

  public setting(id: number, value: number): void {
    if (id === Setting.HEADER_TABLE_SIZE) this.encoder.setPeerMaxTableBytes(value)
    if (id !== Setting.INITIAL_WINDOW_SIZE) return
    const change = value - this.initialWindowBytes
    this.initialWindowBytes = value
    for (const call of this.calls.values()) call.grant(change)
  }

  public settingsEnd(): void {
    this.write(frame(FrameType.SETTINGS, Flag.ACK, 0))
  }

  public settingsAck(): void {
    this.report.settingsAcked = true
    this.report.peakStreams = this.calls.size
  }

  public ping(ack: boolean, hi: number, lo: number): void {
    if (!ack) {
      this.write(pingFrame(true, hi, lo))
      return
    }
    this.report.pingAcks.push(pingOctets(hi, lo))
    this.pingAck.resolve()
    this.pingAck = deferred()
  }

  public goAway(_lastStreamId: number, code: number): void {
    this.report.goAways.push(errorCodeName(code))
  }

  public windowUpdate(streamId: number, increment: number): void {
    if (streamId !== 0) {
      this.report.streamCreditBytes += increment
      this.calls.get(streamId)?.grant(increment)
      return
    }
    this.report.connectionCreditBytes += increment
    this.windowBytes += increment
    for (const call of this.calls.values()) call.pump()
  }

  public priority(): void {}
  public pushPromise(): void {}
  public extension(): void {}

  public streamError(streamId: number, code: number, token: string): void {
    this.report.errors.push(`stream ${streamId}: ${errorCodeName(code)} ${token}`)
  }

  private giveCredit(streamId: number, octets: number): void {
    const buf = Buffer.alloc(WINDOW_UPDATE_FRAME_BYTES)
    putWindowUpdate(buf, 0, streamId, octets)
    this.write(buf)
  }
}

function pingFrame(ack: boolean, hi: number, lo: number): Buffer {
  const buf = Buffer.alloc(PING_FRAME_BYTES)
  putPing(buf, 0, ack, hi, lo)
  return buf
}

function pingOctets(hi: number, lo: number): string {
  return [hi, lo].map((half) => half.toString(16).padStart(8, '0')).join('')
}
