// Retries by policy (gRFC A6): what is tried again, when, with what, and what ends it.
import t from 'tap'
import { type BalancerBuilder, fixedPicker } from '../../../lib/balancer/index.ts'
import type { RetrySettings } from '../../../lib/grpc/channel/method-config.ts'
import { scheduleOf } from '../../../lib/grpc/client/attempt-schedule.ts'
import { RetryThrottle } from '../../../lib/grpc/client/retry-throttle.ts'
import type { StatsHandler } from '../../../lib/grpc/observe/stats.ts'
import { FakeClock } from '../../../lib/testing/index.ts'
import { ErrorCode, type Stream } from '../../../lib/transport/index.ts'
import type { EchoBench } from '../../support/echo-service.ts'
import { collect } from '../../support/rpc-bench.ts'
import { type Act, acts, ScriptedService } from '../../support/scripted-service.ts'

const { answer, fail, failLate, hang, pushBack, reset } = acts
const POLICY = {
  maxAttempts: 4,
  initialBackoff: '0.1s',
  maxBackoff: '0.3s',
  backoffMultiplier: 2,
  retryableStatusCodes: ['UNAVAILABLE'],
}
const RETRY = { retryPolicy: POLICY }
const FIRST_BACKOFF_MS = 100
/** Of connections. */
const FAST = { baseMs: 50 }

/** The outcome of a call, given all the time that it needs. */
async function outcome(bench: EchoBench, call: Promise<unknown>): Promise<unknown> {
  const settled = call.catch((error) => error)
  await bench.advance(5000)
  return bench.run(settled)
}

t.test('a failure is tried again after a wait that grows; the server is told', async (t) => {
  const service = new ScriptedService(fail(14), fail(14), fail(14), answer('{"n":7}'))
  const bench = service.bench(RETRY)
  t.strictSame(await outcome(bench, bench.client.unary({ n: 1 })), { n: 7 })
  t.strictSame(
    service.each(({ atMs, previousAttempts }) => [atMs, previousAttempts]),
    [
      [0, 0],
      [100, 1],
      [300, 2],
      [600, 3],
    ],
  )
  t.strictSame(
    service.each(({ messages, ended }) => [...messages, ended]),
    Array(4).fill(['{"n":1}', true]),
  )
  await bench.assertQuiet(t)
})

t.test('the wait has jitter: 0.8 to 1.2 of what it has grown to', (t) => {
  const policy: RetrySettings = {
    kind: 'retry',
    maxAttempts: 5,
    initialBackoffMs: 100,
    maxBackoffMs: 250,
    backoffMultiplier: 2,
    retryableCodes: new Set([14]),
  }
  for (const [chance, factor] of [
    [0, 0.8],
    [0.5, 1],
    [0.75, 1.1],
  ] as const) {
    const clock = new FakeClock()
    const options = { clock, random: () => chance, throttle: undefined }
    const schedule = scheduleOf(policy, options, { beginAttempt() {} })
    for (const grownMs of [100, 200, 250]) {
      t.equal(schedule.goesOn({ code: 14, message: '' }, [], false), true)
      const waitMs = (clock.nextDueMs() ?? Number.NaN) - clock.nowMs()
      t.ok(Math.abs(waitMs - grownMs * factor) < 1e-6, `${waitMs} is ${factor} of ${grownMs}`)
      clock.advance(waitMs)
    }
  }
  t.end()
})

t.test('attempts are used up: the last failure is the error', async (t) => {
  const rows: [number, number][] = [
    [2, 2],
    [5, 5],
    [99, 5],
  ]
  for (const [maxAttempts, made] of rows) {
    const service = new ScriptedService(...Array(9).fill(fail(14, 'grpc-message', 'nope')))
    const bench = service.bench({ retryPolicy: { ...POLICY, maxAttempts } })
    t.match(await outcome(bench, bench.client.unary({})), {
      code: 14,
      rawMessage: 'nope',
      attempts: made,
      peer: 'bench:1',
      method: '/spec.Echo/Unary',
    })
    t.equal(service.seen.length, made)
    await bench.assertQuiet(t)
  }
})

