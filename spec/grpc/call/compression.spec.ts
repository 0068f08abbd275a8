// Message compression on a call: what is chosen, what is announced, and what bad data may do.
import { brotliCompressSync, deflateSync, gunzipSync, gzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import t from 'tap'
import type { Compressor } from '../../../lib/grpc/protocol/compression.ts'
import { putPrefix } from '../../../lib/grpc/protocol/message.ts'
import type { OnStream } from '../../../lib/transport/index.ts'
import { EchoBench, type Note } from '../../support/echo-service.ts'
import { fieldValue, rawCall } from '../../support/raw-call.ts'
import { collect } from '../../support/rpc-bench.ts'

const TEXT = 'compressible '.repeat(500)
const IGNORE = { onHeaders() {}, onData() {}, onEnd() {}, onWritable() {}, onClosed() {} }

function framed(bytes: Buffer, compressed: boolean): Buffer {
  const buf = Buffer.alloc(5 + bytes.length)
  putPrefix(buf, 0, compressed, bytes.length)
  bytes.copy(buf, 5)
  return buf
}

/** flag and length of each message in a body. */
function prefixes(body: Buffer): [flag: number, length: number][] {
  const found: [number, number][] = []
  for (let at = 0; at < body.length; at += 5 + body.readUInt32BE(at + 1)) {
    found.push([body[at] as number, body.readUInt32BE(at + 1)])
  }
  return found
}

t.test('a call compresses its requests; the server mirrors the encoding', async (t) => {
  for (const compression of ['gzip', 'deflate', 'br']) {
    const bench = new EchoBench()
    const options = { compression }
    t.equal((await bench.run(bench.client.unary({ text: TEXT }, options))).text, TEXT)
    t.strictSame(await collect(bench, bench.client.chat([{ text: TEXT }, {}], options)), [
      { text: TEXT },
      {},
    ])
    t.strictSame(await bench.run(bench.client.sum([{ n: 1, text: TEXT }], options)), { n: 1 })
    const client = await bench.rawClient()
    const packed = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync }[compression]!
    const answer = await rawCall(bench, client, {
      body: framed(packed(Buffer.from(JSON.stringify({ text: TEXT }))), true),
      extra: ['grpc-encoding', compression, 'grpc-accept-encoding', `identity,${compression}`],
    })
    t.equal(fieldValue(answer.fields, 'grpc-encoding'), compression)
    t.equal(prefixes(answer.body)[0]?.[0], 1, 'the response is compressed')
    await bench.assertQuiet(t)
  }
})

t.test('what a client does not accept is not sent', async (t) => {
  const bench = new EchoBench({}, { server: { compression: 'gzip' } })
  const client = await bench.rawClient()
  const body = framed(Buffer.from(JSON.stringify({ text: TEXT })), false)
  const rows: [string[], string | undefined][] = [
    [[], undefined],
    [['grpc-accept-encoding', 'br'], undefined],
    [['grpc-accept-encoding', 'br, gzip'], 'gzip'],
  ]
  for (const [extra, encoding] of rows) {
    const answer = await rawCall(bench, client, { body, extra })
    t.equal(fieldValue(answer.fields, 'grpc-encoding'), encoding, extra.join(' '))
    t.equal(prefixes(answer.body)[0]?.[0], encoding === undefined ? 0 : 1)
  }
  await bench.assertQuiet(t)
})

t.test('short and empty messages go as they are', async (t) => {
  const bench = new EchoBench(
    { list: () => [{}, { text: 'x'.repeat(98) }, { text: 'x'.repeat(200) }] },
    { server: { minCompressBytes: 150, compression: 'gzip' } },
  )
  const client = await bench.rawClient()
  const extra = ['grpc-accept-encoding', 'gzip']
  const body = framed(Buffer.from('{}'), false)
  const answer = await rawCall(bench, client, { path: '/spec.Echo/List', body, extra })
  t.strictSame(
    prefixes(answer.body).map(([flag]) => flag),
    [0, 0, 1],
  )
  await bench.assertQuiet(t)
})

