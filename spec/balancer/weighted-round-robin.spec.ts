// weighted_round_robin: from load reports to turns.
import fc from 'fast-check'
import t from 'tap'
import {
  ConnectivityState,
  type LoadReport,
  parseLbConfig,
  type WeightedRoundRobinConfig,
  weightedRoundRobin,
} from '../../lib/balancer/index.ts'
import { StrideSchedule } from '../../lib/balancer/stride-schedule.ts'
import { seededRandom } from '../../lib/base/random.ts'
import { Code } from '../../lib/base/status.ts'
import { outcomeOf, PolicyBench } from '../support/policy-bench.ts'

const { Idle } = ConnectivityState
const CONFIG: WeightedRoundRobinConfig = {
  enableOobLoadReport: false,
  oobReportingPeriodMs: 10_000,
  blackoutPeriodMs: 10_000,
  weightExpirationPeriodMs: 180_000,
  weightUpdatePeriodMs: 1000,
  errorUtilizationPenalty: 1,
}

function loadOf(fields: Partial<LoadReport>): LoadReport {
  return {
    cpuUtilization: 0,
    memUtilization: 0,
    applicationUtilization: 0,
    rpsFractional: 0,
    eps: 0,
    utilization: {},
    requestCost: {},
    namedMetrics: {},
    rps: 0n,
    ...fields,
  }
}

/** What each of the backends says, by its address. */
type Loads = Readonly<Record<string, Partial<LoadReport>>>

class Bench extends PolicyBench<WeightedRoundRobinConfig> {
  public constructor(config: Partial<WeightedRoundRobinConfig> = {}) {
    super(weightedRoundRobin, { ...CONFIG, ...config }, seededRandom(5))
  }

  /** Calls that end with what `loads` has for their backends. */
  public reporting(count: number, loads: Loads): Map<string, number> {
    return this.shares(count, (address) => {
      const load = loads[address]
      return outcomeOf(Code.Ok, () => (load === undefined ? undefined : loadOf(load)))
    })
  }

  /** READY backends that have reported for as long as the blackout lasts, and are weighed. */
  public static weighed(loads: Loads, config: Partial<WeightedRoundRobinConfig> = {}): Bench {
    const bench = new Bench(config)
    const addresses = Object.keys(loads)
    bench.resolve(...addresses)
    bench.ready(...addresses)
    bench.reporting(10 * addresses.length, loads)
    bench.clock.advance(bench.config.blackoutPeriodMs + bench.config.weightUpdatePeriodMs)
    return bench
  }
}

t.test('calls are within 5 % of the weights', async (t) => {
  const loads: Loads = {
    'a:1': { rpsFractional: 100, cpuUtilization: 1 },
    'b:1': { rpsFractional: 100, cpuUtilization: 0.5 },
    'c:1': { rpsFractional: 100, cpuUtilization: 0.9, applicationUtilization: 0.25 },
    'd:1': { rpsFractional: 100, applicationUtilization: 0.5, eps: 50 },
  }
  const weights = { 'a:1': 100, 'b:1': 200, 'c:1': 400, 'd:1': 100 }
  const shares = Bench.weighed(loads).shares(8000)
  for (const [address, weight] of Object.entries(weights)) {
    const share = shares.get(address)!
    t.ok(Math.abs(share - 10 * weight) <= 0.05 * 10 * weight, `${address} got ${share}`)
  }
})

t.test('errors cost what the config says', async (t) => {
  const loads: Loads = {
    'a:1': { rpsFractional: 10, cpuUtilization: 0.5, eps: 5 },
    'b:1': { rpsFractional: 10, cpuUtilization: 0.5 },
  }
  const share = (errorUtilizationPenalty: number): number =>
    Bench.weighed(loads, { errorUtilizationPenalty }).shares(4000).get('a:1')!
  t.ok(Math.abs(share(0) - 2000) <= 1)
  t.ok(Math.abs(share(3) - 800) <= 40)
})

t.test('until two backends have a weight calls go round', async (t) => {
  const bench = new Bench()
  bench.resolve('a:1', 'b:1', 'c:1')
  bench.ready('a:1', 'b:1', 'c:1')
  const loads: Loads = { 'a:1': { rpsFractional: 100, cpuUtilization: 0.1 } }
  t.strictSame([...bench.reporting(300, loads).values()], [100, 100, 100])
  bench.clock.advance(20_000)
  t.strictSame([...bench.shares(300).values()], [100, 100, 100])
})

t.test('a backend without a weight gets the mean', async (t) => {
  const loads: Loads = {
    'a:1': { rpsFractional: 100, cpuUtilization: 1 },
    'b:1': { rpsFractional: 300, cpuUtilization: 1 },
    'silent:1': {},
  }
  const shares = Bench.weighed(loads).shares(6000)
  t.ok(Math.abs(shares.get('silent:1')! - 2000) <= 100, `${shares.get('silent:1')}`)
})

