// Policies over real sockets: ten servers, ten thousand calls, and who got how many. Time alone is ours.
import t, { type Test } from 'tap'
import {
  type BalancerBuilder,
  outlierDetection,
  parseLbConfig,
  roundRobin,
  weightedRoundRobin,
} from '../../../lib/balancer/index.ts'
import { ClientConn } from '../../../lib/grpc/channel/client-conn.ts'
import {
  type CallContext,
  Code,
  callMetrics,
  callMetricsInterceptor,
  createClient,
  defineService,
  jsonCodec,
  RpcError,
  Server,
  unary,
} from '../../../lib/grpc/index.ts'
import { FakeClock } from '../../../lib/testing/index.ts'

const SERVERS = 10
const CALLS = 10_000
const CALLS_AT_ONCE = 100

/** Answers with the number of the server. */
const Who = defineService('spec.Who', { who: unary(jsonCodec<null>(), jsonCodec<number>()) })

/** What server `n` does with a call before it answers. */
type Behaviour = (n: number, call: CallContext) => void

/** Gives the counts of `count` calls by server; one that failed counts as -1. */
type Caller = (count: number) => Promise<Map<number, number>>

async function listen(t: Test, n: number, behave: Behaviour): Promise<string> {
  const server = new Server({ interceptors: [callMetricsInterceptor()] })
  server.register(Who, {
    who(_request, call) {
      behave(n, call)
      return n
    },
  })
  t.teardown(() => server.stop())
  const { port } = await server.listen('127.0.0.1:0')
  return `127.0.0.1:${port}`
}

/** A client with a connection to each of ten servers. */
async function fleet(
  t: Test,
  balancer: BalancerBuilder,
  behave: Behaviour = () => {},
): Promise<{ call: Caller; clock: FakeClock }> {
  const addresses: string[] = []
  for (let n = 0; n < SERVERS; n++) addresses.push(await listen(t, n, behave))
  const clock = new FakeClock()
  const conn = new ClientConn(`ipv4:${addresses}`, { balancer }, { clock })
  t.teardown(() => conn.close())
  const client = createClient(Who, conn)
  const call: Caller = async (count) => {
    const counts = new Map<number, number>()
    let left = count
    const worker = async (): Promise<void> => {
      while (left > 0) {
        left--
        const n = await client.who(null).catch(() => -1)
        counts.set(n, (counts.get(n) ?? 0) + 1)
      }
    }
    await Promise.all(Array.from({ length: CALLS_AT_ONCE }, worker))
    return counts
  }
  await conn.waitForReady()
  while ((await call(CALLS_AT_ONCE)).size < SERVERS);
  return { call, clock }
}

t.test('round_robin gives each server the same, within 1 %', async (t) => {
  const { call } = await fleet(t, roundRobin)
  const counts = await call(CALLS)
  for (let n = 0; n < SERVERS; n++) {
    t.ok(Math.abs(counts.get(n)! - CALLS / SERVERS) <= 10, `${n} got ${counts.get(n)}`)
  }
})

t.test('weighted_round_robin gives by the load that calls report, within 5 %', async (t) => {
  // Server 0 is the slowest, server 9 takes ten times as many calls at the same load.
  const { call, clock } = await fleet(t, weightedRoundRobin, (n, context) => {
    callMetrics(context)!
      .set('rpsFractional', 100 * (n + 1))
      .set('cpuUtilization', 0.8)
  })
  clock.advance(11_000)
  const counts = await call(CALLS)
  for (let n = 0; n < SERVERS; n++) {
    const fair = (CALLS * (n + 1)) / 55
    t.ok(Math.abs(counts.get(n)! - fair) <= 0.05 * fair, `${n} got ${counts.get(n)} of ${fair}`)
  }
})

t.test('outlier_detection ejects a server that fails half its calls, for a while', async (t) => {
  let isBroken = false
  let calls = 0
  const config = { successRateEjection: {}, childPolicy: [{ round_robin: {} }] }
  const { config: parsed } = parseLbConfig([{ [outlierDetection.name]: config }], 'lb')
  const balancer = { ...outlierDetection, parseConfig: () => parsed }
  const { call, clock } = await fleet(t, balancer, (n) => {
    if (isBroken && n === 0 && calls++ % 2 === 0) throw new RpcError(Code.Unavailable, 'broken')
  })
  isBroken = true
  const failing = await call(CALLS)
  t.ok(failing.get(-1)! > 400, `${failing.get(-1)} calls failed`)
  clock.advance(10_000)
  const ejected = await call(1000)
  t.equal(ejected.has(-1) || ejected.has(0), false)
  clock.advance(40_000)
  t.ok((await call(1000)).has(0), 'and it is taken back')
})
