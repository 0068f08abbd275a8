// The server's end of a connection: which streams are accepted, how the connection is drained, what
// a client may ask of it. RFC 9113 sections 5.1.2, 6.8; grpc-go's http2Server.
import { type Clock, systemClock } from '../base/clock.ts'
import { type Random, systemRandom } from '../base/random.ts'
import { ErrorCode, Setting } from '../frame/index.ts'
import type { HeaderBlock } from '../hpack/index.ts'
import { Connection } from './connection/connection.ts'
import { ConnectionAge, type ConnectionAgeHost } from './connection/connection-age.ts'
import { serverKeepalive } from './connection/keepalive.ts'
import type { ConnectionLoad } from './connection/load.ts'
import { PingPolicy } from './connection/ping-policy.ts'
import type { ConnectionRole } from './connection/role.ts'
import type { SettingEntries } from './connection/settings.ts'
import { slabPool } from './io/slab-pool.ts'
import type { Peer, Wire, WireEvents } from './io/wire.ts'
import { resolveConnectionOptions, type ServerConnectionOptions } from './options.ts'
import { HandlerSlots } from './stream/concurrency.ts'
import { HalfPhase } from './stream/half-phase.ts'
import { checkRequest } from './stream/header-rules.ts'
import type { Stream } from './stream/stream.ts'
import type { StreamHandler } from './stream/stream-handler.ts'

const NO_STREAMS: readonly Stream[] = []
const HEADER_LIST_TOO_LARGE: readonly string[] = [':status', '431']

/**
 * Takes a new stream. Called by the parser when the request's header block has passed the rules:
 * return who hears the rest, and leave the user's code to {@link ServerTransport.afterReceive}.
 * `endStream`: there is no body; `onEnd` follows at once.
 */
export type OnStream = (
  stream: Stream,
  block: HeaderBlock,
  endStream: boolean,
  transport: ServerTransport,
) => StreamHandler

/** What a {@link ServerTransport} is built from besides a wire. */
export interface ServerTransportOptions extends ServerConnectionOptions {
  readonly onStream: OnStream
  /** The connection is over; its streams were told. */
  readonly onEnded?: (transport: ServerTransport, cause: Error) => void
  /** The socket is gone too; last. */
  readonly onClosed?: (transport: ServerTransport) => void
  readonly clock?: Clock
  readonly random?: Random
}

/** A server connection, over any {@link Wire}. Made for each accepted socket by a server. */
export class ServerTransport {
  /** Slots of running handlers; see {@link HandlerSlots}. */
  public readonly slots: HandlerSlots
  /** Free for whoever serves the connection. */
  public context: unknown = undefined
  private readonly connection: Connection

  public constructor(wire: Wire, peer: Peer, options: ServerTransportOptions) {
    const resolved = resolveConnectionOptions(options)
    const clock = options.clock ?? systemClock
    this.slots = new HandlerSlots(resolved.maxConcurrentStreams)
    const role = new ServerRole(this, options, resolved.maxConcurrentStreams)
    this.connection = new Connection(
      {
        wire,
        peer,
        slabs: slabPool,
        clock,
        options: resolved,
        keepalive: serverKeepalive(options.keepalive),
      },
      role,
    )
    role.connection = this.connection
    role.age = new ConnectionAge(clock, options.random ?? systemRandom, options, role)
  }

  /** Sends SETTINGS. The result is what the wire has to be started with. */
  public start(): WireEvents {
    this.connection.start()
    return this.connection
  }

  public get peer(): Peer {
    return this.connection.peer
  }

  /** Streams that are open. */
  public get openStreams(): number {
    return this.connection.streams.table.size
  }

  /** What the connection holds now: for diagnostics. */
  public get load(): ConnectionLoad {
    return this.connection.load
  }

  /** See {@link Connection.afterReceive}. */
  public afterReceive(task: { run(): void }): void {
    this.connection.afterReceive(task)
  }

  /** Measures a round trip, in ms. Rejects when the connection ends first. */
  public ping(): Promise<number> {
    return this.connection.ping()
  }

  /**
   * Ends gracefully, in two steps: GOAWAY(2^31-1) and a PING; after its ACK, or 5 s, GOAWAY with the
   * last stream; closes when no stream is left. `debugText` travels in the first GOAWAY.
   */
  public drain(debugText = ''): void {
    this.connection.announceGoAway(debugText)
  }

  /** Closes at once: GOAWAY, open streams end with `by: 'transport'`. */
  public close(reason = 'the server closed the connection'): void {
    this.connection.end(ErrorCode.NO_ERROR, 'closed', reason)
  }
}

class ServerRole implements ConnectionRole, ConnectionAgeHost {
  public readonly expectsPreface = true
  public readonly peerOpensStreams = true
  public readonly opensStreams = false
  public readonly lastStreamId = 0
  public connection!: Connection
  public age!: ConnectionAge
  private readonly transport: ServerTransport
  private readonly options: ServerTransportOptions
  private readonly maxConcurrentStreams: number
  private readonly pingPolicy: PingPolicy

  public constructor(
    transport: ServerTransport,
    options: ServerTransportOptions,
    maxConcurrentStreams: number,
  ) {
    this.transport = transport
    this.options = options
    this.maxConcurrentStreams = maxConcurrentStreams
    this.pingPolicy = new PingPolicy(options)
  }

  public readonly checkHeaders = checkRequest

  public get extraSettings(): SettingEntries {
    return [[Setting.MAX_CONCURRENT_STREAMS, this.maxConcurrentStreams]]
  }

  public isInformational(): boolean {
    return false
  }

  public mayAccept(openStreams: number): boolean {
    return openStreams < this.maxConcurrentStreams && !this.transport.slots.saturated
  }

  public acceptStream(stream: Stream, block: HeaderBlock, endStream: boolean): StreamHandler {
    this.connection.streamOpened()
    this.age.streamOpened()
    return this.options.onStream(stream, block, endStream, this.transport)
  }

  public nextStreamId(): number {
    return 0
  }

  public settingsApplied(_settings: unknown, first: boolean): void {
    if (first) this.age.start()
  }

  public headerListExceeded(stream: Stream): void {
    // Trailers are the other list that may be too large: then the answer may have begun.
    const mayAnswer = stream.sendPhase === HalfPhase.AwaitingHeaders
    if (mayAnswer) stream.headers(HEADER_LIST_TOO_LARGE, true)
    const code = mayAnswer ? ErrorCode.NO_ERROR : ErrorCode.ENHANCE_YOUR_CALM
    stream.reset(code, 'header_list_too_large')
  }

  public goAwayReceived(): void {}

  public takeWaiting(): readonly Stream[] {
    return NO_STREAMS
  }

  public pingReceived(nowMs: number, openStreams: number): string | undefined {
    return this.pingPolicy.received(nowMs, openStreams)
  }

  public framesSent(): void {
    this.pingPolicy.framesSent()
  }

  public streamClosed(): void {
    if (this.transport.openStreams === 0) this.age.becameIdle()
  }

  // ── ConnectionAgeHost

  public drain(reason: string): void {
    this.transport.drain(reason)
  }

  public forceClose(): void {
    this.transport.close('the grace after the connection grew too old is over')
  }

  public ended(cause: Error): void {
    this.age.stop()
    this.options.onEnded?.(this.transport, cause)
  }

  public closed(): void {
    this.options.onClosed?.(this.transport)
  }
}
