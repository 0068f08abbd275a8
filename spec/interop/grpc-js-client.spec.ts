// A client of @grpc/grpc-js against our server, on real sockets.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as grpcJs from '@grpc/grpc-js'
import t from 'tap'
import { Code, RpcError, type StatsHandler } from '../../lib/grpc/index.ts'
import {
  type GrpcJsClient,
  grpcJsClient,
  joined,
  ourServer,
  PATIENCE_MS,
  signal,
  statusWithErrorInfo,
} from '../support/interop-service.ts'

const abc = Buffer.from('abc')
const octets = Buffer.from([0, 1, 127, 128, 254, 255])

/** What became of a unary call of grpc-js. */
interface Outcome {
  readonly code: grpcJs.status
  readonly details: string
  readonly response: string | undefined
  readonly headers: grpcJs.Metadata | undefined
  readonly trailers: grpcJs.Metadata
}

function one(
  client: GrpcJsClient,
  request: Buffer = abc,
  metadata = new grpcJs.Metadata(),
  timeoutMs = PATIENCE_MS,
): Promise<Outcome> {
  const options = { deadline: Date.now() + timeoutMs }
  return new Promise((resolve) => {
    let response: string | undefined
    let headers: grpcJs.Metadata | undefined
    const call = client.one(request, metadata, options, (_, answer) => {
      response = answer?.toString('latin1')
    })
    call.on('metadata', (came) => {
      headers = came
    })
    call.on('status', ({ code, details, metadata: trailers }) =>
      // The callback comes after the status.
      setImmediate(() => resolve({ code, details, response, headers, trailers })),
    )
  })
}

function ready(client: GrpcJsClient): Promise<void> {
  return new Promise((resolve) => client.waitForReady(Date.now() + PATIENCE_MS, () => resolve()))
}

function collect(client: GrpcJsClient, requests: readonly Buffer[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + PATIENCE_MS }
    const call = client.collect(new grpcJs.Metadata(), options, (error, response) =>
      error === null ? resolve(response as Buffer) : reject(error),
    )
    for (const request of requests) call.write(request)
    call.end()
  })
}

function chat(client: GrpcJsClient, requests: readonly Buffer[]): Promise<string> {
  const call = client.chat()
  for (const request of requests) call.write(request)
  call.end()
  return joined(call)
}

t.test('calls of all four kinds', async (t) => {
  const client = grpcJsClient(t, (await ourServer(t)).target)
  t.match(await one(client), { code: 0, response: 'abc' })
  t.match(await one(client, Buffer.alloc(0)), { code: 0, response: '' })
  t.equal(await joined(client.list(abc)), 'a,b,c')
  t.equal((await collect(client, [abc, abc])).toString(), 'abcabc')
  t.equal((await collect(client, [])).length, 0)
  t.equal(await chat(client, [abc, Buffer.from('d')]), 'abc,d')
})

t.test('a conversation: each request answers the response before', async (t) => {
  const call = grpcJsClient(t, (await ourServer(t)).target).chat()
  const heard: string[] = []
  call.write(Buffer.from('0'))
  for await (const message of call) {
    heard.push(String(message))
    if (heard.length < 100) call.write(Buffer.from(String(heard.length)))
    else call.end()
  }
  t.same(
    heard,
    Array.from({ length: 100 }, (_, i) => String(i)),
  )
})

