// Peers of node:http2 for specs, closed when the spec is over, and what speaks gRPC on them by hand.
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** What a server of node:http2 does with a request. */
export type OnHttp2Stream = (
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
) => void

/** A server of node:http2, with its sessions in the order of their coming. */
export interface NodeHttp2Server {
  readonly server: http2.Http2Server | http2.Http2SecureServer
  readonly target: string
  readonly sessions: readonly http2.ServerHttp2Session[]
  /** Closes port and connections at once; resolves when the port is free. */
  readonly kill: () => Promise<void>
}

/** Listens at a port of 127.0.0.1, by default one that the system chooses, or at a Unix socket. */
export async function nodeHttp2Server(
  t: Test,
  onStream: OnHttp2Stream,
  options: http2.ServerOptions = {},
  at: number | string = 0,
): Promise<NodeHttp2Server> {
  return listening(t, http2.createServer(options), onStream, at)
}

/** The same over TLS. */
export async function nodeHttp2TlsServer(
  t: Test,
  onStream: OnHttp2Stream,
  options: http2.SecureServerOptions,
): Promise<NodeHttp2Server> {
  return listening(t, http2.createSecureServer(options), onStream, 0)
}

async function listening(
  t: Test,
  server: http2.Http2Server | http2.Http2SecureServer,
  onStream: OnHttp2Stream,
  at: number | string,
): Promise<NodeHttp2Server> {
  const sessions: http2.ServerHttp2Session[] = []
  server.on('session', (session) => {
    sessions.push(session)
    session.on('error', ignore)
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', ignore)
    onStream(stream, headers)
  })
  const kill = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      for (const session of sessions) session.destroy()
    })
  t.teardown(kill)
  const where = typeof at === 'string' ? { path: at } : { port: at, host: '127.0.0.1' }
  await new Promise<void>((resolve) => server.listen(where, resolve))
  const bound = server.address() as string | AddressInfo
  const target = typeof bound === 'string' ? `unix:${bound}` : `127.0.0.1:${bound.port}`
  return { server, target, sessions, kill }
}

/** A session of node:http2 with `target`. */
export function nodeHttp2Client(
  t: Test,
  target: string,
  options: http2.SecureClientSessionOptions | http2.ClientSessionOptions = {},
  scheme: 'http' | 'https' = 'http',
): http2.ClientHttp2Session {
  const session = http2.connect(`${scheme}://${target}`, options)
  session.on('error', ignore)
  t.teardown(() => session.destroy())
  return session
}

/** What came back on a stream of node:http2. */
export interface NodeResponse {
  readonly status: number | undefined
  readonly headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader
  /** The 1xx answers before. */
  readonly informational: readonly http2.IncomingHttpHeaders[]
  readonly trailers: http2.IncomingHttpHeaders
  readonly body: Buffer
}

/** Waits for all of the answer. Rejects with what ended the stream before. */
export function responseOf(stream: http2.ClientHttp2Stream): Promise<NodeResponse> {
  return new Promise((resolve, reject) => {
    let headers: NodeResponse['headers'] = {}
    let trailers: http2.IncomingHttpHeaders = {}
    const informational: http2.IncomingHttpHeaders[] = []
    const chunks: Buffer[] = []
    stream.on('headers', (came) => informational.push(came))
    stream.on('response', (came) => {
      headers = came
    })
    stream.on('trailers', (came) => {
      trailers = came
    })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', reject)
    stream.on('close', () =>
      resolve({
        status: headers[':status'],
        headers,
        informational,
        trailers,
        body: Buffer.concat(chunks),
      }),
    )
  })
}

/** The whole body of a request or response. */
export async function bodyOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A gRPC message with its five octets of prefix. */
export function grpcMessage(message: Buffer | string, compressed = false): Buffer {
  const octets = Buffer.from(message)
  const prefix = Buffer.alloc(5)
  prefix.writeUInt8(compressed ? 1 : 0, 0)
  prefix.writeUInt32BE(octets.length, 1)
  return Buffer.concat([prefix, octets])
}

/** Answers a gRPC call on a stream of node:http2. */
export function answerGrpc(
  stream: http2.ServerHttp2Stream,
  messages: readonly Buffer[],
  trailers: http2.OutgoingHttpHeaders = { 'grpc-status': '0' },
  headers: http2.OutgoingHttpHeaders = {},
): void {
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', ...headers },
    { waitForTrailers: true },
  )
  stream.on('wantTrailers', () => stream.sendTrailers(trailers))
  stream.end(Buffer.concat(messages))
}

function ignore(): void {}
