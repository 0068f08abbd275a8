// least_request_experimental.
import t from 'tap'
import { leastRequest, parseLbConfig } from '../../lib/balancer/index.ts'
import { seededRandom } from '../../lib/base/random.ts'
import { Code } from '../../lib/base/status.ts'
import { addressOf, outcomeOf, PolicyBench } from '../support/policy-bench.ts'

const BACKENDS = ['a:1', 'b:1', 'c:1', 'd:1']

function bench(choiceCount: number): PolicyBench<{ choiceCount: number }> {
  const bench = new PolicyBench(leastRequest, { choiceCount }, seededRandom(7))
  bench.resolve(...BACKENDS)
  bench.ready(...BACKENDS)
  return bench
}

t.test('calls that end at once are spread evenly', async (t) => {
  const shares = bench(2).shares(8000)
  for (const address of BACKENDS) {
    const share = shares.get(address)!
    t.ok(share > 1800 && share < 2200, `${address} got ${share}`)
  }
})

t.test('a backend whose calls do not end gets fewer than the others', async (t) => {
  const { cc } = bench(4)
  const counts = new Map<string, number>()
  for (let i = 0; i < 4000; i++) {
    const result = cc.pick()
    const address = addressOf(result)
    counts.set(address, (counts.get(address) ?? 0) + 1)
    if (result?.kind === 'ready' && address !== 'a:1') result.onDone!(outcomeOf(Code.Internal))
  }
  t.ok(counts.get('a:1')! < 100, `a:1 got ${counts.get('a:1')}`)
})

t.test('calls that never end are as many everywhere, within one choice', async (t) => {
  const shares = new Map<string, number>()
  for (const address of bench(10).picks(400)) shares.set(address, (shares.get(address) ?? 0) + 1)
  for (const address of BACKENDS) t.ok(Math.abs(shares.get(address)! - 100) <= 3, address)
})

t.test('calls that a picker began count for the next one', async (t) => {
  const policy = bench(10)
  const busy = policy.picks(1)[0]!
  policy.resolve(...BACKENDS)
  t.notOk(policy.picks(3).includes(busy))
})

t.test('the config', async (t) => {
  const parse = (json: unknown): unknown =>
    parseLbConfig([{ least_request_experimental: json }], 'lb').config
  t.strictSame(parse({}), { choiceCount: 2 })
  t.strictSame(parse({ choiceCount: 5 }), { choiceCount: 5 })
  t.strictSame(parse({ choiceCount: 1000 }), { choiceCount: 10 })
  t.throws(() => parse({ choiceCount: 1 }), /choiceCount: got 1, want a number from 2/)
})
