// Statuses with details, cardinality and size limits: what either side makes of what.
import t from 'tap'
import { ByteSink } from '../../../lib/base/byte-sink.ts'
import { Code, codeName } from '../../../lib/base/status.ts'
import { appendMessage } from '../../../lib/grpc/protocol/message.ts'
import { Metadata } from '../../../lib/grpc/protocol/metadata.ts'
import { RpcError } from '../../../lib/grpc/protocol/rpc-error.ts'
import type { OnStream } from '../../../lib/transport/index.ts'
import { EchoBench, type Note } from '../../support/echo-service.ts'
import { rawCall } from '../../support/raw-call.ts'
import { collect } from '../../support/rpc-bench.ts'

const OK_FIELDS = [':status', '200', 'content-type', 'application/grpc+json']

function messages(...texts: string[]): Buffer {
  const sink = new ByteSink()
  for (const text of texts) appendMessage(Buffer.from(text), false, sink)
  return Buffer.from(sink.buf.subarray(0, sink.pos))
}

/** A server that answers every request with these octets and this status. */
function answer(body: Buffer, ...trailers: string[]): OnStream {
  return (stream) => {
    stream.headers(OK_FIELDS, false)
    stream.data(body, 0, body.length, false)
    stream.trailers(trailers)
    return { onHeaders() {}, onData() {}, onEnd() {}, onWritable() {}, onClosed() {} }
  }
}

t.test('every code a handler throws arrives, with its text', async (t) => {
  const bench = new EchoBench({
    unary({ n = 0, text = '' }) {
      throw new RpcError(n, text)
    },
  })
  const texts = ['', 'plain', '100 %', 'ümlaut 汉字 🎉', 'a\r\nb: c', ' outer ', '~'.repeat(1000)]
  for (const text of texts) {
    const error = await bench.error(bench.client.unary({ n: 5, text }))
    t.match(error, { code: 5, rawMessage: text }, JSON.stringify(text.slice(0, 20)))
  }
  for (let n = 1; n <= 16; n++) {
    t.match(await bench.error(bench.client.unary({ n })), { code: n, codeName: codeName(n) })
  }
  t.match(await bench.error(bench.client.unary({ n: 4711 })), { code: 4711 })
  await bench.assertQuiet(t)
})

t.test('details are typed at both ends', async (t) => {
  const details = [
    {
      '@type': 'google.rpc.ErrorInfo',
      reason: 'STOCKOUT',
      domain: 'spec',
      metadata: { zone: 'a' },
    },
    { '@type': 'spec.Own', value: Buffer.from([8, 1]) },
  ] as const
  const bench = new EchoBench({
    unary() {
      throw new RpcError(8, 'none left', { details, metadata: Metadata.from({ more: 'yes' }) })
    },
    // biome-ignore lint/correctness/useYield: it fails before
    async *list() {
      throw new RpcError(8, 'none left', { details })
    },
  })
  for (const call of [
    bench.client.unary({}),
    collect(bench, bench.client.list({})),
  ] as Promise<unknown>[]) {
    const error = await bench.error(call)
    t.match(error, { code: 8, rawMessage: 'none left' })
    t.strictSame(error.details, details)
  }
  await bench.assertQuiet(t)
})

t.test('details that cannot be encoded do not cost the status', async (t) => {
  const faults: string[] = []
  const bench = new EchoBench(
    {
      unary() {
        throw new RpcError(8, 'x', {
          details: [{ '@type': 'google.rpc.ErrorInfo', reason: 5 as never }],
        })
      },
    },
    { server: { logger: { error: (message) => faults.push(message), warn() {} } } },
  )
  t.match(await bench.error(bench.client.unary({})), { code: 8, details: [] })
  t.match(faults, [/status details/])
  await bench.assertQuiet(t)
})

