// Our client against a server of node:http2, on real sockets: plain HTTP/2, and gRPC by hand.
import { mkdtemp, rm } from 'node:fs/promises'
import http2 from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { Code } from '../../lib/grpc/index.ts'
import {
  type ClientTransport,
  type ConnectOptions,
  connect,
  ErrorCode,
  type Fields,
  request,
  type StreamClosed,
  StreamClosedError,
  TransportClosed,
} from '../../lib/transport/index.ts'
import { joined, ourClient, signal } from '../support/interop-service.ts'
import { answerGrpc, bodyOf, grpcMessage, nodeHttp2Server } from '../support/node-http2.ts'

const { constants } = http2

async function connected(
  t: Test,
  target: string,
  options: ConnectOptions = {},
): Promise<ClientTransport> {
  const transport = await connect(target, options)
  t.teardown(() => transport.close())
  return transport
}

/** The pattern of a StreamClosedError. */
function closedAs(closed: Partial<StreamClosed>): Error {
  return { name: 'StreamClosedError', closed } as object as Error
}

t.test('plain HTTP/2', async (t) => {
  t.test('bodies go both ways', async (t) => {
    const { target } = await nodeHttp2Server(t, async (stream, headers) => {
      const body = await bodyOf(stream)
      stream.respond({ ':status': 201, 'x-method': headers[':method'], 'x-path': headers[':path'] })
      stream.end(body)
    })
    const transport = await connected(t, target)
    const large = Buffer.alloc(5_000_000)
    for (let i = 0; i < large.length; i += 4096) large.writeUInt32LE(i, i)
    async function* pieces(): AsyncIterable<Buffer | string> {
      for (let i = 0; i < 100; i++) yield `piece ${i} `
    }
    const text = Array.from({ length: 100 }, (_, i) => `piece ${i} `).join('')
    const cases = [
      ['nothing', undefined, 'GET', Buffer.alloc(0)],
      ['an empty text', '', 'POST', Buffer.alloc(0)],
      ['a text', 'größer', 'POST', Buffer.from('größer')],
      ['pieces', pieces(), 'POST', Buffer.from(text)],
      ['5 MB', large, 'POST', large],
    ] as const
    for (const [name, body, method, expected] of cases) {
      const response = await request(transport, {
        path: '/some?thing',
        ...(body === undefined ? {} : { body }),
      })
      t.equal(response.status, 201)
      t.equal(response.headers.get('x-method'), method)
      t.equal(response.headers.get('x-path'), '/some?thing')
      t.ok(expected.equals(await response.body.bytes()), name)
    }
  })

  t.test('fields arrive as they were sent', async (t) => {
    let received: http2.IncomingHttpHeaders = {}
    const { target } = await nodeHttp2Server(t, (stream, headers) => {
      received = headers
      stream.respond({ ':status': 200, 'set-cookie': ['a=1', 'b=2'], 'x-one': 'ü' })
      stream.end()
    })
    const transport = await connected(t, target)
    const { headers } = await request(transport, {
      authority: 'spec.test',
      headers: [
        ['X-Twice', '1'],
        ['x-twice', '2'],
        ['cookie', 'a=1'],
        ['cookie', 'b=2'],
        ['authorization', 'secret'],
        ['x-empty', ''],
      ],
    })
    t.match(received, {
      ':authority': 'spec.test',
      ':scheme': 'http',
      'x-twice': '1, 2',
      cookie: 'a=1; b=2',
      authorization: 'secret',
      'x-empty': '',
    })
    t.same(headers.getAll('set-cookie'), ['a=1', 'b=2'])
    t.equal(headers.get('x-one'), 'ü')
  })

  t.test('trailers go both ways', async (t) => {
    let received: http2.IncomingHttpHeaders = {}
    const { target } = await nodeHttp2Server(t, (stream) => {
      stream.on('trailers', (trailers) => {
        received = trailers
      })
      stream.on('data', () => {})
      stream.on('end', () => {
        stream.respond({ ':status': 200 }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'abc' }))
        stream.end('body')
      })
    })
    const transport = await connected(t, target)
    const response = await request(transport, { body: 'body', trailers: { 'x-check': '1' } })
    t.equal(await response.body.text(), 'body')
    t.equal((await response.trailers).get('x-sum'), 'abc')
    t.equal(received['x-check'], '1')
  })

  t.test('informational answers come before the final one', async (t) => {
    const { target } = await nodeHttp2Server(t, (stream) => {
      stream.additionalHeaders({ ':status': 102 })
      stream.additionalHeaders({ ':status': 103, link: '</style.css>; rel=preload' })
      stream.respond({ ':status': 204 }, { endStream: true })
    })
    const heard: (string | number | undefined)[] = []
    const onInformational = (status: number, headers: Fields): void => {
      heard.push(status, headers.get('link'))
    }
    const { status } = await request(await connected(t, target), { onInformational })
    t.equal(status, 204)
    t.same(heard, [102, undefined, 103, '</style.css>; rel=preload'])
  })

  t.test('a body that waits for 100 is sent after it', async (t) => {
    const order: string[] = []
    const { server, target } = await nodeHttp2Server(t, () => {})
    // Without this listener node:http2 does not look at expect.
    server.on('request', () => {})
    server.on('checkContinue', async (incoming, response) => {
      order.push('asked')
      response.writeContinue()
      const body = await bodyOf(incoming)
      response.end(`got ${body}`)
    })
    const goOn = signal()
    async function* body(): AsyncIterable<string> {
      await goOn.given
      order.push('sent')
      yield 'it'
    }
    const response = await request(await connected(t, target), {
      headers: { expect: '100-continue' },
      body: body(),
      onInformational: (status) => {
        order.push(String(status))
        goOn.give()
      },
    })
    t.equal(await response.body.text(), 'got it')
    t.same(order, ['asked', '100', 'sent'])
  })

  t.test('HEAD and 304 have a length and no body', async (t) => {
    const { target } = await nodeHttp2Server(t, (stream, headers) => {
      const status = headers[':method'] === 'HEAD' ? 200 : 304
      stream.respond({ ':status': status, 'content-length': 1234 }, { endStream: true })
    })
    const transport = await connected(t, target)
    for (const method of ['HEAD', 'GET']) {
      const response = await request(transport, { method })
      t.equal(response.headers.get('content-length'), '1234')
      t.equal((await response.body.bytes()).length, 0, method)
    }
  })

  t.test('large header lists need CONTINUATION, both ways', async (t) => {
    const { target } = await nodeHttp2Server(
      t,
      (stream, headers) => {
        stream.respond({ ':status': 200, 'x-large': String(headers['x-large']) })
        stream.end()
      },
      { settings: { maxHeaderListSize: 200_000 }, maxSendHeaderBlockLength: 200_000 },
    )
    const transport = await connected(t, target, { maxHeaderListBytes: 200_000 })
    const large = Array.from({ length: 8000 }, (_, i) => String(i)).join(' ')
    t.ok(large.length > 32_768)
    const { headers } = await request(transport, { headers: { 'x-large': large } })
    t.equal(headers.get('x-large'), large)
    await t.rejects(
      request(await connected(t, target), { headers: { 'x-large': large } }),
      StreamClosedError,
      'over our own limit',
    )
  })

  t.test('a reset carries its code', async (t) => {
    const seen: number[] = []
    const done = signal()
    const { target } = await nodeHttp2Server(t, (stream, headers) => {
      if (headers[':path'] === '/theirs') stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM)
      else {
        stream.respond({ ':status': 200 })
        stream.write('first')
        stream.on('close', () => {
          seen.push(stream.rstCode)
          done.give()
        })
      }
    })
    const transport = await connected(t, target)
    await t.rejects(
      request(transport, { path: '/theirs' }),
      closedAs({ by: 'reset', initiator: 'peer', code: ErrorCode.ENHANCE_YOUR_CALM }),
    )
    const { body } = await request(transport, { path: '/ours' })
    for await (const _ of body) break
    await done.given
    t.same(seen, [ErrorCode.CANCEL], 'leaving the loop resets the stream')
    const controller = new AbortController()
    const aborted = request(transport, { path: '/hangs', body: 'x', signal: controller.signal })
    controller.abort(new Error('enough'))
    await t.rejects(aborted, { message: 'enough' })
  })

  t.test('over the limit of the server streams wait in line', async (t) => {
    let open = 0
    let most = 0
    const { target } = await nodeHttp2Server(
      t,
      (stream) => {
        most = Math.max(most, ++open)
        stream.on('close', () => open--)
        setImmediate(() => {
          stream.respond({ ':status': 200 })
          stream.end()
        })
      },
      { settings: { maxConcurrentStreams: 3 } },
    )
    const transport = await connected(t, target)
    const responses = Array.from({ length: 50 }, async () => {
      const response = await request(transport)
      await response.body.bytes()
      return response.status
    })
    t.equal(transport.waitingStreams, 47)
    t.ok((await Promise.all(responses)).every((status) => status === 200))
    t.ok(most <= 3, `at most ${most} at once`)
  })

  t.test('1,000 streams at once', async (t) => {
    const held: http2.ServerHttp2Stream[] = []
    const { target } = await nodeHttp2Server(t, (stream) => {
      held.push(stream)
      if (held.length < 1000) return
      for (const one of held) {
        one.respond({ ':status': 200 })
        one.end('x')
      }
    })
    const transport = await connected(t, target)
    const bodies = await Promise.all(
      Array.from({ length: 1000 }, async () => (await request(transport)).body.text()),
    )
    t.equal(bodies.join(''), 'x'.repeat(1000))
  })

  t.test('pings are answered both ways', async (t) => {
    const { target, sessions } = await nodeHttp2Server(t, () => {})
    const transport = await connected(t, target)
    t.ok((await transport.ping()) >= 0)
    const answered = new Promise((resolve) => sessions[0]!.ping((error) => resolve(error)))
    t.equal(await answered, null)
  })

  t.test('settings change while streams are open', async (t) => {
    const { target, sessions } = await nodeHttp2Server(t, async (stream) => {
      stream.respond({ ':status': 200 })
      stream.end(await bodyOf(stream))
    })
    const transport = await connected(t, target)
    const goOn = signal()
    const half = Buffer.alloc(60_000, 'x')
    async function* body(): AsyncIterable<Buffer> {
      yield half
      await goOn.given
      yield half
    }
    const response = request(transport, { body: body() })
    await new Promise<void>((resolve) =>
      sessions[0]!.settings({ initialWindowSize: 10_000, headerTableSize: 0 }, () => resolve()),
    )
    goOn.give()
    t.equal((await (await response).body.bytes()).length, 120_000)
    t.equal((await request(transport, { headers: { 'x-new': 'one' } })).status, 200)
  })

  t.test('a session that closes lets open streams end and takes no new ones', async (t) => {
    const held = signal<http2.ServerHttp2Stream>()
    const { target, sessions } = await nodeHttp2Server(t, (stream) => held.give(stream))
    const draining = signal()
    const closed = signal()
    const transport = await connected(t, target, {
      listener: { onDraining: () => draining.give(), onClosed: () => closed.give() },
    })
    const open = request(transport)
    const stream = await held.given
    sessions[0]!.close()
    await draining.given
    t.notOk(transport.canOpen)
    await t.rejects(request(transport), closedAs({ by: 'goaway', processed: false }))
    stream.respond({ ':status': 200 })
    stream.end('late')
    t.equal(await (await open).body.text(), 'late')
    await closed.given
  })

  t.test('we close gracefully: open streams end first', async (t) => {
    const held = signal<http2.ServerHttp2Stream>()
    const { target, sessions } = await nodeHttp2Server(t, (stream) => held.give(stream))
    const transport = await connected(t, target)
    const open = request(transport)
    const stream = await held.given
    const gone = new Promise<void>((resolve) => sessions[0]!.on('close', resolve))
    transport.closeGracefully()
    t.notOk(transport.canOpen)
    stream.respond({ ':status': 200 })
    stream.end('late')
    t.equal(await (await open).body.text(), 'late')
    await gone
  })

  t.test('a session destroyed fails what is open', async (t) => {
    const held = signal()
    const { target, sessions } = await nodeHttp2Server(t, (stream) => {
      stream.respond({ ':status': 200 })
      stream.write('half')
      held.give()
    })
    const closed = signal<Error>()
    const transport = await connected(t, target, { listener: { onClosed: closed.give } })
    const { body, trailers } = await request(transport)
    await held.given
    sessions[0]!.destroy()
    await t.rejects(body.bytes(), StreamClosedError)
    await t.rejects(trailers, { message: /^127\.0\.0\.1:\d+: the peer closed the connection$/ })
    t.ok((await closed.given) instanceof TransportClosed)
  })

  t.test('a Unix socket', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'interop-'))
    t.teardown(() => rm(folder, { recursive: true }))
    const answer = (stream: http2.ServerHttp2Stream): void => {
      stream.respond({ ':status': 200 })
      stream.end('here')
    }
    const { target } = await nodeHttp2Server(t, answer, {}, `${folder}/socket`)
    const transport = await connected(t, target)
    t.equal(await (await request(transport, { authority: 'localhost' })).body.text(), 'here')
  })

  t.test('who is no server of HTTP/2 is told by the error', async (t) => {
    const { target, kill } = await nodeHttp2Server(t, () => {})
    await kill()
    await t.rejects(connect(target), { name: 'TransportClosed', cause: { code: 'ECONNREFUSED' } })
  })
})

