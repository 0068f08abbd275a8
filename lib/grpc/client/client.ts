// createClient: a service's methods as functions on a channel, typed by its definition.
import type {
  KindOf,
  MethodDefinition,
  MethodMap,
  RequestOf,
  ResponseOf,
  ServiceDefinition,
} from '../protocol/method.ts'
import { MethodKind } from '../protocol/method.ts'
import type { CallOptions } from './call-options.ts'
import type { MethodCaller } from './invoke.ts'
import {
  type BidiCall,
  type ClientStreamCall,
  type ServerStreamCall,
  sendAll,
} from './stream-call.ts'

type RequestSource<Req> = AsyncIterable<Req> | Iterable<Req>

/** The function for one method. Streams of requests may be given whole, or sent by the call. */
export type ClientMethod<Kind, Req, Res> = Kind extends 'unary'
  ? (request: Req, options?: CallOptions) => Promise<Res>
  : Kind extends 'serverStream'
    ? (request: Req, options?: CallOptions) => ServerStreamCall<Res>
    : Kind extends 'clientStream'
      ? {
          (options?: CallOptions): ClientStreamCall<Req, Res>
          (requests: RequestSource<Req>, options?: CallOptions): Promise<Res>
        }
      : {
          (options?: CallOptions): BidiCall<Req, Res>
          (requests: RequestSource<Req>, options?: CallOptions): ServerStreamCall<Res>
        }

/** A client of a service whose methods the compiler does not know. */
// biome-ignore lint/suspicious/noExplicitAny: nothing is known of the methods
export type UntypedClient = any

/** A service's methods as functions. Without types (`loadProto` with none) anything goes. */
export type Client<S extends ServiceDefinition> =
  S extends ServiceDefinition<infer Methods extends MethodMap>
    ? string extends keyof Methods
      ? UntypedClient
      : {
          readonly [Name in keyof Methods]: ClientMethod<
            KindOf<Methods[Name]>,
            RequestOf<Methods[Name]>,
            ResponseOf<Methods[Name]>
          >
        }
    : never

/** Where calls are made: a ClientConn. */
export interface CallerSource {
  caller<Req, Res>(
    method: MethodDefinition<Req, Res>,
    defaults: CallOptions,
  ): MethodCaller<Req, Res>
}

/** A typed client of `service` on `conn`; `defaults` hold for all its calls. */
export function createClient<Methods extends MethodMap>(
  service: ServiceDefinition<Methods>,
  conn: CallerSource,
  defaults: CallOptions = {},
): Client<ServiceDefinition<Methods>> {
  const functions = Object.entries(service.methods).map(([name, method]) => [
    name,
    methodFunction(method.kind, conn.caller(method, defaults)),
  ])
  return Object.fromEntries(functions) as Client<ServiceDefinition<Methods>>
}

type AnyCaller = MethodCaller<unknown, unknown>

function methodFunction(kind: MethodKind, caller: AnyCaller): unknown {
  switch (kind) {
    case MethodKind.Unary:
      return (request: unknown, options?: CallOptions) => caller.unary(request, options)
    case MethodKind.ServerStream:
      return (request: unknown, options?: CallOptions) =>
        caller.stream(options, { message: request })
    case MethodKind.ClientStream:
      return (...args: unknown[]) => {
        const { call, requests } = open(caller, args)
        if (requests === undefined) return call
        void sendAll(call, requests)
        return call.response
      }
    default:
      return (...args: unknown[]) => {
        const { call, requests } = open(caller, args)
        if (requests !== undefined) void sendAll(call, requests)
        return call
      }
  }
}

function open(
  caller: AnyCaller,
  [first, second]: unknown[],
): {
  call: ClientStreamCall<unknown, unknown> & BidiCall<unknown, unknown>
  requests: RequestSource<unknown> | undefined
} {
  if (!isSource(first))
    return { call: caller.stream(first as CallOptions | undefined), requests: undefined }
  return { call: caller.stream(second as CallOptions | undefined), requests: first }
}

function isSource(value: unknown): value is RequestSource<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    (Symbol.asyncIterator in value || Symbol.iterator in value)
  )
}
