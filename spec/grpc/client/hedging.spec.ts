// Hedging by policy (gRFC A6): several attempts at once, of which one counts.
import fc from 'fast-check'
import t from 'tap'
import type { StatsHandler } from '../../../lib/grpc/observe/stats.ts'
import { ErrorCode } from '../../../lib/transport/index.ts'
import type { EchoBench } from '../../support/echo-service.ts'
import { type Act, acts, ScriptedService } from '../../support/scripted-service.ts'

const { answer, fail, failLate, hang, pushBack, reset } = acts
const POLICY = { maxAttempts: 3, hedgingDelay: '0.1s', nonFatalStatusCodes: ['UNAVAILABLE'] }
const HEDGING = { hedgingPolicy: POLICY }
const AT_ONCE = { hedgingPolicy: { ...POLICY, hedgingDelay: '0s' } }

/** The outcome of a call, given some time. */
async function outcome(bench: EchoBench, call: Promise<unknown>, ms = 5000): Promise<unknown> {
  const settled = call.catch((error) => error)
  await bench.advance(ms)
  return bench.run(settled)
}

const times = (service: ScriptedService): number[] => service.each(({ atMs }) => atMs)
const cancelled = (service: ScriptedService): boolean[] => service.each((seen) => seen.cancelled)

t.test(
  'attempts follow at intervals until one is answered; the others are cancelled',
  async (t) => {
    const service = new ScriptedService(hang, hang, answer('{"n":3}'))
    const bench = service.bench(HEDGING)
    t.strictSame(await outcome(bench, bench.client.unary({ n: 1 })), { n: 3 })
    t.strictSame(times(service), [0, 100, 200])
    t.strictSame(cancelled(service), [true, true, false])
    t.strictSame(
      service.each(({ previousAttempts, messages, ended }) => [
        previousAttempts,
        ...messages,
        ended,
      ]),
      [0, 1, 2].map((previous) => [previous, '{"n":1}', true]),
    )
    await bench.assertQuiet(t)
  },
)

t.test('an answer in time leaves it at one attempt', async (t) => {
  const service = new ScriptedService()
  const bench = service.bench(HEDGING)
  await outcome(bench, bench.client.unary({}))
  t.strictSame(times(service), [0])
  await bench.assertQuiet(t)
})

t.test('without a delay all attempts are made at once, five at most', async (t) => {
  const service = new ScriptedService(hang, hang, hang, hang, answer())
  const policy = { hedgingPolicy: { maxAttempts: 9, nonFatalStatusCodes: [] } }
  const bench = service.bench(policy)
  t.strictSame(await bench.run(bench.client.unary({})), {})
  t.strictSame(times(service), [0, 0, 0, 0, 0])
  t.strictSame(
    service.each(({ previousAttempts }) => previousAttempts),
    [0, 1, 2, 3, 4],
  )
  await bench.assertQuiet(t)
})

t.test(
  'a failure that is not fatal brings the next attempt at once, and the delay anew',
  async (t) => {
    const service = new ScriptedService(
      (stream) => {
        bench.clock.timer(50, () => fail(14)(stream, undefined as never))
      },
      hang,
      answer(),
    )
    const bench = service.bench(HEDGING)
    t.strictSame(await outcome(bench, bench.client.unary({})), {})
    t.strictSame(times(service), [0, 50, 150])
    await bench.assertQuiet(t)
  },
)

t.test('a fatal failure ends the call, whatever else is under way', async (t) => {
  const rows: [number, Act][] = [
    [3, fail(3)],
    [14, failLate(14)],
  ]
  for (const [code, act] of rows) {
    const service = new ScriptedService(hang, act)
    const bench = service.bench(HEDGING)
    t.match(await outcome(bench, bench.client.unary({})), { code, attempts: 2 })
    t.strictSame(times(service), [0, 100])
    t.strictSame(cancelled(service), [true, false])
    await bench.assertQuiet(t)
  }
})

t.test('when all have failed the last failure is the error', async (t) => {
  const service = new ScriptedService(
    fail(14, 'grpc-message', 'one'),
    fail(14, 'grpc-message', 'two'),
    fail(14, 'grpc-message', 'three'),
  )
  const bench = service.bench(HEDGING)
  t.match(await outcome(bench, bench.client.unary({})), {
    code: 14,
    rawMessage: 'three',
    attempts: 3,
    peer: 'bench:1',
  })
  t.strictSame(times(service), [0, 0, 0])
  await bench.assertQuiet(t)
})

