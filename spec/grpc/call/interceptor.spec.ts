// Interceptors: the same shape at both sides, for calls of every kind.
import t from 'tap'
import type { Interceptor } from '../../../lib/grpc/call/interceptor.ts'
import type { StatsHandler } from '../../../lib/grpc/observe/stats.ts'
import { Metadata } from '../../../lib/grpc/protocol/metadata.ts'
import { RpcError } from '../../../lib/grpc/protocol/rpc-error.ts'
import { Echo, EchoBench, type Note } from '../../support/echo-service.ts'
import { collect } from '../../support/rpc-bench.ts'

const THREE: readonly Note[] = [{ n: 1 }, { n: 2 }, { n: 3 }]

async function* mapped<T>(items: unknown, change: (item: T) => T): AsyncGenerator<T> {
  for await (const item of items as AsyncIterable<T>) yield change(item)
}

function logging(log: string[], name: string): Interceptor {
  return async (request, next) => {
    log.push(`${name} > ${request.call.method.name}`)
    try {
      return await next(request)
    } finally {
      log.push(`${name} <`)
    }
  }
}

/** The four kinds of call, each giving 6 in the end. */
async function callAll(bench: EchoBench): Promise<number[]> {
  const sum = (notes: readonly Note[]): number => notes.reduce((all, { n = 0 }) => all + n, 0)
  const { client } = bench
  return [
    (await bench.run(client.unary({ n: 6 }))).n ?? 0,
    sum(await collect(bench, client.list({ n: 4 }))),
    (await bench.run(client.sum(THREE))).n ?? 0,
    sum(await collect(bench, client.chat(THREE))),
  ]
}

t.test('the first of a list is the outermost, at both sides, around every kind', async (t) => {
  const log: string[] = []
  const bench = new EchoBench(
    {},
    {
      channel: { interceptors: [logging(log, 'c1'), logging(log, 'c2')] },
      server: { interceptors: [logging(log, 's1'), logging(log, 's2')] },
    },
  )
  t.strictSame(await callAll(bench), [6, 6, 6, 6])
  const around = (name: string): string[] => [
    `c1 > ${name}`,
    `c2 > ${name}`,
    `s1 > ${name}`,
    `s2 > ${name}`,
  ]
  t.strictSame(log.slice(0, 8), [...around('unary'), 's2 <', 's1 <', 'c2 <', 'c1 <'])
  t.strictSame(
    log.filter((line) => line.includes('>')),
    ['unary', 'list', 'sum', 'chat'].flatMap(around),
  )
  log.length = 0
  await bench.run(bench.client.unary({}, { interceptors: [logging(log, 'own')] }))
  t.strictSame(
    log.slice(0, 3),
    ['c1 > unary', 'c2 > unary', 'own > unary'],
    'those of the call are innermost',
  )
  await bench.assertQuiet(t)
})

t.test('they change metadata and messages on the way in and out', async (t) => {
  const outgoing: Interceptor = async (request, next) => {
    request.call.metadata.set('token', 'secret')
    const response = await next(request)
    response.headers.set('seen', 'by client')
    return response
  }
  const doubling: Interceptor = async (request, next) => {
    const double = ({ n = 0 }: Note): Note => ({ n: n * 2 })
    const { message } = request
    const streamed = /sum|chat/.test(request.call.method.name)
    const response = await next({
      ...request,
      message: streamed ? mapped(message, double) : double(message as Note),
    })
    response.trailers.set('doubled', 'yes')
    return response
  }
  const tokens: unknown[] = []
  const bench = new EchoBench(
    {
      unary(request, call) {
        tokens.push(call.metadata.get('token'))
        return request
      },
    },
    { channel: { interceptors: [outgoing] }, server: { interceptors: [doubling] } },
  )
  t.strictSame(await callAll(bench), [12, 28, 12, 12])
  t.strictSame(tokens, ['secret'])
  const chat = bench.client.chat(THREE)
  t.equal((await bench.run(chat.headers)).get('seen'), 'by client')
  await collect(bench, chat)
  t.equal((await bench.run(chat.trailers)).get('doubled'), 'yes')
  await bench.assertQuiet(t)
})

