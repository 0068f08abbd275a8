// The server around its calls: requests that are not gRPC, unknown services, stopping, slots.
import t from 'tap'
import { Metadata } from '../../../lib/grpc/protocol/metadata.ts'
import { RpcError } from '../../../lib/grpc/protocol/rpc-error.ts'
import { ErrorCode } from '../../../lib/transport/index.ts'
import { Echo, EchoBench, type Note } from '../../support/echo-service.ts'
import { fieldValue, rawCall, requestFields } from '../../support/raw-call.ts'
import { collect } from '../../support/rpc-bench.ts'

const BODY = Buffer.from('\0\0\0\0\x02{}', 'latin1')

function withField(name: string, value: string | undefined): string[] {
  const fields = requestFields('/spec.Echo/Unary')
  const at = fields.indexOf(name)
  if (value === undefined) fields.splice(at, 2)
  else fields[at + 1] = value
  return fields
}

t.test('requests that are not gRPC get an HTTP status that any client understands', async (t) => {
  const bench = new EchoBench()
  const client = await bench.rawClient()
  const rows: [string, string[], string, string][] = [
    ['GET', withField(':method', 'GET'), '405', '13'],
    ['another type', withField('content-type', 'application/json'), '415', '3'],
    ['no type', withField('content-type', undefined), '415', '3'],
    ['a type that begins like it', withField('content-type', 'application/grpcx'), '415', '3'],
    ['grpc-web', withField('content-type', 'application/grpc-web'), '415', '3'],
    ['bad -bin', [...requestFields('/spec.Echo/Unary'), 'x-bin', '*'], '400', '13'],
    ['parameters', withField('content-type', 'application/grpc;x=y'), '200', '0'],
    ['a subtype', withField('content-type', 'application/grpc+json'), '200', '0'],
    ['no te', withField('te', undefined), '200', '0'],
    ['no authority', withField(':authority', undefined), '200', '0'],
  ]
  for (const [name, fields, httpStatus, status] of rows) {
    const answer = await rawCall(bench, client, { fields, body: BODY })
    t.match(answer, { httpStatus, status }, name)
    t.match(fieldValue(answer.fields, 'content-type'), /^application\/grpc/, name)
  }
  await bench.assertQuiet(t)
})

t.test('an answer before the upload ends lets it end: RST_STREAM(NO_ERROR)', async (t) => {
  const bench = new EchoBench()
  const client = await bench.rawClient()
  for (const path of ['/nobody/Home', '/spec.Echo/Nothing']) {
    const answer = await rawCall(bench, client, { path, body: BODY, end: false })
    t.match(answer, { status: '12' })
  }
  await bench.assertQuiet(t)
})

t.test('many services and encodings asked for grow nothing', async (t) => {
  const bench = new EchoBench()
  const client = await bench.rawClient()
  for (let i = 0; i < 200; i++) {
    const fields = withField('content-type', `application/grpc+x${i}`)
    t.match(await rawCall(bench, client, { fields, body: BODY }), { status: '0' })
  }
  const { calls } = bench.server as unknown as { calls: { templates: Map<string, unknown> } }
  t.ok(calls.templates.size <= 64)
  await bench.assertQuiet(t)
})

t.test('a handler for everything else sees octets, and may answer as it likes', async (t) => {
  const seen: string[] = []
  const bench = new EchoBench(
    {},
    {
      server: {
        async *unknownService(requests, call) {
          seen.push(`${call.method.path} ${call.method.kind}`)
          if (call.method.service === 'no.Such') throw new RpcError(5, 'neither here')
          call.headers.set('proxy', 'yes')
          for await (const octets of requests) yield octets
        },
      },
    },
  )
  const { defineService, unary } = await import('../../../lib/grpc/protocol/method.ts')
  const { jsonCodec } = await import('../../../lib/grpc/protocol/codec.ts')
  const note = jsonCodec<Note>()
  const elsewhere = defineService('else.Where', { call: unary(note, note) }).methods.call
  const missing = defineService('no.Such', { call: unary(note, note) }).methods.call
  let headers = new Metadata()
  const onHeaders = (received: Metadata): void => {
    headers = received
  }
  t.strictSame(await bench.run(bench.conn.invoke(elsewhere, { n: 5 }, { onHeaders })), { n: 5 })
  t.equal(headers.get('proxy'), 'yes')
  t.match(await bench.error(bench.conn.invoke(missing, {})), { code: 5 })
  t.strictSame(await bench.run(bench.client.unary({ n: 1 })), { n: 1 }, 'the known are not its')
  const client = await bench.rawClient()
  t.match(await rawCall(bench, client, { path: '/malformed', body: BODY }), { status: '12' })
  t.strictSame(seen, ['/else.Where/Call bidi', '/no.Such/Call bidi'])
  await bench.assertQuiet(t)
})

t.test('a graceful stop lets open calls end and takes no more', async (t) => {
  let answer: (note: Note) => void = () => {}
  const bench = new EchoBench({
    unary: (request) =>
      request.n === 0
        ? new Promise((resolve) => {
            answer = resolve
          })
        : request,
  })
  const open = bench.client.unary({ n: 0 })
  await bench.settle()
  let stopped = false
  const stop = bench.server.gracefulStop().then(() => {
    stopped = true
  })
  await bench.settle()
  t.equal(stopped, false)
  answer({ n: 7 })
  t.strictSame(await bench.run(open), { n: 7 })
  await bench.advance(5000)
  await bench.run(stop)
  t.equal(bench.server.connections.length, 0)
  await bench.assertQuiet(t)
})