t.test('metadata goes both ways, binary too', async (t) => {
  let text: string[] = []
  let binary: Buffer[] = []
  const { target } = await ourServer(t, {
    one(request, call) {
      text = call.metadata.getAll('x-text')
      binary = call.metadata.getAll('x-octets-bin')
      call.headers.append('x-text', 'first').append('x-text', 'second')
      call.headers.set('x-octets-bin', octets)
      call.trailers.set('x-end', 'is near')
      call.trailers.append('x-end-bin', octets).append('x-end-bin', Buffer.alloc(0))
      return request
    },
  })
  const metadata = new grpcJs.Metadata()
  metadata.add('x-text', 'one')
  metadata.add('x-text', 'two')
  metadata.add('x-octets-bin', octets)
  metadata.add('x-octets-bin', Buffer.from('b'))
  const { code, headers, trailers } = await one(grpcJsClient(t, target), abc, metadata)
  t.equal(code, 0)
  t.equal(text.join(), 'one,two')
  t.same(binary, [octets, Buffer.from('b')])
  t.same(headers?.get('x-text'), ['first, second'], 'node joins what has one name')
  t.same(headers?.get('x-octets-bin'), [octets])
  t.same(trailers.get('x-end'), ['is near'])
  t.same(trailers.get('x-end-bin'), [octets, Buffer.alloc(0)])
})

t.test('headers come before the first message when the handler sends them', async (t) => {
  const goOn = signal()
  const { target } = await ourServer(t, {
    async *list(request, call) {
      call.sendHeaders({ 'x-early': 'yes' })
      await goOn.given
      yield request
    },
  })
  const call = grpcJsClient(t, target).list(abc)
  const headers = await new Promise<grpcJs.Metadata>((resolve) => call.on('metadata', resolve))
  t.same(headers.get('x-early'), ['yes'])
  goOn.give()
  t.equal(await joined(call), 'abc')
})

t.test('errors keep code, message, trailers and details', async (t) => {
  const { target } = await ourServer(t, {
    one(request, call) {
      call.trailers.set('x-why', 'spec')
      throw new RpcError(Code.NotFound, String(request), {
        details: [{ '@type': 'google.rpc.ErrorInfo', reason: 'SPEC', domain: 'example.test' }],
      })
    },
    async *list(request) {
      yield request
      throw new RpcError(Code.DataLoss, 'half of it')
    },
    collect() {
      throw new Error('a secret')
    },
  })
  const client = grpcJsClient(t, target)
  for (const text of ['gone', 'größer als 100 %\n', '日本語 🦊', ' spaces ', 'x'.repeat(2000)]) {
    const { code, details, trailers } = await one(client, Buffer.from(text))
    t.same({ code, details }, { code: Code.NotFound, details: text })
    t.same(trailers.get('x-why'), ['spec'])
    if (text === 'gone') t.same(trailers.get('grpc-status-details-bin'), [statusWithErrorInfo])
  }
  const heard: string[] = []
  const list = async (): Promise<void> => {
    for await (const message of client.list(abc)) heard.push(String(message))
  }
  await t.rejects(list(), { code: Code.DataLoss, details: 'half of it' })
  t.same(heard, ['abc'])
  const hidden = await collect(client, [abc]).catch((thrown) => thrown)
  t.equal(hidden.code, Code.Unknown)
  t.notMatch(hidden.details, 'secret')
})

t.test('a method that is not there is UNIMPLEMENTED', async (t) => {
  const client = grpcJsClient(t, (await ourServer(t)).target)
  const same = (message: Buffer): Buffer => message
  const code = await new Promise((resolve) =>
    client.makeUnaryRequest('/spec.Interop/None', same, same, abc, (error) => resolve(error?.code)),
  )
  t.equal(code, Code.Unimplemented)
})

t.test('a deadline travels, aborts the handler and ends the call at both sides', async (t) => {
  const aborted = signal<string>()
  let leftMs = 0
  const { target } = await ourServer(t, {
    one(request, call) {
      leftMs = Number(call.deadline) - Date.now()
      return new Promise((resolve) => {
        call.signal.addEventListener('abort', () => {
          aborted.give(String(call.signal.reason.code))
          resolve(request)
        })
      })
    },
  })
  const client = grpcJsClient(t, target)
  await ready(client)
  t.match(await one(client, abc, undefined, 500), { code: Code.DeadlineExceeded })
  t.match(await aborted.given, new RegExp(`^(${Code.DeadlineExceeded}|${Code.Cancelled})$`))
  t.ok(leftMs > 0 && leftMs <= 500, `the server knew: ${leftMs} ms`)
})

