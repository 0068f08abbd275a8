// Our client against a server of @grpc/grpc-js, on real sockets.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as grpcJs from '@grpc/grpc-js'
import t from 'tap'
import { Code, Metadata, RpcError, type StatsHandler } from '../../lib/grpc/index.ts'
import {
  grpcJsServer,
  joined,
  ourClient,
  signal,
  statusWithErrorInfo,
} from '../support/interop-service.ts'

const abc = Buffer.from('abc')
const hangs = (): void => {}

t.test('calls of all four kinds', async (t) => {
  const { target } = await grpcJsServer(t)
  const { client } = ourClient(t, target)
  t.equal(Buffer.from(await client.one(abc)).toString(), 'abc')
  t.equal(Buffer.from(await client.one(Buffer.alloc(0))).length, 0, 'an empty message')
  t.equal(await joined(client.list(abc)), 'a,b,c')
  t.equal(Buffer.from(await client.collect([abc, abc])).toString(), 'abcabc')
  t.equal(Buffer.from(await client.collect([])).length, 0, 'no request at all')
  t.equal(await joined(client.chat([abc, Buffer.from('d')])), 'abc,d')
})

t.test('a conversation: each request answers the response before', async (t) => {
  const { target } = await grpcJsServer(t)
  const chat = ourClient(t, target).client.chat()
  await chat.send(Buffer.from('0'))
  const heard: string[] = []
  for await (const message of chat) {
    heard.push(Buffer.from(message).toString())
    if (heard.length < 100) await chat.send(Buffer.from(String(heard.length)))
    else chat.end()
  }
  t.same(
    heard,
    Array.from({ length: 100 }, (_, i) => String(i)),
  )
})

t.test('metadata goes both ways, binary too', async (t) => {
  const octets = Buffer.from([0, 1, 127, 128, 254, 255])
  let received: grpcJs.Metadata | undefined
  const { target } = await grpcJsServer(t, {
    one(call, done) {
      received = call.metadata
      const headers = new grpcJs.Metadata()
      headers.add('x-text', 'first')
      headers.add('x-text', 'second')
      headers.add('x-octets-bin', octets)
      call.sendMetadata(headers)
      const trailers = new grpcJs.Metadata()
      trailers.set('x-end', 'is near')
      trailers.add('x-end-bin', octets)
      trailers.add('x-end-bin', Buffer.alloc(0))
      done(null, call.request, trailers)
    },
  })
  const { client } = ourClient(t, target, { userAgent: 'spec/1' })
  const metadata = new Metadata().append('x-text', 'one').append('x-text', 'two')
  metadata.append('x-octets-bin', octets).append('x-octets-bin', Buffer.from('b'))
  let headers = new Metadata()
  let trailers = new Metadata()
  await client.one(abc, {
    metadata,
    onHeaders: (came) => {
      headers = came
    },
    onTrailers: (came) => {
      trailers = came
    },
  })
  t.same(received?.get('x-text'), ['one, two'], 'node joins what has one name')
  t.same(received?.get('x-octets-bin'), [octets, Buffer.from('b')])
  t.match(String(received?.get('user-agent')[0]), /^spec\/1 /)
  t.same(headers.getAll('x-text').join(), 'first,second')
  t.same(headers.getAll('x-octets-bin'), [octets])
  t.equal(trailers.get('x-end'), 'is near')
  t.same(trailers.getAll('x-end-bin'), [octets, Buffer.alloc(0)])
})

t.test('calls are tried again by a retry policy and by a hedging policy', async (t) => {
  const seen: string[][] = []
  let calls = 0
  const { target } = await grpcJsServer(t, {
    one({ request, metadata }, done) {
      seen.push(metadata.get('grpc-previous-rpc-attempts').map(String))
      if (++calls % 3 === 0) done(null, request)
      else done({ code: grpcJs.status.UNAVAILABLE, details: 'not yet' })
    },
  })
  const policies = {
    retryPolicy: {
      maxAttempts: 3,
      initialBackoff: '0.001s',
      maxBackoff: '0.01s',
      backoffMultiplier: 2,
      retryableStatusCodes: ['UNAVAILABLE'],
    },
    hedgingPolicy: { maxAttempts: 3, hedgingDelay: '30s', nonFatalStatusCodes: ['UNAVAILABLE'] },
  }
  for (const [name, policy] of Object.entries(policies)) {
    const serviceConfig = { methodConfig: [{ name: [{}], [name]: policy }] }
    const { client } = ourClient(t, target, { serviceConfig })
    t.equal(Buffer.from(await client.one(abc)).toString(), 'abc', name)
    t.same(seen.splice(0), [[], ['1'], ['2']])
  }
})