t.test('all kinds of call are tried again, with all that they had sent', async (t) => {
  const kinds: Record<string, (bench: EchoBench) => Promise<unknown>> = {
    unary: ({ client }) => client.unary({ n: 1 }),
    'unary, compressed': ({ client }) =>
      client.unary({ n: 1 }, { compression: 'gzip', minCompressBytes: 0 }),
    'server streaming': (bench) => collect(bench, bench.client.list({ n: 1 })),
    'client streaming': ({ client }) => client.sum([{ n: 1 }, { n: 2 }]),
    bidi: (bench) => collect(bench, bench.client.chat([{ n: 1 }, { n: 2 }])),
  }
  for (const [name, start] of Object.entries(kinds)) {
    const service = new ScriptedService(fail(14))
    const bench = service.bench(RETRY)
    const settled = start(bench)
    await bench.advance(FIRST_BACKOFF_MS)
    await bench.run(settled)
    const [first, second] = service.each(({ messages, ended }) => [...messages, ended])
    t.ok(second?.at(-1), name)
    t.strictSame(first, second, `${name}: the same again`)
    await bench.assertQuiet(t)
  }
})

t.test('what commits a call to its attempt, and what does not', async (t) => {
  const headersThenReset: Act = (stream) => {
    acts.headers(stream)
    stream.reset(ErrorCode.REFUSED_STREAM, 'spec')
  }
  const rows: [string, Act, number, object][] = [
    ['another code', fail(13), 1, { code: 13 }],
    ['headers, then the status', failLate(14), 1, { code: 14 }],
    ['headers, then a reset', headersThenReset, 1, { code: 14 }],
    ['no gRPC, but a status that means UNAVAILABLE', acts.http(503), 2, {}],
    ['a reset that means another code', reset(ErrorCode.INTERNAL_ERROR), 1, { code: 13 }],
    ['OK without a response', fail(0), 1, { code: 12 }],
  ]
  for (const [name, act, made, result] of rows) {
    const service = new ScriptedService(act)
    const bench = service.bench(RETRY)
    t.match(await outcome(bench, bench.client.unary({})), result, name)
    t.equal(service.seen.length, made, name)
    await bench.assertQuiet(t)
  }
})

t.test('a reset is tried again when its code may be', async (t) => {
  const service = new ScriptedService(reset(ErrorCode.INTERNAL_ERROR))
  const bench = service.bench({ retryPolicy: { ...POLICY, retryableStatusCodes: ['INTERNAL'] } })
  t.strictSame(await outcome(bench, bench.client.unary({})), {})
  await bench.assertQuiet(t)
})

t.test('pushback: the server says when, or that it does not want another', async (t) => {
  const rows: [string, number | undefined][] = [
    ['50', 50],
    ['0', 0],
    ['-1', undefined],
    ['', undefined],
    ['soon', undefined],
    ['1.5', undefined],
    ['2147483647', 2147483647],
    ['2147483648', undefined],
  ]
  for (const [value, atMs] of rows) {
    const service = new ScriptedService(pushBack(value))
    const bench = service.bench(RETRY)
    const call = bench.client.unary({}).catch(() => {})
    await bench.advance(atMs ?? 5000)
    await bench.run(call)
    t.strictSame(
      service.each((seen) => seen.atMs),
      atMs === undefined ? [0] : [0, atMs],
      `"${value}"`,
    )
    await bench.assertQuiet(t)
  }
  const twice = fail(14, 'grpc-retry-pushback-ms', '1', 'grpc-retry-pushback-ms', '1')
  const service = new ScriptedService(twice)
  const bench = service.bench(RETRY)
  t.match(await outcome(bench, bench.client.unary({})), { code: 14, attempts: 1 }, 'two of them')
  await bench.assertQuiet(t)
})

t.test('after a pushback the wait grows from the start; other codes stay final', async (t) => {
  const service = new ScriptedService(fail(14), pushBack('10'), fail(14), pushBack('10', 13))
  const bench = service.bench(RETRY)
  t.match(await outcome(bench, bench.client.unary({})), { code: 13, attempts: 4 })
  t.strictSame(
    service.each(({ atMs }) => atMs),
    [0, 100, 110, 210],
  )
  await bench.assertQuiet(t)
})

