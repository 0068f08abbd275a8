// A client's call around its attempts: retries that nobody sees, waiting, what errors carry.
import t from 'tap'
import type { StatsHandler } from '../../../lib/grpc/observe/stats.ts'
import { RpcError } from '../../../lib/grpc/protocol/rpc-error.ts'
import {
  ErrorCode,
  type OnStream,
  type ServerTransport,
  type Stream,
} from '../../../lib/transport/index.ts'
import { EchoBench, type Note } from '../../support/echo-service.ts'
import { collect } from '../../support/rpc-bench.ts'

const IGNORE = { onHeaders() {}, onData() {}, onEnd() {}, onWritable() {}, onClosed() {} }
const HEAD = [':status', '200', 'content-type', 'application/grpc+json']

/** Does `first` with the first streams, in order, then answers every message with `{}`. */
function scripted(...first: ((stream: Stream, transport: ServerTransport) => void)[]): {
  onStream: OnStream
  seen: number[]
} {
  const seen: number[] = []
  const onStream: OnStream = (stream, block, _end, transport) => {
    seen.push(block.fields.indexOf('grpc-previous-rpc-attempts'))
    const act = first.shift()
    if (act !== undefined) {
      transport.afterReceive({ run: () => act(stream, transport) })
      return IGNORE
    }
    return {
      ...IGNORE,
      onEnd() {
        stream.headers(HEAD, false)
        stream.data(Buffer.from('\0\0\0\0\x02{}', 'latin1'), 0, 7, false)
        stream.trailers(['grpc-status', '0'])
      },
    }
  }
  return { onStream, seen }
}

const refuse = (stream: Stream): void => stream.reset(ErrorCode.REFUSED_STREAM, 'spec_refused')

const ALL_KINDS: Record<string, (bench: EchoBench) => Promise<unknown>> = {
  unary: (bench) => bench.client.unary({ n: 1 }),
  'unary, compressed': (bench) =>
    bench.client.unary({ n: 1 }, { compression: 'gzip', minCompressBytes: 0 }),
  'server streaming': (bench) => collect(bench, bench.client.list({})),
  'client streaming': (bench) => bench.client.sum([{ n: 1 }, { n: 2 }]),
  bidi: (bench) => collect(bench, bench.client.chat([{ n: 1 }])),
}

t.test('REFUSED_STREAM: one more try, with nothing visible', async (t) => {
  for (const [name, call] of Object.entries(ALL_KINDS)) {
    const { onStream, seen } = scripted(refuse)
    const bench = new EchoBench({}, { onStream })
    t.ok(await bench.run(call(bench)), name)
    t.strictSame(seen, [-1, -1], 'the server is not told of a retry')
    await bench.assertQuiet(t)
  }
})

t.test('REFUSED_STREAM twice: UNAVAILABLE after two tries', async (t) => {
  for (const [name, call] of Object.entries(ALL_KINDS)) {
    const { onStream } = scripted(refuse, refuse)
    const bench = new EchoBench({}, { onStream })
    t.match(await bench.error(call(bench)), { code: 14, attempts: 2 }, name)
    await bench.assertQuiet(t)
  }
})

t.test('a stream that was answered, or may have been seen, is not tried again', async (t) => {
  const rows: [string, (stream: Stream) => void, number][] = [
    ['CANCEL', (stream) => stream.reset(ErrorCode.CANCEL, 'x'), 1],
    ['INTERNAL_ERROR', (stream) => stream.reset(ErrorCode.INTERNAL_ERROR, 'x'), 13],
    ['ENHANCE_YOUR_CALM', (stream) => stream.reset(ErrorCode.ENHANCE_YOUR_CALM, 'x'), 8],
    [
      'REFUSED_STREAM after headers',
      (stream) => {
        stream.headers(HEAD, false)
        stream.reset(ErrorCode.REFUSED_STREAM, 'x')
      },
      14,
    ],
  ]
  for (const [name, act, code] of rows) {
    const { onStream, seen } = scripted(act)
    const bench = new EchoBench({}, { onStream })
    t.match(await bench.error(bench.client.unary({})), { code, attempts: 1 }, name)
    t.equal(seen.length, 1, name)
    await bench.assertQuiet(t)
  }
})

