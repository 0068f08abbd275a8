import t, { type Test } from 'tap'
import {
  addOpenRca,
  bidi,
  bytesCodec,
  CallMetricsRecorder,
  callMetrics,
  callMetricsInterceptor,
  createClient,
  defineService,
  type LoadReport,
  loadReportOf,
  Metadata,
  OpenRca,
  type OpenRcaOptions,
  RpcError,
  type ServerCallContext,
  ServerMetricsRecorder,
  serverStream,
  unary,
  watchLoadReports,
} from '../../../lib/grpc/index.ts'
import { encodeLoadReport } from '../../../lib/grpc/protocol/load-report.ts'
import { collect, RpcBench } from '../../support/rpc-bench.ts'

const KEY = 'endpoint-load-metrics-bin'
const NOTHING: LoadReport = {
  cpuUtilization: 0,
  memUtilization: 0,
  applicationUtilization: 0,
  rpsFractional: 0,
  eps: 0,
  utilization: {},
  requestCost: {},
  namedMetrics: {},
  rps: 0n,
}
const octets = Buffer.from('x')

const Work = defineService('spec.Work', {
  once: unary(bytesCodec, bytesCodec),
  list: serverStream(bytesCodec, bytesCodec),
  chat: bidi(bytesCodec, bytesCodec),
})

t.test('a recorder keeps what is in range and forgets what is deleted', (t) => {
  const recorder = new CallMetricsRecorder()
  t.strictSame(recorder.report(), NOTHING)
  recorder
    .set('cpuUtilization', 1.5)
    .set('memUtilization', 1)
    .set('applicationUtilization', 2)
    .set('rpsFractional', 1000)
    .set('eps', 0)
    .setUtilization('disk', 0.25)
  recorder.setRequestCost('rows', 12).setNamedMetric('queue', -3).setRequestCost('__proto__', 1)
  const report = {
    ...NOTHING,
    cpuUtilization: 1.5,
    memUtilization: 1,
    applicationUtilization: 2,
    rpsFractional: 1000,
    utilization: { disk: 0.25 },
    namedMetrics: { queue: -3 },
  }
  t.match(recorder.report(), report)
  t.strictSame(Object.entries(recorder.report().requestCost), [
    ['rows', 12],
    ['__proto__', 1],
  ])
  for (const value of [-0.1, Number.NaN, Number.POSITIVE_INFINITY])
    recorder.set('cpuUtilization', value)
  for (const value of [-1, 1.01, Number.NaN]) {
    recorder.set('memUtilization', value).setUtilization('disk', value)
  }
  t.match(recorder.report(), report, 'values out of range change nothing')
  recorder.delete('cpuUtilization').delete('memUtilization').delete('applicationUtilization')
  recorder.delete('rpsFractional').deleteUtilization('disk')
  recorder.deleteRequestCost('rows').deleteRequestCost('__proto__').deleteNamedMetric('queue')
  t.strictSame(recorder.report(), NOTHING)
  t.end()
})

t.test('what a recorder does not have is that of the report below', (t) => {
  const below = new CallMetricsRecorder().set('cpuUtilization', 0.1).set('eps', 5)
  below.setUtilization('disk', 0.1).setUtilization('net', 0.2)
  const above = new ServerMetricsRecorder().set('cpuUtilization', 0).setUtilization('net', 0.9)
  t.strictSame(above.report(below.report()), {
    ...NOTHING,
    eps: 5,
    utilization: { disk: 0.1, net: 0.9 },
  })
  t.end()
})

t.test('the trailer is the message of the .proto file, octet by octet', (t) => {
  const report = {
    ...NOTHING,
    memUtilization: 0.5,
    requestCost: { a: 1 },
    applicationUtilization: 2,
  }
  const encoded = Buffer.concat([
    Buffer.from([0x11, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f]),
    Buffer.from([0x22, 12, 0x0a, 1, 0x61, 0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]),
    Buffer.from([0x49, 0, 0, 0, 0, 0, 0, 0, 0x40]),
  ])
  t.ok(encodeLoadReport(report).equals(encoded))
  t.strictSame(loadReportOf(new Metadata().set(KEY, encoded)), report)
  t.strictSame(
    loadReportOf(new Metadata().set(KEY, Buffer.from([0x18, 7, 0xf8, 1, 1]))),
    { ...NOTHING, rps: 7n },
    'unknown fields are left out',
  )
  t.end()
})