t.test('requests beyond what is kept end the chance of another attempt', async (t) => {
  const large = { text: 'x'.repeat(300_000) }
  const calls: Record<string, (bench: EchoBench) => Promise<unknown>> = {
    unary: ({ client }) => client.unary(large),
    streaming: ({ client }) => client.sum(Array(5).fill({ text: 'x'.repeat(60_000) })),
  }
  for (const [name, start] of Object.entries(calls)) {
    let held: Stream | undefined
    const service = new ScriptedService((stream) => {
      held = stream
    })
    const bench = service.bench(RETRY)
    const call = start(bench)
    await bench.settle()
    fail(14)(held as Stream, undefined as never)
    t.match(await outcome(bench, call), { code: 14, attempts: 1 }, name)
    await bench.assertQuiet(t)
  }
})

t.test('what is sent during the wait follows in the next attempt', async (t) => {
  const service = new ScriptedService(fail(14))
  const bench = service.bench(RETRY)
  const call = bench.client.sum()
  await bench.run(call.send({ n: 1 }))
  await bench.settle()
  let taken = false
  const waiting = call.send({ n: 2 }).then(() => {
    taken = true
  })
  await bench.advance(FIRST_BACKOFF_MS - 1)
  t.equal(taken, false, 'a sender waits')
  await bench.advance(1)
  await bench.run(waiting)
  call.end()
  await bench.run(call.response)
  t.strictSame(
    service.each(({ messages }) => messages),
    [['{"n":1}'], ['{"n":1}', '{"n":2}']],
  )
  await bench.assertQuiet(t)
})

t.test('throttling: failures of the channel end retries, successes bring them back', async (t) => {
  const service = new ScriptedService(fail(14), fail(14), fail(14), fail(14))
  const bench = service.bench(RETRY, {}, { retryThrottling: { maxTokens: 4, tokenRatio: 0.4 } })
  const call = (): Promise<unknown> => outcome(bench, bench.client.unary({}))
  t.match(await call(), { code: 14, attempts: 2 }, '4, 3, 2 is half of it')
  t.match(await call(), { code: 14, attempts: 1 }, '1')
  t.match(await call(), { code: 14, attempts: 1 }, '0')
  for (let i = 0; i < 5; i++) t.strictSame(await call(), {})
  t.equal(service.seen.length, 9)
  await bench.assertQuiet(t)

  const throttle = new RetryThrottle({ maxTokens: 4, tokenRatio: 0.4 })
  for (let i = 0; i < 9; i++) throttle.failed()
  const exhausted = Array.from({ length: 12 }, () => {
    throttle.succeeded()
    return throttle.isExhausted
  })
  t.strictSame(exhausted, [true, true, true, true, true, ...Array(7).fill(false)])
  throttle.failed()
  t.equal(throttle.isExhausted, false, 'it was full')
})

t.test('what counts for throttling: codes that are retried, and refusals', async (t) => {
  const rows: [Act, number][] = [
    [fail(13), 2],
    [failLate(14), 2],
    [pushBack('-1', 13), 1],
    [pushBack('-1'), 1],
  ]
  for (const [act, attempts] of rows) {
    const service = new ScriptedService(act, fail(14))
    const bench = service.bench(RETRY, {}, { retryThrottling: { maxTokens: 3, tokenRatio: 1 } })
    await outcome(bench, bench.client.unary({}))
    const made = service.seen.length
    await outcome(bench, bench.client.unary({}))
    t.equal(service.seen.length - made, attempts)
    await bench.assertQuiet(t)
  }
})

t.test('one deadline for all attempts, and its error tells what failed last', async (t) => {
  const service = new ScriptedService(fail(14, 'grpc-message', 'nope'), fail(14), hang)
  const bench = service.bench(RETRY)
  const waiting = bench.error(bench.client.unary({}, { timeoutMs: 50 }))
  await bench.advance(50)
  t.match(await waiting, {
    code: 4,
    message: /after 50 ms, still waiting for its next attempt; latest failure: nope/,
    attempts: 1,
  })
  const running = bench.error(bench.client.unary({}, { timeoutMs: 120 }))
  await bench.advance(120)
  t.match(await running, { code: 4, attempts: 2 })
  t.strictSame(
    service.each(({ timeout }) => timeout),
    ['50000000n', '120000u', '20000000n'],
  )
  await bench.assertQuiet(t)
})

