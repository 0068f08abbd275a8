// Makes the socket of a client connection: TCP or a Unix socket, then TLS if asked for. One try at
// one address: no list of addresses, no backoff. Whatever goes wrong, no handle stays behind.
import { connect as netConnect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import type { Clock, Timer } from '../../base/clock.ts'
import { TransportClosed } from '../errors.ts'
import { formatTransportAddress, type TransportAddress } from './address.ts'
import { peerOf, UNNAMED_UNIX } from './peer.ts'
import { SocketWire } from './socket-wire.ts'
import { StaticRead } from './static-read.ts'
import { AlpnError, type ClientTlsOptions, clientTlsOptions } from './tls.ts'
import type { Peer } from './wire.ts'

/** How {@link connectSocket} goes about it. */
export interface ConnectSocketOptions {
  readonly clock: Clock
  /** TLS with ALPN "h2"; plain text without it. */
  readonly tls?: ClientTlsOptions
  /** For TCP and TLS together. Default: none. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** The local IP address to connect from. */
  readonly localAddress?: string
  /** An open stream to `address`, such as a proxy's tunnel, taken over instead of dialling. */
  readonly socket?: Duplex
}

/** A connected wire, not yet started, and who is at its other end. */
export interface ConnectedSocket {
  readonly wire: SocketWire
  readonly peer: Peer
}

/**
 * Connects to `address`. Rejects with {@link TransportClosed}, whose cause is the socket's error, an
 * {@link AlpnError} or the signal's reason, and with {@link TransportUsageError} for TLS keys that
 * cannot be used.
 */
export function connectSocket(
  address: TransportAddress,
  options: ConnectSocketOptions,
): Promise<ConnectedSocket> {
  return new Promise((resolve, reject) => new Dial(address, options, resolve, reject))
}

const NO_PROTOCOL_IN_COMMON = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL'

class Dial {
  private readonly name: string
  private readonly isUnix: boolean
  private readonly options: ConnectSocketOptions
  private readonly resolve: (connected: ConnectedSocket) => void
  private readonly reject: (error: unknown) => void
  private readonly socket: Duplex
  private readonly wire: SocketWire
  private readonly timer: Timer | undefined

  public constructor(
    address: TransportAddress,
    options: ConnectSocketOptions,
    resolve: (connected: ConnectedSocket) => void,
    reject: (error: unknown) => void,
  ) {
    const { clock, signal, timeoutMs, tls } = options
    const read = new StaticRead()
    this.name = formatTransportAddress(address)
    this.isUnix = 'path' in address
    this.options = options
    this.resolve = resolve
    this.reject = reject
    this.socket = openSocket(address, options, read)
    this.wire = new SocketWire(this.socket, clock)
    read.wire = this.wire
    this.socket.on('error', this.onError)
    this.socket.on('close', this.onClose)
    signal?.addEventListener('abort', this.onAbort)
    if (timeoutMs !== undefined) this.timer = clock.timer(timeoutMs, this.onTimeout)
    if (signal?.aborted) this.onAbort()
    else if (tls !== undefined) this.socket.once('secureConnect', this.onSecure)
    else if ((this.socket as Partial<Socket>).connecting) this.socket.once('connect', this.onReady)
    else this.onReady()
  }

  private readonly onSecure = (): void => {
    const { alpnProtocol } = this.socket as TLSSocket
    // RFC 9113 3.2: HTTP/2 over TLS uses the "h2" protocol identifier.
    if (alpnProtocol === 'h2') this.onReady()
    else this.refuseAlpn(new AlpnError(alpnProtocol))
  }

  private readonly onReady = (): void => {
    this.letGo()
    const localName = this.isUnix ? UNNAMED_UNIX : ''
    this.resolve({ wire: this.wire, peer: peerOf(this.socket, this.name, localName) })
  }

  private readonly onError = (error: NodeJS.ErrnoException): void => {
    // A server that offers other protocols only says so by an alert.
    if (error.code === NO_PROTOCOL_IN_COMMON) this.refuseAlpn(new AlpnError(null))
    else this.fail(`connect_failed: ${textOf(error)}`, error)
  }

  private refuseAlpn(error: AlpnError): void {
    this.fail('alpn_failed: the server does not speak HTTP/2', error)
  }

  private readonly onClose = (): void => {
    this.fail('connect_closed: the stream closed before it was ready')
  }

  private readonly onTimeout = (): void => {
    this.fail(`connect_timeout: not connected after ${this.options.timeoutMs} ms`)
  }

  private readonly onAbort = (): void => {
    this.fail('connect_aborted: no longer wanted', this.options.signal!.reason)
  }

  private fail(message: string, cause?: unknown): void {
    this.letGo()
    this.wire.close(0)
    // Under TLS the stream that was handed in is another one.
    this.options.socket?.destroy()
    this.reject(new TransportClosed(this.name, message, cause))
  }

  private letGo(): void {
    this.timer?.cancel()
    this.options.signal?.removeEventListener('abort', this.onAbort)
    this.socket.off('error', this.onError)
    this.socket.off('close', this.onClose)
    this.socket.off('connect', this.onReady)
    this.socket.off('secureConnect', this.onSecure)
  }
}

function openSocket(
  address: TransportAddress,
  options: ConnectSocketOptions,
  read: StaticRead,
): Duplex {
  const { tls, socket, localAddress } = options
  if (socket !== undefined && tls === undefined) return socket
  const made = {
    ...address,
    ...(localAddress === undefined ? {} : { localAddress }),
    allowHalfOpen: true,
    noDelay: true,
    onread: read.onread,
  }
  if (tls === undefined) return netConnect(made)
  const secure = clientTlsOptions(tls, 'host' in address ? address.host : 'localhost')
  return tlsConnect(socket === undefined ? { ...made, ...secure } : { socket, ...secure })
}

/** Node's error for several failed addresses has no text of its own. */
function textOf(error: Error): string {
  if (error.message !== '' || !(error instanceof AggregateError)) return error.message
  return error.errors.map((one: Error) => one.message).join('; ')
}