t.test('they see responses of a stream, one by one', async (t) => {
  const adding: Interceptor = async (request, next) => {
    const response = await next(request)
    if (!/list|chat/.test(request.call.method.name)) return response
    return { ...response, message: mapped(response.message, ({ n = 0 }: Note) => ({ n: n + 1 })) }
  }
  for (const side of ['channel', 'server'] as const) {
    const bench = new EchoBench({}, { [side]: { interceptors: [adding] } })
    t.strictSame(await callAll(bench), [6, 10, 6, 9], side)
    await bench.assertQuiet(t)
  }
})

t.test('an answer of their own: nothing else hears of the call', async (t) => {
  let handled = 0
  const handlers = {
    unary: (request: Note) => {
      handled++
      return request
    },
  }
  const answering: Interceptor = async ({ call }) => ({
    headers: Metadata.from({ from: call.side }),
    trailers: Metadata.from({ end: 'yes' }),
    message: /list|chat/.test(call.method.name) ? [{ n: 6 }] : { n: 6 },
  })

  for (const side of ['channel', 'server'] as const) {
    const bench = new EchoBench(handlers, { [side]: { interceptors: [answering] } })
    t.strictSame(await callAll(bench), [6, 6, 6, 6], side)
    const list = bench.client.list({})
    const name = side === 'channel' ? 'client' : 'server'
    t.equal((await bench.run(list.headers)).get('from'), name)
    await collect(bench, list)
    t.equal((await bench.run(list.trailers)).get('end'), 'yes')
    const chat = bench.client.chat()
    t.strictSame(await collect(bench, chat), [{ n: 6 }])
    t.equal(bench.pairs.length, side === 'channel' ? 0 : 1)
    await bench.assertQuiet(t)
  }
  t.equal(handled, 0)
})

t.test('an error of their own, of any type', async (t) => {
  const rows: [unknown, number][] = [
    [new RpcError(16, 'who?'), 16],
    [new Error('oops'), 2],
    ['text', 2],
    [undefined, 2],
  ]
  for (const side of ['channel', 'server'] as const) {
    for (const [thrown, code] of rows) {
      const failing: Interceptor = async () => {
        throw thrown
      }
      const bench = new EchoBench({}, { [side]: { interceptors: [failing] } })
      const name = `${side} ${String(thrown)}`
      t.match(await bench.error(bench.client.unary({})), { code }, name)
      t.match(await bench.error(bench.client.sum(THREE)), { code }, name)
      t.match(await bench.error(collect(bench, bench.client.list({}))), { code }, name)
      const chat = bench.client.chat()
      t.match(await bench.error(collect(bench, chat)), { code }, name)
      t.match(await bench.error(chat.send({})), { code }, name)
      await bench.run(chat.trailers)
      await bench.assertQuiet(t)
    }
  }
})

t.test('nonsense instead of a response is an error, not a crash', async (t) => {
  for (const side of ['channel', 'server'] as const) {
    for (const nonsense of [undefined, null, 5, {}]) {
      const bench = new EchoBench({}, { [side]: { interceptors: [async () => nonsense as never] } })
      const name = `${side} ${JSON.stringify(nonsense)}`
      t.ok((await bench.error(collect(bench, bench.client.list({})))).message, name)
      await bench.assertQuiet(t)
    }
  }
})

t.test('they see the error of the call, and may answer in its place', async (t) => {
  const codes: number[] = []
  const saving: Interceptor = async (request, next) => {
    try {
      return await next(request)
    } catch (error) {
      codes.push((error as RpcError).code)
      return { headers: new Metadata(), trailers: new Metadata(), message: { text: 'saved' } }
    }
  }
  for (const side of ['channel', 'server'] as const) {
    const bench = new EchoBench(
      {
        unary() {
          throw new RpcError(5)
        },
      },
      { [side]: { interceptors: [saving] } },
    )
    t.strictSame(await bench.run(bench.client.unary({})), { text: 'saved' }, side)
    await bench.assertQuiet(t)
  }
  t.strictSame(codes, [5, 5])
})

