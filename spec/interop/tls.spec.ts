// TLS and mTLS between our stack and grpc-js, node:http2 and node:tls: who is trusted, who is refused,
// and how the refusal shows.
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import * as grpcJs from '@grpc/grpc-js'
import t, { type Test } from 'tap'
import { Code, credentials, RpcError } from '../../lib/grpc/index.ts'
import {
  AlpnError,
  connect,
  Http2Server,
  type Http2ServerOptions,
  handleRequests,
  type ListenOptions,
  type Peer,
  type PeerTls,
  type RequestHandler,
  request,
  type ServerTlsOptions,
} from '../../lib/transport/index.ts'
import { ca, clientIdentity, otherCa, serverIdentity } from '../support/certs.ts'
import {
  grpcJsClient,
  grpcJsServer,
  ourClient,
  ourServer,
  PATIENCE_MS,
  signal,
} from '../support/interop-service.ts'
import {
  answerGrpc,
  grpcMessage,
  nodeHttp2Client,
  nodeHttp2TlsServer,
  responseOf,
} from '../support/node-http2.ts'

const abc = Buffer.from('abc')
const mutual: ServerTlsOptions = { ...serverIdentity, ca, requestClientCert: true }
const serverPair = {
  cert_chain: Buffer.from(serverIdentity.cert),
  private_key: Buffer.from(serverIdentity.key),
}

/** How a unary call of grpc-js ended. */
function callGrpcJs(
  t: Test,
  target: string,
  channelCredentials: grpcJs.ChannelCredentials,
  options: grpcJs.ChannelOptions = {},
): Promise<{ readonly code: number; readonly details: string }> {
  // By name: grpc-js would send an address as SNI, which is not permitted.
  const named = target.replace('127.0.0.1', 'localhost')
  const client = grpcJsClient(t, named, options, channelCredentials)
  const limits = { deadline: Date.now() + PATIENCE_MS }
  return new Promise((resolve) =>
    client.one(abc, new grpcJs.Metadata(), limits, (error, response) =>
      resolve(error ?? { code: 0, details: String(response) }),
    ),
  )
}

/** The port of a plain HTTP/2 server of ours. */
async function ourHttp2Server(
  t: Test,
  handler: RequestHandler,
  listening: ListenOptions,
  options: Partial<Http2ServerOptions> = {},
): Promise<{ readonly server: Http2Server; readonly port: number }> {
  const server = new Http2Server({ onStream: handleRequests(handler), ...options })
  t.teardown(() => server.close())
  const { address } = await server.listen('127.0.0.1:0', listening)
  return { server, port: 'port' in address ? address.port : 0 }
}

/** Our call fails for every reason with UNAVAILABLE; the chain of causes says which. */
async function refusal(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => 'no error',
    (thrown) => thrown,
  )
  if (!(error instanceof RpcError) || error.code !== Code.Unavailable) return String(error)
  return error.rawMessage
}

t.test('our client and a server of grpc-js', async (t) => {
  const { target } = await grpcJsServer(
    t,
    {},
    { credentials: grpcJs.ServerCredentials.createSsl(null, [serverPair]) },
  )
  const { client } = ourClient(t, target, { credentials: credentials.tls({ ca }) })
  t.equal(String(await client.one(abc)), 'abc')
  const large = Buffer.alloc(3_000_000, 'x')
  t.ok(large.equals(await client.one(large)), 'over TLS large messages survive too')

  const strangers: readonly [string, Parameters<typeof credentials.tls>[0], RegExp][] = [
    ['a root of somebody else', { ca: otherCa }, /unable to verify|self.signed|issuer/],
    ['another name', { ca, serverName: 'else.test' }, /does not match|altnames/i],
    ['the roots of Node', {}, /unable to verify|self.signed|issuer/],
  ]
  for (const [name, options, text] of strangers) {
    const { client } = ourClient(t, target, { credentials: credentials.tls(options) })
    t.match(await refusal(client.one(abc)), text, name)
  }
  const named = credentials.tls({ ca, serverName: 'a.example.test' })
  t.equal(String(await ourClient(t, target, { credentials: named }).client.one(abc)), 'abc')
})

