// Accepts the sockets of a server: TCP, a Unix socket or an inherited descriptor; then TLS if asked
// for, or a look at the first octets when the port is shared. A socket is handed on when it is known
// to want HTTP/2; until then a deadline runs. Keeps no account of sockets that were handed on.
import { lstat, unlink } from 'node:fs/promises'
import {
  createServer as createNetServer,
  type ListenOptions,
  type Server as NetServer,
  connect as netConnect,
  type Socket,
} from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import type { Clock, Timer } from '../../base/clock.ts'
import { TransportClosed, TransportUsageError } from '../errors.ts'
import { formatTransportAddress, type TransportAddress } from './address.ts'
import { peerOf, remoteName, UNNAMED_UNIX } from './peer.ts'
import { handToOther, type OtherProtocol, sniff } from './sniff.ts'
import { SocketWire } from './socket-wire.ts'
import { AlpnError, type ServerTlsOptions, serverTlsOptions } from './tls.ts'
import type { Peer } from './wire.ts'

/** A descriptor of a listening socket, inherited from another process. */
export interface ListenDescriptor {
  readonly fd: number
}

/** How {@link listenSocket} goes about it. */
export interface ListenSocketOptions {
  readonly clock: Clock
  /** TLS with ALPN "h2"; plain text without it. */
  readonly tls?: ServerTlsOptions
  /** Connections that the kernel keeps waiting. Default 511. */
  readonly backlog?: number
  /** Lets several processes listen at one TCP port (SO_REUSEPORT). Needs Node 22.12 or 23.1. */
  readonly reusePort?: boolean
  /** Connections beyond this many are closed at once. Default: any number. */
  readonly maxConnections?: number
  /** For the TLS handshake, or for the octets that tell the protocol. Default 20 s. */
  readonly handshakeTimeoutMs?: number
  /** Takes the connections that are not HTTP/2, over TLS those of ALPN "http/1.1" or none. */
  readonly otherProtocol?: OtherProtocol
  /** A connection was lost before it was handed on, or accepting failed. Nothing must be done. */
  readonly onError?: (error: Error) => void
}

/** A listening socket. */
export interface Listener {
  /** Where it listens, the port that the system chose included. */
  readonly address: TransportAddress
  /** Stops accepting and drops what has not been handed on; leaves the others alone. */
  close(): Promise<void>
}

/** It was not possible to listen. */
export class ListenError extends Error {
  public readonly token = 'listen_failed'
  /** As in {@link formatTransportAddress}, or `fd:3`. */
  public readonly address: string

  public constructor(address: string, cause: Error) {
    super(`listen_failed: ${address}: ${cause.message}`, { cause })
    this.name = 'ListenError'
    this.address = address
  }
}

const HANDSHAKE_TIMEOUT_MS = 20_000

/**
 * Listens at `address` and calls `onWire` with each connection, whose wire the callee starts. The
 * socket file of a dead process is replaced. Rejects with {@link ListenError}, and with
 * {@link TransportUsageError} for options that cannot work.
 */
export async function listenSocket(
  address: TransportAddress | ListenDescriptor,
  options: ListenSocketOptions,
  onWire: (wire: SocketWire, peer: Peer) => void,
): Promise<Listener> {
  if (options.reusePort === true) checkReusePort()
  const listener = new SocketListener(options, onWire)
  const name = 'fd' in address ? `fd:${address.fd}` : formatTransportAddress(address)
  try {
    await listener.listen(address)
  } catch (error) {
    const isStale =
      codeOf(error) === 'EADDRINUSE' && 'path' in address && (await isDeadSocket(address.path))
    if (!isStale) throw new ListenError(name, error as Error)
    await unlink(address.path)
    await listener.listen(address).catch((again) => {
      throw new ListenError(name, again)
    })
  }
  return listener
}

class SocketListener implements Listener {
  public address: TransportAddress = { path: '' }
  private readonly options: ListenSocketOptions
  private readonly onWire: (wire: SocketWire, peer: Peer) => void
  private readonly server: NetServer
  /** Accepted, not handed on, with their deadlines. */
  private readonly pending = new Map<Duplex, Timer>()
  private isClosed = false

  public constructor(options: ListenSocketOptions, onWire: (wire: SocketWire, peer: Peer) => void) {
    this.options = options
    this.onWire = onWire
    this.server = options.tls === undefined ? this.plainServer() : this.tlsServer(options.tls)
    if (options.maxConnections !== undefined) this.server.maxConnections = options.maxConnections
  }