t.test('a message can be left uncompressed, and a handler can choose', async (t) => {
  const bench = new EchoBench({
    async list(_request, call) {
      call.setCompression('gzip')
      await call.send({ text: TEXT })
      await call.send({ text: TEXT }, { compress: false })
      call.write({ text: TEXT })
      t.throws(() => call.setCompression('identity'), /headers were sent already/)
    },
    unary(request, call) {
      t.throws(() => call.setCompression('br'), /does not accept/)
      t.throws(() => call.setCompression('zstd'), /does not accept/)
      call.setCompression('identity')
      return request
    },
  })
  const client = await bench.rawClient()
  const extra = ['grpc-accept-encoding', 'gzip']
  const body = framed(Buffer.from(JSON.stringify({ text: TEXT })), false)
  const list = await rawCall(bench, client, { path: '/spec.Echo/List', body, extra })
  t.strictSame(
    prefixes(list.body).map(([flag]) => flag),
    [1, 0, 1],
  )
  t.equal(list.status, '0')
  const unary = await rawCall(bench, client, { body, extra: [...extra, 'grpc-encoding', 'gzip'] })
  t.equal(prefixes(unary.body)[0]?.[0], 0)
  const options = { compression: 'gzip' }
  const chat = bench.client.chat(options)
  await bench.run(chat.send({ text: TEXT }, { compress: false }))
  chat.end()
  t.strictSame(await collect(bench, chat), [{ text: TEXT }])
  await bench.assertQuiet(t)
})

t.test('large and small messages mixed keep their order', async (t) => {
  const bench = new EchoBench({}, { server: { minCompressBytes: 0 } }, {})
  const notes = Array.from({ length: 40 }, (_, n) => ({
    n,
    text: n % 3 === 0 ? 'x'.repeat(200_000 / (n + 1)) : String(n),
  }))
  const options = { compression: 'gzip', minCompressBytes: 50 }
  const echoed = await collect(bench, bench.client.chat(notes, options))
  t.strictSame(
    echoed.map(({ n }) => n),
    notes.map(({ n }) => n),
  )
  // Not awaited, so that compression of many is under way at once.
  const chat = bench.client.chat(options)
  const sent = notes.map((note, i) => chat.send(note, { compress: i % 2 === 0 }))
  chat.end()
  t.strictSame(
    (await collect(bench, chat)).map(({ n }) => n),
    notes.map(({ n }) => n),
  )
  await bench.run(Promise.all(sent))
  await bench.assertQuiet(t)
})

t.test(
  'an encoding that nobody has: UNIMPLEMENTED by a server, which says what it takes',
  async (t) => {
    const bench = new EchoBench()
    const client = await bench.rawClient()
    const answer = await rawCall(bench, client, { extra: ['grpc-encoding', 'zstd'] })
    t.match(answer, { status: '12', httpStatus: '200' })
    t.equal(fieldValue(answer.fields, 'grpc-accept-encoding'), 'identity,gzip,deflate,br')
    await bench.assertQuiet(t)
  },
)

t.test(
  'an encoding that nobody has: INTERNAL at a client, whether received or asked for',
  async (t) => {
    const onStream: OnStream = (stream) => {
      stream.headers(
        [':status', '200', 'content-type', 'application/grpc', 'grpc-encoding', 'zstd'],
        false,
      )
      return IGNORE
    }
    const bench = new EchoBench({}, { onStream })
    t.match(await bench.error(bench.client.unary({})), { code: 13, message: /zstd/ })
    t.match(await bench.error(bench.client.unary({}, { compression: 'zstd' })), { code: 13 })
    t.throws(() => bench.client.chat({ compression: 'zstd' }), /zstd/)
    t.throws(() => new EchoBench({}, { server: { compression: 'zstd' } }), /zstd/)
    await bench.assertQuiet(t)
  },
)

