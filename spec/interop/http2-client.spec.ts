// A client of node:http2 against our servers, on real sockets: plain HTTP/2, gRPC by hand, and a port
// shared with an http.Server.
import { mkdtemp, rm } from 'node:fs/promises'
import http from 'node:http'
import http2 from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync, gunzipSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { Code } from '../../lib/grpc/index.ts'
import {
  Http2Server,
  type Http2ServerOptions,
  handleRequests,
  type ListenOptions,
  type RequestHandler,
  type ServerRequest,
} from '../../lib/transport/index.ts'
import { ourServer, signal } from '../support/interop-service.ts'
import { grpcMessage, nodeHttp2Client, responseOf } from '../support/node-http2.ts'

const { constants } = http2

async function ourHttp2Server(
  t: Test,
  handler: RequestHandler,
  options: Partial<Http2ServerOptions> = {},
  listening: ListenOptions = {},
  address = '127.0.0.1:0',
): Promise<{ readonly server: Http2Server; readonly target: string }> {
  const server = new Http2Server({ onStream: handleRequests(handler), ...options })
  t.teardown(() => server.close())
  const { address: bound } = await server.listen(address, listening)
  return { server, target: 'port' in bound ? `${bound.host}:${bound.port}` : bound.path }
}

t.test('plain HTTP/2', async (t) => {
  t.test('bodies go both ways', async (t) => {
    const { target } = await ourHttp2Server(t, async (request) => ({
      status: 201,
      headers: { 'x-method': request.method, 'x-path': request.path },
      body: await request.body.bytes(),
    }))
    const session = nodeHttp2Client(t, target)
    const large = Buffer.alloc(5_000_000)
    for (let i = 0; i < large.length; i += 4096) large.writeUInt32LE(i, i)
    for (const body of [Buffer.alloc(0), Buffer.from('größer'), large]) {
      const stream = session.request({ ':method': 'POST', ':path': '/some?thing' })
      stream.end(body)
      const response = await responseOf(stream)
      t.match(response.headers, { ':status': 201, 'x-method': 'POST', 'x-path': '/some?thing' })
      t.ok(body.equals(response.body), `${body.length} octets`)
    }
    const { status, body } = await responseOf(session.request())
    t.same([status, body.length], [201, 0])
  })

  t.test('a body of pieces is streamed, both ways', async (t) => {
    const { target } = await ourHttp2Server(t, ({ body }) => ({
      body: (async function* () {
        for await (const piece of body) yield `<${piece}>`
      })(),
    }))
    const stream = nodeHttp2Client(t, target).request({ ':method': 'POST' })
    stream.setEncoding('utf8')
    const heard: string[] = []
    stream.write('0')
    for await (const piece of stream) {
      heard.push(piece)
      if (heard.length < 20) stream.write(String(heard.length))
      else stream.end()
    }
    t.same(
      heard,
      Array.from({ length: 20 }, (_, i) => `<${i}>`),
    )
  })

  t.test('fields arrive as they were sent', async (t) => {
    let received: ServerRequest['headers'] | undefined
    let authority = ''
    const { target } = await ourHttp2Server(t, (request) => {
      received = request.headers
      authority = request.authority
      return { headers: { 'Set-Cookie': ['a=1', 'b=2'], 'x-one': 'ü' } }
    })
    const { headers } = await responseOf(
      nodeHttp2Client(t, target).request({
        ':authority': 'spec.test',
        'x-twice': ['1', '2'],
        cookie: ['a=1', 'b=2'],
        authorization: 'secret',
        'x-empty': '',
        [http2.sensitiveHeaders]: ['authorization'],
      }),
    )
    t.equal(authority, 'spec.test')
    t.same(received?.getAll('x-twice'), ['1', '2'])
    t.equal(received?.get('cookie'), 'a=1; b=2')
    t.equal(received?.get('authorization'), 'secret')
    t.equal(received?.get('x-empty'), '')
    t.same(headers['set-cookie'], ['a=1', 'b=2'])
    t.equal(headers['x-one'], 'ü')
  })

  t.test('trailers go both ways', async (t) => {
    let check: string | undefined
    const { target } = await ourHttp2Server(t, async ({ body, trailers }) => {
      const text = await body.text()
      check = trailers().get('x-check')
      return { body: text, trailers: { 'x-sum': 'abc' } }
    })
    const stream = nodeHttp2Client(t, target).request({ ':method': 'POST' }, {
      waitForTrailers: true,
    } as http2.ClientSessionRequestOptions)
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-check': '1' }))
    stream.end('body')
    const { body, trailers } = await responseOf(stream)
    t.equal(String(body), 'body')
    t.equal(trailers['x-sum'], 'abc')
    t.equal(check, '1')
  })

  t.test('informational answers come before the final one', async (t) => {
    const { target } = await ourHttp2Server(t, (request) => {
      request.informational(102)
      request.informational(103, { link: '</style.css>; rel=preload' })
      return { status: 204 }
    })
    const { status, informational } = await responseOf(nodeHttp2Client(t, target).request())
    t.equal(status, 204)
    t.match(informational, [
      { ':status': 102 },
      { ':status': 103, link: '</style.css>; rel=preload' },
    ])
  })

  t.test('expect: 100-continue is answered when the body is read, or not at all', async (t) => {
    const { target } = await ourHttp2Server(t, async ({ path, body }) =>
      path === '/read' ? { body: `got ${await body.text()}` } : { status: 413 },
    )
    const session = nodeHttp2Client(t, target)
    const fields = { ':method': 'POST', expect: '100-continue' }
    const reading = session.request({ ...fields, ':path': '/read' })
    reading.on('continue', () => reading.end('it'))
    t.equal(String((await responseOf(reading)).body), 'got it')
    const refused = session.request({ ...fields, ':path': '/refused' })
    refused.on('continue', () => t.fail('nobody reads it'))
    t.equal((await responseOf(refused)).status, 413)
  })

  t.test('HEAD and 304 have a length and no body', async (t) => {
    const { target } = await ourHttp2Server(t, ({ method }) =>
      method === 'HEAD'
        ? { headers: { 'content-length': '4' }, body: 'body' }
        : { status: 304, headers: { 'content-length': '1234' } },
    )
    const session = nodeHttp2Client(t, target)
    const head = await responseOf(session.request({ ':method': 'HEAD' }))
    t.match(head, { status: 200, headers: { 'content-length': '4' }, body: { length: 0 } })
    const unchanged = await responseOf(session.request())
    t.match(unchanged, { status: 304, headers: { 'content-length': '1234' }, body: { length: 0 } })
  })

  t.test('large header lists need CONTINUATION, both ways', async (t) => {
    const { target } = await ourHttp2Server(
      t,
      ({ headers }) => ({ headers: { 'x-large': headers.get('x-large') ?? '' } }),
      { maxHeaderListBytes: 200_000 },
    )
    const large = Array.from({ length: 8000 }, (_, i) => String(i)).join(' ')
    const options = { settings: { maxHeaderListSize: 200_000 }, maxSendHeaderBlockLength: 200_000 }
    const session = nodeHttp2Client(t, target, options)
    const { headers } = await responseOf(session.request({ 'x-large': large }))
    t.equal(headers['x-large'], large)
  })

  t.test('a header list over our limit is 431', async (t) => {
    const { target } = await ourHttp2Server(t, () => ({}))
    const session = nodeHttp2Client(t, target)
    t.equal((await responseOf(session.request({ 'x-large': 'x'.repeat(17_000) }))).status, 431)
    t.equal((await responseOf(session.request())).status, 200, 'the connection lives on')
  })

  t.test('a handler that throws is 500, and its text stays here', async (t) => {
    const thrown: unknown[] = []
    const { target } = await ourHttp2Server(t, () => ({}), {
      onStream: handleRequests(
        () => {
          throw new Error('a secret')
        },
        (error) => thrown.push(error),
      ),
    })
    const { status, body } = await responseOf(nodeHttp2Client(t, target).request())
    t.same([status, String(body)], [500, ''])
    t.match(thrown, [{ message: 'a secret' }])
  })

  for (const code of ['NGHTTP2_CANCEL', 'NGHTTP2_NO_ERROR'] as const) {
    t.test(`a reset with ${code} aborts the handler`, async (t) => {
      const started = signal()
      const aborted = signal()
      const { target } = await ourHttp2Server(t, (request) => {
        request.signal.addEventListener('abort', () => aborted.give())
        started.give()
        return new Promise(() => {})
      })
      const stream = nodeHttp2Client(t, target).request({ ':method': 'POST' })
      await started.given
      stream.close(constants[code])
      await aborted.given
    })
  }

  t.test('an answer before the end of the request stops the request', async (t) => {
    const { target } = await ourHttp2Server(t, () => ({ status: 403, body: 'no' }))
    const session = nodeHttp2Client(t, target)
    const stream = session.request({ ':method': 'POST' })
    stream.write(Buffer.alloc(1_000_000))
    t.match(await responseOf(stream), { status: 403, body: Buffer.from('no') })
    t.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR)
    t.equal((await responseOf(session.request())).status, 403, 'the connection lives on')
  })

  t.test('1,000 streams at once where the limit is raised', async (t) => {
    const allThere = signal()
    let count = 0
    const { target } = await ourHttp2Server(
      t,
      async () => {
        if (++count === 1000) allThere.give()
        await allThere.given
        return { body: 'x' }
      },
      { maxConcurrentStreams: 1000 },
    )
    const session = nodeHttp2Client(t, target)
    await new Promise((resolve) => session.once('remoteSettings', resolve))
    const bodies = await Promise.all(
      Array.from({ length: 1000 }, async () => (await responseOf(session.request())).body),
    )
    t.equal(bodies.join(''), 'x'.repeat(1000))
  })

  t.test('over the default of 100 node:http2 keeps streams in line', async (t) => {
    let open = 0
    let most = 0
    const { target } = await ourHttp2Server(t, async () => {
      most = Math.max(most, ++open)
      await new Promise((resolve) => setImmediate(resolve))
      open--
      return { body: 'x' }
    })
    const session = nodeHttp2Client(t, target)
    const bodies = await Promise.all(
      Array.from({ length: 500 }, async () => (await responseOf(session.request())).body),
    )
    t.equal(bodies.join(''), 'x'.repeat(500))
    t.equal(session.remoteSettings.maxConcurrentStreams, 100)
    t.ok(most <= 100, `at most ${most} at once`)
  })

  t.test('pings are answered both ways', async (t) => {
    const { target, server } = await ourHttp2Server(t, () => ({}))
    const session = nodeHttp2Client(t, target)
    // Before that node cancels them.
    await new Promise((resolve) => session.once('remoteSettings', resolve))
    const answered = new Promise((resolve) => session.ping((error) => resolve(error)))
    t.equal(await answered, null)
    t.ok((await server.connections[0]!.ping()) >= 0)
  })

  t.test('a client that changes its settings with streams open', async (t) => {
    const goOn = signal()
    const half = 'x'.repeat(60_000)
    const { target } = await ourHttp2Server(t, () => ({
      body: (async function* () {
        yield half
        await goOn.given
        yield half
      })(),
    }))
    const session = nodeHttp2Client(t, target)
    const response = responseOf(session.request())
    await new Promise<void>((resolve) =>
      session.settings({ initialWindowSize: 10_000, headerTableSize: 0 }, () => resolve()),
    )
    goOn.give()
    t.equal((await response).body.length, 120_000)
    const settingsKept = session.request({ 'x-new': 'one' })
    t.equal((await responseOf(settingsKept)).status, 200)
  })

  t.test('we stop gracefully: open streams end first', async (t) => {
    const started = signal()
    const goOn = signal()
    const { target, server } = await ourHttp2Server(t, async () => {
      started.give()
      await goOn.given
      return { body: 'late' }
    })
    const session = nodeHttp2Client(t, target)
    const goneAway = new Promise((resolve) => session.on('goaway', (...args) => resolve(args)))
    const response = responseOf(session.request())
    await started.given
    const stopped = server.closeGracefully()
    t.match(await goneAway, [constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1])
    goOn.give()
    t.equal(String((await response).body), 'late')
    await stopped
  })

  t.test('a client that goes away has its open streams answered', async (t) => {
    const started = signal()
    const goOn = signal()
    const ended = signal()
    const { target } = await ourHttp2Server(
      t,
      async () => {
        started.give()
        await goOn.given
        return { body: 'late' }
      },
      { onConnectionEnded: () => ended.give() },
    )
    const session = nodeHttp2Client(t, target)
    const response = responseOf(session.request())
    await started.given
    session.close()
    goOn.give()
    t.equal(String((await response).body), 'late')
    await ended.given
  })

  t.test('a client that is destroyed aborts its handlers', async (t) => {
    const started = signal()
    const aborted = signal()
    const { target } = await ourHttp2Server(t, (request) => {
      request.signal.addEventListener('abort', () => aborted.give())
      started.give()
      return new Promise(() => {})
    })
    const session = nodeHttp2Client(t, target)
    session.request().on('error', () => {})
    await started.given
    session.destroy()
    await aborted.given
  })

  t.test('a server killed in mid-request and started again', async (t) => {
    const started = signal()
    const first = await ourHttp2Server(t, () => {
      started.give()
      return new Promise(() => {})
    })
    const session = nodeHttp2Client(t, first.target)
    const closed = new Promise<void>((resolve) => session.on('close', resolve))
    const stream = session.request()
    stream.on('error', () => {})
    await started.given
    await first.server.close()
    await closed
    t.ok(stream.destroyed)
    await ourHttp2Server(t, () => ({ body: 'back' }), {}, {}, first.target)
    const { body } = await responseOf(nodeHttp2Client(t, first.target).request())
    t.equal(String(body), 'back')
  })

  t.test('a Unix socket', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'interop-'))
    t.teardown(() => rm(folder, { recursive: true }))
    const path = `${folder}/socket`
    await ourHttp2Server(t, () => ({ body: 'here' }), {}, {}, `unix:${path}`)
    const session = nodeHttp2Client(t, 'localhost', { path } as http2.ClientSessionOptions)
    t.equal(String((await responseOf(session.request())).body), 'here')
  })
})

