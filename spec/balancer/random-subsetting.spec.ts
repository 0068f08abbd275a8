// random_subsetting_experimental.
import t from 'tap'
import {
  defaultLbConfig,
  parseLbConfig,
  type RandomSubsettingConfig,
  randomSubsetting,
  roundRobin,
} from '../../lib/balancer/index.ts'
import { seededRandom } from '../../lib/base/random.ts'
import { Code } from '../../lib/base/status.ts'
import { PolicyBench } from '../support/policy-bench.ts'

const BACKENDS = Array.from({ length: 100 }, (_, i) => `10.0.0.${i}:80`)
const UNKNOWN = { code: Code.Unavailable, message: 'no such host' }

class Bench extends PolicyBench<RandomSubsettingConfig> {
  public constructor(seed: number, subsetSize = 10) {
    const childPolicy = defaultLbConfig(roundRobin)
    super(randomSubsetting, { subsetSize, childPolicy }, seededRandom(seed))
  }

  /** Those that are connected. */
  public get subset(): string[] {
    return this.cc.subConns.flatMap(({ addresses }) => addresses)
  }
}

t.test('each client connects to a few backends, and all clients to all alike', async (t) => {
  const uses = new Map<string, number>()
  for (let seed = 0; seed < 200; seed++) {
    const bench = new Bench(seed)
    t.equal(bench.resolve(...BACKENDS), true)
    if (bench.subset.length !== 10) t.fail(`${bench.subset.length} backends`)
    for (const address of bench.subset) uses.set(address, (uses.get(address) ?? 0) + 1)
  }
  t.equal(uses.size, 100)
  t.ok(Math.max(...uses.values()) < 40, `the busiest has ${Math.max(...uses.values())} of 20`)
})

t.test('a client keeps its backends, also when others come and go', async (t) => {
  const bench = new Bench(1)
  bench.resolve(...BACKENDS)
  const first = bench.subset
  bench.resolve(...[...BACKENDS].reverse())
  t.strictSame(bench.subset, first)
  const [lost] = first
  bench.resolve(...BACKENDS.filter((address) => address !== lost))
  t.equal(bench.subset.length, 11, 'one more')
  t.strictSame(
    bench.cc.takeLog().filter((line) => line.startsWith('shutdown')),
    [`shutdown ${lost}`],
  )
})

t.test('few backends are all taken; those without an address do not count', async (t) => {
  const bench = new Bench(1, 3)
  bench.resolve('a:1', '', 'b:1', '', 'c:1')
  t.strictSame(bench.subset, ['a:1', 'b:1', 'c:1'])
  bench.ready('b:1')
  t.strictSame(bench.picks(2), ['b:1', 'b:1'])
})

t.test('everything else is the child’s', async (t) => {
  const bench = new Bench(1)
  bench.policy.resolverError(UNKNOWN)
  t.strictSame(bench.cc.pick(), { kind: 'fail', status: UNKNOWN }, 'before there is one')
  t.equal(bench.resolve(), false)
  bench.policy.resolverError(UNKNOWN)
  t.strictSame(bench.cc.pick(), { kind: 'fail', status: UNKNOWN })
  bench.resolve('a:1')
  bench.cc.takeLog()
  bench.policy.exitIdle()
  bench.policy.close()
  t.strictSame([...new Set(bench.cc.takeLog())], ['shutdown a:1'])
})

t.test('the config', async (t) => {
  const parse = (json: unknown): unknown =>
    parseLbConfig([{ random_subsetting_experimental: json }], 'lb').config
  const childPolicy = [{ round_robin: {} }]
  t.strictSame(parse({ subsetSize: 3, childPolicy }), {
    subsetSize: 3,
    childPolicy: { builder: roundRobin, config: undefined },
  })
  t.throws(() => parse({ subsetSize: 0, childPolicy }), /subsetSize: got 0/)
  t.throws(() => parse({ childPolicy }), {
    message:
      'lb[0].random_subsetting_experimental.subsetSize: got nothing, want the field, which is required',
  })
  t.throws(() => parse({ subsetSize: 1 }), /childPolicy: got undefined, want a list of policies/)
})
