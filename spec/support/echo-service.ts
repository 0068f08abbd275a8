// The service that call specs use: one method of each kind, JSON messages, handlers that echo.

import type { CallOptions } from '../../lib/grpc/client/call-options.ts'
import { type Client, createClient } from '../../lib/grpc/client/client.ts'
import { jsonCodec } from '../../lib/grpc/protocol/codec.ts'
import {
  bidi,
  clientStream,
  defineService,
  type MethodDefinition,
  type ServiceDefinition,
  serverStream,
  unary,
} from '../../lib/grpc/protocol/method.ts'
import type { Handlers } from '../../lib/grpc/server/handlers.ts'
import { RpcBench, type RpcBenchOptions } from './rpc-bench.ts'

export interface Note {
  readonly text?: string
  readonly n?: number
}

const note = jsonCodec<Note>()

export const Echo: ServiceDefinition<{
  unary: MethodDefinition<Note, Note, 'unary'>
  list: MethodDefinition<Note, Note, 'serverStream'>
  sum: MethodDefinition<Note, Note, 'clientStream'>
  chat: MethodDefinition<Note, Note, 'bidi'>
}> = defineService('spec.Echo', {
  unary: unary(note, note),
  list: serverStream(note, note),
  sum: clientStream(note, note),
  chat: bidi(note, note),
})

export type EchoHandlers = Handlers<typeof Echo>

const DEFAULT_HANDLERS: EchoHandlers = {
  unary: (request) => request,
  *list({ n = 0 }) {
    for (let i = 0; i < n; i++) yield { n: i }
  },
  async sum(requests) {
    let n = 0
    for await (const request of requests) n += request.n ?? 0
    return { n }
  },
  async *chat(requests) {
    for await (const request of requests) yield request
  },
}

/** A bench that serves {@link Echo}, with a client of it. */
export class EchoBench extends RpcBench {
  public readonly client: Client<typeof Echo>

  public constructor(
    handlers: Partial<EchoHandlers> = {},
    options: RpcBenchOptions = {},
    defaults: CallOptions = {},
  ) {
    super(options)
    this.server.register(Echo, { ...DEFAULT_HANDLERS, ...handlers })
    this.client = createClient(Echo, this.conn, defaults)
  }
}
