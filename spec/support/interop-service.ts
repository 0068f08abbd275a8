// The service of the specs with foreign peers, as we define it and as grpc-js does: one method of
// each kind, messages of plain octets. And both kinds of peer, closed when the spec is over.
import * as grpcJs from '@grpc/grpc-js'
import type { Test } from 'tap'
import {
  bidi,
  bytesCodec,
  type ChannelOptions,
  type Client,
  type ClientConn,
  Code,
  clientStream,
  createClient,
  defineService,
  dial,
  type Handlers,
  type MethodDefinition,
  Server,
  type ServerListenOptions,
  type ServerOptions,
  type ServiceDefinition,
  serverStream,
  unary,
} from '../../lib/grpc/index.ts'

type Bytes = Uint8Array

/** Our definition. */
export const Interop: ServiceDefinition<{
  one: MethodDefinition<Bytes, Bytes, 'unary'>
  list: MethodDefinition<Bytes, Bytes, 'serverStream'>
  collect: MethodDefinition<Bytes, Bytes, 'clientStream'>
  chat: MethodDefinition<Bytes, Bytes, 'bidi'>
}> = defineService('spec.Interop', {
  one: unary(bytesCodec, bytesCodec),
  list: serverStream(bytesCodec, bytesCodec),
  collect: clientStream(bytesCodec, bytesCodec),
  chat: bidi(bytesCodec, bytesCodec),
})

const same = (octets: Buffer): Buffer => octets

/** The same for grpc-js. */
export const interopDefinition: grpcJs.ServiceDefinition = Object.fromEntries(
  Object.values(Interop.methods).map(({ name, path, kind }) => [
    name,
    {
      path,
      requestStream: kind === 'clientStream' || kind === 'bidi',
      responseStream: kind === 'serverStream' || kind === 'bidi',
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  ]),
)

/** A client of grpc-js with the methods of {@link Interop}. */
export interface GrpcJsClient extends grpcJs.Client {
  one(
    request: Buffer,
    metadata: grpcJs.Metadata,
    options: grpcJs.CallOptions,
    done: grpcJs.requestCallback<Buffer>,
  ): grpcJs.ClientUnaryCall
  list(
    request: Buffer,
    metadata?: grpcJs.Metadata,
    options?: grpcJs.CallOptions,
  ): grpcJs.ClientReadableStream<Buffer>
  collect(
    metadata: grpcJs.Metadata,
    options: grpcJs.CallOptions,
    done: grpcJs.requestCallback<Buffer>,
  ): grpcJs.ClientWritableStream<Buffer>
  chat(
    metadata?: grpcJs.Metadata,
    options?: grpcJs.CallOptions,
  ): grpcJs.ClientDuplexStream<Buffer, Buffer>
}

const GrpcJsClientClass = grpcJs.makeGenericClientConstructor(
  interopDefinition,
  'spec.Interop',
) as unknown as new (
  target: string,
  credentials: grpcJs.ChannelCredentials,
  options?: grpcJs.ChannelOptions,
) => GrpcJsClient

/** The handlers of a server of ours; absent ones echo. */
export type InteropHandlers = Partial<Handlers<typeof Interop>>

const echoes: Handlers<typeof Interop> = {
  one: (request) => request,
  *list(request) {
    for (const octet of request) yield Buffer.from([octet])
  },
  async collect(requests) {
    const received: Bytes[] = []
    for await (const request of requests) received.push(request)
    return Buffer.concat(received)
  },
  async *chat(requests) {
    for await (const request of requests) yield request
  },
}

/** A server of ours at `target`; by default at a port that the system chooses. */
export async function ourServer(
  t: Test,
  handlers: InteropHandlers = {},
  options: ServerOptions = {},
  listening: ServerListenOptions = {},
  address = '127.0.0.1:0',
): Promise<{ readonly server: Server; readonly target: string }> {
  const server = new Server(options).register(Interop, { ...echoes, ...handlers })
  t.teardown(() => server.stop())
  const { port } = await server.listen(address, listening)
  return { server, target: `127.0.0.1:${port}` }
}

/** A client of ours. */
export function ourClient(
  t: Test,
  target: string,
  options: ChannelOptions = {},
): { readonly conn: ClientConn; readonly client: Client<typeof Interop> } {
  const conn = dial(target, options)
  t.teardown(() => conn.close())
  return { conn, client: createClient(Interop, conn, { timeoutMs: PATIENCE_MS }) }
}

/** A call that takes longer is stuck. */
export const PATIENCE_MS = 10_000

/** The handlers of a server of grpc-js; absent ones echo. */
export interface GrpcJsHandlers {
  readonly one?: grpcJs.handleUnaryCall<Buffer, Buffer>
  readonly list?: grpcJs.handleServerStreamingCall<Buffer, Buffer>
  readonly collect?: grpcJs.handleClientStreamingCall<Buffer, Buffer>
  readonly chat?: grpcJs.handleBidiStreamingCall<Buffer, Buffer>
}

const grpcJsEchoes: Required<GrpcJsHandlers> = {
  one: ({ request }, done) => done(null, request),
  list: (call) => {
    for (const octet of call.request) call.write(Buffer.from([octet]))
    call.end()
  },
  collect: (call, done) => {
    const received: Buffer[] = []
    call.on('data', (request: Buffer) => received.push(request))
    call.on('end', () => done(null, Buffer.concat(received)))
  },
  chat: (call) => {
    call.on('data', (request: Buffer) => call.write(request))
    call.on('end', () => call.end())
  },
}

/** How a {@link grpcJsServer} listens. */
export interface GrpcJsListening {
  readonly credentials?: grpcJs.ServerCredentials
  readonly options?: grpcJs.ServerOptions
  /** Default: a port of 127.0.0.1 that the system chooses. */
  readonly address?: string
}

/** A server of grpc-js at `target`. */
export async function grpcJsServer(
  t: Test,
  handlers: GrpcJsHandlers = {},
  { credentials, options, address = '127.0.0.1:0' }: GrpcJsListening = {},
): Promise<{ readonly server: grpcJs.Server; readonly target: string }> {
  const server = new grpcJs.Server(options)
  server.addService(interopDefinition, { ...grpcJsEchoes, ...handlers })
  t.teardown(() => server.forceShutdown())
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(
      address,
      credentials ?? grpcJs.ServerCredentials.createInsecure(),
      (error, bound) => (error === null ? resolve(bound) : reject(error)),
    )
  })
  return { server, target: address.startsWith('unix:') ? address : `127.0.0.1:${port}` }
}

