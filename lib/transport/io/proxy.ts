// A tunnel through an HTTP proxy: one TCP connection to it, one CONNECT, and from then on an octet
// stream to the target, whose name the proxy looks up. Which target goes through which proxy is
// proxy-rules.ts. RFC 9110 section 9.3.6, RFC 9112 section 3.2.3; gRFC A1.
import { Buffer } from 'node:buffer'
import { connect as netConnect, type Socket } from 'node:net'
import { domainToASCII } from 'node:url'
import type { Clock, Timer } from '../../base/clock.ts'
import { formatHostPort, type HostPort } from '../../base/ip-address.ts'
import { TransportClosed, TransportUsageError } from '../errors.ts'

/** An HTTP proxy, spoken to in plain text. */
export interface HttpProxy extends HostPort {
  /** With `password` sent as Proxy-Authorization, Basic. Default: nothing is sent. */
  readonly username?: string
  readonly password?: string
}

/** How {@link openTunnel} goes about it. */
export interface TunnelOptions {
  readonly clock: Clock
  /** For the connection to the proxy and its answer together. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  /** The local IP address to connect from. */
  readonly localAddress?: string
}

/** The proxy made no tunnel. `token` names why; the message never holds credentials. */
export class ProxyError extends Error {
  public readonly token: string
  /** The proxy's `host:port`. */
  public readonly proxyAddress: string
  /** As in `HTTP/1.1 407 Proxy Authentication Required`, when it answered at all. */
  public readonly statusLine: string | undefined

  public constructor(
    token: string,
    proxyAddress: string,
    text: string,
    statusLine?: string,
    cause?: unknown,
  ) {
    super(
      `${token}: the proxy ${proxyAddress} ${text}`,
      cause === undefined ? undefined : { cause },
    )
    this.name = 'ProxyError'
    this.token = token
    this.proxyAddress = proxyAddress
    this.statusLine = statusLine
  }
}

const MAX_HEAD_BYTES = 16 * 1024
const MAX_SHOWN_CHARS = 128
const END_OF_HEAD = '\r\n\r\n'
const STATUS_LINE = /^HTTP\/1\.[01] ([1-5]\d\d)(?: .*)?$/
/** What may stand in a request target without ending it. */
const HOST = /^[\x21-\x7e]+$/

/**
 * Reads `http://user:password@host:port`; the scheme may be left out, the port is 80 unless given.
 * Throws {@link TransportUsageError}, with a text that does not repeat `text`: it may hold a password.
 */
export function parseProxy(text: string): HttpProxy {
  const url = parseUrl(text)
  if (url === undefined || url.protocol !== 'http:' || url.hostname === '') {
    const got = url === undefined ? 'no URL' : `scheme ${url.protocol}`
    throw new TransportUsageError(
      'proxy_malformed',
      `proxy: got ${got}, want http://host:port or host:port, with user:password@ or without`,
    )
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const proxy = { host, port: url.port === '' ? 80 : Number(url.port) }
  if (url.username === '') return proxy
  return {
    ...proxy,
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  }
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text.includes('://') ? text : `http://${text}`)
  } catch {
    return undefined
  }
}

/**
 * An open octet stream to `target` through `proxy`; it has no listeners and is not read from. Rejects
 * with {@link TransportClosed} about the target, whose cause is a {@link ProxyError} or the signal's
 * reason; then nothing is left open.
 */
export function openTunnel(
  proxy: HttpProxy,
  target: HostPort,
  options: TunnelOptions,
): Promise<Socket> {
  return new Promise((resolve, reject) => new Tunnel(proxy, target, options, resolve, reject))
}

class Tunnel {
  private readonly proxyAddress: string
  private readonly target: string
  private readonly options: TunnelOptions
  private readonly resolve: (socket: Socket) => void
  private readonly reject: (error: Error) => void
  private readonly socket: Socket
  private readonly timer: Timer
  private head: Buffer = Buffer.alloc(0)

  public constructor(
    proxy: HttpProxy,
    target: HostPort,
    options: TunnelOptions,
    resolve: (socket: Socket) => void,
    reject: (error: Error) => void,
  ) {
    const { clock, timeoutMs, signal, localAddress } = options
    this.proxyAddress = formatHostPort(proxy.host, proxy.port)
    this.target = formatHostPort(target.host, target.port)
    this.options = options
    this.resolve = resolve
    this.reject = reject
    const request = connectRequest(proxy, target)
    this.socket = netConnect({
      host: proxy.host,
      port: proxy.port,
      ...(localAddress === undefined ? {} : { localAddress }),
      allowHalfOpen: true,
      noDelay: true,
    })
    this.socket.write(request)
    this.socket.on('data', this.onData)
    this.socket.on('error', this.onError)
    this.socket.on('end', this.onClose)
    this.socket.on('close', this.onClose)
    signal?.addEventListener('abort', this.onAbort)
    this.timer = clock.timer(timeoutMs, this.onTimeout)
    if (signal?.aborted) this.onAbort()
  }

