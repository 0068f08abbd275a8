// How a connection ends: at once, gracefully, by the peer's GOAWAY, or with its wire. All ways meet
// in `finish`, which runs once. What the GOAWAYs said is goaway.ts. RFC 9113 section 6.8.
//
//   announce ─▶ GOAWAY(2^31-1), PING ─ACK or time─▶ GOAWAY(last stream) ─▶ whenIdle
//   received ─▶ streams that the peer did not process end ─▶ whenIdle
//   whenIdle ─▶ last stream done ─▶ now
//   now      ─▶ GOAWAY ─▶ finish ─▶ the wire half-closes
//   peerEnded, wireClosed ─▶ finish
import { ErrorCode, errorCodeName, MAX_STREAM_ID } from '../../frame/index.ts'
import { TransportClosed } from '../errors.ts'
import type { Peer, Wire } from '../io/wire.ts'
import type { ActiveStreams } from './active-streams.ts'
import type { ControlBuffer } from './control-buffer.ts'
import { DrainPhase, type GoAwayInfo, GoAwayState } from './goaway.ts'
import type { Keepalive } from './keepalive.ts'
import type { OutgoingSlabs } from './outgoing-slabs.ts'
import { PingPayload, type UserPings } from './ping.ts'
import type { Reader } from './reader.ts'
import type { ConnectionRole } from './role.ts'
import { Watch, type Watchdogs } from './watchdogs.ts'

/** All that has to know of the end. */
export interface EndingParts {
  readonly wire: Wire
  readonly peer: Peer
  readonly out: OutgoingSlabs
  readonly control: ControlBuffer
  readonly reader: Reader
  readonly streams: ActiveStreams
  readonly role: ConnectionRole
  readonly watchdogs: Watchdogs
  readonly keepalive: Keepalive
  readonly userPings: UserPings
  /** The options of the same names. */
  readonly closeGraceMs: number
  readonly goAwayPingTimeoutMs: number
}

export class Ending {
  /** What ended the connection; undefined while it is open. */
  public cause: Error | undefined = undefined
  private readonly parts: EndingParts
  private readonly goAway = new GoAwayState()
  private waitsForIdle = false

  public constructor(parts: EndingParts) {
    this.parts = parts
  }

  /** The peer's GOAWAY, if it sent one. */
  public get goAwayReceived(): GoAwayInfo | undefined {
    return this.goAway.received
  }

  /** Whether streams that the peer opens from now on are ignored. */
  public get refusesNewStreams(): boolean {
    return this.goAway.phase === DrainPhase.Final || this.cause !== undefined
  }

  /** GOAWAY, what is encoded leaves, the wire half-closes and gets a grace time. */
  public now(code: ErrorCode, token: string, text: string, thrown: unknown): void {
    if (this.cause !== undefined) return
    this.putGoAway(code, debugText(code, token, text))
    this.finish('local', text, thrown)
    this.parts.wire.close(this.parts.closeGraceMs)
  }

  /** Ends when the last stream is done, at once when there is none. */
  public whenIdle(): void {
    this.waitsForIdle = true
    this.checkIdle()
  }

  /** Looks whether the stream that is over was the one that {@link Ending.whenIdle} waits for. */
  public checkIdle(): void {
    if (!this.waitsForIdle || this.cause !== undefined || this.parts.streams.live > 0) return
    this.waitsForIdle = false
    this.now(NO_ERROR, 'drained', 'the connection was drained', undefined)
  }

  /** The first step of a graceful end: new streams are still taken, a round trip long. */
  public announce(debugText: string): void {
    const { control, watchdogs, goAwayPingTimeoutMs } = this.parts
    if (this.cause !== undefined || this.goAway.phase !== DrainPhase.None) return
    this.goAway.phase = DrainPhase.Announced
    control.putGoAway(MAX_STREAM_ID, NO_ERROR, debugText)
    control.putPing(...PingPayload.GoAway)
    watchdogs.arm(Watch.GoAwayPing, goAwayPingTimeoutMs)
  }

  /** The second step: the peer has seen the first, or had the time to. */
  public announced(): void {
    if (this.cause !== undefined || this.goAway.phase !== DrainPhase.Announced) return
    this.goAway.phase = DrainPhase.Final
    this.parts.watchdogs.disarm(Watch.GoAwayPing)
    this.putGoAway(NO_ERROR, '')
    this.whenIdle()
  }

  /** The peer sent GOAWAY. Throws Http2Error when it takes back less than one before. */
  public received(info: GoAwayInfo): void {
    const { peer, role, streams } = this.parts
    this.goAway.receive(info)
    const cause = new TransportClosed(
      peer.address,
      `the peer sent GOAWAY(${errorCodeName(info.code)}) ${info.debugText}`.trimEnd(),
    )
    role.goAwayReceived(info)
    if (!role.opensStreams || this.cause !== undefined) return
    const unprocessed = streams
      .list()
      .filter(({ id }) => id === 0 || id > info.lastStreamId)
      // A call without an identifier was not processed, whatever the last one says.
      .concat(role.takeWaiting())
    for (const stream of unprocessed) streams.goneAway(stream, cause)
    this.whenIdle()
  }

  /** The peer closed its half of the wire. */
  public peerEnded(): void {
    if (this.cause !== undefined) return
    this.finish('peer', 'the peer closed the connection')
    this.parts.wire.close(0)
  }

  /** The wire is gone. */
  public wireClosed(error: Error | undefined): void {
    this.finish('peer', error === undefined ? 'the connection was closed' : error.message, error)
    this.parts.out.discard()
    this.parts.role.closed()
  }

  private putGoAway(code: ErrorCode, debugText: string): void {
    const { control, reader } = this.parts
    control.putGoAway(this.goAway.lastToSend(reader.lastPeerStreamId), code, debugText)
  }

  private finish(initiator: 'local' | 'peer', text: string, thrown?: unknown): void {
    if (this.cause !== undefined) return
    const { wire, peer, out, streams, role, watchdogs, keepalive, userPings } = this.parts
    const cause = new TransportClosed(peer.address, text, thrown)
    // What is encoded still leaves; nothing is encoded after this.
    out.writeTo(wire)
    this.cause = cause
    watchdogs.disarmAll()
    keepalive.stop()
    userPings.failAll(cause)
    for (const stream of [...streams.list(), ...role.takeWaiting()]) {
      try {
        streams.transportClosed(stream, initiator, cause)
      } catch {
        // An owner's fault, and the end is there already: the others must hear of it.
      }
    }
    out.discard()
    role.ended(cause)
  }
}

const { NO_ERROR } = ErrorCode

// grpc clients compare the text of ENHANCE_YOUR_CALM with "too_many_pings".
function debugText(code: ErrorCode, token: string, text: string): string {
  if (code === NO_ERROR) return ''
  return code === ErrorCode.ENHANCE_YOUR_CALM ? token : `${token}: ${text}`
}
