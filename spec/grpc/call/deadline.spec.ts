// Deadlines and cancellation: who ends a call, what the caller hears, what the handler hears.
import t from 'tap'
import type { RpcError } from '../../../lib/grpc/protocol/rpc-error.ts'
import type { ServerCallContext } from '../../../lib/grpc/server/handlers.ts'
import { EchoBench, type Note } from '../../support/echo-service.ts'
import { collect } from '../../support/rpc-bench.ts'

const DAY_MS = 24 * 3600 * 1000

/** A handler that waits for the end of its call and keeps what it heard. */
class Waiting {
  public calls: ServerCallContext[] = []
  public reasons: string[] = []

  public readonly unary = (_request: Note, call: ServerCallContext): Promise<Note> => {
    this.calls.push(call)
    return new Promise((_resolve, reject) => {
      call.signal.addEventListener('abort', () => {
        this.reasons.push(String(call.signal.reason.codeName))
        reject(call.signal.reason)
      })
    })
  }
}

t.test('a deadline ends the call at both sides', async (t) => {
  const waiting = new Waiting()
  const bench = new EchoBench({ unary: waiting.unary })
  const failed = bench.error(bench.client.unary({}, { timeoutMs: 100 }))
  await bench.advance(99)
  t.equal(waiting.calls.length, 1)
  t.equal(waiting.calls[0]?.deadline?.getTime(), bench.clock.wallMs() + 1)
  t.strictSame(waiting.reasons, [])
  await bench.advance(1)
  const error = await failed
  t.match(error, {
    code: 4,
    rawMessage: 'deadline exceeded after 100 ms',
    method: '/spec.Echo/Unary',
    attempts: 1,
    peer: 'bench:1',
  })
  t.strictSame(waiting.reasons.length, 1)
  await bench.assertQuiet(t)
})

t.test('the server keeps to a deadline whose client has vanished', async (t) => {
  const waiting = new Waiting()
  const bench = new EchoBench({ unary: waiting.unary }, { pair: { latencyMs: 10 } })
  const call = bench.client.unary({}, { timeoutMs: 100 })
  call.catch(() => {})
  await bench.advance(60)
  t.equal(waiting.calls.length, 1)
  // What the client sends from here on is late, so the server's own timer comes first.
  await bench.advance(200)
  t.equal(waiting.reasons.length, 1)
  t.match(waiting.reasons[0], /DEADLINE_EXCEEDED|CANCELLED/)
  await bench.assertQuiet(t)
})

t.test('a deadline that has passed fails at once, without a connection', async (t) => {
  const bench = new EchoBench()
  const past = new Date(bench.clock.wallMs() - 1)
  for (const options of [
    { timeoutMs: 0 },
    { timeoutMs: -5 },
    { timeoutMs: NaN },
    { deadline: past },
  ]) {
    const name = JSON.stringify(options)
    t.match(await bench.error(bench.client.unary({}, options)), { code: 4 }, name)
    t.match(await bench.error(collect(bench, bench.client.chat(options))), { code: 4 }, name)
    const call = bench.client.sum(options)
    t.match(await bench.error(call.send({})), { code: 4 }, name)
    t.match(await bench.error(call.response), { code: 4 }, name)
  }
  t.equal(bench.pairs.length, 0)
  await bench.assertQuiet(t)
})

t.test('what is sent is what is left; the sooner of two deadlines counts', async (t) => {
  const seen: (number | undefined)[] = []
  const bench: EchoBench = new EchoBench({
    unary(request, call) {
      seen.push(call.deadline && call.deadline.getTime() - bench.clock.wallMs())
      return request
    },
  })
  const inMs = (ms: number): Date => new Date(bench.clock.wallMs() + ms)
  const rows = [
    [{}, undefined],
    [{ timeoutMs: 250 }, 250],
    [{ timeoutMs: 1.5 }, 1],
    [{ deadline: inMs(3000) }, 3000],
    [{ timeoutMs: 4000, deadline: inMs(3000) }, 3000],
    [{ timeoutMs: 2000, deadline: inMs(3000) }, 2000],
    [{ timeoutMs: 400 * DAY_MS }, 400 * DAY_MS],
  ] as const
  for (const [options] of rows) await bench.run(bench.client.unary({}, options))
  // A Date has whole milliseconds.
  t.strictSame(
    seen,
    rows.map(([, ms]) => ms),
  )
  await bench.assertQuiet(t)
})

t.test('time spent waiting for a connection counts', async (t) => {
  let left: number | undefined
  let refusals = 1
  const bench: EchoBench = new EchoBench(
    {
      unary(request, call) {
        left = call.deadline && call.deadline.getTime() - bench.clock.wallMs()
        return request
      },
    },
    { refuse: () => (refusals-- > 0 ? new Error('not yet') : undefined) },
  )
  const call = bench.client.unary({}, { timeoutMs: 10_000, waitForReady: true })
  await bench.advance(1000)
  await bench.run(call)
  t.equal(left, 9000)
  await bench.assertQuiet(t)
})