t.test('trailers without one well-formed report have none', (t) => {
  const good = encodeLoadReport(NOTHING)
  t.equal(loadReportOf(new Metadata()), undefined)
  t.equal(loadReportOf(new Metadata().append(KEY, good).append(KEY, good)), undefined)
  t.equal(loadReportOf(new Metadata().set(KEY, Buffer.from([0x09, 1]))), undefined)
  t.end()
})

type Handle = (call: ServerCallContext<Uint8Array>) => void

/** A server whose calls run `handle`, and the trailers of a call of each shape of handler. */
async function trailersOf(
  t: Test,
  handle: Handle,
  server?: ServerMetricsRecorder,
): Promise<Metadata[]> {
  const bench = new RpcBench({ server: { interceptors: [callMetricsInterceptor(server)] } })
  bench.server.register(Work, {
    once(request, call) {
      handle(call)
      return request
    },
    async *list(request, call) {
      yield request
      handle(call)
    },
    async chat(requests, call) {
      for await (const request of requests) await call.send(request)
      handle(call)
    },
  })
  const client = createClient(Work, bench.conn)
  const seen: Metadata[] = []
  const onTrailers = (trailers: Metadata): void => {
    seen.push(trailers)
  }
  await bench.run(client.once(octets, { onTrailers }).catch(() => {}))
  await collect(bench, client.list(octets, { onTrailers })).catch(() => {})
  await collect(bench, client.chat([octets, octets], { onTrailers })).catch(() => {})
  await bench.assertQuiet(t)
  t.equal(seen.length, 3)
  return seen
}

t.test('what a handler records goes with its status', async (t) => {
  const trailers = await trailersOf(t, (call) => {
    callMetrics(call)?.set('cpuUtilization', 0.5)
    callMetrics(call)?.setRequestCost('rows', 3)
  })
  for (const each of trailers) {
    t.strictSame(loadReportOf(each), { ...NOTHING, cpuUtilization: 0.5, requestCost: { rows: 3 } })
  }
})

t.test('also when the call fails', async (t) => {
  const trailers = await trailersOf(t, (call) => {
    callMetrics(call)?.set('eps', 9)
    throw new RpcError(3, 'no')
  })
  for (const each of trailers) t.strictSame(loadReportOf(each), { ...NOTHING, eps: 9 })
})

t.test('the metrics of the server go along, as they are at the end of the call', async (t) => {
  const server = new ServerMetricsRecorder().set('memUtilization', 0.1)
  const trailers = await trailersOf(
    t,
    (call) => {
      callMetrics(call)?.set('cpuUtilization', 0.5)
      server.set('memUtilization', 0.2).set('cpuUtilization', 0.9)
    },
    server,
  )
  for (const each of trailers) {
    t.strictSame(loadReportOf(each), { ...NOTHING, cpuUtilization: 0.5, memUtilization: 0.2 })
  }
})

t.test('a call that records nothing sends nothing', async (t) => {
  const server = new ServerMetricsRecorder().set('memUtilization', 0.1)
  for (const each of await trailersOf(t, () => {}, server)) t.equal(each.size, 0)
})

t.test('a streaming handler that gives no iterable is told so, metrics or not', async (t) => {
  const bench = new RpcBench({ server: { interceptors: [callMetricsInterceptor()] } })
  bench.server.register(Work, {
    once: (request) => request,
    list: () => 'text' as never,
    chat: () => [],
  })
  const error = await bench.error(collect(bench, createClient(Work, bench.conn).list(octets)))
  t.match(error, { code: 13, rawMessage: /want an iterable/ })
  await bench.assertQuiet(t)
})

t.test('without the interceptor there is nothing to record with', async (t) => {
  const bench = new RpcBench()
  let recorder: unknown = 'not asked'
  bench.server.register(Work, {
    once(request, call) {
      recorder = callMetrics(call)
      return request
    },
    list: () => [],
    chat: () => [],
  })
  await bench.run(createClient(Work, bench.conn).once(octets))
  t.equal(recorder, undefined)
  await bench.assertQuiet(t)
})

/** A server that reports by its bench's clock. */
function reporting(options: OpenRcaOptions = {}): {
  bench: RpcBench
  metrics: ServerMetricsRecorder
} {
  const bench = new RpcBench()
  return { bench, metrics: addOpenRca(bench.server, { ...options, clock: bench.clock }) }
}

const INTERVALS: readonly (readonly [
  asked: number | undefined,
  min: number | undefined,
  ms: number,
])[] = [
  [undefined, undefined, 30_000],
  [0, undefined, 30_000],
  [29_999, undefined, 30_000],
  [-5000, undefined, 30_000],
  [45_500, undefined, 45_500],
  [undefined, 100, 100],
  [99, 100, 100],
  [1500, 100, 1500],
]