t.test('bad compressed data ends the call, never more', async (t) => {
  const good = gzipSync(Buffer.from('{}'))
  const bad: Record<string, Buffer> = {
    'not gzip': Buffer.from('{}'),
    'nothing at all': Buffer.alloc(0),
    'a truncated stream': good.subarray(0, good.length - 4),
    'a stream with something after it': Buffer.concat([good, Buffer.from([1, 2, 3])]),
    'a bad checksum': Buffer.concat([good.subarray(0, good.length - 8), Buffer.alloc(8, 7)]),
    'good gzip of bad JSON': gzipSync(Buffer.from('{')),
  }
  for (const [name, octets] of Object.entries(bad)) {
    const body = framed(octets, true)
    const bench = new EchoBench()
    const client = await bench.rawClient()
    for (const path of ['/spec.Echo/Unary', '/spec.Echo/Sum', '/spec.Echo/Chat']) {
      const answer = await rawCall(bench, client, { path, body, extra: ['grpc-encoding', 'gzip'] })
      t.match(answer, { status: '13' }, `${name} to ${path}`)
    }
    t.strictSame(await bench.run(bench.client.unary({ n: 1 })), { n: 1 }, 'the server lives')
    await bench.assertQuiet(t)

    const onStream: OnStream = (stream) => {
      stream.headers(
        [':status', '200', 'content-type', 'application/grpc', 'grpc-encoding', 'gzip'],
        false,
      )
      stream.data(body, 0, body.length, false)
      stream.trailers(['grpc-status', '0'])
      return IGNORE
    }
    const hostile = new EchoBench({}, { onStream })
    t.match(await hostile.error(hostile.client.unary({})), { code: 13 }, `${name} from a server`)
    t.match(await hostile.error(collect(hostile, hostile.client.list({}))), { code: 13 })
    await hostile.assertQuiet(t)
  }
})

t.test('the limit holds after decompression, exactly', async (t) => {
  const text = 'x'.repeat(5000)
  const bytes = JSON.stringify({ text }).length
  for (const [limit, code] of [
    [bytes, undefined],
    [bytes - 1, 8],
  ] as const) {
    const bench = new EchoBench({}, { server: { maxRecvMessageBytes: limit } })
    const call = bench.client.unary({ text }, { compression: 'gzip' })
    if (code === undefined) t.equal((await bench.run(call)).text, text)
    else t.match(await bench.error(call), { code, message: /after decompression/ })
    const own = bench.client.unary({ text: 'y' }, { maxRecvMessageBytes: 5, compression: 'gzip' })
    t.match(await bench.error(own), { code: 8 })
    await bench.assertQuiet(t)
  }
})

t.test('a bomb: RESOURCE_EXHAUSTED, and its size is never in memory', async (t) => {
  const bench = new EchoBench()
  const client = await bench.rawClient()
  const bomb = framed(gzipSync(Buffer.alloc(64 * 1024 * 1024)), true)
  const before = process.memoryUsage().rss
  const answer = await rawCall(bench, client, { body: bomb, extra: ['grpc-encoding', 'gzip'] })
  t.match(answer, { status: '8' })
  t.ok(process.memoryUsage().rss - before < 40 * 1024 * 1024)
  await bench.assertQuiet(t)
})

t.test('a window of small bombs waits compressed for a reader that does not read', async (t) => {
  const megabyte = gzipSync(Buffer.from(JSON.stringify({ text: ' '.repeat(1_000_000) })))
  let decompressed = 0
  const counting: Compressor = {
    name: 'gzip',
    compress: gzipSync,
    decompress(bytes) {
      decompressed++
      return gunzipSync(bytes)
    },
  }
  let read: () => void = () => {}
  const bench = new EchoBench(
    {
      async sum(requests) {
        await new Promise<void>((resolve) => {
          read = resolve
        })
        let n = 0
        for await (const { text = '' } of requests) n += text.length
        return { n }
      },
    },
    { server: { compressors: [counting] } },
  )
  const client = await bench.rawClient()
  const body = Buffer.concat(Array.from({ length: 40 }, () => framed(megabyte, true)))
  const answered = rawCall(bench, client, {
    path: '/spec.Echo/Sum',
    body,
    extra: ['grpc-encoding', 'gzip'],
  })
  await bench.settle()
  t.equal(decompressed, 1, 'one waits, the others are still compressed')
  read()
  t.match(await answered, { status: '0' })
  t.equal(decompressed, 40)
  await bench.assertQuiet(t)
})