t.test('cancelling there aborts here', async (t) => {
  const started = signal()
  const unaryGone = signal()
  const chatGone = signal()
  const { target } = await ourServer(t, {
    one(request, call) {
      started.give()
      return new Promise((resolve) => {
        call.signal.addEventListener('abort', () => {
          unaryGone.give()
          resolve(request)
        })
      })
    },
    async *chat(requests, call) {
      // grpc-js ends its requests before it resets the stream: no error shows in the loop.
      call.signal.addEventListener('abort', () => chatGone.give())
      for await (const request of requests) yield request
    },
  })
  const client = grpcJsClient(t, target)
  const code = new Promise<number | undefined>((resolve) => {
    const call = client.one(abc, new grpcJs.Metadata(), {}, (error) => resolve(error?.code))
    void started.given.then(() => call.cancel())
  })
  t.equal(await code, Code.Cancelled)
  await unaryGone.given
  const call = client.chat()
  call.write(abc)
  await t.rejects(
    async () => {
      for await (const _ of call) call.cancel()
    },
    { code: Code.Cancelled },
  )
  await chatGone.given
})

for (const [encoding, algorithm] of [
  ['gzip', grpcJs.compressionAlgorithms.gzip],
  ['deflate', grpcJs.compressionAlgorithms.deflate],
] as const) {
  t.test(`${encoding} goes both ways`, async (t) => {
    const wireBytes: Record<string, number> = { inPayload: 0, outPayload: 0 }
    const stats: StatsHandler = {
      handleRpc(_, event) {
        if ('wireBytes' in event)
          wireBytes[event.kind] = (wireBytes[event.kind] ?? 0) + event.wireBytes
      },
    }
    const { target } = await ourServer(t, {}, { stats, minCompressBytes: 0 })
    const client = grpcJsClient(t, target, { 'grpc.default_compression_algorithm': algorithm })
    const { response } = await one(client, Buffer.alloc(100_000, 'x'))
    t.equal(response, 'x'.repeat(100_000))
    for (const kind of ['inPayload', 'outPayload']) {
      t.ok(wireBytes[kind]! > 0 && wireBytes[kind]! < 2000, `${kind}: ${wireBytes[kind]} octets`)
    }
    t.equal((await collect(client, [abc, Buffer.alloc(0), abc])).toString(), 'abcabc')
    t.equal(await chat(client, [abc, abc]), 'abc,abc')
  })
}

t.test('a server may compress what came plain', async (t) => {
  let wireBytes = 0
  const stats: StatsHandler = {
    handleRpc(_, event) {
      if (event.kind === 'outPayload') wireBytes = event.wireBytes
    },
  }
  const { target } = await ourServer(t, {}, { stats, compression: 'gzip' })
  const { response } = await one(grpcJsClient(t, target), Buffer.alloc(100_000, 'x'))
  t.equal(response, 'x'.repeat(100_000))
  t.ok(wireBytes < 2000, `${wireBytes} octets`)
})

t.test('messages of 20 MB go both ways', async (t) => {
  const limits = { maxRecvMessageBytes: 32 << 20, maxSendMessageBytes: 32 << 20 }
  const { target } = await ourServer(t, {}, limits)
  const unlimited = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 }
  const client = grpcJsClient(t, target, unlimited)
  const large = Buffer.alloc(20_000_000)
  for (let i = 0; i < large.length; i += 4096) large.writeUInt32LE(i, i)
  t.ok(large.equals(await collect(client, [large])), 'client stream')
  const call = client.chat()
  call.end(large)
  for await (const echoed of call) t.ok(large.equals(echoed), 'bidi')
})

