// What a SubConn hears of its server over its own connection: health (gRFC A17) and load (A51).
import t, { type Test } from 'tap'
import { ConnectivityState, type SubConn } from '../../../lib/balancer/index.ts'
import {
  addHealth,
  type ChannelOptions,
  credentials,
  type Health,
  type LoadReport,
  loadHealthService,
  OpenRca,
  RpcError,
  type Server,
} from '../../../lib/grpc/index.ts'
import { RpcBench } from '../../support/rpc-bench.ts'
import { ScriptedBalancer } from '../../support/scripted-balancer.ts'

const BACKOFF = { baseMs: 100, multiplier: 2, jitter: 0 }

/** A policy with one SubConn that watches its health whenever it is READY. */
class Bench extends RpcBench {
  public readonly log: string[]
  private readonly policy: ScriptedBalancer
  private readonly found: { subConn?: SubConn }

  public constructor(options: ChannelOptions = {}) {
    const log: string[] = []
    const found: { subConn?: SubConn } = {}
    const policy = new ScriptedBalancer({
      onResolved: (cc, { endpoints }) => {
        found.subConn ??= cc.newSubConn(endpoints[0]?.addresses ?? [], ({ state }) => {
          log.push(state)
          if (state !== ConnectivityState.Ready) return
          found.subConn?.watchHealth((health) => {
            const why = health.error === undefined ? '' : ` ${health.error.message}`
            log.push(`health ${health.state}${why}`)
          })
        })
        found.subConn.connect()
        return true
      },
    })
    super({ channel: { balancer: policy, backoff: BACKOFF, ...options } })
    this.log = log
    this.policy = policy
    this.found = found
  }

  public get subConn(): SubConn {
    if (this.found.subConn === undefined) throw new Error('nothing was resolved')
    return this.found.subConn
  }

  public async begin(): Promise<void> {
    this.conn.connect()
    await this.settle()
  }

  public takeLog(): string[] {
    return this.log.splice(0)
  }

  public override async assertQuiet(t: Test): Promise<void> {
    t.equal(this.policy.nested, 0, 'callbacks come from the queue')
    this.conn.close()
    await this.settle()
    await super.assertQuiet(t)
  }
}

const checked: ChannelOptions = { healthCheck: { serviceName: 'a.B' } }

async function checkedBench(): Promise<{ bench: Bench; health: Health }> {
  const bench = new Bench(checked)
  const health = await addHealth(bench.server)
  return { bench, health }
}

t.test('a channel that checks no health: READY, and no call is made', async (t) => {
  const bench = new Bench()
  await bench.begin()
  t.strictSame(bench.takeLog(), ['CONNECTING', 'READY', 'health READY'])
  t.equal(bench.openStreams, 0)
  await bench.assertQuiet(t)
})

t.test('health follows what the server says, once it has said something', async (t) => {
  const { bench, health } = await checkedBench()
  await bench.begin()
  const unknown = 'health TRANSIENT_FAILURE bench:1: health check of "a.B": it is SERVICE_UNKNOWN'
  t.strictSame(bench.takeLog(), ['CONNECTING', 'READY', 'health CONNECTING', unknown])
  health.setStatus('a.B', 'SERVING')
  await bench.settle()
  health.setStatus('a.B', 'NOT_SERVING')
  await bench.settle()
  const down = 'health TRANSIENT_FAILURE bench:1: health check of "a.B": it is NOT_SERVING'
  t.strictSame(bench.takeLog(), ['health READY', down])
  await bench.assertQuiet(t)
})

t.test('a server without the service is healthy, and is not asked again', async (t) => {
  const bench = new Bench(checked)
  await bench.begin()
  t.strictSame(bench.takeLog(), ['CONNECTING', 'READY', 'health CONNECTING', 'health READY'])
  await bench.advance(600_000)
  t.strictSame(bench.takeLog(), [])
  t.equal(bench.openStreams, 0)
  await bench.assertQuiet(t)
})

t.test('a watch that ends is begun anew, later after each that said nothing', async (t) => {
  const begunMs: number[] = []
  const bench = new Bench(checked)
  bench.server.register(await loadHealthService(), {
    check: () => ({ status: 'SERVING' }),
    *watch() {
      begunMs.push(bench.clock.nowMs())
      if (begunMs.length === 3) yield { status: 'SERVING' }
      if (begunMs.length !== 4) throw new RpcError(13, 'broken')
    },
  })
  await bench.begin()
  await bench.advance(1000)
  t.strictSame(begunMs, [0, 100, 300, 400, 500, 700])
  t.strictSame(bench.takeLog().slice(0, 8), [
    'CONNECTING',
    'READY',
    'health CONNECTING',
    'health TRANSIENT_FAILURE bench:1: health check of "a.B": INTERNAL: broken',
    'health CONNECTING',
    'health TRANSIENT_FAILURE bench:1: health check of "a.B": INTERNAL: broken',
    'health CONNECTING',
    'health READY',
  ])
  await bench.assertQuiet(t)
})

t.test('a watch that ends after a while is begun anew at once', async (t) => {
  const begunMs: number[] = []
  const bench = new Bench(checked)
  bench.server.register(await loadHealthService(), {
    check: () => ({ status: 'SERVING' }),
    async *watch() {
      begunMs.push(bench.clock.nowMs())
      yield { status: 'SERVING' }
      await new Promise<void>((resolve) => bench.clock.timer(5000, resolve))
    },
  })
  await bench.begin()
  await bench.advance(12_000)
  t.strictSame(begunMs, [0, 5000, 10_000])
  bench.conn.close()
  await bench.advance(5000)
  await bench.assertQuiet(t)
})