t.test('a port shared with an http.Server serves both', async (t) => {
  const http1 = http.createServer((incoming, response) => {
    response.end(`HTTP/${incoming.httpVersion} ${incoming.url}`)
  })
  t.teardown(() => http1.closeAllConnections())
  const { target } = await ourHttp2Server(
    t,
    ({ path }) => ({ body: `HTTP/2 ${path}` }),
    {},
    { otherProtocol: http1 },
  )
  const agent = new http.Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const get = (path: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const outgoing = http.get(`http://${target}${path}`, { agent }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () => resolve(text))
      })
      outgoing.on('error', reject)
    })
  const session = nodeHttp2Client(t, target)
  t.equal(await get('/one'), 'HTTP/1.1 /one')
  t.equal(String((await responseOf(session.request({ ':path': '/two' }))).body), 'HTTP/2 /two')
  t.equal(await get('/three'), 'HTTP/1.1 /three', 'on the same connection')
})

t.test('gRPC by hand', async (t) => {
  const fields = {
    ':method': 'POST',
    ':path': '/spec.Interop/One',
    'content-type': 'application/grpc',
    te: 'trailers',
  }

  t.test('a call and its answer, octet by octet', async (t) => {
    const { target } = await ourServer(t)
    const stream = nodeHttp2Client(t, target).request(fields)
    stream.end(grpcMessage('abc'))
    const { headers, body, trailers } = await responseOf(stream)
    t.match(headers, { ':status': 200, 'content-type': 'application/grpc' })
    t.ok(body.equals(grpcMessage('abc')))
    t.equal(trailers['grpc-status'], '0')
  })

  t.test('messages may be cut anywhere', async (t) => {
    const { target } = await ourServer(t)
    const session = nodeHttp2Client(t, target)
    const octets = Buffer.concat([grpcMessage('abc'), grpcMessage(''), grpcMessage('de')])
    const stream = session.request({ ...fields, ':path': '/spec.Interop/Chat' })
    const response = responseOf(stream)
    for (let i = 0; i < octets.length; i++) stream.write(octets.subarray(i, i + 1))
    stream.end()
    t.ok((await response).body.equals(octets))
  })

  for (const [encoding, compress] of [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
  ] as const) {
    t.test(`a request compressed with ${encoding}`, async (t) => {
      const { target } = await ourServer(t)
      const stream = nodeHttp2Client(t, target).request({ ...fields, 'grpc-encoding': encoding })
      stream.end(grpcMessage(compress(Buffer.from('abc')), true))
      const { body, trailers } = await responseOf(stream)
      t.equal(trailers['grpc-status'], '0')
      t.ok(body.equals(grpcMessage('abc')), 'a short answer is not compressed')
    })
  }

  t.test('an answer is compressed only for who accepts it', async (t) => {
    const { target } = await ourServer(t, {}, { compression: 'gzip', minCompressBytes: 0 })
    const session = nodeHttp2Client(t, target)
    const large = Buffer.alloc(5000, 'x')
    for (const [accepted, flag] of [
      ['gzip', 1],
      ['identity', 0],
    ] as const) {
      const stream = session.request({ ...fields, 'grpc-accept-encoding': accepted })
      stream.end(grpcMessage(large))
      const { body, headers } = await responseOf(stream)
      t.equal(body[0], flag)
      t.equal(headers['grpc-encoding'], flag === 1 ? 'gzip' : undefined)
      const message = body.subarray(5)
      t.ok(large.equals(flag === 1 ? gunzipSync(message) : message))
    }
  })

  const refusals: readonly [string, http2.OutgoingHttpHeaders, number, number | undefined][] = [
    ['an unknown method', { ':path': '/spec.Interop/None' }, 200, Code.Unimplemented],
    ['a path of no method', { ':path': '/nothing' }, 200, Code.Unimplemented],
    ['an unknown encoding', { 'grpc-encoding': 'zstd' }, 200, Code.Unimplemented],
    ['a page', { 'content-type': 'text/html' }, 415, undefined],
    ['GET', { ':method': 'GET' }, 405, undefined],
    ['a bad timeout', { 'grpc-timeout': '1 s' }, 400, undefined],
  ]
  for (const [name, changed, status, code] of refusals) {
    t.test(`${name} is refused`, async (t) => {
      const { target } = await ourServer(t)
      const stream = nodeHttp2Client(t, target).request({ ...fields, ...changed })
      stream.on('error', () => {})
      if (changed[':method'] !== 'GET') stream.end(grpcMessage('abc'))
      const { headers } = await responseOf(stream)
      t.equal(headers[':status'], status)
      if (code !== undefined) t.equal(headers['grpc-status'], String(code))
    })
  }

  t.test('a deadline that passes is answered', async (t) => {
    const { target } = await ourServer(t, { one: () => new Promise(() => {}) })
    const stream = nodeHttp2Client(t, target).request({ ...fields, 'grpc-timeout': '50m' })
    stream.end(grpcMessage('abc'))
    t.equal((await responseOf(stream)).headers['grpc-status'], String(Code.DeadlineExceeded))
  })

  t.test('other media types of gRPC are answered in kind', async (t) => {
    const { target } = await ourServer(t)
    const contentType = 'application/grpc+spec'
    const stream = nodeHttp2Client(t, target).request({ ...fields, 'content-type': contentType })
    stream.end(grpcMessage('abc'))
    t.equal((await responseOf(stream)).headers['content-type'], contentType)
  })
})