t.test('weights count from the end of the blackout until they expire', async (t) => {
  const loads: Loads = {
    'a:1': { rpsFractional: 100, cpuUtilization: 1 },
    'b:1': { rpsFractional: 300, cpuUtilization: 1 },
  }
  const bench = new Bench()
  bench.resolve('a:1', 'b:1')
  bench.ready('a:1', 'b:1')
  const isWeighed = (): boolean => bench.shares(400).get('b:1')! > 250
  bench.reporting(20, loads)
  bench.clock.advance(9999)
  t.equal(isWeighed(), false)
  bench.clock.advance(1)
  t.equal(isWeighed(), true)
  bench.clock.advance(169_000)
  t.equal(isWeighed(), true)
  bench.clock.advance(1000)
  t.equal(isWeighed(), false, 'expired')
  bench.reporting(20, loads)
  bench.clock.advance(9000)
  t.equal(isWeighed(), false, 'the blackout applies again')
  bench.clock.advance(1000)
  t.equal(isWeighed(), true)
  bench.at('a:1').move(Idle)
  bench.ready('a:1')
  bench.clock.advance(1000)
  t.equal(isWeighed(), false, 'a new connection begins anew')
})

t.test('reports out of band are asked for from what is READY', async (t) => {
  const watches = (bench: Bench): string[] =>
    bench.cc.takeLog().filter((line) => line.startsWith('watchLoad'))
  const bench = new Bench({ enableOobLoadReport: true, blackoutPeriodMs: 0 })
  bench.resolve('a:1', 'b:1')
  t.strictSame(watches(bench), [])
  bench.ready('a:1', 'b:1')
  t.strictSame(watches(bench), ['watchLoad 10000', 'watchLoad 10000'])
  bench.at('a:1').loadListener!(loadOf({ rpsFractional: 100, cpuUtilization: 1 }))
  bench.at('b:1').loadListener!(loadOf({ rpsFractional: 300, cpuUtilization: 1 }))
  bench.clock.advance(1000)
  const loads: Loads = { 'a:1': { rpsFractional: 900, cpuUtilization: 1 } }
  const shares = bench.reporting(400, loads)
  t.equal(shares.get('b:1'), 300)
  bench.clock.advance(1000)
  t.equal(bench.shares(400).get('b:1'), 300, 'what comes with calls does not count')
  bench.at('a:1').move(Idle)
  t.equal(bench.at('a:1').loadListener, undefined)
  bench.config = { ...bench.config, oobReportingPeriodMs: 500 }
  bench.resolve('a:1', 'b:1')
  t.strictSame(watches(bench), ['watchLoad 500'])
  bench.policy.close()
  t.equal(bench.at('b:1').loadListener, undefined)
  t.equal(bench.clock.pending, 0)
})

t.test('one backend needs no weighing, and none no timer', async (t) => {
  const bench = new Bench()
  bench.resolve('a:1', 'b:1')
  bench.ready('a:1')
  t.equal(bench.clock.pending, 0)
  t.strictSame(bench.picks(2), ['a:1', 'a:1'])
  bench.ready('b:1')
  t.equal(bench.clock.pending, 1)
  bench.at('a:1').move(Idle)
  t.equal(bench.clock.pending, 0)
})

t.test('any schedule keeps to its weights over a whole number of rounds', async (t) => {
  const weights = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 2, maxLength: 8 })
  fc.assert(
    fc.property(weights, fc.integer(), (list, seed) => {
      const schedule = new StrideSchedule(list.length, seededRandom(seed))
      schedule.reweigh(list)
      const counts = list.map(() => 0)
      for (let i = 0; i < 10_000; i++) counts[schedule.next()]!++
      const total = list.reduce((sum, weight) => sum + weight, 0)
      return list.every((weight, i) => {
        const fair = (10_000 * weight) / total
        return Math.abs(counts[i]! - fair) <= 2 + 0.01 * fair
      })
    }),
    { numRuns: 50 },
  )
  t.pass()
})

t.test('the config', async (t) => {
  const parse = (json: unknown): unknown =>
    parseLbConfig([{ weighted_round_robin: json }], 'lb').config
  t.strictSame(parse({}), CONFIG)
  t.strictSame(
    parse({
      enableOobLoadReport: true,
      oobReportingPeriod: '1s',
      blackoutPeriod: '0s',
      weightExpirationPeriod: '60s',
      weightUpdatePeriod: '0.01s',
      errorUtilizationPenalty: 0.5,
    }),
    {
      enableOobLoadReport: true,
      oobReportingPeriodMs: 1000,
      blackoutPeriodMs: 0,
      weightExpirationPeriodMs: 60_000,
      weightUpdatePeriodMs: 100,
      errorUtilizationPenalty: 0.5,
    },
  )
  t.throws(() => parse({ errorUtilizationPenalty: -1 }), /errorUtilizationPenalty: got -1/)
  t.throws(() => parse({ blackoutPeriod: '-1s' }), /blackoutPeriod: got "-1s"/)
})
