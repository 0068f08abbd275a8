// Beside the common path, with node:http2 at the other end of a socket: halves that end early, small
// and shrinking windows, padding, frames that nobody asked for, answers that break the rules.
import http2 from 'node:http2'
import t, { type Test } from 'tap'
import { Code } from '../../lib/grpc/index.ts'
import {
  type ClientTransport,
  type ConnectOptions,
  connect,
  ErrorCode,
  Http2Server,
  type Http2ServerOptions,
  handleRequests,
  type RequestHandler,
  request,
  StreamClosedError,
  TransportClosed,
  traceFrames,
} from '../../lib/transport/index.ts'
import { ourClient, signal } from '../support/interop-service.ts'
import {
  answerGrpc,
  bodyOf,
  grpcMessage,
  nodeHttp2Client,
  nodeHttp2Server,
  responseOf,
} from '../support/node-http2.ts'

const { constants } = http2
const ALL_PADDED = { paddingStrategy: constants.PADDING_STRATEGY_MAX }
const HELLO = Buffer.from('hello')

/** A connection of ours to a server of node:http2. */
async function connected(
  t: Test,
  target: string,
  options: ConnectOptions = {},
): Promise<ClientTransport> {
  const transport = await connect(target, options)
  t.teardown(() => transport.close())
  return transport
}

/** A plain server of ours. */
async function serve(
  t: Test,
  handler: RequestHandler,
  options: Partial<Http2ServerOptions> = {},
): Promise<string> {
  const server = new Http2Server({ ...options, onStream: handleRequests(handler) })
  t.teardown(() => server.close())
  const { address } = await server.listen('127.0.0.1:0')
  return `127.0.0.1:${'port' in address ? address.port : 0}`
}

function settingsOf(session: http2.Http2Session, settings: http2.Settings): Promise<void> {
  return new Promise((resolve, reject) => {
    session.settings(settings, (error) => (error === null ? resolve() : reject(error)))
  })
}