t.test('what a client makes of a status as sent', async (t) => {
  // google.rpc.Status { code: 5, message: "rich" }
  const rich = Buffer.from([8, 5, 18, 4, ...Buffer.from('rich')]).toString('base64')
  const rows: [string[], object][] = [
    [['grpc-status', '5', 'grpc-message', 'plain'], { code: 5, rawMessage: 'plain' }],
    [['grpc-status', '5', 'grpc-status-details-bin', rich], { code: 5, rawMessage: 'rich' }],
    [['grpc-status', '6', 'grpc-status-details-bin', rich], { code: 13, message: /code 5/ }],
    [
      ['grpc-status', '5', 'grpc-message', 'plain', 'grpc-status-details-bin', '!!!'],
      { code: 5, rawMessage: 'plain', details: [] },
    ],
    [
      ['grpc-status', '5', 'grpc-status-details-bin', rich, 'grpc-status-details-bin', rich],
      { code: 5, rawMessage: '', details: [] },
    ],
    [['grpc-status', 'x'], { code: 2, message: /malformed grpc-status/ }],
    [['grpc-status', '-1'], { code: 2 }],
    [['grpc-status', '77'], { code: 77 }],
    [['grpc-message', 'no status'], { code: 2, message: /without grpc-status/ }],
    [['grpc-status', '5', 'x-bin', '!'], { code: 13, message: /x-bin/ }],
  ]
  for (const [trailers, expected] of rows) {
    const bench = new EchoBench({}, { onStream: answer(messages(), ...trailers) })
    const name = trailers.join(' ')
    t.match(await bench.error(bench.client.unary({})), expected, name)
    await bench.assertQuiet(t)
  }
})

t.test('cardinality of responses: one is due', async (t) => {
  const rows: [string[], string, number | undefined][] = [
    [['{}'], '0', undefined],
    [[], '0', Code.Unimplemented],
    [['{}', '{}'], '0', Code.Unimplemented],
    [['{}'], '5', 5],
    [[], '5', 5],
  ]
  for (const [texts, status, code] of rows) {
    const name = `${texts.length} responses, grpc-status ${status}`
    const bench = new EchoBench({}, { onStream: answer(messages(...texts), 'grpc-status', status) })
    for (const call of [() => bench.client.unary({}), () => bench.client.sum([])]) {
      if (code === undefined) t.strictSame(await bench.run(call()), {}, name)
      else t.match(await bench.error(call()), { code }, name)
    }
    await bench.assertQuiet(t)
  }
})

t.test('cardinality of requests: one is due', async (t) => {
  let called = 0
  const bench = new EchoBench({
    unary(request) {
      called++
      return request
    },
    list() {
      called++
    },
  })
  const client = await bench.rawClient()
  for (const path of ['/spec.Echo/Unary', '/spec.Echo/List']) {
    for (const texts of [[], ['{}', '{}'], ['{}', '{}', '{}']]) {
      const answered = await rawCall(bench, client, { path, body: messages(...texts) })
      t.match(answered, { status: '12' }, `${path}, ${texts.length} requests`)
    }
  }
  t.equal(called, 0, 'no handler has started')
  await bench.assertQuiet(t)
})

t.test('bodies that are no messages: INTERNAL', async (t) => {
  const bench = new EchoBench()
  const client = await bench.rawClient()
  const whole = messages('{}')
  const rows: [string, Buffer][] = [
    ['an incomplete prefix', whole.subarray(0, 3)],
    ['an incomplete message', whole.subarray(0, 6)],
    ['a whole one, then a piece', Buffer.concat([whole, whole.subarray(0, 2)])],
    ['an unknown flag', Buffer.from([2, 0, 0, 0, 0])],
    ['a compressed message without an encoding', Buffer.from([1, 0, 0, 0, 0])],
    ['not JSON', messages('{')],
  ]
  for (const [name, body] of rows) {
    for (const path of ['/spec.Echo/Unary', '/spec.Echo/Sum']) {
      t.match(await rawCall(bench, client, { path, body }), { status: '13' }, `${name}: ${path}`)
    }
  }
  await bench.assertQuiet(t)
})

t.test('the same from a server', async (t) => {
  const whole = messages('{}')
  const rows: [string, Buffer][] = [
    ['an incomplete message', whole.subarray(0, 6)],
    ['an unknown flag', Buffer.from([2, 0, 0, 0, 0])],
    ['a compressed message without an encoding', Buffer.from([1, 0, 0, 0, 0])],
    ['not JSON', messages('{')],
  ]
  for (const [name, body] of rows) {
    const bench = new EchoBench({}, { onStream: answer(body, 'grpc-status', '0') })
    t.match(await bench.error(bench.client.unary({})), { code: 13 }, name)
    t.match(await bench.error(collect(bench, bench.client.list({}))), { code: 13 }, name)
    await bench.assertQuiet(t)
  }
})