t.test('a deadline while waiting for a connection says what failed last', async (t) => {
  const bench = new EchoBench({}, { refuse: () => new Error('connection refused') })
  const failed = bench.error(bench.client.unary({}, { timeoutMs: 300, waitForReady: true }))
  await bench.advance(320)
  t.match(await failed, {
    code: 4,
    message: /after 300 ms, still waiting for a connection; latest failure: .*connection refused/,
    attempts: 0,
    peer: undefined,
  })
  await bench.assertQuiet(t)
})

t.test('a long deadline outlives timers of 32 bits', async (t) => {
  let fails: (error: Error) => void = () => {}
  const bench = new EchoBench({
    unary: () =>
      new Promise((_resolve, reject) => {
        fails = reject
      }),
  })
  let error: RpcError | undefined
  bench.client.unary({}, { timeoutMs: 30 * DAY_MS }).catch((thrown) => (error = thrown))
  await bench.settle()
  await bench.advance(29 * DAY_MS)
  t.equal(error, undefined)
  await bench.advance(2 * DAY_MS)
  t.match(error, { code: 4 })
  fails(new Error('late'))
  await bench.assertQuiet(t)
})

t.test('an answer that comes before the deadline leaves no timer', async (t) => {
  const bench = new EchoBench()
  await bench.run(bench.client.unary({}, { timeoutMs: 60_000 }))
  const before = bench.clock.pending
  await bench.run(bench.client.unary({}, { timeoutMs: 60_000 }))
  t.equal(bench.clock.pending, before)
  await bench.assertQuiet(t)
})

t.test('an AbortSignal cancels: CANCELLED with its reason, the handler hears', async (t) => {
  const waiting = new Waiting()
  const bench = new EchoBench({ unary: waiting.unary })
  const abort = new AbortController()
  const failed = bench.error(bench.client.unary({}, { signal: abort.signal }))
  await bench.settle()
  const reason = new Error('changed my mind')
  abort.abort(reason)
  const error = await failed
  t.match(error, { code: 1, message: /changed my mind/ })
  t.equal(error.cause, reason)
  await bench.settle()
  t.strictSame(waiting.reasons, ['CANCELLED'])
  await bench.assertQuiet(t)
})

t.test('a signal that is aborted already, and one of AbortSignal.timeout', async (t) => {
  const bench = new EchoBench()
  t.match(await bench.error(bench.client.unary({}, { signal: AbortSignal.abort() })), { code: 1 })
  const timedOut = AbortSignal.abort(new DOMException('too slow', 'TimeoutError'))
  t.match(await bench.error(bench.client.unary({}, { signal: timedOut })), { code: 4 })
  t.equal(bench.pairs.length, 0)
  await bench.assertQuiet(t)
})

t.test('a signal for many calls keeps no listener of those that are over', async (t) => {
  const bench = new EchoBench()
  const { signal } = new AbortController()
  let listeners = 0
  const { addEventListener, removeEventListener } = signal
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++
    addEventListener.apply(signal, args)
  }
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--
    removeEventListener.apply(signal, args)
  }
  for (let i = 0; i < 5; i++) await bench.run(bench.client.unary({}, { signal }))
  await collect(bench, bench.client.list({ n: 2 }, { signal }))
  t.equal(listeners, 0)
  await bench.assertQuiet(t)
})

t.test('leaving the loop cancels; the handler hears', async (t) => {
  const heard: string[] = []
  const bench = new EchoBench({
    async *list(_request, call) {
      call.signal.addEventListener('abort', () => heard.push(call.signal.reason.codeName))
      try {
        for (let n = 0; ; n++) yield { n }
      } finally {
        heard.push('closed')
      }
    },
  })
  const leave = async (): Promise<number> => {
    for await (const { n = 0 } of bench.client.list({})) if (n === 3) return n
    return -1
  }
  t.equal(await bench.run(leave()), 3)
  await bench.settle()
  t.strictSame(heard, ['CANCELLED', 'closed'])
  await bench.assertQuiet(t)
})

t.test('cancel() ends a call in every phase', async (t) => {
  const bench = new EchoBench()
  const early = bench.client.chat()
  early.cancel()
  t.match(await bench.error(collect(bench, early)), { code: 1 }, 'before a connection')
  const open = bench.client.chat()
  await bench.run(open.send({ n: 1 }))
  open.cancel('enough')
  t.match(await bench.error(collect(bench, open)), { code: 1, rawMessage: 'enough' }, 'open')
  t.match(await bench.error(open.send({})), { code: 1 })
  const done = bench.client.chat([])
  t.strictSame(await collect(bench, done), [])
  done.cancel()
  t.strictSame(await collect(bench, done), [], 'over')
  await bench.assertQuiet(t)
})