t.test('a retry is another next', async (t) => {
  let tries = 0
  const retrying: Interceptor = async (request, next) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await next(request)
      } catch (error) {
        if (attempt === 3) throw error
      }
    }
  }
  const handlers = {
    unary(request: Note) {
      if (++tries % 3 !== 0) throw new RpcError(14, 'try again')
      return request
    },
  }
  const bench = new EchoBench(handlers, { channel: { interceptors: [retrying] } })
  t.strictSame(await bench.run(bench.client.unary({ n: 1 })), { n: 1 })
  t.equal(tries, 3)
  t.equal(bench.pairs.length, 1)
  await bench.assertQuiet(t)
})

t.test('two tries at once: the one that is not used does not go on', async (t) => {
  const heard: string[] = []
  const hedging: Interceptor = (request, next) => Promise.race([next(request), next(request)])
  let calls = 0
  const bench = new EchoBench(
    {
      unary(request, call) {
        if (++calls === 1) return request
        return new Promise((_resolve, reject) => {
          call.signal.addEventListener('abort', () => {
            heard.push('cancelled')
            reject(call.signal.reason)
          })
        })
      },
    },
    { channel: { interceptors: [hedging] } },
  )
  t.strictSame(await bench.run(bench.client.unary({ n: 1 })), { n: 1 })
  await bench.settle()
  t.strictSame(heard, ['cancelled'])
  await bench.assertQuiet(t)
})

t.test('the deadline is over all tries, and wakes who waits between them', async (t) => {
  const waiting: Interceptor = async (request, next) => {
    t.equal(request.call.deadline?.getTime(), bench.clock.wallMs() + 100)
    await new Promise((_resolve, reject) => {
      request.call.signal.addEventListener('abort', () => reject(request.call.signal.reason))
    })
    return next(request)
  }
  const bench: EchoBench = new EchoBench({}, { channel: { interceptors: [waiting] } })
  for (const call of [
    () => bench.client.unary({}, { timeoutMs: 100 }),
    () => collect(bench, bench.client.chat({ timeoutMs: 100 })),
  ]) {
    const failed = bench.error(call())
    await bench.advance(100)
    t.match(await failed, { code: 4, message: /after 100 ms/ })
  }
  t.equal(bench.pairs.length, 0)
  await bench.assertQuiet(t)
})

t.test('the limits of an intercepted call are those of any call', async (t) => {
  const through: Interceptor = (request, next) => next(request)
  const bench = new EchoBench(
    { unary: () => new Promise(() => {}) },
    { channel: { interceptors: [through] } },
  )
  const late = bench.error(bench.client.unary({}, { timeoutMs: 50 }))
  await bench.advance(60)
  t.match(await late, { code: 4, rawMessage: /deadline exceeded after/ })
  const abort = new AbortController()
  const aborted = bench.error(bench.client.unary({}, { signal: abort.signal }))
  await bench.settle()
  abort.abort(new Error('enough'))
  t.match(await aborted, { code: 1, message: /enough/ })
  t.match(await bench.error(bench.client.unary({}, { timeoutMs: 0 })), { code: 4 })
  t.match(await bench.error(bench.client.unary({}, { metadata: { te: 'x' } })), { code: 13 })
  const chat = bench.client.chat()
  await bench.run(chat.send({ n: 1 }))
  chat.cancel('done with it')
  t.match(await bench.error(collect(bench, chat)), { code: 1, message: /done with it/ })
  t.match(await bench.error(chat.send({})), { code: 1 })
  await bench.assertQuiet(t)
})

t.test('leaving the loop, and back-pressure, go through them', async (t) => {
  let made = 0
  const through: Interceptor = (request, next) => next(request)
  const bench = new EchoBench(
    {
      async *list() {
        for (; ; made++) yield { n: made, text: 'x'.repeat(10_000) }
      },
      async sum(requests) {
        for await (const _ of requests) return {}
        return {}
      },
    },
    { channel: { interceptors: [through, through] }, server: { interceptors: [through] } },
  )
  const leave = async (): Promise<void> => {
    for await (const { n } of bench.client.list({})) if (n === 5) return
  }
  await bench.run(leave())
  await bench.settle()
  t.ok(made < 60, String(made))
  const endless = (function* (): Generator<Note> {
    for (;;) yield { text: 'x'.repeat(1000) }
  })()
  t.strictSame(await bench.run(bench.client.sum(endless)), {})
  await bench.assertQuiet(t)
})