t.test('size limits hold at every gate', async (t) => {
  const text = 'x'.repeat(1000)
  const bytes = JSON.stringify({ text }).length

  await t.test('a request at the receiver', async (t) => {
    for (const [limit, code] of [
      [bytes, undefined],
      [bytes - 1, 8],
    ] as const) {
      const bench = new EchoBench({}, { server: { maxRecvMessageBytes: limit } })
      const call = bench.client.unary({ text })
      if (code === undefined) t.equal((await bench.run(call)).text, text)
      else t.match(await bench.error(call), { code, message: /larger than max/ })
      const sum = bench.client.sum([{ text }, { n: 1 }])
      if (code === undefined) t.strictSame(await bench.run(sum), { n: 1 })
      else t.match(await bench.error(sum), { code })
      await bench.assertQuiet(t)
    }
  })

  await t.test('a request at the sender, before anything is sent', async (t) => {
    const bench = new EchoBench({}, {}, { maxSendMessageBytes: bytes - 1 })
    t.match(await bench.error(bench.client.unary({ text })), { code: 8, message: /trying to send/ })
    t.match(await bench.error(bench.client.sum([{ text }])), { code: 8 })
    t.equal(
      (await bench.run(bench.client.unary({ text }, { maxSendMessageBytes: bytes }))).text,
      text,
    )
    await bench.assertQuiet(t)
  })

  await t.test('a response at the sender', async (t) => {
    const bench = new EchoBench({}, { server: { maxSendMessageBytes: bytes - 1 } })
    t.match(await bench.error(bench.client.unary({ text })), { code: 8, message: /trying to send/ })
    t.match(await bench.error(collect(bench, bench.client.chat([{ text }]))), { code: 8 })
    await bench.assertQuiet(t)
  })

  await t.test('a response at the receiver', async (t) => {
    const bench = new EchoBench({}, {}, { maxRecvMessageBytes: bytes - 1 })
    t.match(await bench.error(bench.client.unary({ text })), {
      code: 8,
      message: /larger than max/,
    })
    t.match(await bench.error(collect(bench, bench.client.chat([{ text }]))), { code: 8 })
    await bench.assertQuiet(t)
  })

  await t.test('a length that is only announced', async (t) => {
    const bench = new EchoBench()
    const client = await bench.rawClient()
    const body = Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1])
    t.match(await rawCall(bench, client, { path: '/spec.Echo/Unary', body, end: false }), {
      status: '8',
    })
    await bench.assertQuiet(t)
  })
})

t.test('an answer before the end of the requests ends the upload', async (t) => {
  const rows: [string, (requests: AsyncIterable<Note>) => Promise<Note>, number | undefined][] = [
    ['an early answer', async () => ({ n: 1 }), undefined],
    [
      'an early answer after leaving the loop',
      async (requests) => {
        for await (const _ of requests) return { n: 1 }
        return { n: 0 }
      },
      undefined,
    ],
    [
      'an early error',
      async () => {
        throw new RpcError(9)
      },
      9,
    ],
  ]
  for (const [name, sum, code] of rows) {
    const bench = new EchoBench({ sum })
    let made = 0
    let closed = false
    const endless = (function* (): Generator<Note> {
      try {
        for (;;) yield { n: made++, text: 'x'.repeat(1000) }
      } finally {
        closed = true
      }
    })()
    const call = bench.client.sum(endless)
    if (code === undefined) t.strictSame(await bench.run(call), { n: 1 }, name)
    else t.match(await bench.error(call), { code }, name)
    await bench.settle()
    t.equal(closed, true, `${name}: the source is closed`)
    t.ok(made < 1000, `${name}: ${made} requests made`)
    const handle = bench.client.sum()
    const answered = handle.response.catch(() => undefined)
    await bench.run(handle.send({}).catch(() => {}))
    await bench.run(answered)
    if (code === undefined) t.equal(await bench.run(handle.send({})), false, 'takes no more')
    else t.match(await bench.error(handle.send({})), { code })
    await bench.assertQuiet(t)
  }
})
