// The protos of connectconformance: the service, its messages as TypeScript sees them, and the codecs.
import {
  ByteSink,
  type Codec,
  loadProto,
  type MethodDefinition,
  type ServiceDefinition,
} from '../../../lib/grpc/index.ts'

const PACKAGE = 'connectrpc.conformance.v1'
const PROTOS = 'spec/conformance/protos'
const FILES = ['service', 'server_compat', 'client_compat']

export interface Header {
  readonly name: string
  readonly value: readonly string[]
}

/** google.protobuf.Any */
export interface AnyMessage {
  readonly typeUrl: string
  readonly value: Uint8Array
}

/** Error; its codes are those of gRPC. */
export interface ErrorMessage {
  readonly code: number
  readonly message?: string
  readonly details: readonly AnyMessage[]
}

export interface UnaryResponseDefinition {
  readonly responseHeaders: readonly Header[]
  readonly responseData?: Uint8Array
  readonly error?: ErrorMessage
  readonly responseTrailers: readonly Header[]
  readonly responseDelayMs: number
}

export interface StreamResponseDefinition {
  readonly responseHeaders: readonly Header[]
  readonly responseData: readonly Uint8Array[]
  readonly responseDelayMs: number
  readonly error?: ErrorMessage
  readonly responseTrailers: readonly Header[]
}

/** UnaryRequest, IdempotentUnaryRequest and ClientStreamRequest. */
export interface UnaryRequest {
  readonly responseDefinition?: UnaryResponseDefinition
}

/** ServerStreamRequest and BidiStreamRequest. */
export interface StreamRequest {
  readonly responseDefinition?: StreamResponseDefinition
  /** Only of a BidiStreamRequest. */
  readonly fullDuplex?: boolean
}

export interface RequestInfo {
  readonly requestHeaders?: readonly Header[]
  readonly timeoutMs?: number
  readonly requests: readonly AnyMessage[]
}

/** ConformancePayload */
export interface Payload {
  readonly data?: Uint8Array
  readonly requestInfo?: RequestInfo
}

/** The responses of all methods. */
export interface PayloadResponse {
  readonly payload?: Payload
}

export type ConformanceService = ServiceDefinition<{
  unary: MethodDefinition<UnaryRequest, PayloadResponse, 'unary'>
  idempotentUnary: MethodDefinition<UnaryRequest, PayloadResponse, 'unary'>
  unimplemented: MethodDefinition<object, PayloadResponse, 'unary'>
  serverStream: MethodDefinition<StreamRequest, PayloadResponse, 'serverStream'>
  clientStream: MethodDefinition<UnaryRequest, PayloadResponse, 'clientStream'>
  bidiStream: MethodDefinition<StreamRequest, PayloadResponse, 'bidi'>
}>

interface TlsCreds {
  readonly cert: Buffer
  readonly key: Buffer
}

export interface ServerCompatRequest {
  readonly useTls: boolean
  /** PEM; empty when clients need no certificate. */
  readonly clientTlsCert: Buffer
  readonly messageReceiveLimit: number
  readonly serverCreds?: TlsCreds
}

export interface ServerCompatResponse {
  readonly host: string
  readonly port: number
  readonly pemCert: Uint8Array
}

/** When to cancel; without any of them right after the end of requests. */
export interface Cancel {
  readonly beforeCloseSend?: object
  readonly afterCloseSendMs?: number
  readonly afterNumResponses?: number
}

export interface ClientCompatRequest {
  readonly testName: string
  readonly compression: number
  readonly host: string
  readonly port: number
  /** PEM; empty when there is no TLS. */
  readonly serverTlsCert: Buffer
  readonly clientTlsCreds?: TlsCreds
  readonly messageReceiveLimit: number
  readonly service?: string
  readonly method?: string
  readonly streamType: number
  readonly requestHeaders: readonly Header[]
  readonly requestMessages: readonly AnyMessage[]
  readonly timeoutMs?: number
  readonly requestDelayMs: number
  readonly cancel?: Cancel
}

export interface ClientResponseResult {
  readonly responseHeaders: readonly Header[]
  readonly payloads: readonly Payload[]
  readonly error?: ErrorMessage
  readonly responseTrailers: readonly Header[]
  readonly numUnsentRequests: number
}

export interface ClientCompatResponse {
  readonly testName: string
  readonly response?: ClientResponseResult
  readonly error?: { readonly message: string }
}

/** The loaded protos. */
export class Protos {
  public readonly service: ConformanceService
  private readonly codecs: Readonly<Record<string, Codec<unknown>>>

  private constructor(
    service: ConformanceService,
    codecs: Readonly<Record<string, Codec<unknown>>>,
  ) {
    this.service = service
    this.codecs = codecs
  }

  public static async load(): Promise<Protos> {
    const { services, messages } = await loadProto<{ ConformanceService: ConformanceService }>(
      FILES.map((file) => `${PROTOS}/${PACKAGE.replaceAll('.', '/')}/${file}.proto`),
      { includeDirs: [PROTOS], enums: 'number' },
    )
    return new Protos(services.ConformanceService, messages)
  }

  /** Encodes a message of the package by its name there. */
  public encode(name: string, message: unknown): Buffer {
    const sink = new ByteSink()
    this.codec(`${PACKAGE}.${name}`).encode(message, sink)
    return sink.detach()
  }

  /** Decodes one; `T` is believed. */
  public decode<T>(name: string, bytes: Uint8Array): T {
    const octets = Buffer.from(bytes)
    return this.codec(`${PACKAGE}.${name}`).decode(octets, 0, octets.length, true) as T
  }

  public pack(name: string, message: unknown): AnyMessage {
    const typeUrl = `type.googleapis.com/${PACKAGE}.${name}`
    return { typeUrl, value: this.encode(name, message) }
  }

  /** The message in an Any, which must be a `name`. */
  public unpack(name: string, { typeUrl, value }: AnyMessage): unknown {
    const type = typeUrl.slice(typeUrl.lastIndexOf('/') + 1)
    if (type !== `${PACKAGE}.${name}`) throw new Error(`got a ${type}, want a ${name}`)
    return this.decode(name, value)
  }

  private codec(name: string): Codec<unknown> {
    const codec = this.codecs[name]
    if (codec === undefined) throw new Error(`the protos have no ${name}`)
    return codec
  }
}