t.test('one that fails while others are under way is not the end', async (t) => {
  const service = new ScriptedService(hang, hang, fail(14))
  const bench = service.bench(AT_ONCE)
  const call = bench.client.unary({})
  await bench.settle()
  answer('{"n":1}')(service.seen[0]!.stream, undefined as never)
  t.strictSame(await bench.run(call), { n: 1 })
  t.strictSame(cancelled(service), [false, true, false])
  await bench.assertQuiet(t)
})

t.test('pushback: the next attempt comes when the server says, or none does', async (t) => {
  const later = new ScriptedService(pushBack('250'), hang, answer())
  const bench = later.bench(HEDGING)
  t.strictSame(await outcome(bench, bench.client.unary({})), {})
  t.strictSame(times(later), [0, 250, 350])
  await bench.assertQuiet(t)

  const never = new ScriptedService(hang, pushBack('-1'))
  const other = never.bench(HEDGING)
  const call = other.client.unary({})
  await other.advance(1000)
  t.strictSame(times(never), [0, 100], 'the first one goes on alone')
  answer()(never.seen[0]!.stream, undefined as never)
  t.strictSame(await other.run(call), {})
  await other.assertQuiet(t)

  const alone = new ScriptedService(pushBack('-1'))
  const last = alone.bench(HEDGING)
  t.match(await outcome(last, last.client.unary({})), { code: 14, attempts: 1 })
  await last.assertQuiet(t)
})

t.test('throttling: one attempt while too many fail', async (t) => {
  const service = new ScriptedService(fail(14), fail(14), hang, hang)
  const bench = service.bench(HEDGING, {}, { retryThrottling: { maxTokens: 3, tokenRatio: 1 } })
  t.match(await outcome(bench, bench.client.unary({})), { code: 14, attempts: 2 }, '3, 2, 1')
  const call = bench.client.unary({})
  await bench.advance(1000)
  t.equal(service.seen.length, 3)
  answer()(service.seen[2]!.stream, undefined as never)
  await bench.run(call)
  const hedged = bench.client.unary({})
  await bench.advance(150)
  t.equal(service.seen.length, 5, 'a success made it 2: hedging is on again')
  await bench.run(hedged)
  await bench.assertQuiet(t)
})

t.test('headers commit: what the stream then says is the call', async (t) => {
  const service = new ScriptedService(hang, hang, hang)
  const bench = service.bench(AT_ONCE)
  const call = bench.client.list({})
  await bench.settle()
  const { stream } = service.seen[1]!
  acts.headers(stream)
  await bench.settle()
  t.strictSame(cancelled(service), [true, false, true])
  acts.send('{"n":1}')(stream)
  acts.send('{"n":2}')(stream)
  stream.trailers(['grpc-status', '14'])
  const seen: unknown[] = []
  const consumed = call.consume((note) => seen.push(note))
  t.match(await bench.error(consumed), { code: 14, attempts: 3 })
  t.strictSame(seen, [{ n: 1 }, { n: 2 }])
  await bench.assertQuiet(t)
})

t.test('streamed requests go to all attempts, later ones get what was sent before', async (t) => {
  const service = new ScriptedService(hang, hang)
  const bench = service.bench({ hedgingPolicy: { ...POLICY, maxAttempts: 2 } })
  const call = bench.client.sum()
  await bench.run(call.send({ n: 1 }))
  await bench.advance(100)
  await bench.run(call.send({ n: 2 }))
  await bench.settle()
  t.strictSame(
    service.each(({ messages }) => messages),
    Array(2).fill(['{"n":1}', '{"n":2}']),
  )
  acts.headers(service.seen[0]!.stream)
  await bench.settle()
  await bench.run(call.send({ n: 3 }))
  call.end()
  await bench.settle()
  t.strictSame(
    service.each(({ messages, ended }) => [messages.length, ended]),
    [
      [3, true],
      [2, false],
    ],
  )
  acts.send('{"n":6}')(service.seen[0]!.stream)
  service.seen[0]!.stream.trailers(['grpc-status', '0'])
  t.strictSame(await bench.run(call.response), { n: 6 })
  await bench.assertQuiet(t)
})

t.test('more requests than are kept: the call is committed to its oldest attempt', async (t) => {
  const service = new ScriptedService(hang, hang)
  const bench = service.bench(HEDGING)
  const call = bench.client.sum()
  await bench.advance(100)
  t.equal(service.seen.length, 2)
  for (let i = 0; i < 5; i++) void call.send({ text: 'x'.repeat(60_000) })
  await bench.advance(1000)
  t.strictSame(cancelled(service), [false, true])
  fail(14)(service.seen[0]!.stream, undefined as never)
  t.match(await bench.error(call.response), { code: 14, attempts: 2 })
  await bench.assertQuiet(t)
})