t.test('requests that fail cancel the call; the cause is kept', async (t) => {
  const bench = new EchoBench()
  const broken = new Error('disk')
  const requests = (function* (): Generator<Note> {
    yield { n: 1 }
    throw broken
  })()
  const error = await bench.error(bench.client.sum(requests))
  t.match(error, { code: 1, message: /the requests failed: disk/ })
  t.equal(error.cause, broken)
  await bench.assertQuiet(t)
})

t.test('requests that fail with a value that has no text cancel the call too', async (t) => {
  const bench = new EchoBench()
  const requests = (function* (): Generator<Note> {
    yield { n: 1 }
    throw Object.create(null)
  })()
  const error = await bench.error(bench.client.sum(requests))
  t.match(error, { code: 1, message: /the requests failed: something that has no text/ })
  await bench.assertQuiet(t)
})

t.test('a client that disconnects: the handler hears, its loop ends with an error', async (t) => {
  const heard: unknown[] = []
  const bench = new EchoBench({
    async sum(requests, call) {
      call.signal.addEventListener('abort', () => heard.push(call.signal.reason.codeName))
      try {
        for await (const _ of requests) heard.push('request')
      } catch (error) {
        heard.push((error as RpcError).codeName)
        throw error
      }
      return {}
    },
  })
  const call = bench.client.sum()
  await bench.run(call.send({}))
  await bench.settle()
  bench.pairs[0]?.cut()
  const error = await bench.error(call.response)
  t.match(error, { code: 14, peer: 'bench:1', attempts: 1 })
  await bench.settle()
  t.strictSame(heard, ['request', 'CANCELLED', 'CANCELLED'])
  await bench.assertQuiet(t)
})

t.test('a signal that is first asked for when the call is over is aborted', async (t) => {
  let context: ServerCallContext | undefined
  let finish: () => void = () => {}
  const bench = new EchoBench({
    unary(request, call) {
      context = call
      return new Promise((resolve) => {
        finish = () => resolve(request)
      })
    },
  })
  const abort = new AbortController()
  const failed = bench.error(bench.client.unary({}, { signal: abort.signal }))
  await bench.settle()
  abort.abort()
  await failed
  await bench.settle()
  t.equal(context?.signal.aborted, true)
  finish()
  await bench.assertQuiet(t)
})

t.test('a call made on behalf of another ends with it', async (t) => {
  const far = new Waiting()
  const back = new EchoBench({ unary: far.unary })
  let inner: Promise<unknown> | undefined
  const front: EchoBench = new EchoBench({
    async unary(request, call) {
      const made = back.client.unary(request, { parent: call })
      inner = back.error(made)
      return made
    },
  })

  await t.test('by its deadline', async (t) => {
    const outer = front.error(front.client.unary({}, { timeoutMs: 80 }))
    await front.settle()
    await back.settle()
    t.ok(far.calls.at(-1)?.deadline, 'the deadline was passed on')
    await front.advance(80)
    t.match(await inner, { code: 4 })
    t.match(await outer, { code: 4 })
  })

  await t.test('by its cancellation', async (t) => {
    const abort = new AbortController()
    const outer = front.error(front.client.unary({}, { signal: abort.signal }))
    await front.settle()
    await back.settle()
    abort.abort()
    await front.settle()
    t.match(await inner, { code: 1 })
    t.match(await outer, { code: 1 })
    await back.settle()
    t.equal(far.reasons.at(-1), 'CANCELLED')
  })

  await front.assertQuiet(t)
  await back.advance(1000)
  await back.assertQuiet(t)
})

t.test('a stream past its deadline ends for reader and writer', async (t) => {
  const bench = new EchoBench({
    async *chat(requests) {
      for await (const request of requests) yield request
    },
  })
  const chat = bench.client.chat({ timeoutMs: 100 })
  const read = bench.error(collect(bench, chat))
  await bench.run(chat.send({}))
  await bench.advance(100)
  t.match(await read, { code: 4 })
  t.match(await bench.error(chat.send({})), { code: 4 })
  await bench.assertQuiet(t)
})

t.test('a handler that is told late of its deadline sends nothing more', async (t) => {
  let answer: (note: Note) => void = () => {}
  const bench = new EchoBench({
    unary: () =>
      new Promise((resolve) => {
        answer = resolve
      }),
  })
  const failed = bench.error(bench.client.unary({}, { timeoutMs: 50 }))
  await bench.advance(60)
  t.match(await failed, { code: 4 })
  answer({ n: 1 })
  await bench.settle()
  t.equal(bench.openStreams, 0)
  await bench.assertQuiet(t)
})