t.test('errors keep code, message and trailers', async (t) => {
  const trailers = new grpcJs.Metadata()
  trailers.set('x-why', 'spec')
  const texts = ['plain', 'größer als 100 %\n', '日本語 🦊', ' spaces outside ', 'x'.repeat(2000)]
  const { target } = await grpcJsServer(t, {
    one({ request }, done) {
      done({ code: grpcJs.status.NOT_FOUND, details: request.toString(), metadata: trailers })
    },
    list(call) {
      call.write(abc)
      call.emit('error', { code: grpcJs.status.DATA_LOSS, details: 'half of it' })
    },
  })
  const { client } = ourClient(t, target)
  for (const text of texts) {
    const error = await client.one(Buffer.from(text)).catch((thrown) => thrown)
    t.ok(error instanceof RpcError)
    t.match(error, { code: Code.NotFound, rawMessage: text, peer: target })
    t.equal(error.metadata.get('x-why'), 'spec')
  }
  const heard: string[] = []
  const list = async (): Promise<void> => {
    for await (const message of client.list(abc)) heard.push(Buffer.from(message).toString())
  }
  await t.rejects(list(), { code: Code.DataLoss, rawMessage: 'half of it' })
  t.same(heard, ['abc'], 'what came before the error was heard')
})

t.test('status details are read', async (t) => {
  const metadata = new grpcJs.Metadata()
  metadata.set('grpc-status-details-bin', statusWithErrorInfo)
  const { target } = await grpcJsServer(t, {
    one: (_, done) => done({ code: grpcJs.status.NOT_FOUND, details: 'gone', metadata }),
  })
  const { client } = ourClient(t, target)
  await t.rejects(client.one(abc), {
    code: Code.NotFound,
    details: [{ '@type': 'google.rpc.ErrorInfo', reason: 'SPEC', domain: 'example.test' }],
  })
})

t.test('a method that is not there is UNIMPLEMENTED', async (t) => {
  const server = new grpcJs.Server()
  t.teardown(() => server.forceShutdown())
  const port = await new Promise<number>((resolve) =>
    server.bindAsync('127.0.0.1:0', grpcJs.ServerCredentials.createInsecure(), (_, bound) =>
      resolve(bound),
    ),
  )
  const { client } = ourClient(t, `127.0.0.1:${port}`)
  await t.rejects(client.one(abc), { code: Code.Unimplemented })
  await t.rejects(joined(client.chat([abc])), { code: Code.Unimplemented })
})

t.test('our deadline travels, ends the call here and cancels it there', async (t) => {
  const cancelled = signal()
  let deadline: grpcJs.Deadline = 0
  const { target } = await grpcJsServer(t, {
    one(call) {
      deadline = call.getDeadline()
      call.on('cancelled', () => cancelled.give())
    },
  })
  const { client, conn } = ourClient(t, target)
  await conn.waitForReady()
  const beforeMs = Date.now()
  await t.rejects(client.one(abc, { timeoutMs: 200 }), { code: Code.DeadlineExceeded })
  await cancelled.given
  const leftMs = Number(deadline) - beforeMs
  t.ok(leftMs > 100 && leftMs < 5000, `the server knew: ${leftMs} ms`)
})

t.test('the server ends an overdue call itself', async (t) => {
  const { target } = await grpcJsServer(t, {
    one: (call, done) => {
      call.on('cancelled', () => done({ code: grpcJs.status.DEADLINE_EXCEEDED }))
    },
  })
  const { client } = ourClient(t, target)
  await t.rejects(client.one(abc, { deadline: new Date(Date.now() + 50) }), {
    code: Code.DeadlineExceeded,
  })
})

t.test('cancelling here cancels there', async (t) => {
  const starts = signal()
  const unaryGone = signal()
  const chatGone = signal()
  const { target } = await grpcJsServer(t, {
    one(call) {
      call.on('cancelled', () => unaryGone.give())
      starts.give()
    },
    chat(call) {
      call.on('cancelled', () => chatGone.give())
      call.on('data', (request: Buffer) => call.write(request))
      call.on('error', hangs)
    },
  })
  const { client } = ourClient(t, target)
  const controller = new AbortController()
  const call = client.one(abc, { signal: controller.signal })
  await starts.given
  controller.abort()
  await t.rejects(call, { code: Code.Cancelled })
  await unaryGone.given
  const chat = client.chat()
  await chat.send(abc)
  for await (const _ of chat) break
  await chatGone.given
})

for (const encoding of ['gzip', 'deflate']) {
  t.test(`requests compressed with ${encoding} are understood`, async (t) => {
    let requestBytes = 0
    const { target } = await grpcJsServer(t, {
      one({ request }, done) {
        done(null, Buffer.from(String(request.length)))
      },
    })
    const stats: StatsHandler = {
      handleRpc(_, event) {
        if (event.kind === 'outPayload') requestBytes += event.wireBytes
      },
    }
    const { client } = ourClient(t, target, { stats })
    const options = { compression: encoding, minCompressBytes: 0 }
    const answer = await client.one(Buffer.alloc(100_000, 'x'), options)
    t.equal(Buffer.from(answer).toString(), '100000')
    const messages = [abc, Buffer.alloc(50_000, 'y'), Buffer.alloc(0)]
    t.equal((await client.collect(messages, options)).length, 50_003)
    t.equal(await joined(client.chat([abc, abc], options)), 'abc,abc')
    t.ok(requestBytes > 0 && requestBytes < 2000, `sent as ${requestBytes} octets`)
  })
}