t.test('GOAWAY: calls that the server has not begun move to another connection', async (t) => {
  const { onStream } = scripted((_stream, transport) => transport.drain('spec'))
  const held: Stream[] = []
  const own: OnStream = (stream, block, end, transport) => {
    const handler = onStream(stream, block, end, transport)
    if (held.length === 0) held.push(stream)
    return handler
  }
  const bench = new EchoBench({}, { onStream: own, pair: { latencyMs: 5 } })
  const first = bench.client.unary({})
  await bench.advance(30)
  const second = bench.client.unary({})
  t.strictSame(await settled(bench, second, 100), {})
  t.equal(bench.pairs.length, 2, 'a new connection')
  held[0]?.headers(HEAD, false)
  held[0]?.data(Buffer.from('\0\0\0\0\x02{}', 'latin1'), 0, 7, false)
  held[0]?.trailers(['grpc-status', '0'])
  t.strictSame(await settled(bench, first, 100), {}, 'the open one ends on the old connection')
  await bench.assertQuiet(t)
})

async function settled<T>(bench: EchoBench, promise: Promise<T>, ms: number): Promise<T> {
  promise.catch(() => {})
  await bench.advance(ms)
  return bench.run(promise)
}

t.test(
  "calls that wait for the peer's stream limit start elsewhere when it goes away",
  async (t) => {
    let answer: (note: Note) => void = () => {}
    const bench = new EchoBench(
      {
        unary: (request) =>
          request.n === 0
            ? new Promise((resolve) => {
                answer = resolve
              })
            : request,
      },
      { server: { maxConcurrentStreams: 1 } },
    )
    const first = bench.client.unary({ n: 0 })
    await bench.settle()
    const waiting = [
      bench.client.unary({ n: 1 }),
      bench.client.sum([{ n: 2 }]),
      collect(bench, bench.client.chat([{ n: 3 }])),
    ]
    await bench.settle()
    bench.server.connections[0]?.drain('spec')
    t.strictSame(await bench.run(Promise.all(waiting)), [{ n: 1 }, { n: 2 }, [{ n: 3 }]])
    answer({ n: 9 })
    t.strictSame(await bench.run(first), { n: 9 })
    await bench.assertQuiet(t)
  },
)

t.test('requests beyond what is kept end the chance of another try', async (t) => {
  let held: Stream | undefined
  const { onStream } = scripted((stream) => {
    held = stream
  })
  const bench = new EchoBench({}, { onStream })
  const call = bench.client.sum()
  const sent = Array.from({ length: 5 }, () => call.send({ text: 'x'.repeat(60_000) }))
  for (const each of sent) each.catch(() => {})
  await bench.settle()
  refuse(held as Stream)
  t.match(await bench.error(call.response), { code: 14, attempts: 1 })
  await bench.assertQuiet(t)
})

