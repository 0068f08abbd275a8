// The client's end of a connection: opening streams within the peer's limit, and what becomes of
// them when the connection goes away. RFC 9113 sections 5.1.1, 5.1.2, 6.8; grpc-go's http2Client.
import type { Clock } from '../base/clock.ts'
import { systemClock } from '../base/clock.ts'
import { ErrorCode, MAX_STREAM_ID, Setting } from '../frame/index.ts'
import type { HeaderBlock } from '../hpack/index.ts'
import { Connection } from './connection/connection.ts'
import type { GoAwayInfo } from './connection/goaway.ts'
import { clientKeepalive } from './connection/keepalive.ts'
import type { ConnectionLoad } from './connection/load.ts'
import type { ConnectionRole } from './connection/role.ts'
import type { PeerSettings, SettingEntries } from './connection/settings.ts'
import { TransportClosed } from './errors.ts'
import { slabPool } from './io/slab-pool.ts'
import type { Peer, Wire, WireEvents } from './io/wire.ts'
import { type ConnectionOptions, resolveConnectionOptions } from './options.ts'
import { StreamQuota } from './stream/concurrency.ts'
import { checkResponse } from './stream/header-rules.ts'
import type { Stream } from './stream/stream.ts'
import type { StreamHandler } from './stream/stream-handler.ts'

/** Where a client takes a new connection instead of running out of identifiers (grpc-go: 75 %). */
const DRAIN_FROM_STREAM_ID = Math.floor(MAX_STREAM_ID * 0.75)
/** A stream with more than this queued may have nothing left to send it from once more. */
const MAX_RELEASED_BYTES = 64 * 1024
const DIGIT_ONE = 0x31
const EXTRA_SETTINGS: SettingEntries = [[Setting.ENABLE_PUSH, 0]]

/** Hears of the connection as a whole. */
export interface ClientTransportListener {
  /** The peer's first SETTINGS came: streams may be opened. */
  onReady?(): void
  /** No new streams will be taken: the peer's GOAWAY, or identifiers run out. */
  onDraining?(info: GoAwayInfo): void
  /** The connection is over; its streams were told. Exactly once. */
  onClosed?(cause: Error): void
  /** MAX_CONCURRENT_STREAMS or the number of waiting streams changed. */
  onQuota?(): void
}

/** What a {@link ClientTransport} is built from besides a wire. */
export interface ClientTransportOptions extends ConnectionOptions {
  readonly listener?: ClientTransportListener
  readonly clock?: Clock
}

/**
 * A client connection. Made by {@link connect}, or over any {@link Wire} by the constructor and
 * {@link ClientTransport.start}.
 */
export class ClientTransport {
  private readonly role: ClientRole
  private readonly connection: Connection

  public constructor(wire: Wire, peer: Peer, options: ClientTransportOptions = {}) {
    const resolved = resolveConnectionOptions(options)
    this.role = new ClientRole(options.listener ?? {})
    this.connection = new Connection(
      {
        wire,
        peer,
        slabs: slabPool,
        clock: options.clock ?? systemClock,
        options: resolved,
        keepalive: clientKeepalive(options.keepalive),
      },
      this.role,
    )
    this.role.connection = this.connection
  }

  /** Sends preface and SETTINGS. The result is what the wire has to be started with. */
  public start(): WireEvents {
    this.connection.start()
    return this.connection
  }

  public get peer(): Peer {
    return this.connection.peer
  }

  /** Streams that are open, those that wait for the peer's limit not counted. */
  public get openStreams(): number {
    return this.connection.streams.table.size
  }

  /** Streams that wait for the peer's MAX_CONCURRENT_STREAMS. */
  public get waitingStreams(): number {
    return this.role.quota.waitingCount
  }

  /** How many streams can be opened before one waits; below 0 as many wait. */
  public get streamHeadroom(): number {
    const { limit, open, waitingCount } = this.role.quota
    return limit - open - waitingCount
  }

  /** When octets came last, on the scale of the clock. */
  public get lastReadMs(): number {
    return this.connection.lastReadMs
  }

  /** The peer's settings as they hold now. */
  public get settings(): Readonly<PeerSettings> {
    return this.connection.settings
  }

  /** Whether new streams are taken: SETTINGS came, no GOAWAY, not closed. */
  public get canOpen(): boolean {
    return this.role.ready && !this.role.draining && this.connection.open
  }