t.test('our client', async (t) => {
  t.test('takes a complete answer before its request was sent', async (t) => {
    const { target } = await nodeHttp2Server(t, (stream) => {
      stream.respond({ ':status': 413 })
      stream.end('too large')
      stream.on('finish', () => stream.close(constants.NGHTTP2_NO_ERROR))
    })
    const transport = await connected(t, target)
    const stopped = signal()
    async function* endless(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield Buffer.alloc(100_000)
      } finally {
        stopped.give()
      }
    }
    const answer = await request(transport, { body: endless() })
    t.equal(answer.status, 413)
    t.equal(await answer.body.text(), 'too large')
    await stopped.given
    t.equal(transport.openStreams, 0)
  })

  t.test('takes a status while it still sends requests', async (t) => {
    const { target } = await nodeHttp2Server(t, (stream) =>
      answerGrpc(stream, [], { 'grpc-status': '7', 'grpc-message': 'no' }),
    )
    const chat = ourClient(t, target).client.chat()
    const endless = async (): Promise<void> => {
      for (;;) await chat.send(Buffer.alloc(50_000))
    }
    const refused = { code: Code.PermissionDenied, rawMessage: 'no' }
    await t.rejects(endless(), refused)
    await t.rejects(chat[Symbol.asyncIterator]().next(), refused)
  })

  t.test('keeps to small windows, small tables and changes of both', async (t) => {
    const settings = { initialWindowSize: 1000, headerTableSize: 0, maxFrameSize: 65_536 }
    const { target, sessions } = await nodeHttp2Server(
      t,
      async (stream, headers) => {
        const body = await bodyOf(stream)
        stream.respond({ 'x-name': headers['x-name'] })
        stream.end(body)
      },
      { settings },
    )
    const transport = await connected(t, target)
    t.equal(transport.settings.initialWindowBytes, 1000)
    const body = Buffer.alloc(100_000, 'bird ')
    const send = async (name: string): Promise<void> => {
      const answer = await request(transport, { body, headers: { 'x-name': name } })
      t.equal(answer.headers.get('x-name'), name)
      t.ok(body.equals(await answer.body.bytes()), `the body of ${name}`)
    }
    await Promise.all([send('one'), send('two')])
    const sending = Promise.all([send('three'), send('four')])
    await settingsOf(sessions[0]!, { initialWindowSize: 100, headerTableSize: 4096 })
    await settingsOf(sessions[0]!, { initialWindowSize: 70_000, headerTableSize: 100 })
    await sending
    await send('five')
    t.equal(transport.settings.initialWindowBytes, 70_000)
  })

  t.test('reads padded frames and skips what it does not know', async (t) => {
    const { target, sessions } = await nodeHttp2Server(
      t,
      (stream) => {
        sessions[0]!.altsvc('h2=":8000"', stream.id!)
        sessions[0]!.origin('https://example.test')
        stream.respond({ 'x-push': String(stream.pushAllowed) })
        stream.end(Buffer.alloc(200_000, 'p'))
      },
      ALL_PADDED,
    )
    let padded = 0
    const transport = await connected(t, target, {
      trace: () =>
        traceFrames((line) => {
          if (/< DATA .*PADDED/.test(line)) padded++
        }),
    })
    // Together more than the connection's window: padding must be credited too.
    for (let i = 0; i < 10; i++) {
      const answer = await request(transport)
      t.equal(answer.headers.get('x-push'), 'false')
      t.equal((await answer.body.bytes()).length, 200_000)
    }
    t.ok(padded > 0, `${padded} padded frames`)
  })

  t.test('refuses an answer shorter than it says', async (t) => {
    const { target } = await nodeHttp2Server(t, (stream) => {
      stream.respond({ 'content-length': 10 })
      stream.end('short')
    })
    const reset = { code: ErrorCode.PROTOCOL_ERROR, token: 'content_length_short' }
    const cutOff = { name: 'StreamClosedError', closed: reset } as object as Error
    const answer = async (): Promise<unknown> =>
      (await request(await connected(t, target))).body.bytes()
    await t.rejects(answer(), cutOff)
  })

  t.test('refuses a header list over its limit and lives on', async (t) => {
    const { target } = await nodeHttp2Server(t, (stream, headers) => {
      const isLarge = headers[':path'] === '/large'
      const names = Array.from({ length: isLarge ? 20 : 1 }, (_, i) => `x-${i}`)
      const fields = Object.fromEntries(names.map((name) => [name, 'v'.repeat(1000)]))
      stream.respond(fields, { endStream: true })
    })
    const transport = await connected(t, target)
    const refused = { closed: { token: 'header_list_too_large' } } as object as Error
    await t.rejects(request(transport, { path: '/large' }), refused)
    t.equal((await request(transport)).status, 200)
  })

  t.test('names its peer once when the connection is gone', async (t) => {
    const { target, sessions } = await nodeHttp2Server(t, () => sessions[0]!.destroy())
    const transport = await connected(t, target)
    await t.rejects(request(transport))
    const error: unknown = await request(transport).catch((reason) => reason)
    t.ok(error instanceof StreamClosedError)
    t.ok((error as StreamClosedError).cause instanceof TransportClosed)
    t.equal((error as Error).message.split(target).length, 2, (error as Error).message)
  })

  const html = { 'content-type': 'text/html' }
  const answers: Record<string, [code: Code, answer: (stream: http2.ServerHttp2Stream) => void]> = {
    'no status in the trailers': [
      Code.Unknown,
      (stream) => answerGrpc(stream, [grpcMessage(HELLO)], { 'x-other': '1' }),
    ],
    'no trailers': [
      Code.Internal,
      (stream) => {
        stream.respond({ 'content-type': 'application/grpc' })
        stream.end(grpcMessage(HELLO))
      },
    ],
    'no message': [Code.Unimplemented, (stream) => answerGrpc(stream, [])],
    'two messages': [
      Code.Unimplemented,
      (stream) => answerGrpc(stream, [grpcMessage(HELLO), grpcMessage(HELLO)]),
    ],
    'half a message': [
      Code.Internal,
      (stream) => answerGrpc(stream, [grpcMessage(HELLO).subarray(0, 7)]),
    ],
    'an encoding that nobody knows': [
      Code.Internal,
      (stream) => answerGrpc(stream, [], {}, { 'grpc-encoding': 'snappy' }),
    ],
    'a page': [Code.Unknown, (stream) => answerGrpc(stream, [Buffer.from('<p>')], {}, html)],
    'a page with 503': [
      Code.Unavailable,
      (stream) => answerGrpc(stream, [Buffer.from('<p>')], {}, { ...html, ':status': 503 }),
    ],
  }
  for (const [name, [code, answer]] of Object.entries(answers)) {
    t.test(`a gRPC answer with ${name} is code ${code}`, async (t) => {
      const { target } = await nodeHttp2Server(t, answer)
      await t.rejects(ourClient(t, target).client.one(HELLO), { code })
    })
  }
})