t.test('reports come at once, then at the interval asked for, not below the least', async (t) => {
  for (const [asked, minReportingIntervalMs, ms] of INTERVALS) {
    const { bench, metrics } = reporting(
      minReportingIntervalMs === undefined ? {} : { minReportingIntervalMs },
    )
    const request =
      asked === undefined
        ? {}
        : {
            reportInterval: {
              seconds: Math.trunc(asked / 1000),
              nanos: (asked % 1000) * 1_000_000,
            },
          }
    const call = createClient(OpenRca, bench.conn).streamCoreMetrics(request)
    const cpu: number[] = []
    const end = call.consume((report) => cpu.push(report.cpuUtilization))
    metrics.set('cpuUtilization', 1)
    await bench.settle()
    t.strictSame(cpu, [1], `asked for ${asked} of at least ${minReportingIntervalMs}`)
    metrics.set('cpuUtilization', 2)
    await bench.advance(ms - 1)
    t.strictSame(cpu, [1])
    await bench.advance(1)
    t.strictSame(cpu, [1, 2])
    metrics.set('cpuUtilization', 3)
    await bench.advance(ms)
    t.strictSame(cpu, [1, 2, 3])
    call.cancel()
    await t.rejects(end, { code: 1 })
    await bench.assertQuiet(t)
  }
})

t.test(
  'a watch yields reports and asks for its interval; leaving it ends the stream',
  async (t) => {
    const { bench, metrics } = reporting({ minReportingIntervalMs: 1 })
    metrics.setUtilization('disk', 0.5)
    const reports = watchLoadReports(bench.conn, { reportIntervalMs: 1500.5 })
    t.strictSame(await bench.run(reports.next()), {
      done: false,
      value: { ...NOTHING, utilization: { disk: 0.5 } },
    })
    const startMs = bench.clock.nowMs()
    const next = reports.next()
    await bench.advance(1500)
    await bench.advance(0.5)
    t.match(await bench.run(next), { done: false })
    t.equal(bench.clock.nowMs() - startMs, 1500.5)
    t.equal(bench.openStreams, 2, 'at both ends')
    await bench.run(reports.return(undefined))
    await bench.assertQuiet(t)
  },
)

t.test('aborting a watch ends it at once, waiting for a report or for the next try', async (t) => {
  const { bench } = reporting()
  for (const wait of ['report', 'try'] as const) {
    const controller = new AbortController()
    const options = { reportIntervalMs: 1, signal: controller.signal, backoff: { baseMs: 1e9 } }
    const reports = watchLoadReports(bench.conn, options)
    await bench.run(reports.next())
    const next = reports.next()
    await bench.settle()
    if (wait === 'try') for (const transport of bench.transports) transport.close()
    await bench.settle()
    controller.abort()
    t.strictSame(await bench.run(next), { done: true, value: undefined })
    t.strictSame(await bench.run(reports.next()), { done: true, value: undefined })
  }
  const late = watchLoadReports(bench.conn, { reportIntervalMs: 1, signal: AbortSignal.abort() })
  t.match(await late.next(), { done: true })
  await bench.assertQuiet(t)
})

t.test('streams that fail are begun anew, later after each failure in a row', async (t) => {
  const begunMs: number[] = []
  const bench = new RpcBench()
  bench.server.register(OpenRca, {
    *streamCoreMetrics() {
      begunMs.push(bench.clock.nowMs())
      if (begunMs.length === 4) yield NOTHING
      if (begunMs.length === 7) return
      throw new RpcError(14, 'not now')
    },
  })
  const reports = watchLoadReports(bench.conn, {
    reportIntervalMs: 1,
    backoff: { baseMs: 100, multiplier: 2, jitter: 0 },
  })
  const first = reports.next()
  await bench.advance(700)
  t.match(await first, { done: false })
  const second = reports.next()
  await bench.advance(1100)
  t.strictSame(begunMs, [0, 100, 300, 700, 800, 1000, 1400], 'a report starts the count again')
  bench.conn.close()
  await t.rejects(bench.run(Promise.all([second, bench.advance(1000)])))
  await bench.assertQuiet(t)
})

t.test('a watch of a server without the service rejects', async (t) => {
  const bench = new RpcBench()
  const reports = watchLoadReports(bench.conn, { reportIntervalMs: 1 })
  t.match(await bench.error(reports.next()), { code: 12 })
  t.match(await reports.next(), { done: true })
  await bench.assertQuiet(t)
})
