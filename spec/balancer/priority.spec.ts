// priority_experimental: which child serves, and what becomes of the others.
import t from 'tap'
import { type PriorityConfig, parseLbConfig, priority } from '../../lib/balancer/index.ts'
import { Code } from '../../lib/base/status.ts'
import type { Endpoint } from '../../lib/naming/index.ts'
import { endpointOf, PolicyBench } from '../support/policy-bench.ts'

const FAILOVER_MS = 10_000
const RETENTION_MS = 15 * 60_000

function configOf(priorities: readonly string[], child: object = {}): PriorityConfig {
  const children = Object.fromEntries(
    priorities.map((name) => [name, { config: [{ round_robin: {} }], ...child }]),
  )
  return parseLbConfig([{ priority_experimental: { children, priorities } }], 'lb')
    .config as PriorityConfig
}

/** Child `p0` has backend `p0:1`, and so on. */
class Bench extends PolicyBench<PriorityConfig> {
  public constructor(...priorities: string[]) {
    super(priority, configOf(priorities))
    this.resolve(...this.endpoints)
  }

  public get endpoints(): Endpoint[] {
    return ['p0', 'p1', 'p2'].map((name) => endpointOf(`${name}:1`, { path: [name] }))
  }

  public reconfigure(config: PriorityConfig): void {
    this.config = config
    this.resolve(...this.endpoints)
  }

  /** The backends with a SubConn so far. */
  public get tried(): string[] {
    return this.cc.subConns.flatMap(({ addresses }) => addresses)
  }

  public get ended(): string[] {
    return [...new Set(this.cc.takeLog())].filter((line) => line.startsWith('shutdown'))
  }
}

t.test('the first child serves, and the others are not even started', async (t) => {
  const bench = new Bench('p0', 'p1')
  t.equal(bench.state, 'CONNECTING')
  bench.ready('p0:1')
  t.strictSame(bench.picks(2), ['p0:1', 'p0:1'])
  t.strictSame(bench.tried, ['p0:1'])
  t.equal(bench.clock.pending, 0)
})

t.test('when it fails the next one is started, and it takes over again when it can', async (t) => {
  const bench = new Bench('p0', 'p1', 'p2')
  bench.fail('p0:1')
  t.strictSame(bench.tried, ['p0:1', 'p1:1'])
  t.equal(bench.state, 'CONNECTING', 'the next one has a chance')
  bench.fail('p1:1')
  bench.ready('p2:1')
  t.strictSame(bench.picks(1), ['p2:1'])
  bench.at('p0:1').move('IDLE')
  bench.connecting('p0:1')
  bench.clock.advance(FAILOVER_MS)
  t.strictSame(bench.picks(1), ['p2:1'], 'one that failed is not waited for')
  bench.ready('p0:1')
  t.strictSame(bench.picks(1), ['p0:1'])
})

t.test('a child has ten seconds to connect', async (t) => {
  const bench = new Bench('p0', 'p1')
  bench.connecting('p0:1')
  bench.clock.advance(FAILOVER_MS - 1)
  t.strictSame(bench.tried, ['p0:1'])
  bench.clock.advance(1)
  t.strictSame(bench.tried, ['p0:1', 'p1:1'])
  bench.ready('p1:1')
  t.strictSame(bench.picks(1), ['p1:1'])
  bench.at('p1:1').move('IDLE')
  t.strictSame(bench.picks(1), ['wait'])
  bench.ready('p0:1')
  t.strictSame(bench.picks(1), ['p0:1'], 'late is better than lower')
})

t.test('one that loses its connection has them again', async (t) => {
  const bench = new Bench('p0', 'p1')
  bench.ready('p0:1')
  bench.at('p0:1').move('IDLE')
  bench.connecting('p0:1')
  t.equal(bench.state, 'CONNECTING')
  t.strictSame(bench.tried, ['p0:1'])
  bench.clock.advance(FAILOVER_MS)
  t.strictSame(bench.tried, ['p0:1', 'p1:1'])
})

t.test('when all fail calls fail as the last one has it', async (t) => {
  const bench = new Bench('p0', 'p1')
  bench.fail('p0:1')
  bench.fail('p1:1')
  t.match(bench.cc.pick(), { kind: 'fail', status: { message: 'p1:1: refused' } })
})

t.test('a child that is not needed is kept for a quarter of an hour', async (t) => {
  const bench = new Bench('p0', 'p1')
  bench.fail('p0:1')
  bench.ready('p1:1')
  bench.ready('p0:1')
  bench.cc.takeLog()
  bench.clock.advance(RETENTION_MS - 1)
  t.strictSame(bench.ended, [])
  bench.at('p0:1').move('IDLE')
  bench.fail('p0:1')
  t.strictSame(bench.picks(1), ['p1:1'], 'at once, with the connection that it has')
  bench.ready('p0:1')
  bench.clock.advance(RETENTION_MS)
  t.strictSame(bench.ended, ['shutdown p1:1'])
  bench.at('p0:1').move('IDLE')
  bench.fail('p0:1')
  t.strictSame(bench.tried, ['p0:1', 'p1:1', 'p1:1'], 'and later made anew')
})