t.test('gRPC by hand', async (t) => {
  t.test('calls of all four kinds', async (t) => {
    let received: http2.IncomingHttpHeaders = {}
    const { target } = await nodeHttp2Server(t, async (stream, headers) => {
      received = headers
      const body = await bodyOf(stream)
      // Each message is three octets long.
      const messages: Buffer[] = []
      for (let at = 5; at < body.length; at += 8) messages.push(body.subarray(at, at + 3))
      if (headers[':path'] === '/spec.Interop/Collect') {
        answerGrpc(stream, [grpcMessage(Buffer.concat(messages))])
      } else
        answerGrpc(
          stream,
          messages.map((message) => grpcMessage(message)),
        )
    })
    const { client } = ourClient(t, target)
    const abc = Buffer.from('abc')
    t.equal(String(await client.one(abc, { timeoutMs: 5000 })), 'abc')
    t.match(received, {
      ':method': 'POST',
      ':path': '/spec.Interop/One',
      ':scheme': 'http',
      ':authority': target,
      te: 'trailers',
      'content-type': 'application/grpc',
      'grpc-accept-encoding': /gzip/,
      'grpc-timeout': /^[0-9]{1,8}[munSMH]$/,
      'user-agent': /^grpc-node-framewright/,
    })
    t.equal(await joined(client.list(abc)), 'abc')
    t.equal(String(await client.collect([abc, abc])), 'abcabc')
    t.equal(await joined(client.chat([abc, abc, abc])), 'abc,abc,abc')
  })

  for (const [encoding, compress] of [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ] as const) {
    t.test(`responses compressed with ${encoding}`, async (t) => {
      const large = Buffer.alloc(100_000, 'x')
      const { target } = await nodeHttp2Server(t, (stream, headers) => {
        const messages = [grpcMessage(compress(large), true), grpcMessage('plain')]
        const sent = headers[':path'] === '/spec.Interop/One' ? messages.slice(0, 1) : messages
        answerGrpc(stream, sent, { 'grpc-status': '0' }, { 'grpc-encoding': encoding })
      })
      const { client } = ourClient(t, target)
      t.ok(large.equals(await client.one(large)))
      t.equal(await joined(client.list(large)), `${large},plain`)
      await t.rejects(client.one(large, { maxRecvMessageBytes: 50_000 }), {
        code: Code.ResourceExhausted,
      })
    })
  }

  const statuses: readonly [string, http2.OutgoingHttpHeaders, number][] = [
    ['a status alone', { ':status': 200, 'grpc-status': '5' }, Code.NotFound],
    ['a number without a name', { ':status': 200, 'grpc-status': '77' }, 77],
    ['HTTP 401', { ':status': 401, 'content-type': 'text/html' }, Code.Unauthenticated],
    ['HTTP 404', { ':status': 404, 'content-type': 'text/html' }, Code.Unimplemented],
    ['HTTP 503', { ':status': 503, 'content-type': 'text/html' }, Code.Unavailable],
    ['HTTP 418', { ':status': 418 }, Code.Unknown],
    ['a page', { ':status': 200, 'content-type': 'text/html' }, Code.Unknown],
  ]
  for (const [name, headers, code] of statuses) {
    t.test(`${name} becomes a status`, async (t) => {
      const { target } = await nodeHttp2Server(t, (stream) => {
        stream.respond({ 'content-type': 'application/grpc', ...headers }, { endStream: true })
      })
      await t.rejects(ourClient(t, target).client.one(Buffer.from('x')), { code })
    })
  }

  t.test('a message text is decoded; a bad one is shown as it is', async (t) => {
    const texts = ['%E6%97%A5%E6%9C%AC', 'a%zzb', '']
    const { target } = await nodeHttp2Server(t, async (stream) => {
      const text = texts[(await bodyOf(stream))[5]!]!
      answerGrpc(stream, [], { 'grpc-status': '3', 'grpc-message': text })
    })
    const { client } = ourClient(t, target)
    for (const [i, rawMessage] of ['日本', 'a%zzb', ''].entries()) {
      await t.rejects(client.one(Buffer.from([i])), { code: Code.InvalidArgument, rawMessage })
    }
  })

  const resets: readonly [number, number][] = [
    [constants.NGHTTP2_CANCEL, Code.Cancelled],
    [constants.NGHTTP2_ENHANCE_YOUR_CALM, Code.ResourceExhausted],
    [constants.NGHTTP2_INADEQUATE_SECURITY, Code.PermissionDenied],
    [constants.NGHTTP2_INTERNAL_ERROR, Code.Internal],
  ]
  t.test('a reset becomes a status', async (t) => {
    const { target } = await nodeHttp2Server(t, async (stream) => {
      stream.close((await bodyOf(stream))[5])
    })
    const { client } = ourClient(t, target)
    for (const [reset, code] of resets) {
      await t.rejects(client.one(Buffer.from([reset])), { code }, `reset ${reset}`)
    }
  })

  t.test('a refused call is made again, unseen', async (t) => {
    let count = 0
    const { target } = await nodeHttp2Server(t, (stream) => {
      if (++count === 1) stream.close(constants.NGHTTP2_REFUSED_STREAM)
      else answerGrpc(stream, [grpcMessage('again')])
    })
    t.equal(String(await ourClient(t, target).client.one(Buffer.from('x'))), 'again')
    t.equal(count, 2)
  })

  t.test('a call above the last of a GOAWAY is made again on another connection', async (t) => {
    const { target, sessions } = await nodeHttp2Server(t, (stream) => {
      if (stream.id === 3) stream.session?.goaway(constants.NGHTTP2_NO_ERROR, 1)
      else answerGrpc(stream, [grpcMessage(`on ${sessions.length}`)])
    })
    const { client } = ourClient(t, target)
    t.equal(String(await client.one(Buffer.from('x'))), 'on 1')
    t.equal(String(await client.one(Buffer.from('x'))), 'on 2')
    t.equal(sessions.length, 2)
  })

  t.test('a stream cut off in the middle of a message is no success', async (t) => {
    const { target } = await nodeHttp2Server(t, (stream) => {
      answerGrpc(stream, [grpcMessage('whole'), grpcMessage('half').subarray(0, 7)])
    })
    const heard: string[] = []
    const list = async (): Promise<void> => {
      for await (const message of ourClient(t, target).client.list(Buffer.from('x'))) {
        heard.push(String(message))
      }
    }
    await t.rejects(list(), { code: Code.Internal })
    t.same(heard, ['whole'])
  })

  t.test('a server killed in mid-call fails it; after its restart calls succeed', async (t) => {
    const started = signal()
    const first = await nodeHttp2Server(t, () => started.give())
    const { client } = ourClient(t, first.target, { backoff: { baseMs: 10, maxMs: 50 } })
    const open = client.one(Buffer.from('x'))
    const failed = t.rejects(open, { code: Code.Unavailable })
    await started.given
    await first.kill()
    await failed
    const port = Number(first.target.split(':')[1])
    await nodeHttp2Server(t, (stream) => answerGrpc(stream, [grpcMessage('back')]), {}, port)
    t.equal(String(await client.one(Buffer.from('x'), { waitForReady: true })), 'back')
  })
})