t.test('our client proves who it is to grpc-js', async (t) => {
  let name: unknown
  const { target } = await grpcJsServer(
    t,
    {
      one(call, done) {
        name = call.getAuthContext().sslPeerCertificate?.subject.CN
        done(null, call.request)
      },
    },
    { credentials: grpcJs.ServerCredentials.createSsl(Buffer.from(ca), [serverPair], true) },
  )
  const known = credentials.tls({ ca, ...clientIdentity })
  t.equal(String(await ourClient(t, target, { credentials: known }).client.one(abc)), 'abc')
  t.equal(name, 'client')
  const unknown = ourClient(t, target, { credentials: credentials.tls({ ca }) })
  t.match(await refusal(unknown.client.one(abc)), /certificate|closed|reset/, 'without one')
})

t.test('a client of grpc-js and our server', async (t) => {
  const { target } = await ourServer(t, {}, {}, { tls: serverIdentity })
  const trusting = grpcJs.credentials.createSsl(Buffer.from(ca))
  t.same(await callGrpcJs(t, target, trusting), { code: 0, details: 'abc' })
  const distrusting = grpcJs.credentials.createSsl(Buffer.from(otherCa))
  t.match(await callGrpcJs(t, target, distrusting), { code: Code.Unavailable })
  const named = { 'grpc.ssl_target_name_override': 'else.test' }
  t.match(await callGrpcJs(t, target, trusting, named), { code: Code.Unavailable })
})

t.test('a client of grpc-js proves who it is to our server', async (t) => {
  const peers: Peer[] = []
  const warnings: string[] = []
  const warned = signal()
  const { target } = await ourServer(
    t,
    {
      one(message, { peer }) {
        peers.push(peer)
        return message
      },
    },
    {
      logger: {
        warn(text) {
          warnings.push(text)
          warned.give()
        },
        error() {},
      },
    },
    { tls: mutual },
  )
  const known = grpcJs.credentials.createSsl(
    Buffer.from(ca),
    Buffer.from(clientIdentity.key),
    Buffer.from(clientIdentity.cert),
  )
  t.same(await callGrpcJs(t, target, known), { code: 0, details: 'abc' })
  t.match(peers[0]?.tls, {
    authorized: true,
    protocol: 'TLSv1.3',
    certificate: {
      subject: { CN: 'client' },
      subjectAltName: 'URI:spiffe://example.test/client',
    },
  })
  const unknown = grpcJs.credentials.createSsl(Buffer.from(ca))
  t.match(await callGrpcJs(t, target, unknown), { code: Code.Unavailable })
  await warned.given
  t.match(warnings[0], /tls_handshake_failed/)
  t.equal(peers.length, 1, 'the handler saw only who is known')
})

t.test('mTLS where a certificate is optional: who has none is not authorised', async (t) => {
  const seen: (PeerTls | undefined)[] = []
  const optional = { ...mutual, rejectUnauthorized: false }
  const { target } = await ourServer(
    t,
    {
      one(message, { peer }) {
        seen.push(peer.tls)
        return message
      },
    },
    {},
    { tls: optional },
  )
  const anonymous = grpcJs.credentials.createSsl(Buffer.from(ca))
  t.match(await callGrpcJs(t, target, anonymous), { code: 0 })
  t.equal(seen[0]?.authorized, false)
  t.equal(seen[0]?.certificate, undefined)
})

t.test('our client and a server of node:http2', async (t) => {
  const { target } = await nodeHttp2TlsServer(
    t,
    (stream, headers) => {
      if (headers['content-type'] === 'application/grpc') answerGrpc(stream, [grpcMessage('abc')])
      else {
        stream.respond({ ':status': 200 })
        stream.end(`${headers[':scheme']} ${headers[':authority']}`)
      }
    },
    { ...serverIdentity, ALPNProtocols: ['h2'] },
  )
  const transport = await connect(target, { tls: { ca } })
  t.teardown(() => transport.close())
  t.equal(await (await request(transport)).body.text(), `https ${target}`)
  t.match(transport.peer.tls, { authorized: true, certificate: { subject: { CN: 'localhost' } } })
  const { client } = ourClient(t, target, { credentials: credentials.tls({ ca }) })
  t.equal(String(await client.one(abc)), 'abc')
  await t.rejects(connect(target, { tls: { ca: otherCa } }), {
    name: 'TransportClosed',
    cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
  })
  await t.rejects(connect(target, { tls: { ca, serverName: 'else.test' } }), {
    name: 'TransportClosed',
    cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
  })
})