  private readonly onData = (chunk: Buffer): void => {
    this.head = Buffer.concat([this.head, chunk])
    for (;;) {
      const endsAt = this.head.indexOf(END_OF_HEAD, 0, 'latin1')
      if (endsAt < 0 || endsAt > MAX_HEAD_BYTES) break
      const [statusLine = ''] = this.head.toString('latin1', 0, endsAt).split('\r\n', 1)
      this.head = this.head.subarray(endsAt + END_OF_HEAD.length)
      const status = STATUS_LINE.exec(statusLine)?.[1]
      // RFC 9110 15.2: an interim answer comes before the final one.
      if (status?.startsWith('1')) continue
      this.answered(status, shown(statusLine))
      return
    }
    if (this.head.length > MAX_HEAD_BYTES) {
      this.fail('proxy_head_too_large', `sent a head of over ${MAX_HEAD_BYTES} octets`)
    }
  }

  private answered(status: string | undefined, statusLine: string): void {
    if (status === undefined) {
      this.fail('proxy_malformed_answer', `answered "${statusLine}", want HTTP/1.1`, statusLine)
    } else if (!status.startsWith('2')) {
      // RFC 9110 9.3.6: any 2xx means that the tunnel is there.
      this.fail('proxy_refused', `answered "${statusLine}", want 2xx`, statusLine)
    } else {
      this.letGo()
      this.socket.pause()
      // The target may have spoken first.
      if (this.head.length > 0) this.socket.unshift(this.head)
      this.resolve(this.socket)
    }
  }

  private readonly onError = (error: NodeJS.ErrnoException): void => {
    const text = error.message === '' ? String(error.code) : error.message
    this.fail('proxy_failed', `cannot be used: ${text}`, undefined, error)
  }

  private readonly onClose = (): void => {
    this.fail('proxy_closed', 'closed the connection before it answered')
  }

  private readonly onTimeout = (): void => {
    const { timeoutMs } = this.options
    this.fail('proxy_timeout', `did not answer within ${timeoutMs} ms`)
  }

  private readonly onAbort = (): void => {
    this.give('connect_aborted: no longer wanted', this.options.signal?.reason)
  }

  private fail(token: string, text: string, statusLine?: string, cause?: unknown): void {
    const error = new ProxyError(token, this.proxyAddress, text, statusLine, cause)
    this.give(error.message, error)
  }

  private give(message: string, cause: unknown): void {
    this.letGo()
    // Its own end is of no interest any more.
    this.socket.on('error', ignore)
    this.socket.destroy()
    this.reject(new TransportClosed(this.target, message, cause))
  }

  private letGo(): void {
    const { socket } = this
    this.timer.cancel()
    this.options.signal?.removeEventListener('abort', this.onAbort)
    socket.off('data', this.onData)
    socket.off('error', this.onError)
    socket.off('end', this.onClose)
    socket.off('close', this.onClose)
  }
}

function connectRequest({ username, password = '' }: HttpProxy, { host, port }: HostPort): string {
  const name = host.includes(':') ? host : domainToASCII(host) || host
  if (!HOST.test(name)) {
    throw new TransportUsageError(
      'proxy_target_malformed',
      `proxy: got the host ${JSON.stringify(host)}, want a name or an IP address`,
    )
  }
  const where = formatHostPort(name, port)
  const lines = [`CONNECT ${where} HTTP/1.1`, `Host: ${where}`]
  if (username !== undefined) {
    const credentials = Buffer.from(`${username}:${password}`, 'utf8').toString('base64')
    lines.push(`Proxy-Authorization: Basic ${credentials}`)
  }
  return `${lines.join('\r\n')}${END_OF_HEAD}`
}

/** Keeps a proxy from writing lines or terminal controls into a log. */
function shown(statusLine: string): string {
  return statusLine.slice(0, MAX_SHOWN_CHARS).replaceAll(/[^\x20-\x7e]/g, '.')
}

function ignore(): void {}