t.test('our server', async (t) => {
  t.test('answers before the request was sent', async (t) => {
    const target = await serve(t, () => ({ status: 413, body: 'too large' }))
    const stream = nodeHttp2Client(t, target).request({ ':method': 'POST' })
    // More than any window: it cannot end by itself.
    stream.write(Buffer.alloc(5_000_000))
    const { status, body } = await responseOf(stream)
    t.equal(status, 413)
    t.equal(String(body), 'too large')
    t.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR)
  })

  t.test('goes on when the half of the client has ended', async (t) => {
    const ended = signal()
    const target = await serve(t, async ({ body }) => ({
      body: (async function* () {
        yield await body.text()
        await ended.given
        yield ' and more'
      })(),
    }))
    const stream = nodeHttp2Client(t, target).request({ ':method': 'POST' })
    stream.end('all')
    const answer = responseOf(stream)
    stream.once('data', () => ended.give())
    t.equal(String((await answer).body), 'all and more')
  })

  t.test('keeps to small windows, also when they shrink below nothing', async (t) => {
    const large = Buffer.alloc(300_000, 'bird ')
    const target = await serve(t, ({ headers }) => ({
      headers: { 'x-name': headers.get('x-name') ?? '' },
      body: large,
    }))
    const settings = { initialWindowSize: 50_000, headerTableSize: 0 }
    const session = nodeHttp2Client(t, target, { settings })
    const get = async (name: string): Promise<void> => {
      const { headers, body } = await responseOf(session.request({ 'x-name': name }))
      t.equal(headers['x-name'], name)
      t.ok(large.equals(body), `the body of ${name}`)
    }
    const paused = session.request({ 'x-name': 'paused' })
    await new Promise((resolve) => paused.once('response', resolve))
    await settingsOf(session, { initialWindowSize: 10, headerTableSize: 4096 })
    await settingsOf(session, { initialWindowSize: 1000 })
    const { body } = await responseOf(paused)
    t.ok(large.equals(body), 'what was on the way')
    await Promise.all([get('one'), get('two')])
  })

  t.test('reads padded frames', async (t) => {
    let padded = 0
    const target = await serve(t, async ({ body }) => ({ body: await body.bytes() }), {
      trace: () =>
        traceFrames((line) => {
          if (/< DATA .*PADDED/.test(line)) padded++
        }),
    })
    const session = nodeHttp2Client(t, target, ALL_PADDED as http2.ClientSessionOptions)
    const large = Buffer.alloc(400_000, 'p')
    for (let i = 0; i < 4; i++) {
      const stream = session.request({ ':method': 'POST' })
      stream.end(large)
      t.ok(large.equals((await responseOf(stream)).body))
    }
    t.ok(padded > 0, `${padded} padded frames`)
  })
})