t.test('messages of 20 MB go both ways', async (t) => {
  const unlimited = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 }
  const { target } = await grpcJsServer(t, {}, { options: unlimited })
  const limits = { maxRecvMessageBytes: 32 << 20, maxSendMessageBytes: 32 << 20 }
  const { client } = ourClient(t, target)
  const large = Buffer.alloc(20_000_000)
  for (let i = 0; i < large.length; i += 4096) large.writeUInt32LE(i, i)
  t.ok(large.equals(await client.one(large, limits)), 'unary')
  for await (const echoed of client.chat([large], limits)) t.ok(large.equals(echoed), 'bidi')
  await t.rejects(client.one(large, { maxSendMessageBytes: 32 << 20 }), {
    code: Code.ResourceExhausted,
  })
})

t.test('1,000 calls are open at once', async (t) => {
  const pending: grpcJs.sendUnaryData<Buffer>[] = []
  const { target } = await grpcJsServer(t, {
    one(_, done) {
      pending.push(done)
      if (pending.length === 1000) for (const answer of pending) answer(null, abc)
    },
  })
  const { client } = ourClient(t, target)
  const answers = await Promise.all(Array.from({ length: 1000 }, () => client.one(abc)))
  t.equal(answers.length, 1000)
})

t.test('over the limit of the server calls wait in line', async (t) => {
  let open = 0
  let most = 0
  const { target } = await grpcJsServer(
    t,
    {
      one({ request }, done) {
        most = Math.max(most, ++open)
        setImmediate(() => {
          open--
          done(null, request)
        })
      },
    },
    { options: { 'grpc.max_concurrent_streams': 100 } },
  )
  const { client } = ourClient(t, target)
  const calls = Array.from({ length: 500 }, (_, i) => client.one(Buffer.from(String(i))))
  const answers = await Promise.all(calls)
  t.same(
    answers.map(String),
    Array.from({ length: 500 }, (_, i) => String(Buffer.from(String(i)))),
  )
  t.ok(most <= 100, `at most ${most} at once`)
})

t.test('a Unix socket', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'interop-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const { target } = await grpcJsServer(t, {}, { address: `unix:${folder}/socket` })
  const { client } = ourClient(t, target)
  t.equal(Buffer.from(await client.one(abc)).toString(), 'abc')
})

t.test('a server that shuts down lets open calls end; the next finds its successor', async (t) => {
  const started = signal()
  const goOn = signal()
  const first = await grpcJsServer(t, {
    async one({ request }, done) {
      started.give()
      await goOn.given
      done(null, request)
    },
  })
  const { client, conn } = ourClient(t, first.target)
  const open = client.one(abc)
  await started.given
  const draining = new Promise<void>((resolve) => {
    const stop = conn.onStateChange(() => {
      stop()
      resolve()
    })
  })
  const shut = new Promise<void>((resolve) => first.server.tryShutdown(() => resolve()))
  await draining
  const second = await grpcJsServer(t, {}, { address: first.target })
  t.equal(second.target, first.target)
  t.equal(Buffer.from(await client.one(Buffer.from('next'))).toString(), 'next')
  goOn.give()
  t.equal(Buffer.from(await open).toString(), 'abc')
  await shut
})

t.test('we close with calls open: they are cancelled there', async (t) => {
  const started = signal()
  const gone = signal()
  const { target } = await grpcJsServer(t, {
    one(call) {
      call.on('cancelled', () => gone.give())
      started.give()
    },
  })
  const { client, conn } = ourClient(t, target)
  const call = client.one(abc)
  call.catch(hangs)
  await started.given
  conn.close()
  await t.rejects(call, { code: Code.Unavailable })
  await gone.given
})

t.test('a server killed in mid-call fails it; after its restart calls succeed', async (t) => {
  const started = signal()
  const first = await grpcJsServer(t, { one: () => started.give() })
  const { client } = ourClient(t, first.target, { backoff: { baseMs: 10, maxMs: 50 } })
  const call = client.one(abc)
  call.catch(hangs)
  await started.given
  first.server.forceShutdown()
  await t.rejects(call, { code: Code.Unavailable })
  await grpcJsServer(t, {}, { address: first.target })
  const next = await client.one(Buffer.from('next'), { waitForReady: true })
  t.equal(Buffer.from(next).toString(), 'next')
})
