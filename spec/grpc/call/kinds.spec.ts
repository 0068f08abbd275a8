// The four kinds of call in all the forms that callers and handlers may use, and back-pressure.
import t from 'tap'
import { type Codec, jsonCodec } from '../../../lib/grpc/protocol/codec.ts'
import type { RequestStream } from '../../../lib/grpc/server/handlers.ts'
import { Echo, EchoBench, type EchoHandlers, type Note } from '../../support/echo-service.ts'
import { collect } from '../../support/rpc-bench.ts'

const THREE: readonly Note[] = [{ n: 1 }, { n: 2 }, { n: 3 }]

async function* later<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) {
    await null
    yield item
  }
}

t.test('a unary call answers its one request', async (t) => {
  const bench = new EchoBench()
  t.strictSame(await bench.run(bench.client.unary({ text: 'hi' })), { text: 'hi' })
  await bench.assertQuiet(t)
})

t.test('many unary calls share one connection and keep their answers apart', async (t) => {
  const bench = new EchoBench({
    async unary({ n = 0 }) {
      for (let i = n % 7; i > 0; i--) await null
      return { n: n * 2 }
    },
  })
  const calls = Array.from({ length: 300 }, (_, n) => bench.client.unary({ n }))
  const answers = await bench.run(Promise.all(calls))
  t.strictSame(
    answers,
    answers.map((_, n) => ({ n: n * 2 })),
  )
  t.equal(bench.pairs.length, 1)
  await bench.assertQuiet(t)
})

t.test('a server streams what its handler gives, in whatever form', async (t) => {
  const forms: Record<string, EchoHandlers['list']> = {
    'an array': () => THREE,
    'a generator': function* () {
      yield* THREE
    },
    'an async generator': () => later(THREE),
    'a promise of an array': async () => THREE,
    'an iterator without return': () => ({
      [Symbol.asyncIterator]() {
        let i = 0
        return {
          next: async () =>
            i < THREE.length
              ? { done: false, value: THREE[i++] }
              : { done: true, value: undefined },
        }
      },
    }),
    'call.send, awaited': async (_request, call) => {
      for (const note of THREE) await call.send(note)
    },
    'call.send, not awaited': async (_request, call) => {
      for (const note of THREE) void call.send(note)
    },
    'call.write': (_request, call) => {
      for (const note of THREE) call.write(note)
    },
  }
  for (const [name, list] of Object.entries(forms)) {
    const bench = new EchoBench({ list })
    t.strictSame(await collect(bench, bench.client.list({})), THREE, name)
    await bench.assertQuiet(t)
  }
})

t.test('a stream of no responses ends well', async (t) => {
  const bench = new EchoBench()
  t.strictSame(await collect(bench, bench.client.list({ n: 0 })), [])
  await bench.assertQuiet(t)
})

t.test('a client streams what its caller gives, in whatever form', async (t) => {
  const bench = new EchoBench()
  t.strictSame(await bench.run(bench.client.sum(THREE)), { n: 6 }, 'an array')
  t.strictSame(await bench.run(bench.client.sum(later(THREE))), { n: 6 }, 'an async generator')
  t.strictSame(await bench.run(bench.client.sum([])), { n: 0 }, 'nothing')
  const call = bench.client.sum()
  for (const note of THREE) await bench.run(call.send(note))
  call.end()
  t.strictSame(await bench.run(call.response), { n: 6 }, 'send and end')
  await bench.assertQuiet(t)
})

t.test('requests sent before there is a connection go out when there is', async (t) => {
  const bench = new EchoBench()
  const call = bench.client.sum()
  const sent = THREE.map((note) => call.send(note))
  call.end()
  await bench.run(Promise.all(sent))
  t.strictSame(await bench.run(call.response), { n: 6 })
  await bench.assertQuiet(t)
})

t.test('a handler takes requests one by one, by a loop, or pushed', async (t) => {
  const forms: Record<string, (requests: RequestStream<Note>) => Promise<Note>> = {
    'next()': async (requests) => {
      let n = 0
      for (let step = await requests.next(); !step.done; step = await requests.next()) {
        n += step.value.n ?? 0
      }
      return { n }
    },
    'several next() at once': async (requests) => {
      const steps = await Promise.all([0, 1, 2, 3].map(() => requests.next()))
      return { n: steps.reduce((sum, step) => sum + (step.value?.n ?? 0), 0) }
    },
    'consume()': async (requests) => {
      let n = 0
      await requests.consume((note: Note) => {
        n += note.n ?? 0
      })
      return { n }
    },
  }
  for (const [name, sum] of Object.entries(forms)) {
    const bench = new EchoBench({ sum })
    t.strictSame(await bench.run(bench.client.sum(later(THREE))), { n: 6 }, name)
    await bench.assertQuiet(t)
  }
})

t.test('both ways at once: each answer comes before the next request', async (t) => {
  const bench = new EchoBench()
  const chat = bench.client.chat()
  const answers = chat[Symbol.asyncIterator]()
  for (const note of THREE) {
    await bench.run(chat.send(note))
    t.strictSame(await bench.run(answers.next()), { done: false, value: note })
  }
  chat.end()
  t.strictSame(await bench.run(answers.next()), { done: true, value: undefined })
  t.strictSame(await bench.run(answers.next()), { done: true, value: undefined })
  await bench.assertQuiet(t)
})

t.test('requests as an iterable, responses by the push form', async (t) => {
  const bench = new EchoBench()
  const got: Note[] = []
  await bench.run(bench.client.chat(later(THREE)).consume((note) => got.push(note)))
  t.strictSame(got, THREE)
  await bench.assertQuiet(t)
})

