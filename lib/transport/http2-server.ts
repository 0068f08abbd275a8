// A plain HTTP/2 server: its listeners, its connections, and how they end. What a stream means is
// its owner's business; the gRPC server stands on this one.
import type { Duplex } from 'node:stream'
import { type Clock, systemClock } from '../base/clock.ts'
import { TransportUsageError } from './errors.ts'
import { parseTransportAddress, type TransportAddress } from './io/address.ts'
import {
  type ListenDescriptor,
  type Listener,
  type ListenSocketOptions,
  listenSocket,
} from './io/listen.ts'
import { peerOf, remoteName } from './io/peer.ts'
import { SocketWire } from './io/socket-wire.ts'
import { type TraceSink, traceWire } from './io/trace.ts'
import type { Peer, Wire, WireEvents } from './io/wire.ts'
import { ServerTransport, type ServerTransportOptions } from './server-transport.ts'

/** How an {@link Http2Server} behaves. */
export interface Http2ServerOptions extends Omit<ServerTransportOptions, 'onEnded' | 'onClosed'> {
  /** Hears of each connection that begins or ends. */
  readonly onConnection?: (transport: ServerTransport) => void
  readonly onConnectionEnded?: (transport: ServerTransport, cause: Error) => void
  /** A connection was lost before it spoke HTTP/2, or accepting failed. Nothing must be done. */
  readonly onError?: (error: Error) => void
  /** Looks at all octets of a connection; `() => traceFrames(console.log)` prints each frame. */
  readonly trace?: (peer: Peer) => TraceSink
}

/** How to listen; see {@link ListenSocketOptions}. */
export type ListenOptions = Omit<ListenSocketOptions, 'clock' | 'onError'>

/** A wire whose events begin when it is told to whom. */
export interface StartableWire extends Wire {
  start(events: WireEvents): void
}

/** Something that accepts connections, such as a `net.Server` that listens. */
export interface ConnectionSource {
  on(event: 'connection', listener: (socket: Duplex) => void): unknown
  off(event: 'connection', listener: (socket: Duplex) => void): unknown
  /** Accepts no more. */
  close(): unknown
}

/** See above. */
export class Http2Server {
  private readonly options: Http2ServerOptions
  /** One object for all connections: they share what it resolves to. */
  private readonly transportOptions: ServerTransportOptions
  private readonly clock: Clock
  private readonly listeners = new Set<Pick<Listener, 'close'>>()
  private readonly transports = new Set<ServerTransport>()
  private stopping: 'no' | 'gracefully' | 'now' = 'no'
  private idleWaiters: (() => void)[] = []

  public constructor(options: Http2ServerOptions) {
    this.options = options
    this.clock = options.clock ?? systemClock
    this.transportOptions = {
      ...options,
      onEnded: (ended, cause) => options.onConnectionEnded?.(ended, cause),
      onClosed: (gone) => this.forget(gone),
    }
  }

  /** Connections that are not gone. */
  public get connections(): readonly ServerTransport[] {
    return [...this.transports]
  }

  /**
   * Listens at `host:port` (port 0: the system chooses), `unix:/path`, an address or a descriptor.
   * Any number of listeners may serve at once. Rejects with ListenError.
   */
  public async listen(
    address: string | TransportAddress | ListenDescriptor,
    options: ListenOptions = {},
  ): Promise<Listener> {
    const { onError } = this.options
    const listener = await listenSocket(
      typeof address === 'string' ? parseTransportAddress(address) : address,
      { ...options, clock: this.clock, ...(onError === undefined ? {} : { onError }) },
      (wire, peer) => this.serveWire(wire, peer),
    )
    if (this.stopping !== 'no') await listener.close()
    else this.listeners.add(listener)
    return listener
  }

  /**
   * Serves every connection that `source` accepts, in plain text, and resolves when the server has
   * stopped, which closes the source. Rejects with TransportUsageError on a server that has stopped.
   * grpc-go's Serve. For TLS, or a shared port, see {@link Http2Server.listen}.
   */
  public async serve(source: ConnectionSource): Promise<void> {
    if (this.stopping !== 'no') {
      source.close()
      throw new TransportUsageError('server_stopped', 'the server has stopped, it serves no more')
    }
    const onConnection = (socket: Duplex): void => {
      this.serveConnection(socket)
    }
    source.on('connection', onConnection)
    await new Promise<void>((resolve) => {
      const close = async (): Promise<void> => {
        source.off('connection', onConnection)
        source.close()
        resolve()
      }
      this.listeners.add({ close })
    })
    await this.whenIdle()
  }

  /** Serves one connection over any Duplex: an accepted socket, a pipe, a tunnel. */
  public serveConnection(duplex: Duplex, name?: string): ServerTransport {
    const peer = peerOf(duplex, name ?? remoteName(duplex) ?? 'duplex')
    return this.serveWire(new SocketWire(duplex, this.clock), peer)
  }

  /** Serves one connection over any wire, which is started here: one in memory, an embedder's own. */
  public serveWire(wire: StartableWire, peer: Peer): ServerTransport {
    const { options } = this
    const traced = options.trace === undefined ? undefined : traceWire(wire, options.trace(peer))
    const transport = new ServerTransport(traced?.wire ?? wire, peer, this.transportOptions)
    this.transports.add(transport)
    options.onConnection?.(transport)
    const events = transport.start()
    wire.start(traced?.tap(events) ?? events)
    if (this.stopping === 'gracefully') transport.drain('graceful_stop')
    else if (this.stopping === 'now') transport.close('the server was stopped')
    return transport
  }

  /**
   * Stops accepting, drains every connection (GOAWAY in two steps) and resolves when the last is
   * gone. Connections that still have streams after `graceMs` are closed. May be called again to
   * shorten the grace.
   */
  public async closeGracefully(graceMs: number = Number.POSITIVE_INFINITY): Promise<void> {
    if (this.stopping === 'no') this.stopping = 'gracefully'
    const closing = this.closeListeners()
    for (const transport of this.transports) transport.drain('graceful_stop')
    const timer =
      graceMs === Number.POSITIVE_INFINITY
        ? undefined
        : this.clock.timer(graceMs, () => this.closeTransports('the grace of the stop is over'))
    await closing
    await this.whenIdle()
    timer?.cancel()
  }

  /** Stops accepting, closes every connection at once and resolves when the last is gone. */
  public async close(): Promise<void> {
    this.stopping = 'now'
    const closing = this.closeListeners()
    this.closeTransports('the server was stopped')
    await closing
    await this.whenIdle()
  }

  private forget(transport: ServerTransport): void {
    this.transports.delete(transport)
    if (this.transports.size > 0) return
    const waiters = this.idleWaiters
    this.idleWaiters = []
    for (const resolve of waiters) resolve()
  }

  private whenIdle(): Promise<void> {
    if (this.transports.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.idleWaiters.push(resolve)
    })
  }

  private closeTransports(reason: string): void {
    for (const transport of [...this.transports]) transport.close(reason)
  }

  private async closeListeners(): Promise<void> {
    const listeners = [...this.listeners]
    this.listeners.clear()
    await Promise.all(listeners.map((listener) => listener.close()))
  }
}
