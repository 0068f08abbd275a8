// outlier_detection_experimental: who is ejected, for how long, and what those below see of it.
import t from 'tap'
import {
  ConnectivityState,
  defaultLbConfig,
  fixedPicker,
  type OutlierDetectionConfig,
  outlierDetection,
  type PickResult,
  parseLbConfig,
  pickFirst,
} from '../../lib/balancer/index.ts'
import { seededRandom } from '../../lib/base/random.ts'
import { Code } from '../../lib/base/status.ts'
import { addressOf, outcomeOf, PolicyBench } from '../support/policy-bench.ts'
import { ScriptedBalancer } from '../support/scripted-balancer.ts'

const { Connecting, Idle, Ready, Shutdown, TransientFailure } = ConnectivityState
const BACKENDS = Array.from({ length: 10 }, (_, i) => `b${i}:1`)
const BAD = 'b0:1'
const INTERVAL_MS = 10_000

function configOf(json: object): OutlierDetectionConfig {
  const config = { childPolicy: [{ round_robin: {} }], ...json }
  return parseLbConfig([{ outlier_detection_experimental: config }], 'lb')
    .config as OutlierDetectionConfig
}

const BY_SUCCESS_RATE = { successRateEjection: {} }
const BY_FAILURES = { failurePercentageEjection: { threshold: 40, enforcementPercentage: 100 } }

class Bench extends PolicyBench<OutlierDetectionConfig> {
  public constructor(json: object, random?: () => number) {
    super(outlierDetection, configOf(json), random)
    this.resolve(...BACKENDS)
    this.ready(...BACKENDS)
  }

  /** An interval with 200 calls for each backend; of those of `failing`, `share` fail. */
  public interval(failing: readonly string[] = [], share = 0.5): void {
    const calls = new Map<string, number>()
    this.shares(200 * BACKENDS.length, (address) => {
      const count = (calls.get(address) ?? 0) + 1
      calls.set(address, count)
      const fails = failing.includes(address) && count % 100 < share * 100
      return outcomeOf(fails ? Code.Unavailable : Code.Ok)
    })
    this.clock.advance(INTERVAL_MS)
  }

  /** Those that calls do not take. */
  public get ejected(): string[] {
    const taken = new Set(this.picks(BACKENDS.length))
    return BACKENDS.filter((address) => !taken.has(address))
  }
}

t.test('a backend that fails half its calls is ejected within two intervals', async (t) => {
  for (const rule of [BY_SUCCESS_RATE, BY_FAILURES]) {
    const bench = new Bench(rule)
    bench.interval([BAD])
    bench.interval([BAD])
    t.strictSame(bench.ejected, [BAD])
    t.equal(bench.state, Ready)
  }
})

t.test('and taken back when its time is over, which is longer each time', async (t) => {
  const bench = new Bench(BY_SUCCESS_RATE)
  for (const intervals of [4, 7, 10]) {
    bench.interval([BAD])
    t.strictSame(bench.ejected, [BAD])
    bench.clock.advance((intervals - 1) * INTERVAL_MS)
    t.strictSame(bench.ejected, [BAD], `after ${intervals - 1} intervals`)
    bench.clock.advance(INTERVAL_MS)
    t.strictSame(bench.ejected, [], `after ${intervals}`)
  }
})

t.test('an ejection ends after the longest, and good intervals are forgiven', async (t) => {
  const bench = new Bench({ ...BY_SUCCESS_RATE, maxEjectionTime: '30s' })
  for (let i = 0; i < 3; i++) {
    bench.interval([BAD])
    bench.clock.advance(4 * INTERVAL_MS)
    t.strictSame(bench.ejected, [])
  }
  const forgiving = new Bench(BY_SUCCESS_RATE)
  forgiving.interval([BAD])
  forgiving.clock.advance(4 * INTERVAL_MS)
  forgiving.interval()
  forgiving.interval([BAD])
  forgiving.clock.advance(4 * INTERVAL_MS)
  t.strictSame(forgiving.ejected, [], 'as the first time')
})