t.test('a consumer that throws cancels the call and hears its own error', async (t) => {
  const bench = new EchoBench()
  for (const late of [false, true]) {
    const call = bench.client.list({ n: 5 })
    if (late) await bench.settle()
    const error = await bench.error(
      call.consume(() => {
        throw new Error('mine')
      }),
    )
    t.equal(error.message, 'mine')
  }
  await bench.assertQuiet(t)
})

t.test('messages from empty to many times the windows arrive whole', async (t) => {
  const bench = new EchoBench()
  for (const length of [0, 1, 16_384, 65_535, 65_536, 3_000_000]) {
    const text = 'x'.repeat(length)
    t.equal((await bench.run(bench.client.unary({ text }))).text?.length, length)
    const echoed = await collect(bench, bench.client.chat([{ text }, { n: 1 }]))
    t.strictSame([echoed[0]?.text?.length, echoed[1]], [length, { n: 1 }])
  }
  await bench.assertQuiet(t)
})

t.test('back-pressure: a reader that does not read stops the writer', async (t) => {
  const text = 'x'.repeat(10_000)

  await t.test('from the server', async (t) => {
    let made = 0
    let closed = false
    const bench = new EchoBench({
      async *list() {
        try {
          for (; made < 1000; made++) yield { text }
        } finally {
          closed = true
        }
      },
    })
    const call = bench.client.list({})
    const responses = call[Symbol.asyncIterator]()
    await bench.run(responses.next())
    await bench.settle()
    t.ok(made < 30, `the window and the write quota, not all: ${made}`)
    for (let i = 0; i < 50; i++) await bench.run(responses.next())
    await bench.settle()
    t.ok(made > 50 && made < 90, `as much as was taken more: ${made}`)
    await bench.run(Promise.resolve(responses.return?.()))
    await bench.settle()
    t.equal(closed, true, 'leaving the loop closes the generator')
    await bench.assertQuiet(t)
  })

  await t.test('from the client, with send awaited', async (t) => {
    let open: () => void = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const bench = new EchoBench({
      async sum(requests) {
        await gate
        let n = 0
        for await (const _ of requests) n++
        return { n }
      },
    })
    let made = 0
    const answer = bench.client.sum(
      (function* () {
        for (; made < 300; made++) yield { text }
      })(),
    )
    await bench.settle()
    t.ok(made < 30, `the window and the write quota, not all: ${made}`)
    open()
    t.strictSame(await bench.run(answer), { n: 300 })
    await bench.assertQuiet(t)
  })

  await t.test('by write and writable', async (t) => {
    let written = 0
    const bench = new EchoBench({
      async list(_request, call) {
        for (; written < 100; written++) if (!call.write({ text })) await call.writable()
      },
    })
    const call = bench.client.list({})
    await bench.settle()
    t.ok(written < 30, String(written))
    t.equal((await collect(bench, call)).length, 100)
    await bench.assertQuiet(t)
  })
})

t.test('a message is encoded when it is sent, whatever becomes of the object later', async (t) => {
  const bench = new EchoBench({}, {}, { compression: 'gzip', minCompressBytes: 0 })
  const chat = bench.client.chat()
  const note = { n: 1, text: 'x'.repeat(20_000) }
  const first = chat.send(note)
  await bench.settle()
  const second = chat.send(note)
  note.n = 2
  await bench.run(Promise.all([first, second]))
  chat.end()
  t.strictSame(
    (await collect(bench, chat)).map(({ n }) => n),
    [1, 1],
  )
  await bench.assertQuiet(t)
})

t.test('a codec that refuses a message', async (t) => {
  const cyclic: Note & { self?: unknown } = {}
  cyclic.self = cyclic

  await t.test('of a unary call: INTERNAL, nothing reaches the server', async (t) => {
    let called = false
    const bench = new EchoBench({
      unary: () => {
        called = true
        return {}
      },
    })
    const error = await bench.error(bench.client.unary(cyclic))
    t.match(error, { code: 13, message: /marshaling/ })
    t.equal(called, false)
    await bench.assertQuiet(t)
  })

  await t.test('of a stream: send rejects and the call fails', async (t) => {
    const bench = new EchoBench()
    const chat = bench.client.chat()
    t.match(await bench.error(chat.send(cyclic)), { code: 13, message: /marshaling/ })
    t.match(await bench.error(collect(bench, chat)), { code: 13, message: /marshaling/ })
    await bench.assertQuiet(t)
  })

  await t.test('a unary response: INTERNAL, as trailers alone', async (t) => {
    const bench = new EchoBench({ unary: () => cyclic })
    const error = await bench.error(bench.client.unary({}))
    t.match(error, { code: 13, message: /marshaling/ })
    await bench.assertQuiet(t)
  })

  await t.test(
    'a response of a stream: INTERNAL after those before, its source is closed',
    async (t) => {
      let closed = false
      const bench = new EchoBench({
        async *list() {
          try {
            yield { n: 1 }
            yield cyclic
          } finally {
            closed = true
          }
        },
      })
      const got: Note[] = []
      const error = await bench.error(bench.client.list({}).consume((note) => got.push(note)))
      t.match(error, { code: 13, message: /marshaling/ })
      t.strictSame(got, [{ n: 1 }])
      t.equal(closed, true)
      await bench.assertQuiet(t)
    },
  )

  await t.test('what comes in is not of the type: INTERNAL', async (t) => {
    const bench = new EchoBench()
    const broken: Codec<Note> = {
      ...jsonCodec<Note>(),
      encode: (_note, out) => out.append(Buffer.from('{')),
    }
    const method = { ...Echo.methods.unary, request: broken }
    t.match(await bench.error(bench.conn.invoke(method, {})), {
      code: 13,
      message: /unmarshalling/,
    })
    await bench.assertQuiet(t)
  })
})