  /**
   * Opens a stream with its request fields, `[name, value, name, value…]`, pseudo-headers first.
   * `extraFields` follow in the same block, so that a list used by many calls stays one object.
   * Lists are remembered by identity: do not change one after it was given.
   *
   * Never throws: a stream that cannot open is told so by `handler.onClosed` with `processed` false,
   * before this returns. Over the peer's limit it waits; identifiers are given when HEADERS are
   * encoded. Fields are not checked here; see `request` for the friendly form.
   */
  public openStream(
    fields: readonly string[],
    handler: StreamHandler,
    extraFields?: readonly string[],
    endStream = false,
  ): Stream {
    const { connection, role } = this
    const stream = connection.streams.create(0, handler)
    if (!connection.open || role.draining) {
      role.refuse(stream)
      return stream
    }
    stream.bodyless = fields[1] === 'HEAD'
    if (!role.quota.acquire(stream)) {
      stream.admitted = false
      role.listener.onQuota?.()
    }
    stream.headers(fields, endStream, extraFields)
    connection.streamOpened()
    return stream
  }

  /**
   * Ends up to `count` of the streams that wait for the peer's limit, the oldest first, as not
   * processed: their owners have a better place for them. Those with over 64 KiB to send stay.
   */
  public releaseWaiting(count: number): void {
    const { peer, streams } = this.connection
    const cause = new TransportClosed(peer.address, 'the stream may be opened sooner elsewhere')
    for (const stream of this.role.quota.takeOldest(count, MAX_RELEASED_BYTES)) {
      streams.goneAway(stream, cause)
    }
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

  /** Takes no new streams and closes when the last one is done. */
  public closeGracefully(): void {
    if (!this.connection.open) return
    this.role.drain(undefined)
    this.connection.endWhenIdle()
  }

  /** Closes at once: GOAWAY, open streams end with `by: 'transport'`. */
  public close(reason = 'the client closed the connection'): void {
    this.connection.end(ErrorCode.NO_ERROR, 'closed', reason)
  }
}

class ClientRole implements ConnectionRole {
  public readonly expectsPreface = false
  public readonly peerOpensStreams = false
  public readonly opensStreams = true
  public readonly extraSettings = EXTRA_SETTINGS
  public readonly quota = new StreamQuota()
  public readonly listener: ClientTransportListener
  public connection!: Connection
  public ready = false
  public draining = false
  public lastStreamId = 0

  public constructor(listener: ClientTransportListener) {
    this.listener = listener
  }

  public readonly checkHeaders = checkResponse

  public isInformational(block: HeaderBlock): boolean {
    // Before the rules were checked: the first digit is enough to tell, and looked at for every block.
    return block.fields[1]?.charCodeAt(0) === DIGIT_ONE
  }

  public mayAccept(): boolean {
    return false
  }

  public acceptStream(stream: Stream): StreamHandler {
    return stream.handler
  }

  public nextStreamId(): number {
    this.lastStreamId = this.lastStreamId === 0 ? 1 : this.lastStreamId + 2
    if (this.lastStreamId >= DRAIN_FROM_STREAM_ID && !this.draining) {
      this.drain({ lastStreamId: this.lastStreamId, code: ErrorCode.NO_ERROR, debugText: '' })
      this.connection.afterReceive({ run: () => this.connection.endWhenIdle() })
    }
    return this.lastStreamId
  }

  public settingsApplied(settings: PeerSettings, first: boolean): void {
    this.quota.limit = settings.maxConcurrentStreams
    const excess = this.quota.open - this.quota.limit
    if (excess > 0) this.quota.putBack(this.connection.withhold(excess))
    if (first) {
      this.ready = true
      this.listener.onReady?.()
      if (!this.connection.open) return
    }
    this.admitWaiting()
    this.listener.onQuota?.()
  }

  public headerListExceeded(stream: Stream): void {
    stream.reset(ErrorCode.CANCEL, 'header_list_too_large')
  }

  public goAwayReceived(info: GoAwayInfo): void {
    this.drain(info)
  }

  public takeWaiting(): readonly Stream[] {
    return this.quota.takeWaiting()
  }

  public pingReceived(): undefined {
    return undefined
  }

  public framesSent(): void {}

  public streamClosed(stream: Stream): void {
    // A stream that still waits holds no place.
    if (!this.quota.leave(stream) && stream.admitted) this.quota.open--
    this.admitWaiting()
  }

  public ended(cause: Error): void {
    this.draining = true
    this.listener.onClosed?.(cause)
  }

  public closed(): void {}

  public drain(info: GoAwayInfo | undefined): void {
    if (this.draining) return
    this.draining = true
    if (info !== undefined) this.listener.onDraining?.(info)
  }

  /** The connection takes no streams: tells the owner, with what took it away. */
  public refuse(stream: Stream): void {
    const { endedBy, streams, peer } = this.connection
    stream.admitted = false
    const cause = endedBy ?? new TransportClosed(peer.address, 'the connection is draining')
    if (endedBy === undefined) streams.goneAway(stream, cause)
    else streams.transportClosed(stream, 'local', cause)
  }

  private admitWaiting(): void {
    for (let stream = this.quota.next(); stream !== undefined; stream = this.quota.next()) {
      this.connection.admit(stream)
    }
  }
}