/** A client of grpc-js with connections of its own. */
export function grpcJsClient(
  t: Test,
  target: string,
  options: grpcJs.ChannelOptions = {},
  credentials: grpcJs.ChannelCredentials = grpcJs.credentials.createInsecure(),
): GrpcJsClient {
  const client = new GrpcJsClientClass(target, credentials, {
    'grpc.use_local_subchannel_pool': 1,
    ...options,
  })
  t.teardown(() => client.close())
  return client
}

/** All that an iterable yields, as text joined by commas. */
export async function joined(messages: AsyncIterable<Bytes>): Promise<string> {
  const texts: string[] = []
  for await (const message of messages) texts.push(Buffer.from(message).toString())
  return texts.join()
}

/** A promise and what settles it. */
export interface Signal<T = void> {
  readonly given: Promise<T>
  readonly give: (value: T) => void
}

/** Something that one side waits for and the other brings about. */
export function signal<T = void>(): Signal<T> {
  let give!: (value: T) => void
  const given = new Promise<T>((resolve) => {
    give = resolve
  })
  return { given, give }
}

/** A google.rpc.Status, NOT_FOUND "gone", with one ErrorInfo: written by hand, octet by octet. */
export const statusWithErrorInfo: Buffer = Buffer.concat([
  Buffer.from([0x08, Code.NotFound]),
  lengthDelimited(2, 'gone'),
  lengthDelimited(
    3,
    lengthDelimited(1, 'type.googleapis.com/google.rpc.ErrorInfo'),
    lengthDelimited(2, lengthDelimited(1, 'SPEC'), lengthDelimited(2, 'example.test')),
  ),
])

/** A protobuf field of wire type 2, shorter than 128 octets. */
function lengthDelimited(field: number, ...parts: (string | Buffer)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)))
  return Buffer.concat([Buffer.from([(field << 3) | 2, content.length]), content])
}