t.test(
  'a lost connection fails open calls with its cause, and the next call connects',
  async (t) => {
    const bench = new EchoBench({ unary: ({ n }) => (n === 0 ? new Promise(() => {}) : { n: 1 }) })
    const open = bench.error(bench.client.unary({ n: 0 }))
    await bench.settle()
    bench.pairs[0]?.cut(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
    const error = await open
    t.match(error, {
      code: 14,
      codeName: 'UNAVAILABLE',
      message: /ECONNRESET/,
      method: '/spec.Echo/Unary',
      peer: 'bench:1',
      attempts: 1,
    })
    t.ok(error.cause instanceof Error)
    t.strictSame(await bench.run(bench.client.unary({ n: 1 })), { n: 1 })
    t.equal(bench.pairs.length, 2)
    await bench.assertQuiet(t)
  },
)

t.test('no connection: UNAVAILABLE at once, unless the call waits for ready', async (t) => {
  let refusals = 2
  const bench = new EchoBench(
    {},
    { refuse: () => (refusals-- > 0 ? new Error('connection refused') : undefined) },
  )
  const patient = bench.client.unary({ n: 1 }, { waitForReady: true })
  t.match(await bench.error(bench.client.unary({})), {
    code: 14,
    message: /connection refused/,
    attempts: 0,
    method: '/spec.Echo/Unary',
  })
  t.strictSame(await settled(bench, patient, 5000), { n: 1 })
  await bench.assertQuiet(t)
})

t.test('a channel that closes: calls that wait are CANCELLED, open ones UNAVAILABLE', async (t) => {
  const bench = new EchoBench({ unary: () => new Promise(() => {}) })
  const open = bench.error(bench.client.unary({}))
  await bench.settle()
  bench.conn.close()
  t.match(await open, { code: 14, message: /the channel was closed/ })
  t.match(await bench.error(bench.client.unary({})), { code: 1 })
  await bench.assertQuiet(t)

  const never = new EchoBench({}, { refuse: () => new Error('no') })
  const waiting = never.error(never.client.unary({}, { waitForReady: true }))
  await never.settle()
  never.conn.close()
  t.match(await waiting, { code: 1 })
  await never.assertQuiet(t)
})

t.test('sending: after the end, on a call that takes one, after a failure', async (t) => {
  const bench = new EchoBench({
    sum: () => {
      throw new RpcError(9, 'no')
    },
  })
  const chat = bench.client.chat()
  chat.end()
  chat.end()
  t.match(await bench.error(chat.send({})), { code: 13, token: 'send_after_end' })
  t.strictSame(await collect(bench, chat), [])
  t.match(await bench.error(chat.send({})), { token: 'send_after_end' })
  const sum = bench.client.sum()
  t.match(await bench.error(sum.response), { code: 9 })
  t.match(await bench.error(sum.send({})), { code: 9 })
  await bench.assertQuiet(t)
})

t.test('nobody has to look at any promise', async (t) => {
  const unhandled: unknown[] = []
  const note = (error: unknown): void => {
    unhandled.push(error)
  }
  process.on('unhandledRejection', note)
  const bench = new EchoBench({
    async chat() {
      throw new RpcError(9)
    },
    sum: async (requests) => {
      void requests.next()
      void requests.next()
      throw new Error('handler')
    },
    async list(_request, call) {
      for (let i = 0; i < 50; i++) void call.send({ text: 'x'.repeat(10_000) })
      await new Promise((resolve) => call.signal.addEventListener('abort', resolve))
      void call.send({})
    },
  })
  const chat = bench.client.chat()
  void chat.send({})
  void chat.headers
  void chat.trailers
  void bench.client.sum([{}])
  const sum = bench.client.sum()
  void sum.send({})
  void sum.response
  const list = bench.client.list({})
  await bench.settle()
  list.cancel()
  await bench.settle()
  void chat.send({})
  const next = bench.client.chat()[Symbol.asyncIterator]()
  void next.next()
  void next.next()
  await bench.settle()
  process.off('unhandledRejection', note)
  t.strictSame(unhandled, [])
  await bench.assertQuiet(t)
})

t.test('every attempt has its own begin and end for who measures', async (t) => {
  const events: string[] = []
  const stats: StatsHandler = {
    handleRpc(_tag, event) {
      if (event.kind === 'begin') {
        events.push(`begin ${event.attempt}${event.isTransparentRetry ? ' transparent' : ''}`)
      } else if (event.kind === 'end') events.push(`end ${event.status.code}`)
      else events.push(event.kind)
    },
  }
  const { onStream } = scripted(refuse)
  const bench = new EchoBench({}, { onStream, channel: { stats } })
  await bench.run(bench.client.sum([{ n: 1 }, { n: 2 }]))
  t.strictSame(events, [
    'begin 1',
    'outHeader',
    'outPayload',
    'outPayload',
    'end 14',
    'begin 2 transparent',
    'outHeader',
    'outPayload',
    'outPayload',
    'inHeader',
    'inPayload',
    'inTrailer',
    'end 0',
  ])
  await bench.assertQuiet(t)

  events.length = 0
  const unreachable = new EchoBench({}, { refuse: () => new Error('no'), channel: { stats } })
  await unreachable.error(unreachable.client.unary({}))
  t.strictSame(events, ['begin 1', 'end 14'], 'a call that never had a connection counts too')
  await unreachable.assertQuiet(t)
})

t.test('a stats handler that throws is reported and changes nothing', async (t) => {
  const faults: string[] = []
  const logger = { error: (message: string) => faults.push(message), warn() {} }
  const stats: StatsHandler = {
    handleRpc() {
      throw new Error('stats')
    },
  }
  const bench = new EchoBench({}, { channel: { stats, logger }, server: { stats, logger } })
  t.strictSame(await bench.run(bench.client.unary({ n: 1 })), { n: 1 })
  t.ok(faults.length > 10)
  await bench.assertQuiet(t)
})
