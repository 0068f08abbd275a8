// Responses that are not gRPC, or break its rules: what status the caller gets.
import t from 'tap'
import { ErrorCode, type OnStream } from '../../../lib/transport/index.ts'
import { EchoBench } from '../../support/echo-service.ts'
import { collect } from '../../support/rpc-bench.ts'

const IGNORE = { onHeaders() {}, onData() {}, onEnd() {}, onWritable() {}, onClosed() {} }
const GRPC = 'application/grpc'
const MESSAGE = Buffer.from('\0\0\0\0\x02{}', 'latin1')

interface Response {
  readonly headers: readonly string[]
  readonly body?: Buffer
  readonly trailers?: readonly string[]
}

/** Headers alone end the stream; a body without trailers ends it with DATA. */
function answering({ headers, body, trailers }: Response): OnStream {
  return (stream) => {
    const alone = body === undefined && trailers === undefined
    stream.headers(headers, alone)
    if (body !== undefined) stream.data(body, 0, body.length, trailers === undefined)
    if (trailers !== undefined) stream.trailers(trailers)
    stream.reset(ErrorCode.NO_ERROR, 'spec_done')
    return IGNORE
  }
}

const head = (status: number, type?: string, ...more: string[]): string[] => [
  ':status',
  String(status),
  ...(type === undefined ? [] : ['content-type', type]),
  ...more,
]

t.test('an HTTP status without grpc-status becomes a code', async (t) => {
  const codes: [number, number][] = [
    [200, 2],
    [204, 2],
    [301, 2],
    [400, 13],
    [401, 16],
    [403, 7],
    [404, 12],
    [405, 2],
    [429, 14],
    [431, 2],
    [500, 2],
    [502, 14],
    [503, 14],
    [504, 14],
  ]
  const html = Buffer.from('<html>')
  for (const [status, code] of codes) {
    for (const type of ['text/html', undefined, GRPC]) {
      for (const response of [
        { headers: head(status, type) },
        { headers: head(status, type), body: html },
      ]) {
        // With gRPC's type on a good answer the body is what is wrong.
        if (status === 200 && type === GRPC && response.body !== undefined) continue
        const bench = new EchoBench({}, { onStream: answering(response) })
        const error = await bench.error(bench.client.unary({}))
        const name = `${status} ${type} ${response.body === undefined ? 'alone' : 'with a body'}`
        if (type === GRPC && response.body !== undefined) t.match(error, { code: 13 }, name)
        else t.match(error, { code }, name)
        await bench.assertQuiet(t)
      }
    }
  }
})

t.test('rows of responses', async (t) => {
  const rows: [string, Response, object | undefined][] = [
    [
      'a gRPC error under another :status keeps its own code',
      { headers: head(404, GRPC, 'grpc-status', '5', 'grpc-message', 'own') },
      { code: 5, rawMessage: 'own' },
    ],
    [
      'grpc-status in a response that is not gRPC does not count',
      { headers: head(200, 'text/plain', 'grpc-status', '0') },
      { code: 2, message: /content-type/ },
    ],
    [
      'the end by DATA without trailers',
      { headers: head(200, GRPC), body: MESSAGE },
      { code: 13, message: /without a status/ },
    ],
    [
      'trailers without grpc-status',
      { headers: head(200, GRPC), body: MESSAGE, trailers: ['x', 'y'] },
      { code: 2 },
    ],
    [
      'OK alone, where one response is due',
      { headers: head(200, GRPC, 'grpc-status', '0') },
      { code: 12, message: /no response/ },
    ],
    [
      'a body and an error: the error counts',
      { headers: head(200, GRPC), body: MESSAGE, trailers: ['grpc-status', '10'] },
      { code: 10 },
    ],
    [
      'any subtype will do',
      {
        headers: head(200, 'application/grpc+proto'),
        body: MESSAGE,
        trailers: ['grpc-status', '0'],
      },
      undefined,
    ],
    [
      'parameters of the type will do',
      {
        headers: head(200, 'application/grpc;charset=utf-8'),
        body: MESSAGE,
        trailers: ['grpc-status', '0'],
      },
      undefined,
    ],
    [
      'a type that only begins like it',
      { headers: head(200, 'application/grpcx'), trailers: ['grpc-status', '0'] },
      { code: 2, message: /application\/grpcx/ },
    ],
    [
      'bad -bin metadata',
      { headers: head(200, GRPC, 'x-bin', '*'), body: MESSAGE, trailers: ['grpc-status', '0'] },
      { code: 13, message: /x-bin/ },
    ],
  ]
  for (const [name, response, expected] of rows) {
    const bench = new EchoBench({}, { onStream: answering(response) })
    if (expected === undefined) t.strictSame(await bench.run(bench.client.unary({})), {}, name)
    else t.match(await bench.error(bench.client.unary({})), expected, name)
    await bench.assertQuiet(t)
  }
})

t.test('a stream of responses gives what came before the error', async (t) => {
  const response = { headers: head(200, GRPC), body: MESSAGE, trailers: ['grpc-status', '15'] }
  const bench = new EchoBench({}, { onStream: answering(response) })
  const got: unknown[] = []
  t.match(await bench.error(bench.client.list({}).consume((note) => got.push(note))), { code: 15 })
  t.strictSame(got, [{}])
  await bench.assertQuiet(t)
})

t.test('informational responses are passed over', async (t) => {
  const onStream: OnStream = (stream) => {
    stream.informational([':status', '103', 'link', 'x'])
    stream.headers(head(200, GRPC), false)
    stream.data(MESSAGE, 0, MESSAGE.length, false)
    stream.trailers(['grpc-status', '0'])
    return IGNORE
  }
  const bench = new EchoBench({}, { onStream })
  t.strictSame(await bench.run(bench.client.unary({})), {})
  await bench.assertQuiet(t)
})

t.test('a server that is done while the client still sends: RST_STREAM(NO_ERROR)', async (t) => {
  const resets: string[] = []
  const onStream: OnStream = (stream) => {
    stream.headers(head(200, GRPC, 'grpc-status', '0'), true)
    return {
      ...IGNORE,
      onClosed: ({ by, code }) => resets.push(`${by} ${code}`),
    }
  }
  const bench = new EchoBench({}, { onStream })
  const chat = bench.client.chat()
  t.strictSame(await collect(bench, chat), [])
  await bench.settle()
  t.strictSame(resets, ['reset 0'])
  await bench.assertQuiet(t)
})

t.test('all has arrived when the connection breaks: the status is not lost', async (t) => {
  const big = JSON.stringify({ text: 'x'.repeat(300_000) })
  const { gzipSync } = await import('node:zlib')
  const octets = gzipSync(Buffer.from(big))
  const body = Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), octets])
  body.writeUInt32BE(octets.length, 1)
  const onStream: OnStream = (stream) => {
    stream.headers(head(200, GRPC, 'grpc-encoding', 'gzip'), false)
    stream.data(body, 0, body.length, false)
    stream.trailers(['grpc-status', '0'])
    return IGNORE
  }
  const bench = new EchoBench({}, { onStream })
  const chat = bench.client.chat()
  const read = collect(bench, chat)
  await bench.settle()
  bench.pairs[0]?.cut()
  t.equal((await read)[0]?.text?.length, 300_000)
  await bench.assertQuiet(t)
})
