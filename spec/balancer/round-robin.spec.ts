// round_robin, and the endpoint sharding that it stands on.
import t from 'tap'
import { ConnectivityState, roundRobin } from '../../lib/balancer/index.ts'
import { Code, type Status } from '../../lib/base/status.ts'
import { PolicyBench } from '../support/policy-bench.ts'

const { Idle } = ConnectivityState
const NO_NAME: Status = { code: Code.Unavailable, message: 'no such host' }

function newBench(random?: () => number): PolicyBench<undefined> {
  return new PolicyBench(roundRobin, undefined, random)
}

t.test(
  'every endpoint is connected at once, and calls take those that are READY in turn',
  async (t) => {
    const bench = newBench()
    t.equal(bench.resolve('a:1', 'b:1', 'c:1'), true)
    t.strictSame(
      bench.cc.takeLog().filter((line) => line.startsWith('connect')),
      ['connect a:1', 'connect b:1', 'connect c:1'],
    )
    t.strictSame(bench.picks(1), ['wait'])
    bench.ready('a:1', 'c:1')
    t.equal(bench.cc.latest?.state, 'READY')
    t.strictSame(bench.picks(5), ['a:1', 'c:1', 'a:1', 'c:1', 'a:1'])
    bench.ready('b:1')
    t.strictSame(bench.picks(3), ['a:1', 'b:1', 'c:1'])
  },
)

t.test('the first of a turn is by chance', async (t) => {
  const bench = newBench(() => 0.5)
  bench.resolve('a:1', 'b:1', 'c:1')
  bench.ready('a:1', 'b:1', 'c:1')
  t.strictSame(bench.picks(3), ['b:1', 'c:1', 'a:1'])
})

t.test('an endpoint of several addresses is one backend', async (t) => {
  const bench = newBench()
  bench.resolve('a:1,a:2', 'b:1')
  bench.fail('a:1')
  bench.ready('a:2', 'b:1')
  t.strictSame(bench.picks(4), ['a:2', 'b:1', 'a:2', 'b:1'])
})

t.test('10,000 calls on 10 backends are 1,000 each', async (t) => {
  const bench = newBench(() => 0.7)
  const backends = Array.from({ length: 10 }, (_, i) => `b${i}:1`)
  bench.resolve(...backends)
  bench.ready(...backends)
  const counts = new Map<string, number>()
  for (const address of bench.picks(10_000)) counts.set(address, (counts.get(address) ?? 0) + 1)
  t.strictSame([...counts.values()], Array(10).fill(1000))
})

t.test('the state is the best of the endpoints', async (t) => {
  const bench = newBench()
  bench.resolve('a:1', 'b:1')
  t.equal(bench.cc.latest?.state, 'CONNECTING')
  bench.fail('a:1')
  t.equal(bench.cc.latest?.state, 'CONNECTING')
  bench.fail('b:1')
  t.equal(bench.cc.latest?.state, 'TRANSIENT_FAILURE')
  t.match(bench.cc.pick(), { kind: 'fail', status: { message: 'b:1: refused' } })
  bench.at('a:1').move(Idle)
  bench.ready('a:1')
  t.equal(bench.cc.latest?.state, 'READY')
  t.strictSame(bench.picks(2), ['a:1', 'a:1'])
})

t.test('an endpoint that is IDLE connects again', async (t) => {
  const bench = newBench()
  bench.resolve('a:1')
  bench.ready('a:1')
  bench.cc.takeLog()
  bench.at('a:1').move(Idle)
  t.strictSame(bench.cc.takeLog(), ['connect a:1', 'IDLE'])
})

t.test('endpoints that stay keep their connections, others go', async (t) => {
  const bench = newBench()
  bench.resolve('a:1', 'b:1')
  bench.ready('a:1', 'b:1')
  bench.cc.takeLog()
  bench.resolve('c:1', 'b:1')
  t.strictSame(bench.cc.takeLog(), ['newSubConn c:1', 'connect c:1', 'shutdown a:1', 'READY'])
  t.strictSame(bench.picks(2), ['b:1', 'b:1'])
  bench.resolve('b:1', 'b:1', '')
  t.strictSame(bench.picks(2), ['b:1', 'b:1'], 'an endpoint that is listed twice is one')
})

t.test('without endpoints calls fail, and the state is refused', async (t) => {
  const bench = newBench()
  t.equal(bench.resolve(), false)
  t.match(bench.cc.pick(), { kind: 'fail', status: { message: /no addresses/ } })
  bench.policy.resolverError(NO_NAME)
  t.strictSame(bench.cc.pick(), { kind: 'fail', status: NO_NAME })
  bench.resolve('a:1')
  bench.ready('a:1')
  bench.policy.resolverError(NO_NAME)
  t.strictSame(bench.picks(1), ['a:1'], 'what is known still holds')
})

t.test('close ends every SubConn', async (t) => {
  const bench = newBench()
  bench.resolve('a:1', 'b:1')
  bench.ready('a:1')
  bench.cc.takeLog()
  bench.policy.close()
  t.strictSame(bench.cc.takeLog(), ['shutdown a:1', 'shutdown b:1'])
  t.equal(bench.clock.pending, 0)
})
