// Handlers that misbehave: whatever they do, the client gets exactly one status and the server lives.
import t from 'tap'
import { RpcError } from '../../../lib/grpc/protocol/rpc-error.ts'
import type { ServerCallContext } from '../../../lib/grpc/server/handlers.ts'
import { EchoBench, type EchoHandlers, type Note } from '../../support/echo-service.ts'
import { collect } from '../../support/rpc-bench.ts'

class Faults {
  public readonly texts: string[] = []
  public readonly logger = {
    error: (message: string, error?: unknown): void => {
      this.texts.push(`${message}: ${error instanceof Error ? error.message : String(error)}`)
    },
    warn(): void {},
  }
}

t.test('what a handler throws that is no RpcError: UNKNOWN, its text stays here', async (t) => {
  const thrown: Record<string, unknown> = {
    'an Error': new Error('SECRET'),
    'a string': 'SECRET',
    'an object': { secret: 'SECRET' },
    undefined: undefined,
    null: null,
    'a symbol': Symbol('SECRET'),
    'an object that cannot be text': Object.create(null),
    'an RpcError that says OK': new RpcError(0, 'SECRET'),
  }
  for (const [name, error] of Object.entries(thrown)) {
    const faults = new Faults()
    const handlers: Partial<EchoHandlers> = {
      unary() {
        throw error
      },
      async sum() {
        await null
        throw error
      },
      // biome-ignore lint/correctness/useYield: it fails before
      *list() {
        throw error
      },
      async *chat() {
        yield {}
        throw error
      },
    }
    const server = { logger: { error: () => faults.texts.push('x'), warn() {} } }
    const bench = new EchoBench(handlers, { server })
    for (const call of [
      () => bench.client.unary({}),
      () => bench.client.sum([]),
      () => collect(bench, bench.client.list({})),
      () => collect(bench, bench.client.chat([])),
    ]) {
      const failure = await bench.error(call())
      t.match(failure, { code: 2, rawMessage: 'the handler failed' }, name)
      t.notMatch(failure.message, /SECRET/)
    }
    t.equal(faults.texts.length, 4, 'each is reported')
    await bench.assertQuiet(t)

    const open = new EchoBench(handlers, { server: { exposeHandlerErrors: true } })
    t.match(await open.error(open.client.unary({})), { code: 2 }, `${name}, told`)
    t.match(await open.error(collect(open, open.client.chat([]))), { code: 2 })
    await open.assertQuiet(t)
  }
})

t.test('the text is told to clients when the server opts in', async (t) => {
  const handlers: Partial<EchoHandlers> = {
    unary({ text }) {
      if (text === 'abort') throw new DOMException('stopped', 'AbortError')
      throw new Error('open')
    },
  }
  const bench = new EchoBench(handlers, { server: { exposeHandlerErrors: true } })
  t.match(await bench.error(bench.client.unary({})), { code: 2, rawMessage: 'open' })
  t.match(await bench.error(bench.client.unary({ text: 'abort' })), { code: 1 })
  await bench.assertQuiet(t)
})

t.test('results of the wrong type: INTERNAL', async (t) => {
  const results: unknown[] = [null, 5, 'text', true, {}, { next: 1 }, Promise.resolve('text')]
  for (const result of results) {
    const bench = new EchoBench({ list: () => result as never })
    const error = await bench.error(collect(bench, bench.client.list({})))
    t.match(error, { code: 13, message: /want an iterable/ }, String(result))
    await bench.assertQuiet(t)
  }
  const bench = new EchoBench({
    unary: () => undefined as never,
    sum: async () => undefined as never,
  })
  t.match(await bench.error(bench.client.unary({})), { code: 13 })
  t.match(await bench.error(bench.client.sum([])), { code: 13 })
  await bench.assertQuiet(t)
})

