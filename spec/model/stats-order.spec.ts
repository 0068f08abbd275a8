// What a stats handler hears, and in which order: at a client per attempt, at a server per call.
import t from 'tap'
import type { RpcEvent, RpcTag, StatsHandler } from '../../lib/grpc/observe/stats.ts'
import { RpcError } from '../../lib/grpc/protocol/rpc-error.ts'
import { EchoBench } from '../support/echo-service.ts'
import { fieldValue, type RawRequest, rawCall, requestFields } from '../support/raw-call.ts'
import { collect } from '../support/rpc-bench.ts'

class Recorder implements StatsHandler {
  public readonly kinds: string[] = []
  public readonly events: RpcEvent[] = []
  public readonly tags = new Set<RpcTag>()

  public handleRpc(tag: RpcTag, event: RpcEvent): void {
    this.tags.add(tag)
    this.kinds.push(event.kind)
    this.events.push(event)
  }

  public take(): string[] {
    this.tags.clear()
    this.events.length = 0
    return this.kinds.splice(0)
  }
}

function observed(handlers: ConstructorParameters<typeof EchoBench>[0] = {}): {
  bench: EchoBench
  client: Recorder
  server: Recorder
} {
  const client = new Recorder()
  const server = new Recorder()
  const bench = new EchoBench(handlers, { channel: { stats: client }, server: { stats: server } })
  return { bench, client, server }
}

const CLIENT_ORDER = [
  'begin',
  'outHeader',
  'outPayload',
  'inHeader',
  'inPayload',
  'inTrailer',
  'end',
]
const SERVER_ORDER = [
  'inHeader',
  'begin',
  'inPayload',
  'outHeader',
  'outPayload',
  'outTrailer',
  'end',
]

t.test('a unary call', async (t) => {
  const { bench, client, server } = observed()
  await bench.run(bench.client.unary({ text: 'hi' }))
  t.equal(client.tags.size, 1)
  t.match([...client.tags][0], { side: 'client', method: { path: '/spec.Echo/Unary' } })
  t.match(
    client.events.find(({ kind }) => kind === 'outPayload'),
    { message: { text: 'hi' }, messageBytes: 13, wireBytes: 18, compressed: false },
  )
  t.match(
    server.events.find(({ kind }) => kind === 'inPayload'),
    { message: { text: 'hi' }, messageBytes: 13, wireBytes: 18, compressed: false },
  )
  t.match(client.events.at(-1), { kind: 'end', status: { code: 0 } })
  t.match(
    client.events.find(({ kind }) => kind === 'outHeader'),
    { peer: 'bench:1' },
  )
  t.match(
    server.events.find(({ kind }) => kind === 'outHeader'),
    { peer: 'client:1' },
  )
  t.strictSame(client.take(), CLIENT_ORDER)
  t.strictSame(server.take(), SERVER_ORDER)
  await bench.assertQuiet(t)
})

t.test('a stream: the reader tells of headers, then of data as it comes', async (t) => {
  const { bench, client, server } = observed()
  await collect(bench, bench.client.chat([{ n: 1 }, { n: 2 }]))
  const sorted = (kinds: string[]): string[] => [...new Set(kinds)]
  t.strictSame(client.kinds.filter((kind) => kind.endsWith('Payload')).sort(), [
    'inPayload',
    'inPayload',
    'outPayload',
    'outPayload',
  ])
  t.strictSame(sorted(server.take()), SERVER_ORDER)
  t.strictSame(sorted(client.take()), CLIENT_ORDER)
  await bench.assertQuiet(t)
})

t.test('a call that fails, is cancelled, or is refused', async (t) => {
  const { bench, client, server } = observed({
    unary({ n }) {
      if (n === 1) throw new RpcError(5, 'no')
      return new Promise(() => {})
    },
  })
  await bench.error(bench.client.unary({ n: 1 }))
  t.match(server.events.at(-1), { status: { code: 5, message: 'no' } })
  t.strictSame(client.take(), ['begin', 'outHeader', 'outPayload', 'inTrailer', 'end'])
  t.strictSame(server.take(), ['inHeader', 'begin', 'inPayload', 'outTrailer', 'end'])

  const abort = new AbortController()
  const failed = bench.error(bench.client.unary({ n: 2 }, { signal: abort.signal }))
  await bench.settle()
  abort.abort()
  await failed
  await bench.settle()
  t.match(client.events.at(-1), { status: { code: 1 } })
  t.match(server.events.at(-1), { status: { code: 1 } })
  t.strictSame(client.take(), ['begin', 'outHeader', 'outPayload', 'end'])
  t.strictSame(server.take(), ['inHeader', 'begin', 'inPayload', 'end'])
  await bench.assertQuiet(t)
})

const PLAIN_TEXT = requestFields('/spec.Echo/Unary').map((text) =>
  text.startsWith('application/') ? 'text/plain' : text,
)

t.test('a request that no handler gets: as grpc-go tells of it', async (t) => {
  const refused = ['inHeader', 'outTrailer']
  const rows: [string, RawRequest, string[]][] = [
    ['unknown method', { path: '/spec.Echo/Nothing' }, refused],
    ['unknown service', { path: '/spec.Nobody/Nothing' }, refused],
    ['malformed name', { path: '/nothing' }, []],
    ['content-type', { fields: PLAIN_TEXT }, []],
    ['timeout', { extra: ['grpc-timeout', 'soon'] }, []],
    ['encoding', { extra: ['grpc-encoding', 'zstd'] }, ['inHeader', 'begin', 'outTrailer', 'end']],
  ]
  for (const [name, request, kinds] of rows) {
    const { bench, server } = observed()
    const { status } = await rawCall(bench, await bench.rawClient(), request)
    t.strictSame(server.kinds, kinds, name)
    t.equal(server.tags.size, kinds.length === 0 ? 0 : 1, name)
    for (const { method, side } of server.tags) {
      t.strictSame([side, method.path], ['server', request.path ?? '/spec.Echo/Unary'], name)
    }
    for (const event of server.events) {
      if (event.kind === 'outTrailer') t.equal(fieldValue(event.fields, 'grpc-status'), status)
      if (event.kind === 'end') t.equal(String(event.status.code), status)
    }
    await bench.assertQuiet(t)
  }
})

t.test('compression shows in what the wire took', async (t) => {
  const { bench, client, server } = observed()
  const text = 'x'.repeat(5000)
  await bench.run(bench.client.unary({ text }, { compression: 'gzip' }))
  const incoming = server.events.find(({ kind }) => kind === 'inPayload')
  const outgoing = client.events.find(({ kind }) => kind === 'outPayload')
  t.match(incoming, { messageBytes: 5011, compressed: true })
  t.match(outgoing, { messageBytes: 5011, compressed: true })
  t.ok(incoming?.kind === 'inPayload' && incoming.wireBytes < 200)
  await bench.assertQuiet(t)
})

t.test('how long it took, on the clock', async (t) => {
  let answer: () => void = () => {}
  const { bench, client, server } = observed({
    unary: (request) =>
      new Promise((resolve) => {
        answer = () => resolve(request)
      }),
  })
  const call = bench.client.unary({})
  await bench.advance(250)
  answer()
  await bench.run(call)
  t.match(client.events.at(-1), { durationMs: 250 })
  t.match(server.events.at(-1), { durationMs: 250 })
  await bench.assertQuiet(t)
})