t.test('a compressor that fails: INTERNAL for the call that used it', async (t) => {
  const broken: Compressor = {
    name: 'broken',
    async compress() {
      throw new Error('no')
    },
    decompress: (bytes) => bytes,
  }
  const compressors = [broken]
  const bench = new EchoBench(
    {},
    {
      server: { compressors, minCompressBytes: 0, compression: 'broken' },
      channel: { compressors },
    },
  )
  const response = await bench.error(bench.client.unary({ n: 1 }))
  t.match(response, { code: 13, message: /failed to compress/ })
  t.match(await bench.error(collect(bench, bench.client.list({ n: 2 }))), { code: 13 })
  const options = { compression: 'broken', minCompressBytes: 0 }
  t.match(await bench.error(bench.client.unary({ n: 1 }, options)), { code: 13 })
  const chat = bench.client.chat(options)
  t.match(await bench.error(chat.send({ n: 1 })), { code: 13 })
  t.match(await bench.error(collect(bench, chat)), { code: 13 })
  await bench.assertQuiet(t)
})

t.test('responses that are awaited while compressed come in order with the end', async (t) => {
  const bench = new EchoBench({}, { server: { compression: 'gzip' } })
  const texts = ['x'.repeat(300_000), 'y', 'x'.repeat(200_000)]
  const list = (): Note[] => texts.map((text) => ({ text }))
  const own = new EchoBench({ list }, { server: { compression: 'gzip' } })
  t.strictSame(
    (await collect(own, own.client.list({}))).map(({ text }) => text?.length),
    [300_000, 1, 200_000],
  )
  await own.assertQuiet(t)
  await bench.assertQuiet(t)
})

t.test('a reader that leaves has nothing decompressed for it', async (t) => {
  let decompressed = 0
  const counting: Compressor = {
    name: 'gzip',
    compress: gzipSync,
    decompress(bytes) {
      decompressed++
      return gunzipSync(bytes)
    },
  }
  const bench = new EchoBench(
    {
      async sum(requests) {
        await requests.next()
        await requests.return()
        return { n: 1 }
      },
    },
    { server: { compressors: [counting] }, channel: { compressors: [counting] } },
  )
  const client = await bench.rawClient()
  const one = framed(gzipSync(Buffer.from('{}')), true)
  const body = Buffer.concat(Array.from({ length: 20 }, () => one))
  const extra = ['grpc-encoding', 'gzip']
  t.match(await rawCall(bench, client, { path: '/spec.Echo/Sum', body, extra }), { status: '0' })
  t.ok(decompressed <= 2, `${decompressed} were`)
  await bench.assertQuiet(t)
})

t.test('random octets under every encoding: a status, and the server lives', async (t) => {
  const bench = new EchoBench()
  const client = await bench.rawClient()
  const encodings = ['gzip', 'deflate', 'br', 'identity', '', 'zstd']
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(...encodings),
      fc.constantFrom('/spec.Echo/Unary', '/spec.Echo/Chat'),
      async (octets, encoding, path) => {
        const body = framed(Buffer.from(octets), true)
        const extra = encoding === '' ? [] : ['grpc-encoding', encoding]
        const { status } = await rawCall(bench, client, { path, body, extra })
        return status === (encoding === 'zstd' ? '12' : '13')
      },
    ),
    { numRuns: 300 },
  )
  t.strictSame(await bench.run(bench.client.unary({ n: 1 })), { n: 1 })
  await bench.assertQuiet(t)
})