t.test('both ways at once through interceptors', async (t) => {
  const through: Interceptor = (request, next) => next(request)
  const bench = new EchoBench({}, { channel: { interceptors: [through] } })
  const chat = bench.client.chat()
  const answers = chat[Symbol.asyncIterator]()
  for (const note of THREE) {
    t.equal(await bench.run(chat.send(note)), true)
    t.strictSame(await bench.run(answers.next()), { done: false, value: note })
  }
  chat.end()
  t.match(await bench.error(chat.send({})), { code: 13, token: 'send_after_end' })
  t.strictSame(await bench.run(answers.next()), { done: true, value: undefined })
  t.equal(chat.peerAddress, 'bench:1')
  await bench.assertQuiet(t)
})

t.test('options of a request stay with the object that was sent', async (t) => {
  const text = 'x'.repeat(5000)
  const first = { text, n: 1 }
  const second = { text, n: 2 }
  const through: Interceptor = (request, next) => next(request)
  const rewriting =
    (rewrite: (notes: Note[]) => Note[]): Interceptor =>
    async (request, next) => {
      const notes: Note[] = []
      for await (const note of request.message as AsyncIterable<Note>) notes.push(note)
      return next({ ...request, message: rewrite(notes) })
    }
  const twice: Interceptor = async (request, next) => {
    const notes: Note[] = []
    for await (const note of request.message as AsyncIterable<Note>) notes.push(note)
    const kept = { ...request, message: notes }
    await next(kept)
    return next(kept)
  }
  // `first` is sent with `compress: false`: whether each request came packed.
  const rows: [string, readonly Interceptor[], boolean[]][] = [
    ['none', [], [false, true]],
    ['passed on', [through, through], [false, true]],
    ['reordered', [rewriting((notes) => notes.reverse())], [true, false]],
    ['replaced', [rewriting((notes) => notes.map((note) => ({ ...note })))], [true, true]],
    ['left out', [rewriting((notes) => notes.slice(1))], [true]],
    ['sent again', [rewriting(([a]) => [a!, a!])], [false, false]],
    ['two tries', [twice], [false, true, false, true]],
  ]
  for (const [name, interceptors, expected] of rows) {
    const packed: boolean[] = []
    const stats: StatsHandler = {
      handleRpc(_tag, event) {
        if (event.kind === 'inPayload') packed.push(event.wireBytes < event.messageBytes)
      },
    }
    const bench = new EchoBench({}, { server: { stats } })
    const call = bench.client.sum({ interceptors, compression: 'gzip' })
    const sent = [call.send(first, { compress: false }), call.send(second)]
    call.end()
    await bench.run(call.response)
    t.strictSame(await bench.run(Promise.all(sent)), [true, true], name)
    t.strictSame(packed, expected, name)
    await bench.assertQuiet(t)
  }
})

t.test('options of the one request of a call, sent by its handle', async (t) => {
  const through: Interceptor = (request, next) => next(request)
  for (const interceptors of [[], [through]]) {
    const sizes: number[] = []
    const stats: StatsHandler = {
      handleRpc(_tag, event) {
        if (event.kind === 'inPayload') sizes.push(event.wireBytes - event.messageBytes)
      },
    }
    const bench = new EchoBench({}, { server: { stats } })
    const caller = bench.conn.caller(Echo.methods.unary)
    const call = caller.stream({ interceptors, compression: 'gzip' })
    void call.send({ text: 'x'.repeat(5000) }, { compress: false })
    call.end()
    await bench.run(call.response)
    t.strictSame(sizes, [5], 'a prefix, and nothing saved')
    await bench.assertQuiet(t)
  }
})