t.test('iterators that misbehave', async (t) => {
  const iterators: Record<string, () => unknown> = {
    'next throws': () => ({
      next() {
        throw new Error('x')
      },
    }),
    'next rejects': () => ({ next: () => Promise.reject(new Error('x')) }),
    'next gives nothing': () => ({ next: () => undefined }),
    'asyncIterator throws': () => {
      throw new Error('x')
    },
  }
  for (const [name, create] of Object.entries(iterators)) {
    const bench = new EchoBench({
      list: () => ({ [Symbol.asyncIterator]: create }) as never,
    })
    t.match(await bench.error(collect(bench, bench.client.list({}))), { code: 2 }, name)
    await bench.assertQuiet(t)
  }

  await t.test('return that throws, when the client has left', async (t) => {
    let returned = 0
    const bench = new EchoBench({
      list: () =>
        ({
          [Symbol.asyncIterator]: () => ({
            next: async () => ({ done: false, value: { text: 'x'.repeat(1000) } }),
            return() {
              returned++
              throw new Error('x')
            },
          }),
        }) as never,
    })
    const call = bench.client.list({})
    const responses = call[Symbol.asyncIterator]()
    await bench.run(responses.next())
    call.cancel()
    await bench.settle()
    t.equal(returned, 1)
    t.strictSame(await bench.run(bench.client.unary({ n: 1 })), { n: 1 })
    await bench.assertQuiet(t)
  })
})

t.test('calls out of order throw at the handler, and the call goes on', async (t) => {
  let late: ServerCallContext | undefined
  const bench = new EchoBench({
    unary(request, call) {
      call.sendHeaders({ first: '1' })
      t.throws(() => call.sendHeaders(), /headers were sent already/)
      t.throws(() => call.write({}), /answers by returning/)
      return request
    },
    async list(_request, call) {
      late = call
      await call.send({ n: 1 })
    },
  })
  t.strictSame(await bench.run(bench.client.unary({ n: 1 })), { n: 1 })
  t.strictSame(await collect(bench, bench.client.list({})), [{ n: 1 }])
  t.match(await bench.error((late as ServerCallContext).send({})), { token: 'send_after_end' })
  t.equal(late?.write({}), false)
  await bench.run((late as ServerCallContext).writable())
  t.throws(() => late?.sendHeaders(), /headers were sent already/)
  await bench.assertQuiet(t)
})

t.test('a unary handler that also sends: an error of its own, no second response', async (t) => {
  const bench = new EchoBench({
    async unary(request, call) {
      await call.send(request)
      return request
    },
  })
  t.match(await bench.error(bench.client.unary({})), { code: 13, message: /answers by returning/ })
  await bench.assertQuiet(t)
})

t.test('after the client has gone nothing of the handler matters', async (t) => {
  const faults = new Faults()
  const contexts: ServerCallContext[] = []
  const endings: ((how: 'return' | 'throw') => void)[] = []
  const wait = (_request: unknown, call: ServerCallContext): Promise<Note> => {
    contexts.push(call)
    return new Promise((resolve, reject) => {
      endings.push((how) => (how === 'return' ? resolve({}) : reject(new Error('late'))))
    })
  }
  const bench = new EchoBench({ unary: wait, sum: wait }, { server: { logger: faults.logger } })
  for (const how of ['return', 'throw'] as const) {
    const abort = new AbortController()
    const failed = [
      bench.error(bench.client.unary({}, { signal: abort.signal })),
      bench.error(bench.client.sum([{}], { signal: abort.signal })),
    ]
    await bench.settle()
    abort.abort()
    await Promise.all(failed)
    await bench.settle()
    for (const call of contexts.splice(0)) {
      t.equal(call.signal.aborted, true)
      call.headers.set('late', '1')
      call.sendHeaders()
      t.equal(call.write({}), false)
    }
    for (const end of endings.splice(0)) end(how)
    await bench.settle()
  }
  t.strictSame(faults.texts, [], 'what they throw then is no news')
  await bench.assertQuiet(t)
})