t.test('an attempt that was not processed is made again, with its number', async (t) => {
  const service = new ScriptedService(reset(ErrorCode.REFUSED_STREAM), hang, answer())
  const bench = service.bench(HEDGING)
  t.strictSame(await outcome(bench, bench.client.unary({})), {})
  t.strictSame(
    service.each(({ atMs, previousAttempts }) => [atMs, previousAttempts]),
    [
      [0, 0],
      [0, 0],
      [100, 1],
    ],
  )
  await bench.assertQuiet(t)
})

t.test('a deadline, or the caller, ends all attempts', async (t) => {
  for (const code of [4, 1]) {
    const service = new ScriptedService(hang, hang, hang)
    const bench = service.bench(AT_ONCE)
    const controller = new AbortController()
    const { signal } = controller
    const call = bench.client.unary({}, code === 4 ? { timeoutMs: 50 } : { signal })
    const failed = bench.error(call)
    await bench.advance(50)
    controller.abort()
    t.match(await failed, { code, attempts: 3 })
    await bench.settle()
    t.strictSame(cancelled(service), [true, true, true])
    await bench.assertQuiet(t)
  }
})

t.test('attempts that wait for a connection do not multiply', async (t) => {
  let up = false
  const service = new ScriptedService()
  const bench = service.bench(AT_ONCE, {
    refuse: () => (up ? undefined : new Error('connection refused')),
  })
  const call = bench.client.unary({}, { waitForReady: true })
  await bench.advance(500)
  up = true
  t.strictSame(await outcome(bench, call), {})
  t.ok(service.seen.length >= 1)
  t.equal(service.seen[0]?.previousAttempts, 0)
  await bench.assertQuiet(t)
})

t.test('who measures hears of each attempt apart; those not needed end as CANCELLED', async (t) => {
  const events = new Map<unknown, string[]>()
  const stats: StatsHandler = {
    handleRpc(tag, event) {
      const list = events.get(tag) ?? []
      events.set(tag, list)
      if (event.kind === 'begin') list.push(`begin ${event.attempt}`)
      else if (event.kind === 'end') list.push(`end ${event.status.code}`)
      else list.push(event.kind)
    },
  }
  const service = new ScriptedService(hang, answer())
  const bench = service.bench(HEDGING, { channel: { stats } })
  await outcome(bench, bench.client.unary({}))
  const sent = ['outHeader', 'outPayload']
  t.strictSame(
    [...events.values()],
    [
      ['begin 1', ...sent, 'end 1'],
      ['begin 2', ...sent, 'inHeader', 'inPayload', 'inTrailer', 'end 0'],
    ],
  )
  await bench.assertQuiet(t)
})

t.test('whatever a server does: one outcome, few attempts, nothing left', async (t) => {
  const oneAct = fc.constantFrom<Act>(
    answer(),
    fail(14),
    fail(3),
    fail(0),
    failLate(14),
    pushBack('30'),
    pushBack('no'),
    hang,
    acts.headers,
    acts.http(503),
    reset(ErrorCode.REFUSED_STREAM),
    reset(ErrorCode.ENHANCE_YOUR_CALM),
    (_, transport) => transport.close('spec'),
    (_, transport) => transport.drain('spec'),
  )
  const policies = {
    hedging: HEDGING,
    'hedging at once': AT_ONCE,
    retry: {
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: '0.05s',
        maxBackoff: '1s',
        backoffMultiplier: 1.5,
        retryableStatusCodes: ['UNAVAILABLE', 'RESOURCE_EXHAUSTED'],
      },
    },
  }
  const run = async (
    script: Act[],
    policy: keyof typeof policies,
    streamed: boolean,
    cancelAtMs: number,
  ): Promise<void> => {
    const service = new ScriptedService(...script)
    const bench = service.bench(policies[policy])
    const controller = new AbortController()
    const options = { timeoutMs: 700, signal: controller.signal }
    const { client } = bench
    let outcomes = 0
    const call = streamed ? client.sum([{ n: 1 }, { n: 2 }], options) : client.unary({}, options)
    const settled = call.then(
      () => outcomes++,
      () => outcomes++,
    )
    bench.clock.timer(cancelAtMs, () => controller.abort())
    await bench.advance(1000)
    await bench.run(settled)
    t.equal(outcomes, 1)
    t.ok(service.each(({ previousAttempts }) => previousAttempts).every((n) => n < 4))
    await bench.assertQuiet(t)
  }
  await fc.assert(
    fc.asyncProperty(
      fc.array(oneAct, { maxLength: 6 }),
      fc.constantFrom<keyof typeof policies>('hedging', 'hedging at once', 'retry'),
      fc.boolean(),
      fc.integer({ min: 1, max: 900 }),
      run,
    ),
    { numRuns: 60 },
  )
})