  public async listen(address: TransportAddress | ListenDescriptor): Promise<void> {
    const { backlog = 511, reusePort = false } = this.options
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject)
      this.server.listen({ ...address, backlog, reusePort } as unknown as ListenOptions, () => {
        this.server.off('error', reject)
        resolve()
      })
    })
    this.address = addressOf(this.server, address)
    // EMFILE and its like: the kernel keeps the connection waiting, accepting goes on.
    this.server.on('error', (error) => this.report(error))
  }

  public close(): Promise<void> {
    if (!this.isClosed) {
      this.isClosed = true
      // Its callback would wait for every accepted socket; the port itself is free at once.
      this.server.close()
      for (const socket of this.pending.keys()) socket.destroy()
    }
    return Promise.resolve()
  }

  private plainServer(): NetServer {
    const { otherProtocol } = this.options
    return createNetServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      if (otherProtocol === undefined) {
        this.handOn(socket)
        return
      }
      this.expect(socket)
      sniff(socket, {
        http2: () => {
          this.settle(socket)
          this.handOn(socket)
        },
        other: {
          emit: (event) => {
            this.settle(socket)
            return otherProtocol.emit(event, socket)
          },
        },
      })
    })
  }

  private tlsServer(tls: ServerTlsOptions): NetServer {
    const { otherProtocol } = this.options
    const server = createTlsServer({
      ...serverTlsOptions(tls, otherProtocol !== undefined),
      noDelay: true,
    })
    server.prependListener('connection', (socket: Socket) => this.expect(socket))
    server.on('secureConnection', (socket) => this.onSecure(socket))
    server.on('tlsClientError', (error, socket) => this.onTlsError(error, socket))
    return server
  }

  private onSecure(socket: TLSSocket): void {
    const { otherProtocol } = this.options
    this.settle(carrierOf(socket))
    // Not before: a half-open handshake would outlive a client that hung up.
    socket.allowHalfOpen = true
    // RFC 9113 3.2: HTTP/2 over TLS uses the "h2" protocol identifier.
    if (socket.alpnProtocol === 'h2') this.handOn(socket)
    else if (otherProtocol !== undefined) handToOther(socket, otherProtocol)
    else {
      const error = new AlpnError(socket.alpnProtocol)
      const name = remoteName(socket) ?? UNNAMED_UNIX
      socket.on('error', ignore)
      socket.destroy()
      this.report(new TransportClosed(name, error.message, error))
    }
  }

  private onTlsError(error: Error, socket: TLSSocket): void {
    // Node's own message for a refused certificate says only that the socket hung up.
    const reason = (socket.authorizationError as unknown as string | null) ?? error.message
    const name = remoteName(carrierOf(socket)) ?? UNNAMED_UNIX
    socket.on('error', ignore)
    socket.destroy()
    this.report(new TransportClosed(name, `tls_handshake_failed: ${reason}`, error))
  }

  /** Starts the deadline of an accepted socket. */
  private expect(socket: Socket): void {
    const { clock, tls, handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS } = this.options
    const name = remoteName(socket) ?? UNNAMED_UNIX
    const onTimeout = () => {
      socket.destroy(new Error(`handshake_timeout: not finished after ${handshakeTimeoutMs} ms`))
    }
    this.pending.set(socket, clock.timer(handshakeTimeoutMs, onTimeout, false))
    socket.on('close', () => this.settle(socket))
    // With TLS it comes as tlsClientError; once handed on, it is the new owner's.
    socket.on('error', (error) => {
      if (tls !== undefined || !this.pending.has(socket)) return
      this.settle(socket)
      this.report(new TransportClosed(name, error.message, error))
    })
  }

  private settle(socket: Duplex): void {
    this.pending.get(socket)?.cancel()
    this.pending.delete(socket)
  }

  private handOn(socket: Duplex): void {
    const wire = new SocketWire(socket, this.options.clock)
    const here = 'path' in this.address ? formatTransportAddress(this.address) : ''
    try {
      this.onWire(wire, peerOf(socket, UNNAMED_UNIX, here))
    } catch (error) {
      wire.close(0)
      this.report(error as Error)
    }
  }

  private report(error: Error): void {
    if (!this.isClosed) this.options.onError?.(error)
  }
}

function ignore(): void {}

/** The TCP or Unix socket under a TLS one; undocumented, and proven by the specs of the deadline. */
function carrierOf(socket: TLSSocket): Socket {
  return (socket as unknown as { readonly _parent: Socket })._parent
}

function addressOf(
  server: NetServer,
  asked: TransportAddress | ListenDescriptor,
): TransportAddress {
  const bound = server.address()
  if (bound !== null && typeof bound === 'object') return { host: bound.address, port: bound.port }
  if (typeof bound === 'string' && bound !== '') return { path: bound }
  return 'fd' in asked ? { path: '' } : asked
}

// Node lines without the option ignore it, and the second process would fail far from the cause.
function checkReusePort(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)) return
  throw new TransportUsageError(
    'reuse_port_unsupported',
    `reusePort needs Node 22.12 or 23.1, this is ${process.versions.node}`,
  )
}

/** Whether `path` is a socket that nobody listens at. Never true for a file that is none. */
async function isDeadSocket(path: string): Promise<boolean> {
  if (path.startsWith('\0')) return false
  const isSocket = await lstat(path).then(
    (stat) => stat.isSocket(),
    () => false,
  )
  if (!isSocket) return false
  return new Promise((resolve) => {
    const probe = netConnect({ path }, () => {
      probe.destroy()
      resolve(false)
    })
    probe.on('error', (error) => resolve(codeOf(error) === 'ECONNREFUSED'))
  })
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
