import t from 'tap'
import {
  type Balancer,
  type BalancerBuilder,
  ConnectivityState,
  getBalancer,
  pickFirst,
  registerBalancer,
} from '../../lib/balancer/index.ts'
import { Code, type Status } from '../../lib/base/status.ts'
import { endpointsOf, type ResolverState } from '../../lib/naming/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { RecordingBalancerConn, type RecordingSubConn } from '../support/recording-balancer-conn.ts'

const REFUSED: Status = { code: Code.Unavailable, message: 'a:1: refused' }
const NO_NAME: Status = { code: Code.Unavailable, message: 'no such host' }

function addresses(...list: string[]): ResolverState {
  return { endpoints: endpointsOf(list.map((address) => ({ address }))) }
}

class Bench {
  public readonly cc = new RecordingBalancerConn()
  public readonly policy: Balancer = pickFirst.build(this.cc, {
    clock: new FakeClock(),
    random: () => 0.5,
  })

  public get subConn(): RecordingSubConn {
    return this.cc.subConns.at(-1) as RecordingSubConn
  }

  public move(state: ConnectivityState, error?: Status): string[] {
    this.policy.handleSubConnStateChange(this.subConn, error ? { state, error } : { state })
    return this.cc.takeLog()
  }

  /** With a SubConn for the addresses, in a state. */
  public static in(state: ConnectivityState, ...list: string[]): Bench {
    const bench = new Bench()
    bench.policy.handleResolvedAddrs(addresses(...list))
    bench.move(ConnectivityState.Connecting)
    bench.move(state, state === ConnectivityState.TransientFailure ? REFUSED : undefined)
    return bench
  }
}

t.test('all addresses go to one SubConn, each once, which connects', async (t) => {
  const { cc, policy } = new Bench()
  t.equal(policy.handleResolvedAddrs(addresses('a:1', 'b:1', 'a:1')), true)
  t.strictSame(cc.takeLog(), ['newSubConn a:1,b:1', 'CONNECTING', 'connect'])
  t.strictSame(cc.pick(), { kind: 'wait' })
})

t.test('READY: calls take the SubConn', async (t) => {
  const { cc, subConn } = Bench.in(ConnectivityState.Ready, 'a:1')
  t.equal(cc.latest?.state, 'READY')
  t.strictSame(cc.pick(), { kind: 'ready', subConn })
})

t.test('a lost connection is IDLE; the next call connects and waits', async (t) => {
  const bench = Bench.in(ConnectivityState.Ready, 'a:1')
  t.strictSame(bench.move(ConnectivityState.Idle), ['IDLE'])
  t.strictSame(bench.cc.pick(), { kind: 'wait' })
  t.strictSame(bench.cc.takeLog(), ['connect'])
})

t.test('exitIdle connects what is IDLE and nothing else', async (t) => {
  const bench = Bench.in(ConnectivityState.Ready, 'a:1')
  bench.policy.exitIdle()
  t.strictSame(bench.cc.takeLog(), [])
  bench.move(ConnectivityState.Idle)
  bench.policy.exitIdle()
  t.strictSame(bench.cc.takeLog(), ['connect'])
  const empty = new Bench()
  empty.policy.exitIdle()
  t.strictSame(empty.cc.takeLog(), [])
})

t.test('a failure stays until there is a connection, and attempts go on', async (t) => {
  const bench = Bench.in(ConnectivityState.TransientFailure, 'a:1')
  t.strictSame(bench.cc.pick(), { kind: 'fail', status: REFUSED })
  t.strictSame(bench.move(ConnectivityState.Idle), ['connect'])
  t.strictSame(bench.move(ConnectivityState.Connecting), [])
  t.strictSame(bench.cc.pick(), { kind: 'fail', status: REFUSED })
  const later = { ...REFUSED, message: 'a:1: timed out' }
  t.strictSame(bench.move(ConnectivityState.TransientFailure, later), ['TRANSIENT_FAILURE'])
  t.strictSame(bench.cc.pick(), { kind: 'fail', status: later })
  t.strictSame(bench.move(ConnectivityState.Ready), ['READY'])
  t.strictSame(bench.move(ConnectivityState.Idle), ['IDLE'])
})

t.test('new addresses go to the SubConn that there is', async (t) => {
  const { cc, policy } = Bench.in(ConnectivityState.Ready, 'a:1')
  t.equal(policy.handleResolvedAddrs(addresses('b:1', 'a:1')), true)
  t.strictSame(cc.takeLog(), ['updateAddresses b:1,a:1'])
})

t.test('no addresses: the SubConn goes, calls fail, the state is refused', async (t) => {
  const bench = Bench.in(ConnectivityState.Ready, 'a:1')
  t.equal(bench.policy.handleResolvedAddrs(addresses()), false)
  t.strictSame(bench.cc.takeLog(), ['removeSubConn', 'TRANSIENT_FAILURE'])
  t.match(bench.cc.pick(), { kind: 'fail', status: { message: /no addresses/ } })
  const old = bench.subConn
  bench.policy.handleResolvedAddrs(addresses('b:1'))
  t.strictSame(bench.cc.takeLog(), ['newSubConn b:1', 'connect'], 'still failing until READY')
  bench.policy.handleSubConnStateChange(old, { state: ConnectivityState.Shutdown })
  t.strictSame(bench.cc.takeLog(), [], 'the old SubConn is forgotten')
  bench.policy.handleResolvedAddrs(addresses('b:1', 'c:1'))
  t.strictSame(bench.cc.takeLog(), ['updateAddresses b:1,c:1'])
  t.strictSame(bench.move(ConnectivityState.Ready), ['READY'])
})

t.test('a resolver’s error counts only while there is no connection to be had', async (t) => {
  const rows: readonly (readonly [ConnectivityState, string[]])[] = [
    [ConnectivityState.Connecting, []],
    [ConnectivityState.Ready, []],
    [ConnectivityState.Idle, []],
    [ConnectivityState.TransientFailure, ['TRANSIENT_FAILURE']],
  ]
  for (const [state, expected] of rows) {
    const { cc, policy } = Bench.in(state, 'a:1')
    policy.resolverError(NO_NAME)
    t.strictSame(cc.takeLog(), expected, state)
  }
  const first = new Bench()
  first.policy.resolverError(NO_NAME)
  t.strictSame(first.cc.takeLog(), ['TRANSIENT_FAILURE'])
  t.strictSame(first.cc.pick(), { kind: 'fail', status: NO_NAME })
})

t.test('a SubConn that ends by itself is made again from the next addresses', async (t) => {
  const bench = Bench.in(ConnectivityState.Ready, 'a:1')
  bench.move(ConnectivityState.Shutdown)
  bench.policy.handleResolvedAddrs(addresses('a:1'))
  t.equal(bench.cc.subConns.length, 2)
})

t.test('a failure without a reason still has a text', async (t) => {
  const bench = Bench.in(ConnectivityState.Connecting, 'a:1')
  bench.move(ConnectivityState.TransientFailure)
  t.match(bench.cc.pick(), { kind: 'fail', status: { code: Code.Unavailable, message: /./ } })
})

t.test('policies are found by name, and a name can be taken over', async (t) => {
  t.equal(getBalancer('pick_first'), pickFirst)
  t.equal(getBalancer('Pick_First'), undefined)
  const mine: BalancerBuilder = { name: 'spec_only', build: (cc, o) => pickFirst.build(cc, o) }
  registerBalancer(mine)
  t.equal(getBalancer('spec_only'), mine)
})
