// Services and methods as values whose types carry the messages: what a server registers handlers
// for and a client calls. Built by hand here, by ../proto from .proto files, or by generated code.
import type { Codec } from './codec.ts'

/** How many messages each side sends. */
export const MethodKind = {
  Unary: 'unary',
  ServerStream: 'serverStream',
  ClientStream: 'clientStream',
  Bidi: 'bidi',
} as const
export type MethodKind = (typeof MethodKind)[keyof typeof MethodKind]

/** What the method's author says about calling it twice: google.protobuf.MethodOptions. */
export type Idempotency = 'unknown' | 'noSideEffects' | 'idempotent'

/** One method of a service. */
export interface MethodDefinition<
  Req = unknown,
  Res = unknown,
  Kind extends MethodKind = MethodKind,
> {
  /** `/package.Service/Method`, exactly as in :path. */
  readonly path: string
  /** `package.Service`. */
  readonly service: string
  /** The method's name on the wire, as in `GetFeature`. */
  readonly wireName: string
  /** Its name in handlers and clients, as in `getFeature`. */
  readonly name: string
  readonly kind: Kind
  readonly request: Codec<Req>
  readonly response: Codec<Res>
  readonly idempotency: Idempotency
}

/** The methods of a service by the name that handlers and clients use. */
export type MethodMap = Readonly<Record<string, MethodDefinition>>

/** A service: what it is called and what it offers. */
export interface ServiceDefinition<Methods extends MethodMap = MethodMap> {
  /** `package.Service`. */
  readonly name: string
  readonly methods: Methods
}

/** The request message of a method. */
export type RequestOf<M> = M extends MethodDefinition<infer Req, infer _Res> ? Req : never
/** The response message of a method. */
export type ResponseOf<M> = M extends MethodDefinition<infer _Req, infer Res> ? Res : never
/** The kind of a method. */
export type KindOf<M> = M extends { readonly kind: infer Kind } ? Kind : never
/** The methods of a service. */
export type MethodsOf<S> = S extends { readonly methods: infer Methods } ? Methods : never

/** What can be said of a method beside its kind and codecs. */
export interface MethodOptions {
  /** Name on the wire. Default: the key with its first letter in upper case. */
  readonly wireName?: string
  readonly idempotency?: Idempotency
}

/** A method that has no service yet: what {@link defineService} takes. */
export interface MethodSpec<Req, Res, Kind extends MethodKind> extends MethodOptions {
  readonly kind: Kind
  readonly request: Codec<Req>
  readonly response: Codec<Res>
}

/** A method of one request and one response. */
export function unary<Req, Res>(
  request: Codec<Req>,
  response: Codec<Res>,
  options: MethodOptions = {},
): MethodSpec<Req, Res, 'unary'> {
  return { kind: MethodKind.Unary, request, response, ...options }
}

/** A method of one request and a stream of responses. */
export function serverStream<Req, Res>(
  request: Codec<Req>,
  response: Codec<Res>,
  options: MethodOptions = {},
): MethodSpec<Req, Res, 'serverStream'> {
  return { kind: MethodKind.ServerStream, request, response, ...options }
}

/** A method of a stream of requests and one response. */
export function clientStream<Req, Res>(
  request: Codec<Req>,
  response: Codec<Res>,
  options: MethodOptions = {},
): MethodSpec<Req, Res, 'clientStream'> {
  return { kind: MethodKind.ClientStream, request, response, ...options }
}

/** A method of two streams that run beside each other. */
export function bidi<Req, Res>(
  request: Codec<Req>,
  response: Codec<Res>,
  options: MethodOptions = {},
): MethodSpec<Req, Res, 'bidi'> {
  return { kind: MethodKind.Bidi, request, response, ...options }
}

// The methods of Codec are compared both ways, so a spec of any messages fits this one.
type AnyMethodSpec = MethodSpec<unknown, unknown, MethodKind>

/** {@link MethodSpec}s once their service is known. */
export type Defined<Specs extends Readonly<Record<string, AnyMethodSpec>>> = {
  readonly [Name in keyof Specs]: Specs[Name] extends MethodSpec<infer Req, infer Res, infer Kind>
    ? MethodDefinition<Req, Res, Kind>
    : never
}

/**
 * A typed service without code generation:
 * `defineService('pkg.Greeter', { sayHello: unary(HelloRequest, HelloReply) })`.
 */
export function defineService<const Specs extends Readonly<Record<string, AnyMethodSpec>>>(
  service: string,
  specs: Specs,
): ServiceDefinition<Defined<Specs>> {
  const methods = Object.entries(specs).map(([name, spec]) => [
    name,
    defineMethod(service, name, spec),
  ])
  return { name: service, methods: Object.fromEntries(methods) as Defined<Specs> }
}

/** A single {@link MethodDefinition}, for calls without a service definition. */
export function defineMethod<Req, Res, Kind extends MethodKind>(
  service: string,
  name: string,
  spec: MethodSpec<Req, Res, Kind>,
): MethodDefinition<Req, Res, Kind> {
  const wireName = spec.wireName ?? name.charAt(0).toUpperCase() + name.slice(1)
  return {
    path: `/${service}/${wireName}`,
    service,
    wireName,
    name,
    kind: spec.kind,
    request: spec.request,
    response: spec.response,
    idempotency: spec.idempotency ?? 'unknown',
  }
}

/** Whether a client may send more than one message. */
export function streamsRequests(kind: MethodKind): boolean {
  return kind === MethodKind.ClientStream || kind === MethodKind.Bidi
}

/** Whether a server may send more than one message. */
export function streamsResponses(kind: MethodKind): boolean {
  return kind === MethodKind.ServerStream || kind === MethodKind.Bidi
}

/**
 * Splits `/package.Service/Method` at its last slash; undefined when the text is not of that form.
 * grpc-go server.go handleStream.
 */
export function splitMethodPath(path: string): { service: string; wireName: string } | undefined {
  const slash = path.lastIndexOf('/')
  if (slash <= 0 || path.charCodeAt(0) !== 0x2f) return undefined
  return { service: path.slice(1, slash), wireName: path.slice(slash + 1) }
}
