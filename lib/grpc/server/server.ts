// The gRPC server: services, listeners, and what is the same for all its calls. One request's way is
// server-call.ts; sockets and connections are the transport's Http2Server.
import type { Duplex } from 'node:stream'
import { type Clock, systemClock } from '../../base/clock.ts'
import {
  type ConnectionSource,
  ErrorCode,
  type HeaderBlock,
  Http2Server,
  type ListenDescriptor,
  type Listener,
  type ListenOptions,
  type Peer,
  type ServerConnectionOptions,
  type ServerTlsOptions,
  type ServerTransport,
  type StartableWire,
  type Stream,
  type StreamHandler,
  type TraceSink,
  type TransportAddress,
} from '../../transport/index.ts'
import { chainInterceptors, type Interceptor, type InterceptorNext } from '../call/interceptor.ts'
import { type Logger, silentLogger } from '../observe/logger.ts'
import { RpcObserver } from '../observe/rpc-observer.ts'
import type { StatsHandler } from '../observe/stats.ts'
import { bytesCodec } from '../protocol/codec.ts'
import {
  type Compressor,
  Compressors,
  DEFAULT_MIN_COMPRESS_BYTES,
  unknownEncoding,
} from '../protocol/compression.ts'
import {
  DEFAULT_MAX_RECV_MESSAGE_BYTES,
  DEFAULT_MAX_SEND_MESSAGE_BYTES,
} from '../protocol/message.ts'
import {
  bidi,
  defineMethod,
  type MethodDefinition,
  type MethodMap,
  type ServiceDefinition,
  splitMethodPath,
  streamsRequests,
} from '../protocol/method.ts'
import { Remembered } from '../protocol/remembered.ts'
import { parseRequestHead, type RequestHead } from '../protocol/request-headers.ts'
import { ResponseTemplate } from '../protocol/response-headers.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import type { AnyHandler, Handler, Handlers } from './handlers.ts'
import { RegistrationError, type Route, Router } from './router.ts'
import { type CallServer, ServerCall } from './server-call.ts'

/** Serves methods that nobody registered, as a bidi stream of opaque octets. */
export type UnknownServiceHandler = Handler<'bidi', Uint8Array, Uint8Array>

/** How a {@link Server} behaves. */
export interface ServerOptions extends ServerConnectionOptions {
  /** The first is the outermost. */
  readonly interceptors?: readonly Interceptor[]
  /** Requests larger than this are refused, before and after decompression. Default 4 MiB. */
  readonly maxRecvMessageBytes?: number
  readonly maxSendMessageBytes?: number
  /** The encoding of responses where the client accepts it. Default: that of its request. */
  readonly compression?: string
  /** Responses shorter than this go uncompressed. Default 1,024. */
  readonly minCompressBytes?: number
  /** The encodings that are spoken. Default: gzip, deflate, br; `zstdCompressor()` makes another. */
  readonly compressors?: readonly Compressor[]
  /** Tells clients the text of errors that are no RpcError. Default false. */
  readonly exposeHandlerErrors?: boolean
  readonly unknownService?: UnknownServiceHandler
  readonly stats?: StatsHandler
  /** Hears of faults that no caller sees. Default: silent. */
  readonly logger?: Logger
  /** Looks at all octets of a connection; `() => traceFrames(console.log)` prints each frame. */
  readonly trace?: (peer: Peer) => TraceSink
  readonly clock?: Clock
}

/** How to listen with TLS or without; see the transport's ListenOptions. */
export interface ServerListenOptions extends ListenOptions {
  /** TLS with ALPN "h2". With `ca` and `requestClientCertificate` clients prove who they are (mTLS). */
  readonly tls?: ServerTlsOptions
}

/** A bound port, with its number where it has one. */
export interface BoundListener extends Listener {
  /** 0 for a Unix socket. */
  readonly port: number
}

/** What a server offers, as reflection tells it. */
export interface ServiceInfo {
  readonly name: string
  readonly definition: ServiceDefinition
}

/** See above. Register services, then listen; a server serves until it is stopped. */
export class Server {
  private readonly router = new Router()
  private readonly http2: Http2Server
  private readonly calls: Calls

  public constructor(options: ServerOptions = {}) {
    const logger = options.logger ?? silentLogger
    this.calls = new Calls(options, this.router, logger)
    const { stats } = options
    this.http2 = new Http2Server({
      fieldWhitespace: 'trim',
      ...options,
      onStream: (stream, block, _endStream, transport) =>
        this.calls.handleStream(stream, block, transport),
      onConnection: (transport) =>
        stats?.handleConn?.({ kind: 'begin', side: 'server', peer: transport.peer.address }),
      onConnectionEnded: (transport) =>
        stats?.handleConn?.({ kind: 'end', side: 'server', peer: transport.peer.address }),
      onError: (error) => logger.warn(`connection lost: ${error.message}`, error),
    })
  }