t.test('a handler that never settles holds nothing but its slot', async (t) => {
  const bench = new EchoBench({ unary: () => new Promise(() => {}) })
  const failed = bench.error(bench.client.unary({}, { timeoutMs: 50 }))
  await bench.advance(60)
  t.match(await failed, { code: 4 })
  await bench.assertQuiet(t)
})

t.test(
  'leaving its loop means enough: the rest is taken and dropped, the answer comes',
  async (t) => {
    const bench = new EchoBench({
      async sum(requests, call) {
        let n = 0
        for await (const request of requests) {
          n = request.n ?? 0
          break
        }
        await new Promise<void>((resolve) => {
          call.signal.addEventListener('abort', () => resolve())
          go = resolve
        })
        return { n }
      },
    })
    let go: () => void = () => {}
    const call = bench.client.sum()
    // Far more than any window: it must be credited to come through.
    let sent = 0
    const upload = async (): Promise<void> => {
      for (; sent < 50; sent++) await call.send({ n: 7, text: 'x'.repeat(20_000) })
    }
    await bench.run(upload())
    t.equal(sent, 50)
    go()
    t.strictSame(await bench.run(call.response), { n: 7 })
    await bench.assertQuiet(t)
  },
)

t.test('requests that nobody reads do not stop the status', async (t) => {
  const bench = new EchoBench({
    async *chat() {
      yield { n: 1 }
    },
  })
  const chat = bench.client.chat()
  void chat.send({ text: 'x'.repeat(200_000) })
  t.strictSame(await collect(bench, chat), [{ n: 1 }])
  await bench.assertQuiet(t)
})

t.test('who calls, and which method', async (t) => {
  const seen: unknown[] = []
  const bench = new EchoBench({
    unary(request, call) {
      seen.push(call.peer.address, call.peerAddress, call.method.path, call.side, call.deadline)
      return request
    },
  })
  await bench.run(bench.client.unary({}))
  t.strictSame(seen, ['client:1', 'client:1', '/spec.Echo/Unary', 'server', undefined])
  await bench.assertQuiet(t)
})

t.test('trailers of a request are no fault', async (t) => {
  const bench = new EchoBench()
  const client = await bench.rawClient()
  let status: string | undefined
  const stream = client.openStream(
    [
      ':method',
      'POST',
      ':scheme',
      'http',
      ':path',
      '/spec.Echo/Sum',
      ':authority',
      'x',
      'content-type',
      'application/grpc+json',
      'te',
      'trailers',
    ],
    {
      onHeaders(block) {
        const at = block.fields.indexOf('grpc-status')
        if (at >= 0) status = block.fields[at + 1]
      },
      onData(_buf, start, end) {
        stream.credit(end - start)
      },
      onEnd() {},
      onWritable() {},
      onClosed() {},
    },
  )
  stream.trailers(['x', 'y'])
  await bench.settle()
  t.equal(status, '0')
  await bench.assertQuiet(t)
})

t.test('timeouts as sent', async (t) => {
  const bench = new EchoBench()
  const client = await bench.rawClient()
  const { rawCall } = await import('../../support/raw-call.ts')
  const body = Buffer.from('\0\0\0\0\x02{}', 'latin1')
  const rows: [string, string, string][] = [
    ['1S', '200', '0'],
    ['99999999H', '200', '0'],
    ['0n', '200', '4'],
    ['0S', '200', '4'],
    ['123456789n', '400', '13'],
    ['5', '400', '13'],
    ['S', '400', '13'],
    ['1X', '400', '13'],
    ['-1S', '400', '13'],
    ['1.5S', '400', '13'],
    ['1e3S', '400', '13'],
    ['', '400', '13'],
  ]
  for (const [timeout, httpStatus, status] of rows) {
    const answer = await rawCall(bench, client, { body, extra: ['grpc-timeout', timeout] })
    t.match(answer, { httpStatus, status }, JSON.stringify(timeout))
  }
  await bench.assertQuiet(t)
})