t.test('no more are ejected than may be, but one', async (t) => {
  const bad = BACKENDS.slice(0, 3)
  const rows: [maxEjectionPercent: number, ejected: number][] = [
    [0, 0],
    [1, 1],
    [10, 1],
    [20, 2],
    [25, 3],
    [100, 3],
  ]
  for (const [maxEjectionPercent, ejected] of rows) {
    const bench = new Bench({ ...BY_FAILURES, maxEjectionPercent })
    bench.interval(bad)
    t.equal(bench.ejected.length, ejected, `${maxEjectionPercent} %`)
    bench.interval(bad)
    t.equal(bench.ejected.length, ejected, 'later too')
  }
})

t.test('who is not judged is not ejected', async (t) => {
  const rows: [string, object][] = [
    ['too few calls', { successRateEjection: { requestVolume: 201 } }],
    ['too few backends', { successRateEjection: { minimumHosts: 11 } }],
    ['within what is usual', { successRateEjection: { stdevFactor: 4000 } }],
    ['not enforced', { successRateEjection: { enforcementPercentage: 0 } }],
    ['within the threshold', { failurePercentageEjection: { threshold: 50 } }],
    ['not enforced by default', { failurePercentageEjection: { threshold: 40 } }],
    ['no rule', {}],
  ]
  for (const [name, rule] of rows) {
    const bench = new Bench(rule)
    bench.interval([BAD])
    t.strictSame(bench.ejected, [], name)
  }
  const byChance = (random: number): string[] => {
    const rule = { successRateEjection: { enforcementPercentage: 50 } }
    const bench = new Bench(rule, () => random)
    bench.interval([BAD])
    return bench.ejected
  }
  t.strictSame(byChance(0.49), [BAD])
  t.strictSame(byChance(0.5), [])
})

t.test('one that both rules find is ejected once', async (t) => {
  const bench = new Bench({ ...BY_SUCCESS_RATE, ...BY_FAILURES })
  bench.interval([BAD])
  bench.clock.advance(4 * INTERVAL_MS)
  t.strictSame(bench.ejected, [])
})

t.test('a connection that is made while its backend is ejected is ejected', async (t) => {
  const bench = new Bench(BY_SUCCESS_RATE)
  bench.interval([BAD])
  bench.at(BAD).move(Idle)
  bench.ready(BAD)
  t.strictSame(bench.ejected, [BAD])
  bench.at(BAD).healthListener?.({ state: Connecting })
  bench.clock.advance(4 * INTERVAL_MS)
  t.strictSame(bench.ejected, [BAD], 'what its server says counts again')
  bench.at(BAD).healthListener?.({ state: Ready })
  t.strictSame(bench.ejected, [])
})

t.test('when all are ejected calls fail and say why', async (t) => {
  const bench = new Bench({ ...BY_FAILURES, maxEjectionPercent: 100 })
  bench.interval(BACKENDS)
  t.equal(bench.state, TransientFailure)
  t.match(bench.cc.pick(), { kind: 'fail', status: { message: /the backend is ejected/ } })
})

t.test('a new config', async (t) => {
  t.test('does not begin a new interval', async (t) => {
    const bench = new Bench({})
    t.equal(bench.clock.pending, 0)
    bench.config = configOf(BY_SUCCESS_RATE)
    bench.resolve(...BACKENDS)
    t.equal(bench.clock.nextDueMs(), INTERVAL_MS)
    bench.clock.advance(4000)
    bench.config = configOf({ ...BY_SUCCESS_RATE, interval: '5s' })
    bench.resolve(...BACKENDS)
    t.equal(bench.clock.nextDueMs(), 5000)
    bench.clock.advance(3000)
    bench.config = configOf({ ...BY_SUCCESS_RATE, interval: '1s' })
    bench.resolve(...BACKENDS)
    t.equal(bench.clock.nextDueMs(), 7000, 'one that is overdue ends at once')
  })

  t.test('without rules takes back what is ejected', async (t) => {
    const bench = new Bench(BY_SUCCESS_RATE)
    bench.interval([BAD])
    bench.config = configOf({})
    bench.resolve(...BACKENDS)
    t.strictSame(bench.ejected, [])
    t.equal(bench.clock.pending, 0)
  })

  t.test('may come with another child', async (t) => {
    const bench = new Bench(BY_SUCCESS_RATE, seededRandom(1))
    const childPolicy = [{ least_request_experimental: {} }]
    bench.config = configOf({ ...BY_SUCCESS_RATE, childPolicy })
    bench.resolve(...BACKENDS)
    bench.ready(...BACKENDS)
    t.ok(bench.picks(100).includes(BAD))
    bench.interval([BAD])
    t.notOk(bench.picks(100).includes(BAD))
  })
})