  /** The registered services. */
  public get services(): readonly ServiceInfo[] {
    return [...this.router.registered].map(([name, definition]) => ({ name, definition }))
  }

  /**
   * Adds a service: one handler for each of its methods. Throws RegistrationError when the service is
   * registered already, a handler is missing, or the server is serving.
   */
  public register<Methods extends MethodMap>(
    service: ServiceDefinition<Methods>,
    handlers: Handlers<ServiceDefinition<Methods>>,
  ): this {
    this.router.register(service, handlers)
    return this
  }

  /**
   * Listens and serves at `host:port` (port 0: the system chooses), `unix:/path`, an address or a
   * descriptor. Any number of listeners may serve at once.
   */
  public async listen(
    address: string | TransportAddress | ListenDescriptor,
    options: ServerListenOptions = {},
  ): Promise<BoundListener> {
    this.router.freeze()
    const listener = await this.http2.listen(address, options)
    return bound(listener)
  }

  /**
   * Serves every connection that `listener` accepts, such as a `net.Server` of one's own, and resolves
   * when the server has stopped. Any number of listeners may be served at once. grpc-go's Serve.
   */
  public serve(listener: ConnectionSource): Promise<void> {
    this.router.freeze()
    return this.http2.serve(listener)
  }

  /** Serves one connection over any Duplex; grpc-go's ServeHTTP and serveStreams. */
  public serveConnection(duplex: Duplex): ServerTransport {
    this.router.freeze()
    return this.http2.serveConnection(duplex)
  }

  /** Serves one connection over a wire of one's own; for specs and embedders. */
  public serveWire(wire: StartableWire, peer: Peer): ServerTransport {
    this.router.freeze()
    return this.http2.serveWire(wire, peer)
  }

  /** Connections that are not gone. */
  public get connections(): readonly ServerTransport[] {
    return this.http2.connections
  }

  /** Stops at once: open calls end, their handlers hear by `call.signal`. */
  public stop(): Promise<void> {
    return this.http2.close()
  }

  /**
   * Takes no new calls and resolves when the open ones are done; those still open after `graceMs`
   * are ended.
   */
  public gracefulStop(graceMs?: number): Promise<void> {
    return this.http2.closeGracefully(graceMs)
  }

  public async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** What is the same for all calls of a server, and the first look at each. */
class Calls implements CallServer {
  public readonly clock: Clock
  public readonly compressors: Compressors
  public readonly maxRecvMessageBytes: number
  public readonly maxSendMessageBytes: number
  public readonly minCompressBytes: number
  public readonly preferredEncoding: string | undefined
  public readonly exposeHandlerErrors: boolean
  public readonly intercept: ((handler: InterceptorNext) => InterceptorNext) | undefined
  private readonly stats: StatsHandler | undefined
  private readonly router: Router
  private readonly logger: Logger
  private readonly unknownService: UnknownServiceHandler | undefined
  private readonly templates = new Map<string, ResponseTemplate>()
  private lastTemplateKey = ''
  private lastTemplate: ResponseTemplate | undefined

  public constructor(options: ServerOptions, router: Router, logger: Logger) {
    const { interceptors = [], compression } = options
    this.clock = options.clock ?? systemClock
    this.compressors = new Compressors(options.compressors)
    this.maxRecvMessageBytes = options.maxRecvMessageBytes ?? DEFAULT_MAX_RECV_MESSAGE_BYTES
    this.maxSendMessageBytes = options.maxSendMessageBytes ?? DEFAULT_MAX_SEND_MESSAGE_BYTES
    this.minCompressBytes = options.minCompressBytes ?? DEFAULT_MIN_COMPRESS_BYTES
    this.preferredEncoding = compression
    this.exposeHandlerErrors = options.exposeHandlerErrors === true
    this.stats = options.stats
    this.intercept =
      interceptors.length === 0 ? undefined : (handler) => chainInterceptors(interceptors, handler)
    this.router = router
    this.logger = logger
    this.unknownService = options.unknownService
    if (compression !== undefined && !this.compressors.knows(compression)) {
      throw new RegistrationError('compression_unknown', `no compressor for ${compression}`)
    }
  }

