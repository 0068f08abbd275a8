// weighted_target_experimental, and the paths by which endpoints find their child.
import t from 'tap'
import { groupByChild } from '../../lib/balancer/hierarchical-path.ts'
import {
  parseLbConfig,
  roundRobin,
  type WeightedTargetConfig,
  weightedTarget,
} from '../../lib/balancer/index.ts'
import { seededRandom } from '../../lib/base/random.ts'
import { Code } from '../../lib/base/status.ts'
import type { Endpoint } from '../../lib/naming/index.ts'
import { endpointOf, PolicyBench } from '../support/policy-bench.ts'

/** Each target by its weight. */
function configOf(
  weights: Readonly<Record<string, number>>,
  childPolicy: unknown = [{ round_robin: {} }],
): WeightedTargetConfig {
  const targets = Object.fromEntries(
    Object.entries(weights).map(([name, weight]) => [name, { weight, childPolicy }]),
  )
  return parseLbConfig([{ weighted_target_experimental: { targets } }], 'lb')
    .config as WeightedTargetConfig
}

function at(path: string, address: string): Endpoint {
  return endpointOf(address, { path: path.split('/') })
}

function newBench(config: WeightedTargetConfig): PolicyBench<WeightedTargetConfig> {
  return new PolicyBench(weightedTarget, config, seededRandom(9))
}

t.test('calls are shared by weight, within each child as it likes', async (t) => {
  const bench = newBench(configOf({ big: 3, small: 1 }))
  t.equal(bench.resolve(at('big', 'a:1'), at('big', 'b:1'), at('small', 'c:1')), true)
  bench.ready('a:1', 'b:1', 'c:1')
  const shares = bench.shares(8000)
  for (const [address, fair] of [
    ['a:1', 3000],
    ['b:1', 3000],
    ['c:1', 2000],
  ] as const) {
    t.ok(Math.abs(shares.get(address)! - fair) < 200, `${address}: ${shares.get(address)}`)
  }
})

t.test('children that are not READY get nothing', async (t) => {
  const bench = newBench(configOf({ x: 1, y: 1, z: 1 }))
  bench.resolve(at('x', 'a:1'), at('y', 'b:1'), at('z', 'c:1'))
  t.equal(bench.state, 'CONNECTING')
  t.strictSame(bench.picks(1), ['wait'])
  bench.ready('b:1')
  bench.fail('c:1')
  t.strictSame([...new Set(bench.picks(50))], ['b:1'])
  bench.at('b:1').move('IDLE')
  bench.fail('a:1', 'b:1')
  t.equal(bench.state, 'TRANSIENT_FAILURE')
  t.match(bench.cc.pick(), { kind: 'fail' })
  bench.at('c:1').move('IDLE')
  bench.connecting('c:1')
  t.equal(bench.state, 'TRANSIENT_FAILURE', 'to try is not to be better')
})

t.test('children that are IDLE are connected by calls', async (t) => {
  const bench = newBench(configOf({ x: 1, y: 1 }, [{ ring_hash_experimental: {} }]))
  bench.resolve(at('x', 'a:1'), at('y', 'b:1'))
  t.equal(bench.state, 'IDLE')
  t.equal(bench.cc.subConns.length, 0)
  bench.policy.exitIdle()
  t.strictSame(bench.picks(1), ['wait'])
  t.equal(bench.cc.subConns.length, 1)
  const [address] = bench.cc.subConns[0]!.addresses as [string]
  bench.ready(address)
  t.strictSame(bench.picks(1), [address])
})

t.test('a config may add, remove, reweigh and change children', async (t) => {
  const bench = newBench(configOf({ x: 1, y: 1 }))
  bench.resolve(at('x', 'a:1'), at('y', 'b:1'))
  bench.ready('a:1', 'b:1')
  bench.cc.takeLog()
  bench.config = configOf({ y: 1, z: 9 })
  bench.resolve(at('x', 'a:1'), at('y', 'b:1'), at('z', 'c:1'))
  t.strictSame(
    [...new Set(bench.cc.takeLog())],
    ['shutdown a:1', 'newSubConn c:1', 'connect c:1', 'READY'],
  )
  bench.ready('c:1')
  t.ok(bench.shares(1000).get('c:1')! > 850)
  bench.config = configOf({ y: 9, z: 1 }, [{ least_request_experimental: {} }])
  bench.resolve(at('y', 'b:1'), at('z', 'c:1'))
  t.ok(bench.shares(1000).get('b:1')! > 850)
  bench.config = configOf({})
  t.equal(bench.resolve(), false)
  t.match(bench.cc.pick(), { kind: 'fail' })
})

t.test('paths lead down, a name for each policy', async (t) => {
  const inner = [
    {
      weighted_target_experimental: {
        targets: { east: { weight: 1, childPolicy: [{ round_robin: {} }] } },
      },
    },
  ]
  const bench = newBench(configOf({ near: 1 }, inner))
  bench.resolve(
    at('near/east', 'a:1'),
    at('near/west', 'b:1'),
    at('far/east', 'c:1'),
    endpointOf('d:1'),
  )
  t.strictSame(
    bench.cc.subConns.flatMap(({ addresses }) => addresses),
    ['a:1'],
  )
  const [below] = groupByChild([endpointOf('a:1', { path: ['x', 'y'], weight: 3 })]).get('x')!
  t.strictSame(below!.attributes, { path: ['y'], weight: 3 })
  t.equal(groupByChild([endpointOf('a:1', { path: 'x' }), endpointOf('b:1', { path: [] })]).size, 0)
})

t.test('errors of the resolver go to all children, or without any to the calls', async (t) => {
  const status = { code: Code.Unavailable, message: 'no name' }
  const bench = newBench(configOf({ x: 1 }))
  bench.policy.resolverError(status)
  t.strictSame(bench.cc.pick(), { kind: 'fail', status })
  bench.resolve()
  bench.policy.resolverError(status)
  t.strictSame(bench.cc.pick(), { kind: 'fail', status })
  bench.resolve(at('x', 'a:1'))
  bench.ready('a:1')
  bench.cc.takeLog()
  bench.policy.close()
  t.strictSame([...new Set(bench.cc.takeLog())], ['shutdown a:1'])
})

t.test('the config', async (t) => {
  t.strictSame(configOf({ x: 2 }), {
    targets: new Map([
      ['x', { weight: 2, childPolicy: { builder: roundRobin, config: undefined } }],
    ]),
  })
  const parse = (json: unknown): unknown =>
    parseLbConfig([{ weighted_target_experimental: json }], 'lb')
  const rows: [unknown, RegExp][] = [
    [{}, /targets: got nothing/],
    [{ targets: { x: {} } }, /targets.x.weight: got nothing/],
    [{ targets: { x: { weight: 0 } } }, /targets.x.weight: got 0/],
    [{ targets: { x: { weight: 1 } } }, /targets.x.childPolicy: got undefined/],
  ]
  for (const [json, message] of rows) t.throws(() => parse(json), message)
})