t.test('a retired child that still connects gets its time again', async (t) => {
  const bench = new Bench('p0', 'p1', 'p2')
  bench.fail('p0:1')
  bench.connecting('p1:1')
  bench.ready('p0:1')
  bench.clock.advance(FAILOVER_MS)
  bench.at('p0:1').move('IDLE')
  bench.fail('p0:1')
  t.notOk(bench.tried.includes('p2:1'))
  bench.clock.advance(FAILOVER_MS)
  t.ok(bench.tried.includes('p2:1'))
})

t.test('a child that is not in the config any more is retired', async (t) => {
  const bench = new Bench('p0')
  bench.ready('p0:1')
  bench.reconfigure(configOf(['p1']))
  bench.ready('p1:1')
  t.strictSame(bench.picks(1), ['p1:1'])
  bench.reconfigure(configOf(['p0', 'p1']))
  t.strictSame(bench.picks(1), ['p0:1'], 'and comes back with its connection')
  bench.reconfigure(configOf([]))
  t.match(bench.cc.pick(), { kind: 'fail', status: { message: 'no priority is configured' } })
  bench.cc.takeLog()
  bench.clock.advance(RETENTION_MS)
  t.strictSame(bench.ended, ['shutdown p1:1', 'shutdown p0:1'])
})

t.test('priorities may change places', async (t) => {
  const bench = new Bench('p0', 'p1')
  bench.fail('p0:1')
  bench.ready('p1:1')
  bench.reconfigure(configOf(['p1', 'p0']))
  t.strictSame(bench.picks(1), ['p1:1'])
  bench.ready('p0:1')
  t.strictSame(bench.picks(1), ['p1:1'])
})

t.test('failures resolve the name again, unless the child is told not to', async (t) => {
  const bench = new Bench('p0', 'p1')
  bench.cc.takeLog()
  bench.fail('p0:1')
  t.ok(bench.cc.takeLog().includes('resolveNow'))
  bench.reconfigure(configOf(['p0', 'p1'], { ignoreReresolutionRequests: true }))
  bench.cc.takeLog()
  bench.fail('p1:1')
  t.notOk(bench.cc.takeLog().includes('resolveNow'))
})

t.test('errors of the resolver go to the children, or without any to the calls', async (t) => {
  const status = { code: Code.Unavailable, message: 'no name' }
  const bench = new PolicyBench(priority, configOf(['p0']))
  bench.policy.resolverError(status)
  t.strictSame(bench.cc.pick(), { kind: 'fail', status })
  t.equal(bench.resolve(), false)
  bench.policy.resolverError(status)
  t.strictSame(bench.cc.pick(), { kind: 'fail', status })
  bench.resolve(endpointOf('p0:1', { path: ['p0'] }))
  bench.policy.exitIdle()
  bench.cc.takeLog()
  bench.policy.close()
  t.strictSame([...new Set(bench.cc.takeLog())], ['shutdown p0:1'])
  t.equal(bench.clock.pending, 0)
})

t.test('an IDLE child serves: its first call connects it', async (t) => {
  const bench = new PolicyBench(
    priority,
    configOf(['p0', 'p1'], { config: [{ ring_hash_experimental: {} }] }),
  )
  bench.resolve(
    endpointOf('p0:1', { path: ['p0'] }),
    endpointOf('p0:2', { path: ['p0'] }),
    endpointOf('p1:1', { path: ['p1'] }),
  )
  t.equal(bench.state, 'IDLE')
  t.equal(bench.clock.pending, 0)
  bench.picks(1)
  t.equal(bench.state, 'CONNECTING')
  bench.clock.advance(FAILOVER_MS)
  t.equal(bench.state, 'IDLE', 'that of the next one')
})

t.test('the config', async (t) => {
  const parse = (json: unknown): unknown => parseLbConfig([{ priority_experimental: json }], 'lb')
  const config = [{ round_robin: {} }]
  const rows: [unknown, RegExp][] = [
    [{ priorities: ['x'] }, /priorities\[0\]: got "x", want the name of a child/],
    [{ children: { x: { config } } }, /priorities: got x 0 times, want it once/],
    [{ children: { x: { config } }, priorities: ['x', 'x'] }, /got x 2 times/],
    [{ children: { x: {} }, priorities: ['x'] }, /children.x.config: got undefined/],
    [{ children: { x: null }, priorities: [] }, /children.x: got nothing/],
  ]
  for (const [json, message] of rows) t.throws(() => parse(json), message)
  t.strictSame(configOf([]), { children: new Map(), priorities: [] })
})