  /** Called by the transport, in its parser, for every request: who takes it? */
  public handleStream(
    stream: Stream,
    block: HeaderBlock,
    transport: ServerTransport,
  ): StreamHandler {
    // Equal blocks of a connection share one list: most heads are read only once.
    transport.context ??= new Remembered(parseRequestHead)
    const head = (transport.context as Remembered<RequestHead>).of(block.fields)
    const { fault } = head
    if (fault !== undefined) {
      return this.refuse(stream, faultError(fault), head, undefined, fault.httpStatus)
    }
    const route = this.router.lookup(head.path) ?? this.unknownRoute(head.path)
    const observer = this.observe(route?.method, head, block, transport)
    if (route === undefined) {
      return this.refuse(stream, this.router.missing(head.path), head, observer)
    }
    observer?.tell({ kind: 'begin', attempt: 1, isTransparentRetry: false })
    if (!this.compressors.knows(head.encoding)) {
      const error = unknownEncoding(head.encoding, 'server')
      const refused = this.refuse(stream, error, head, observer)
      observer?.end(error.toStatus())
      return refused
    }
    const call = new ServerCall(this, transport, stream, block, head, route, observer)
    if (streamsRequests(route.method.kind)) call.processStreamingRPC()
    else call.processUnaryRPC()
    return call
  }

  public responseTemplate(contentSubtype: string, encoding: string | undefined): ResponseTemplate {
    const key = encoding === undefined ? contentSubtype : `${contentSubtype} ${encoding}`
    if (this.lastTemplate !== undefined && key === this.lastTemplateKey) return this.lastTemplate
    let template = this.templates.get(key)
    if (template === undefined) {
      template = new ResponseTemplate(contentSubtype === '' ? undefined : contentSubtype, encoding)
      // The peer chooses the subtype: remember only a few.
      if (this.templates.size < MAX_TEMPLATES) this.templates.set(key, template)
    }
    this.lastTemplateKey = key
    this.lastTemplate = template
    return template
  }

  public reportFault(where: string, error: unknown): void {
    this.logger.error(`${where} failed`, error)
  }

  /** Answers with a status alone, before there is a call. */
  private refuse(
    stream: Stream,
    error: RpcError,
    head: RequestHead,
    observer: RpcObserver | undefined,
    httpStatus = 200,
  ): StreamHandler {
    const template = this.responseTemplate(head.contentSubtype, undefined)
    const fields = template.trailersOnly(error.toStatus(), undefined, undefined, httpStatus)
    const accept = error.token === 'message_encoding_unknown'
    const sent = accept
      ? [...fields, 'grpc-accept-encoding', this.compressors.acceptEncoding]
      : fields
    stream.headers(sent, true)
    observer?.tell({ kind: 'outTrailer', fields: sent })
    stream.reset(ErrorCode.NO_ERROR, 'request_refused')
    return REFUSED
  }

  private unknownRoute(path: string): Route | undefined {
    if (this.unknownService === undefined) return undefined
    const method = opaqueMethod(path)
    return method && { method, handler: this.unknownService as AnyHandler }
  }

  /** Undefined when nobody listens. `method` is absent when there is none of that name. */
  private observe(
    method: MethodDefinition | undefined,
    { path }: RequestHead,
    { fields, wireBytes }: HeaderBlock,
    { peer }: ServerTransport,
  ): RpcObserver | undefined {
    const { stats, clock } = this
    if (stats === undefined) return undefined
    const named = method ?? opaqueMethod(path)
    // grpc-go server.go handleMalformedMethodName: what has no name is not told of.
    if (named === undefined) return undefined
    const observer = new RpcObserver({
      stats,
      side: 'server',
      method: named,
      clock,
      reportFault: (where, error) => this.reportFault(where, error),
    })
    observer.peerAddress = peer.address
    observer.tell({ kind: 'inHeader', fields, wireBytes })
    return observer
  }
}

/** A method of which only the name is known; undefined when `path` is none. */
function opaqueMethod(path: string): MethodDefinition | undefined {
  const parts = splitMethodPath(path)
  if (parts === undefined) return undefined
  const { service, wireName } = parts
  const method = defineMethod(service, wireName, { ...bidi(bytesCodec, bytesCodec), wireName })
  return method as unknown as MethodDefinition
}

const MAX_TEMPLATES = 64

/** Hears the rest of a request that was answered already. */
const REFUSED: StreamHandler = {
  onHeaders() {},
  onData() {},
  onEnd() {},
  onWritable() {},
  onClosed() {},
}

function faultError(fault: NonNullable<RequestHead['fault']>): RpcError {
  return new RpcError(fault.code, fault.message, { token: fault.token })
}

function bound(listener: Listener): BoundListener {
  const { address } = listener
  return {
    address,
    port: 'port' in address ? address.port : 0,
    close: () => listener.close(),
  }
}