t.test('a watch ends with its connection, and is for the next one to begin', async (t) => {
  const { bench, health } = await checkedBench()
  health.setStatus('a.B', 'SERVING')
  await bench.begin()
  bench.takeLog()
  bench.transports[0]?.close()
  await bench.settle()
  t.strictSame(bench.takeLog(), ['IDLE'], 'its end is not taken for bad health')
  bench.subConn.connect()
  await bench.settle()
  t.strictSame(bench.takeLog(), ['CONNECTING', 'READY', 'health CONNECTING', 'health READY'])
  await bench.assertQuiet(t)
})

t.test('a watch keeps no connection from a graceful end', async (t) => {
  for (const end of ['GOAWAY', 'shutdown'] as const) {
    const { bench } = await checkedBench()
    await bench.begin()
    t.equal(bench.openStreams, 2, 'at both ends')
    const stopped = end === 'GOAWAY' ? bench.server.stop() : bench.subConn.shutdown()
    await bench.settle()
    t.equal(bench.openStreams, 0, end)
    t.equal(bench.transports[0]?.canOpen, false)
    await stopped
    await bench.assertQuiet(t)
  }
})

t.test('who asks anew is told instead of who asked before', async (t) => {
  const { bench, health } = await checkedBench()
  health.setStatus('a.B', 'SERVING')
  await bench.begin()
  bench.takeLog()
  bench.subConn.watchHealth(({ state }) => bench.log.push(`second ${state}`))
  await bench.settle()
  t.strictSame(bench.takeLog(), ['second CONNECTING', 'second READY'])
  t.equal(bench.openStreams, 2)
  await bench.assertQuiet(t)
})

t.test('the credentials of the channel go along', async (t) => {
  const seen: unknown[] = []
  const bench = new Bench({
    ...checked,
    credentials: credentials.combine(credentials.insecure(), {
      allowInsecure: true,
      metadata: () => ({ authorization: 'Bearer t' }),
    }),
  })
  bench.server.register(await loadHealthService(), {
    check: () => ({ status: 'SERVING' }),
    *watch({ service }, call) {
      seen.push([service, call.metadata.get('authorization')])
      yield { status: 'SERVING' as const }
    },
  })
  await bench.begin()
  t.strictSame(seen[0], ['a.B', 'Bearer t'])
  bench.conn.close()
  await bench.assertQuiet(t)
})

// ── load

function reporting(server: Server, bench: Bench): { intervals: number[]; report: LoadReport } {
  const intervals: number[] = []
  const report = { cpuUtilization: 0.5 } as LoadReport
  server.register(OpenRca, {
    async *streamCoreMetrics({ reportInterval }, { signal }) {
      const { seconds = 0, nanos = 0 } = reportInterval ?? {}
      const intervalMs = Number(seconds) * 1000 + nanos / 1e6
      intervals.push(intervalMs)
      while (!signal.aborted) {
        yield report
        await new Promise<void>((resolve) => {
          const timer = bench.clock.timer(intervalMs, resolve)
          signal.addEventListener('abort', () => {
            timer.cancel()
            resolve()
          })
        })
      }
    },
  })
  return { intervals, report }
}

t.test('load: every listener hears, at the smallest interval, over one call', async (t) => {
  const bench = new Bench()
  const { intervals } = reporting(bench.server, bench)
  await bench.begin()
  const heard: string[] = []
  const listen = (name: string, intervalMs: number): (() => void) =>
    bench.subConn.watchLoad(intervalMs, ({ cpuUtilization }) =>
      heard.push(`${name} ${cpuUtilization}`),
    )
  const endFirst = listen('first', 2000)
  await bench.settle()
  t.strictSame(heard.splice(0), ['first 0.5'])
  const endSecond = listen('second', 500)
  await bench.settle()
  t.strictSame(heard.splice(0), ['first 0.5', 'second 0.5'])
  const endThird = listen('third', 1000)
  await bench.settle()
  t.strictSame(intervals, [2000, 500], 'a larger interval changes nothing')
  t.equal(bench.openStreams, 2, 'at both ends')
  endSecond()
  endSecond()
  await bench.settle()
  t.strictSame(intervals, [2000, 500, 1000])
  endThird()
  endFirst()
  heard.length = 0
  await bench.settle()
  t.equal(bench.openStreams, 0, 'nobody listens: nobody asks')
  t.strictSame(heard, [])
  await bench.assertQuiet(t)
})

t.test('load: a listener waits for the connection and goes on with the next one', async (t) => {
  const bench = new Bench()
  const { intervals } = reporting(bench.server, bench)
  let heard = 0
  await bench.begin()
  bench.transports[0]?.close()
  await bench.settle()
  bench.subConn.watchLoad(1000, () => {
    heard += 1
  })
  await bench.advance(5000)
  t.equal(heard, 0)
  for (const expected of [1, 2]) {
    bench.subConn.connect()
    await bench.settle()
    t.equal(heard, expected)
    bench.transports.at(-1)?.close()
    await bench.settle()
  }
  t.strictSame(intervals, [1000, 1000])
  await bench.assertQuiet(t)
})

t.test('load: a server without the service is not asked again over its connection', async (t) => {
  const bench = new Bench()
  await bench.begin()
  const timers = bench.clock.pending
  bench.subConn.watchLoad(1000, () => t.fail('there is nothing to hear'))
  await bench.advance(600_000)
  t.equal(bench.openStreams, 0)
  t.equal(bench.clock.pending, timers, 'nothing is to be tried')
  await bench.assertQuiet(t)
})