t.test('a call that is cancelled while it waits makes no other attempt', async (t) => {
  const service = new ScriptedService(fail(14))
  const bench = service.bench(RETRY)
  const controller = new AbortController()
  const call = bench.error(bench.client.unary({}, { signal: controller.signal }))
  await bench.advance(50)
  controller.abort()
  t.match(await call, { code: 1, attempts: 1 })
  await bench.advance(1000)
  t.equal(service.seen.length, 1)
  await bench.assertQuiet(t)
})

t.test(
  'attempts that the server never processed are made again unseen and uncounted',
  async (t) => {
    const service = new ScriptedService(reset(ErrorCode.REFUSED_STREAM), fail(14), answer())
    const bench = service.bench({ retryPolicy: { ...POLICY, maxAttempts: 2 } })
    t.strictSame(await outcome(bench, bench.client.unary({})), {})
    t.strictSame(
      service.each(({ previousAttempts }) => previousAttempts),
      [0, 0, 1],
    )
    await bench.assertQuiet(t)
  },
)

t.test('retry: false leaves policies alone, and not what nobody sees', async (t) => {
  const service = new ScriptedService(reset(ErrorCode.REFUSED_STREAM), fail(14))
  const throttling = { retryThrottling: { maxTokens: 1, tokenRatio: 1 } }
  const bench = service.bench(RETRY, { channel: { retry: false } }, throttling)
  t.match(await outcome(bench, bench.client.unary({})), { code: 14, attempts: 2 })
  await bench.assertQuiet(t)
})

t.test('a call that found no connection is tried again; one that was dropped is not', async (t) => {
  let refusals = 1
  const service = new ScriptedService()
  const bench = service.bench(RETRY, {
    channel: { backoff: FAST },
    refuse: () => (refusals-- > 0 ? new Error('connection refused') : undefined),
  })
  t.strictSame(await outcome(bench, bench.client.unary({})), {})
  t.equal(service.seen[0]?.previousAttempts, 1)
  await bench.assertQuiet(t)

  const down = new ScriptedService().bench(RETRY, { refuse: () => new Error('refused') })
  t.match(await outcome(down, down.client.unary({})), {
    code: 14,
    message: /refused/,
    attempts: 0,
  })
  await down.assertQuiet(t)

  let picks = 0
  const dropping: BalancerBuilder = {
    name: 'dropping',
    build(cc) {
      const dropped = fixedPicker({ kind: 'drop', status: { code: 14, message: 'dropped' } })
      const picker = {
        pick: (info: Parameters<typeof dropped.pick>[0]) => {
          picks++
          return dropped.pick(info)
        },
      }
      return {
        handleResolvedAddrs() {
          cc.updateBalancerState({ state: 'READY', picker })
          return true
        },
        resolverError() {},
        handleSubConnStateChange() {},
        exitIdle() {},
        close() {},
      }
    },
  }
  const other = new ScriptedService().bench(RETRY, { channel: { balancer: dropping } })
  t.match(await outcome(other, other.client.unary({})), { code: 14, rawMessage: 'dropped' })
  t.equal(picks, 1)
  await other.assertQuiet(t)
})

t.test('who measures hears of each attempt by its number', async (t) => {
  const events: string[] = []
  const stats: StatsHandler = {
    handleRpc(_tag, event) {
      if (event.kind === 'begin') events.push(`begin ${event.attempt}`)
      else if (event.kind === 'end') events.push(`end ${event.status.code}`)
      else events.push(event.kind)
    },
  }
  let refusals = 1
  const service = new ScriptedService(fail(14))
  const bench = service.bench(RETRY, {
    channel: { stats, backoff: FAST },
    refuse: () => (refusals-- > 0 ? new Error('connection refused') : undefined),
  })
  await outcome(bench, bench.client.unary({}))
  const attempt = ['outHeader', 'outPayload']
  t.strictSame(events, [
    ...['begin 1', 'end 14'],
    ...['begin 2', ...attempt, 'inTrailer', 'end 14'],
    ...['begin 3', ...attempt, 'inHeader', 'inPayload', 'inTrailer', 'end 0'],
  ])
  await bench.assertQuiet(t)
})

t.test('a request that cannot be encoded fails before any attempt', async (t) => {
  const service = new ScriptedService()
  const bench = service.bench(RETRY)
  const loop: { self?: unknown } = {}
  loop.self = loop
  t.match(await outcome(bench, bench.client.unary(loop as never)), { code: 13, attempts: 0 })
  t.equal(service.seen.length, 0)
  await bench.assertQuiet(t)
})
