// connect: from an address to a client transport that is ready, under one deadline.
import { type Clock, systemClock } from '../base/clock.ts'
import {
  ClientTransport,
  type ClientTransportListener,
  type ClientTransportOptions,
} from './client-transport.ts'
import {
  formatTransportAddress,
  parseTransportAddress,
  type TransportAddress,
} from './io/address.ts'
import { type ConnectedSocket, type ConnectSocketOptions, connectSocket } from './io/connect.ts'
import { type HttpProxy, openTunnel } from './io/proxy.ts'
import type { ClientTlsOptions } from './io/tls.ts'
import { type TraceSink, traceWire } from './io/trace.ts'
import type { Peer } from './io/wire.ts'

/** How {@link connect} goes about it. */
export interface ConnectOptions extends ClientTransportOptions {
  /** TLS with ALPN "h2"; HTTP/2 with prior knowledge on plain text without it. */
  readonly tls?: ClientTlsOptions
  /** For DNS, the proxy, TCP, TLS and the peer's SETTINGS together. Default 20 s. */
  readonly connectTimeoutMs?: number
  readonly signal?: AbortSignal
  readonly localAddress?: string
  /** An open stream to the address, such as a proxy's tunnel, instead of dialling. */
  readonly socket?: ConnectSocketOptions['socket']
  /** Goes there by CONNECT; the proxy looks up the host. Not for Unix sockets. See {@link parseProxy}. */
  readonly proxy?: HttpProxy
  /** Looks at all octets; `() => traceFrames(console.log)` prints each frame. */
  readonly trace?: (peer: Peer) => TraceSink
}

const DEFAULT_CONNECT_TIMEOUT_MS = 20_000

/**
 * Connects to `host:port`, `unix:/path` or an address object and resolves when the peer's first
 * SETTINGS have come. Rejects with TransportClosed, whose cause says what went wrong.
 */
export async function connect(
  target: string | TransportAddress,
  options: ConnectOptions = {},
): Promise<ClientTransport> {
  const address = typeof target === 'string' ? parseTransportAddress(target) : target
  const { clock = systemClock, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options
  const startMs = clock.nowMs()
  const { wire, peer } = await openWire(address, options, clock, connectTimeoutMs)
  const leftMs = Math.max(0, startMs + connectTimeoutMs - clock.nowMs())
  return new Promise((resolve, reject) => {
    let settled = false
    const listener: ClientTransportListener = {
      onReady: () => {
        settled = true
        options.signal?.removeEventListener('abort', onAbort)
        options.listener?.onReady?.()
        resolve(transport)
      },
      onDraining: (info) => options.listener?.onDraining?.(info),
      onQuota: () => options.listener?.onQuota?.(),
      onClosed: (cause) => {
        options.signal?.removeEventListener('abort', onAbort)
        if (settled) options.listener?.onClosed?.(cause)
        else reject(cause)
      },
    }
    const onAbort = (): void => transport.close('the attempt to connect was given up')
    const traced = options.trace === undefined ? undefined : traceWire(wire, options.trace(peer))
    const transport = new ClientTransport(traced?.wire ?? wire, peer, {
      ...options,
      handshakeTimeoutMs: Math.min(leftMs, options.handshakeTimeoutMs ?? leftMs),
      listener,
    })
    options.signal?.addEventListener('abort', onAbort)
    const events = transport.start()
    wire.start(traced?.tap(events) ?? events)
    if (options.signal?.aborted) onAbort()
  })
}

/** The socket to the address, through the proxy if there is one, within `timeoutMs`. */
async function openWire(
  address: TransportAddress,
  options: ConnectOptions,
  clock: Clock,
  timeoutMs: number,
): Promise<ConnectedSocket> {
  const { tls, signal, localAddress, proxy } = options
  const common = { clock, ...defined({ tls, signal, localAddress }) }
  if (proxy === undefined || options.socket !== undefined || 'path' in address) {
    return connectSocket(address, { ...common, timeoutMs, ...defined({ socket: options.socket }) })
  }
  const startMs = clock.nowMs()
  const socket = await openTunnel(proxy, address, { ...common, timeoutMs })
  const leftMs = Math.max(0, startMs + timeoutMs - clock.nowMs())
  const { wire, peer } = await connectSocket(address, { ...common, timeoutMs: leftMs, socket })
  // The socket only knows the proxy.
  return { wire, peer: { ...peer, address: formatTransportAddress(address) } }
}

/** What of an object is there: optional properties of exact types take no undefined. */
function defined<T extends object>(object: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(object).filter((entry) => entry[1] !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> }
}