t.test('a graceful stop with a grace ends what is still open', async (t) => {
  const reasons: string[] = []
  const bench = new EchoBench({
    unary: (_request, call) =>
      new Promise((_resolve, reject) => {
        call.signal.addEventListener('abort', () => {
          reasons.push(call.signal.reason.codeName)
          reject(call.signal.reason)
        })
      }),
  })
  const open = bench.error(bench.client.unary({}))
  await bench.settle()
  const stop = bench.server.gracefulStop(3000)
  await bench.advance(2999)
  t.strictSame(reasons, [])
  await bench.advance(2000)
  await bench.run(stop)
  t.match(await open, { code: 14 })
  t.strictSame(reasons, ['CANCELLED'])
  await bench.assertQuiet(t)
})

t.test('stop ends open calls at once; their handlers hear', async (t) => {
  const reasons: string[] = []
  const bench = new EchoBench({
    async *chat(requests, call) {
      call.signal.addEventListener('abort', () => reasons.push(call.signal.reason.codeName))
      for await (const request of requests) yield request
    },
  })
  const chat = bench.client.chat()
  await bench.run(chat.send({}))
  await bench.settle()
  const stop = bench.server.stop()
  t.match(await bench.error(collect(bench, chat)), { code: 14 })
  await bench.advance(1000)
  await bench.run(stop)
  t.strictSame(reasons, ['CANCELLED'])
  await bench.assertQuiet(t)
})

t.test('rapid resets start no more handlers than there are slots', async (t) => {
  let running = 0
  let started = 0
  let most = 0
  const ends: (() => void)[] = []
  const bench = new EchoBench(
    {
      unary: (request) => {
        started++
        most = Math.max(most, ++running)
        return new Promise((resolve) => {
          ends.push(() => {
            running--
            resolve(request)
          })
        })
      },
    },
    { server: { maxConcurrentStreams: 5 } },
  )
  const client = await bench.rawClient()
  const refused: number[] = []
  for (let i = 0; i < 60; i++) {
    const stream = client.openStream(requestFields('/spec.Echo/Unary'), {
      onHeaders() {},
      onData() {},
      onEnd() {},
      onWritable() {},
      onClosed: ({ initiator, code }) => {
        if (initiator === 'peer') refused.push(code)
      },
    })
    stream.data(BODY, 0, BODY.length, true)
    await bench.settle()
    stream.reset(ErrorCode.CANCEL, 'rapid')
    await bench.settle()
  }
  t.equal(most, 5)
  t.ok(started <= 5, `${started} handlers were started`)
  for (const end of ends.splice(0)) end()
  await bench.settle()
  t.equal(running, 0)
  const call = bench.run(bench.client.unary({ n: 1 }))
  await bench.settle()
  for (const end of ends.splice(0)) end()
  t.strictSame(await call, { n: 1 }, 'slots are free again')
  await bench.assertQuiet(t)
})

t.test('slots are given back however a handler ends', async (t) => {
  const bench = new EchoBench(
    {
      unary({ n }) {
        if (n === 1) throw new Error('sync')
        if (n === 2) return Promise.reject(new Error('async'))
        return {}
      },
      list: ({ n }) => {
        if (n === 1) return 5 as never
        return [{}]
      },
      async sum(requests) {
        for await (const _ of requests) throw new RpcError(5)
        return {}
      },
    },
    { server: { maxConcurrentStreams: 2 } },
  )
  for (let i = 0; i < 10; i++) {
    await bench.error(bench.client.unary({ n: 1 }))
    await bench.error(bench.client.unary({ n: 2 }))
    await bench.error(collect(bench, bench.client.list({ n: 1 })))
    await bench.error(bench.client.sum([{}]))
    await bench.run(bench.client.sum([]))
    await bench.run(bench.client.unary({}))
    t.equal((await collect(bench, bench.client.list({}))).length, 1)
  }
  await bench.assertQuiet(t)
})

t.test('headers and reset in one read start no handler', async (t) => {
  let started = 0
  const bench = new EchoBench({
    unary: () => {
      started++
      return {}
    },
    sum: async () => {
      started++
      return {}
    },
  })
  const client = await bench.rawClient()
  for (const path of ['/spec.Echo/Unary', '/spec.Echo/Sum']) {
    const ignore = { onHeaders() {}, onData() {}, onEnd() {}, onWritable() {}, onClosed() {} }
    const stream = client.openStream(requestFields(path), ignore)
    stream.data(BODY, 0, BODY.length, true)
    stream.reset(ErrorCode.CANCEL, 'at once')
    await bench.settle()
  }
  t.equal(started, 0)
  await bench.assertQuiet(t)
})

t.test('connections are told to who measures, and lost ones to the logger', async (t) => {
  const events: string[] = []
  const stats = {
    handleConn: ({ kind, side, peer }: { kind: string; side: string; peer: string }) => {
      events.push(`${kind} ${side} ${peer}`)
    },
  }
  const bench = new EchoBench({}, { server: { stats } })
  await bench.run(bench.client.unary({}))
  bench.conn.close()
  await bench.advance(1000)
  t.strictSame(events, ['begin server client:1', 'end server client:1'])
  await bench.assertQuiet(t)
})

t.test('what a server offers', (t) => {
  const bench = new EchoBench()
  t.strictSame(bench.server.services, [{ name: 'spec.Echo', definition: Echo }])
  t.end()
})