t.test('a client of node:http2 and our server', async (t) => {
  let peer: Peer | undefined
  const refused = signal<Error>()
  const { port } = await ourHttp2Server(
    t,
    (asked) => {
      peer = asked.peer
      return { body: `${asked.scheme} ${asked.authority}` }
    },
    { tls: mutual },
    { onError: refused.give },
  )
  const session = nodeHttp2Client(t, `localhost:${port}`, { ca, ...clientIdentity }, 'https')
  const { body } = await responseOf(session.request())
  t.equal(String(body), `https localhost:${port}`)
  t.match(peer?.tls, { authorized: true, serverName: 'localhost' })
  t.equal(peer?.tls?.certificate?.subject['CN'], 'client')
  nodeHttp2Client(t, `localhost:${port}`, { ca }, 'https')
  t.match(await refused.given, {
    name: 'TransportClosed',
    message: /tls_handshake_failed/,
    cause: { code: 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE' },
  })
})

t.test('a server that does not choose h2 is refused', async (t) => {
  for (const ALPNProtocols of [undefined, ['http/1.1']]) {
    const server = tls.createServer({
      ...serverIdentity,
      ...(ALPNProtocols === undefined ? {} : { ALPNProtocols }),
    })
    const sockets: tls.TLSSocket[] = []
    server.on('secureConnection', (socket) => sockets.push(socket.on('error', () => {})))
    server.on('tlsClientError', () => {})
    t.teardown(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const target = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const error = await connect(target, { tls: { ca } }).catch((thrown) => thrown)
    t.equal(error.name, 'TransportClosed')
    if (ALPNProtocols === undefined) t.ok(error.cause instanceof AlpnError, 'none chosen')
    else t.match(error.cause.code, /NO_APPLICATION_PROTOCOL/, 'the server found none in common')
    const { client } = ourClient(t, target, { credentials: credentials.tls({ ca }) })
    t.match(await refusal(client.one(abc)), /alpn_not_h2|alpn_failed|no application protocol/)
  }
})

t.test('a client that does not offer h2 is refused', async (t) => {
  for (const ALPNProtocols of [undefined, ['http/1.1']]) {
    const refused = signal<Error>()
    const { server, port } = await ourHttp2Server(
      t,
      () => ({}),
      { tls: serverIdentity },
      { onError: refused.give },
    )
    const socket = tls.connect({
      port,
      host: '127.0.0.1',
      ca,
      ...(ALPNProtocols === undefined ? {} : { ALPNProtocols }),
    })
    socket.on('error', () => {})
    socket.resume()
    await new Promise((resolve) => socket.on('close', resolve))
    const error = await refused.given
    t.equal(error.name, 'TransportClosed')
    if (ALPNProtocols === undefined) t.ok(error.cause instanceof AlpnError)
    else t.match(error.message, /tls_handshake_failed/)
    t.equal(server.connections.length, 0)
  }
})

t.test('plain text and TLS do not mix', async (t) => {
  const secure = await ourServer(t, {}, {}, { tls: serverIdentity })
  const plain = await ourServer(t)
  t.match(await callGrpcJs(t, secure.target, grpcJs.credentials.createInsecure()), {
    code: Code.Unavailable,
  })
  const { client } = ourClient(t, plain.target, { credentials: credentials.tls({ ca }) })
  t.match(await refusal(client.one(abc)), /connect_failed: .*wrong version number/)
})

t.test('one TLS port for HTTP/2 and HTTP/1', async (t) => {
  const http1 = http.createServer((incoming, response) => {
    response.end(`HTTP/${incoming.httpVersion}`)
  })
  t.teardown(() => http1.closeAllConnections())
  const listening = { tls: serverIdentity, otherProtocol: http1 }
  const { port } = await ourHttp2Server(t, () => ({ body: 'HTTP/2' }), listening)
  const text = await new Promise<string>((resolve, reject) => {
    https
      .get({ port, host: '127.0.0.1', ca, agent: false }, (response) => {
        response.setEncoding('utf8')
        response.on('data', resolve)
      })
      .on('error', reject)
  })
  t.equal(text, 'HTTP/1.1')
  const session = nodeHttp2Client(t, `localhost:${port}`, { ca }, 'https')
  t.equal(String((await responseOf(session.request())).body), 'HTTP/2')
})