t.test('a message over the limit is RESOURCE_EXHAUSTED', async (t) => {
  const { target } = await ourServer(t, {}, { maxRecvMessageBytes: 1000 })
  const outcome = await one(grpcJsClient(t, target), Buffer.alloc(1001))
  t.equal(outcome.code, Code.ResourceExhausted)
})

t.test('1,000 calls are open at once where the limit is raised', async (t) => {
  const allThere = signal()
  let count = 0
  const { target } = await ourServer(
    t,
    {
      async one(request) {
        if (++count === 1000) allThere.give()
        await allThere.given
        return request
      },
    },
    { maxConcurrentStreams: 1000 },
  )
  const client = grpcJsClient(t, target)
  // Until our SETTINGS come, node assumes a limit of 100.
  await ready(client)
  const outcomes = await Promise.all(Array.from({ length: 1000 }, () => one(client)))
  t.ok(outcomes.every(({ response }) => response === 'abc'))
})

t.test('over the default of 100 calls wait in line', async (t) => {
  let open = 0
  let most = 0
  const { target } = await ourServer(t, {
    async one(request) {
      most = Math.max(most, ++open)
      await new Promise((resolve) => setImmediate(resolve))
      open--
      return request
    },
  })
  const client = grpcJsClient(t, target)
  const outcomes = await Promise.all(
    Array.from({ length: 500 }, (_, i) => one(client, Buffer.from(String(i)))),
  )
  t.same(
    outcomes.map(({ response }) => response),
    Array.from({ length: 500 }, (_, i) => String(i)),
  )
  t.ok(most <= 100, `at most ${most} at once`)
})

t.test('a Unix socket', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'interop-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const { server } = await ourServer(t)
  await server.listen(`unix:${folder}/socket`)
  t.match(await one(grpcJsClient(t, `unix:${folder}/socket`)), { response: 'abc' })
})

t.test(
  'a server that stops gracefully lets open calls end; the next finds its successor',
  async (t) => {
    const started = signal()
    const goOn = signal()
    const first = await ourServer(t, {
      async one(request) {
        started.give()
        await goOn.given
        return request
      },
    })
    const client = grpcJsClient(t, first.target)
    const open = one(client)
    await started.given
    const stopped = first.server.gracefulStop()
    const second = await ourServer(t, {}, {}, {}, first.target)
    t.equal(second.target, first.target)
    const metadata = new grpcJs.Metadata({ waitForReady: true })
    // Calls that reach the first one before its GOAWAY reaches the client are held there too.
    const next = one(client, Buffer.from('next'), metadata)
    goOn.give()
    t.match(await open, { code: 0, response: 'abc' })
    t.match(await next, { code: 0, response: 'next' })
    await stopped
    t.match(await one(client, Buffer.from('last'), metadata), { code: 0, response: 'last' })
  },
)

t.test('a client that closes lets its open call end', async (t) => {
  const started = signal()
  const goOn = signal()
  const { target, server } = await ourServer(t, {
    async one(request) {
      started.give()
      await goOn.given
      return request
    },
  })
  const client = grpcJsClient(t, target)
  const open = one(client)
  await started.given
  client.close()
  goOn.give()
  t.match(await open, { code: 0, response: 'abc' })
  await server.gracefulStop()
})

t.test('a server killed in mid-call fails it; after its restart calls succeed', async (t) => {
  const started = signal()
  const first = await ourServer(t, {
    one: () => {
      started.give()
      return new Promise(() => {})
    },
  })
  const client = grpcJsClient(t, first.target, { 'grpc.initial_reconnect_backoff_ms': 100 })
  const open = one(client)
  await started.given
  await first.server.stop()
  t.match(await open, { code: Code.Unavailable })
  await ourServer(t, {}, {}, {}, first.target)
  const metadata = new grpcJs.Metadata({ waitForReady: true })
  t.match(await one(client, abc, metadata), { code: 0, response: 'abc' })
})