t.test('backends that are gone are forgotten, and pick_first heeds no ejection', async (t) => {
  const bench = new Bench(BY_SUCCESS_RATE)
  bench.interval([BAD])
  bench.resolve(...BACKENDS.slice(1))
  bench.at(BAD).move(Shutdown)
  bench.resolve(...BACKENDS)
  bench.ready(BAD)
  t.strictSame(bench.ejected, [], 'one that comes back begins anew')
  const alone = new PolicyBench(
    outlierDetection,
    configOf({
      failurePercentageEjection: { threshold: 1, enforcementPercentage: 100, minimumHosts: 1 },
      childPolicy: [{ pick_first: {} }],
    }),
  )
  alone.resolve(BAD)
  alone.ready(BAD)
  alone.shares(100, () => outcomeOf(Code.Internal))
  alone.clock.advance(INTERVAL_MS)
  t.equal(addressOf(alone.cc.pick()), BAD)
})

t.test('the channel gets the SubConns that it knows, and an update is told once', async (t) => {
  const bench = new Bench(BY_SUCCESS_RATE)
  const result = bench.cc.pick()
  t.ok(result?.kind === 'ready' && bench.cc.subConns.includes(result.subConn as never))
  bench.cc.takeLog()
  bench.resolve(...BACKENDS)
  t.strictSame(bench.cc.takeLog(), ['READY'])
  bench.policy.resolverError({ code: Code.Unavailable, message: 'no name' })
  bench.policy.exitIdle()
  t.equal(bench.state, Ready)
  bench.policy.close()
  t.equal(bench.clock.pending, 0)
})

t.test('an answer that comes later is counted too', async (t) => {
  const bench = new Bench(BY_FAILURES)
  const later = new ScriptedBalancer({
    onResolved(cc) {
      const subConn = cc.newSubConn([{ address: BAD }])
      const ready: PickResult = { kind: 'ready', subConn }
      const picker = fixedPicker({ kind: 'later', answer: async () => ready })
      cc.updateBalancerState({ state: Ready, picker })
      return true
    },
  })
  bench.config = { ...bench.config, childPolicy: defaultLbConfig(later) }
  bench.resolve(...BACKENDS)
  const result = bench.cc.pick()
  if (result?.kind !== 'later') throw new Error(`got ${result?.kind}`)
  const answer = await result.answer(new AbortController().signal)
  if (answer.kind !== 'ready') throw new Error(`got ${answer.kind}`)
  t.equal(answer.subConn, bench.at(BAD))
  t.type(answer.onDone, 'function')
})

t.test('the config', async (t) => {
  const { childPolicy, ...rest } = configOf({
    interval: '1s',
    successRateEjection: {},
    failurePercentageEjection: { minimumHosts: 3, requestVolume: 7 },
    childPolicy: [{ unheard_of: {} }, { pick_first: {} }],
  })
  t.equal(childPolicy.builder, pickFirst)
  t.strictSame(rest, {
    intervalMs: 1000,
    baseEjectionTimeMs: 30_000,
    maxEjectionTimeMs: 300_000,
    maxEjectionPercent: 10,
    successRateEjection: {
      stdevFactor: 1900,
      enforcementPercentage: 100,
      minimumHosts: 5,
      requestVolume: 100,
    },
    failurePercentageEjection: {
      threshold: 85,
      enforcementPercentage: 0,
      minimumHosts: 3,
      requestVolume: 7,
    },
  })
  const rows: [object, RegExp][] = [
    [{ interval: '-1s' }, /interval: got "-1s"/],
    [{ maxEjectionPercent: 101 }, /maxEjectionPercent: got 101/],
    [{ failurePercentageEjection: { threshold: 101 } }, /Ejection.threshold: got 101/],
    [{ successRateEjection: { enforcementPercentage: 101 } }, /enforcementPercentage: got 101/],
    [{ childPolicy: undefined }, /childPolicy: got undefined/],
  ]
  for (const [json, message] of rows) t.throws(() => configOf(json), message)
})
