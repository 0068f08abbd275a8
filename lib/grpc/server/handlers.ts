// What a server's author writes: a handler for each method of a service, typed by its definition.
import type { Peer } from '../../transport/index.ts'
import type { CallContext } from '../call/interceptor.ts'
import type { MessageQueue } from '../call/message-queue.ts'
import type { SendOptions } from '../call/message-sender.ts'
import type { Metadata, MetadataInit } from '../protocol/metadata.ts'
import type {
  KindOf,
  MethodMap,
  RequestOf,
  ResponseOf,
  ServiceDefinition,
} from '../protocol/method.ts'

/** A call as its handler sees it. */
export interface ServerCallContext<Res = unknown> extends CallContext {
  readonly side: 'server'
  /** Who calls; `peer.tls.certificate` is the verified identity with mTLS. */
  readonly peer: Peer
  /** Sent with the response's headers; change it before the first message. */
  readonly headers: Metadata
  /** Sent with the status. */
  readonly trailers: Metadata
  /** Sends the headers now, with `metadata` added; otherwise they go with the first message. */
  sendHeaders(metadata?: MetadataInit): void
  /**
   * The push form beside returning an iterable: sends a response and resolves when another may be
   * sent. A handler that uses it returns nothing.
   */
  send(response: Res, options?: SendOptions): Promise<void>
  /** Sends a response; false when no more should be sent before {@link ServerCallContext.writable}. */
  write(response: Res, options?: SendOptions): boolean
  writable(): Promise<void>
  /** The encoding of this call's responses: a name that the client accepts, or 'identity'. */
  setCompression(encoding: string): void
}

/** The requests of a streaming call: an async iterable, with the push form `consume`. */
export type RequestStream<Req> = Pick<
  MessageQueue<Req>,
  'next' | 'return' | 'consume' | typeof Symbol.asyncIterator
>

type Responses<Res> = AsyncIterable<Res> | Iterable<Res>
/** What a streaming handler returns: its responses, or nothing when it sends them itself. */
// biome-ignore lint/suspicious/noConfusingVoidType: async functions without a result give a promise of void
type StreamResult<Res> = Responses<Res> | Promise<Responses<Res> | void> | void

/** The handler of one method. What it throws is the call's status; see RpcError. */
export type Handler<Kind, Req, Res> = Kind extends 'unary'
  ? (request: Req, call: ServerCallContext<Res>) => Res | Promise<Res>
  : Kind extends 'serverStream'
    ? (request: Req, call: ServerCallContext<Res>) => StreamResult<Res>
    : Kind extends 'clientStream'
      ? (requests: RequestStream<Req>, call: ServerCallContext<Res>) => Res | Promise<Res>
      : (requests: RequestStream<Req>, call: ServerCallContext<Res>) => StreamResult<Res>

/** Handlers of a service whose methods the compiler does not know; checked when it is registered. */
// biome-ignore lint/suspicious/noExplicitAny: nothing is known of the messages
export type UntypedHandlers = Readonly<Record<string, (input: any, call: ServerCallContext) => any>>

/**
 * The handlers of a service: one for each method, none missing. Without types (`loadProto` with none)
 * any functions.
 */
export type Handlers<S extends ServiceDefinition> =
  S extends ServiceDefinition<infer Methods extends MethodMap>
    ? string extends keyof Methods
      ? UntypedHandlers
      : {
          readonly [Name in keyof Methods]: Handler<
            KindOf<Methods[Name]>,
            RequestOf<Methods[Name]>,
            ResponseOf<Methods[Name]>
          >
        }
    : never

/** A handler whose message types are not known here. */
export type AnyHandler = (requests: unknown, call: ServerCallContext) => unknown
