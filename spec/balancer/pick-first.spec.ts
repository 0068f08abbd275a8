import t from 'tap'
import {
  type Balancer,
  type BalancerBuilder,
  ConnectivityState,
  getBalancer,
  type PickFirstConfig,
  pickFirst,
  registerBalancer,
} from '../../lib/balancer/index.ts'
import { Code, type Status } from '../../lib/base/status.ts'
import { type Endpoint, endpointsOf, type ResolverState } from '../../lib/naming/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { RecordingBalancerConn, type RecordingSubConn } from '../support/recording-balancer-conn.ts'

const { Idle, Connecting, Ready, TransientFailure, Shutdown } = ConnectivityState
const REFUSED: Status = { code: Code.Unavailable, message: 'refused' }
const NO_NAME: Status = { code: Code.Unavailable, message: 'no such host' }
const DELAY_MS = 250

function addresses(...list: string[]): ResolverState {
  return { endpoints: endpointsOf(list.map((address) => ({ address }))) }
}

class Bench {
  public readonly cc = new RecordingBalancerConn()
  public readonly clock = new FakeClock()
  public readonly policy: Balancer<PickFirstConfig | undefined>

  public constructor(random: () => number = () => 0.5, checksHealth = false) {
    this.policy = pickFirst.build(this.cc, { clock: this.clock, random, checksHealth })
    this.cc.policy = this.policy
  }

  public resolve(...list: string[]): string[] {
    this.policy.handleResolvedAddrs(addresses(...list), undefined)
    return this.cc.takeLog()
  }

  /** The SubConn that was made last for an address. */
  public at(address: string): RecordingSubConn {
    return this.cc.subConns.filter(({ addresses }) => addresses[0] === address).at(-1)!
  }

  public move(address: string, ...states: ConnectivityState[]): string[] {
    for (const state of states) {
      this.at(address).move(state, state === TransientFailure ? failureOf(address) : undefined)
    }
    return this.cc.takeLog()
  }

  public wait(ms: number): string[] {
    this.clock.advance(ms)
    return this.cc.takeLog()
  }

  /** With a connection to the first of the addresses. */
  public static ready(...list: string[]): Bench {
    const bench = new Bench()
    bench.resolve(...list)
    bench.move(list[0]!, Connecting, Ready)
    return bench
  }

  /** With every address failed once. */
  public static failing(...list: string[]): Bench {
    const bench = new Bench()
    bench.resolve(...list)
    for (const address of list) bench.move(address, Connecting, TransientFailure)
    return bench
  }
}

function failureOf(address: string): Status {
  return { ...REFUSED, message: `${address}: refused` }
}

t.test('the first pass', async (t) => {
  t.test('begins with the first address', async (t) => {
    const bench = new Bench()
    t.strictSame(bench.resolve('a:1', 'b:1'), ['CONNECTING', 'newSubConn a:1', 'connect a:1'])
    t.strictSame(bench.cc.pick(), { kind: 'wait' })
  })

  t.test('goes on after 250 ms, and the first connection wins', async (t) => {
    const bench = new Bench()
    bench.resolve('a:1', 'b:1', 'c:1')
    bench.move('a:1', Connecting)
    t.strictSame(bench.wait(DELAY_MS - 1), [])
    t.strictSame(bench.wait(1), ['newSubConn b:1', 'connect b:1'])
    bench.move('b:1', Connecting)
    t.strictSame(bench.wait(DELAY_MS), ['newSubConn c:1', 'connect c:1'])
    t.strictSame(bench.wait(DELAY_MS), [])
    const subConn = bench.at('a:1')
    t.strictSame(bench.move('a:1', Ready), ['shutdown b:1', 'shutdown c:1', 'READY'])
    t.strictSame(bench.cc.pick(), { kind: 'ready', subConn })
    t.equal(bench.clock.pending, 0)
  })

  t.test('goes on at once after a failure, with a time of its own for the next', async (t) => {
    const bench = new Bench()
    bench.resolve('a:1', 'b:1', 'c:1')
    bench.wait(DELAY_MS - 1)
    t.strictSame(bench.move('a:1', Connecting, TransientFailure), ['newSubConn b:1', 'connect b:1'])
    t.strictSame(bench.wait(DELAY_MS - 1), [])
    t.strictSame(bench.wait(1), ['newSubConn c:1', 'connect c:1'])
  })

  t.test('fails when the last address has', async (t) => {
    const bench = new Bench()
    bench.resolve('a:1', 'b:1')
    bench.wait(DELAY_MS)
    t.strictSame(bench.move('b:1', Connecting, TransientFailure), [], 'the first is still trying')
    t.strictSame(bench.move('a:1', Connecting, TransientFailure), [
      'TRANSIENT_FAILURE',
      'resolveNow',
    ])
    t.strictSame(bench.cc.pick(), { kind: 'fail', status: failureOf('a:1') })
  })

  t.test('takes the families in turn, the first one first', async (t) => {
    const bench = new Bench()
    bench.resolve('[::1]:1', '[::2]:1', '[::3]:1', '1.0.0.1:1', '1.0.0.2:1')
    for (let i = 0; i < 4; i++) bench.wait(DELAY_MS)
    t.strictSame(
      bench.cc.subConns.flatMap((subConn) => subConn.addresses),
      ['[::1]:1', '1.0.0.1:1', '[::2]:1', '1.0.0.2:1', '[::3]:1'],
    )
  })

  t.test('tries an address of several endpoints once', async (t) => {
    const bench = new Bench()
    bench.resolve('a:1', 'a:1')
    t.strictSame(bench.move('a:1', Connecting, TransientFailure), [
      'TRANSIENT_FAILURE',
      'resolveNow',
    ])
  })
})

t.test('after the first pass', async (t) => {
  t.test('each SubConn connects again when its backoff is over', async (t) => {
    const bench = Bench.failing('a:1', 'b:1')
    t.strictSame(bench.move('b:1', Idle), ['connect b:1'])
    t.strictSame(bench.move('a:1', Idle), ['connect a:1'])
    t.strictSame(bench.move('a:1', Connecting), [], 'failures stay until there is a connection')
    t.strictSame(bench.cc.pick(), { kind: 'fail', status: failureOf('b:1') })
    t.strictSame(bench.move('a:1', Ready), ['shutdown b:1', 'READY'])
  })

  t.test('calls hear of the newest failure once a round', async (t) => {
    const bench = Bench.failing('a:1', 'b:1')
    t.strictSame(bench.move('a:1', Idle, Connecting, TransientFailure), ['connect a:1'])
    t.strictSame(bench.move('b:1', Idle, Connecting, TransientFailure), [
      'connect b:1',
      'TRANSIENT_FAILURE',
      'resolveNow',
    ])
  })

  t.test(
    'new addresses begin another pass, in which those that wait are passed over',
    async (t) => {
      const bench = Bench.failing('a:1', 'b:1')
      t.strictSame(bench.resolve('b:1', 'c:1'), ['shutdown a:1', 'newSubConn c:1', 'connect c:1'])
      t.strictSame(bench.move('c:1', Connecting, TransientFailure), [
        'TRANSIENT_FAILURE',
        'resolveNow',
      ])
    },
  )
})

t.test('a connection that is lost', async (t) => {
  t.test('is made again by the next call, from the first address on', async (t) => {
    const bench = new Bench()
    bench.resolve('a:1', 'b:1')
    bench.move('a:1', Connecting, TransientFailure)
    bench.move('b:1', Connecting, Ready)
    t.strictSame(bench.move('b:1', Idle), ['IDLE'])
    t.strictSame(bench.cc.pick(), { kind: 'wait' })
    t.strictSame(bench.cc.takeLog(), ['newSubConn a:1', 'connect a:1'])
    bench.cc.pick()
    t.strictSame(bench.cc.takeLog(), [], 'once')
    t.strictSame(bench.move('a:1', Connecting), ['CONNECTING'])
  })

  t.test('before it was seen READY is lost all the same', async (t) => {
    const bench = new Bench()
    bench.resolve('a:1')
    t.strictSame(bench.move('a:1', Connecting, Idle), ['IDLE'])
  })

  t.test('is made again by exitIdle, which does nothing otherwise', async (t) => {
    const bench = Bench.ready('a:1')
    bench.policy.exitIdle()
    t.strictSame(bench.cc.takeLog(), [])
    bench.move('a:1', Idle)
    bench.policy.exitIdle()
    t.strictSame(bench.cc.takeLog(), ['connect a:1'])
    const empty = new Bench()
    empty.policy.exitIdle()
    t.strictSame(empty.cc.takeLog(), [])
  })
})

t.test('new addresses', async (t) => {
  t.test('keep a connection whose address is listed', async (t) => {
    const bench = Bench.ready('a:1')
    t.strictSame(bench.resolve('b:1', 'a:1'), [])
    t.equal(bench.clock.pending, 0)
  })

  t.test('replace one whose address is not', async (t) => {
    const bench = Bench.ready('a:1')
    t.strictSame(bench.resolve('b:1'), [
      'shutdown a:1',
      'CONNECTING',
      'newSubConn b:1',
      'connect b:1',
    ])
    const old = bench.at('a:1')
    old.move(Shutdown)
    t.strictSame(bench.cc.takeLog(), [], 'what becomes of it is nobody’s business')
  })

  t.test('with other attributes are others', async (t) => {
    const bench = Bench.ready('a:1')
    const endpoints = endpointsOf([{ address: 'a:1', serverName: 'b' }])
    bench.policy.handleResolvedAddrs({ endpoints }, undefined)
    t.match(bench.cc.takeLog(), ['shutdown a:1', 'CONNECTING', 'newSubConn a:1'])
  })

  t.test('leave a policy IDLE that is so', async (t) => {
    const bench = Bench.ready('a:1')
    bench.move('a:1', Idle)
    t.strictSame(bench.resolve('b:1'), ['shutdown a:1'])
    bench.cc.pick()
    t.strictSame(bench.cc.takeLog(), ['newSubConn b:1', 'connect b:1'])
  })

  t.test('that are none fail calls, and the state is refused', async (t) => {
    const bench = Bench.ready('a:1')
    t.equal(bench.policy.handleResolvedAddrs(addresses(), undefined), false)
    t.strictSame(bench.cc.takeLog(), ['shutdown a:1', 'TRANSIENT_FAILURE'])
    t.match(bench.cc.pick(), { kind: 'fail', status: { message: /no addresses/ } })
    t.strictSame(bench.resolve('b:1'), ['CONNECTING', 'newSubConn b:1', 'connect b:1'])
  })
})

t.test('a resolver’s error counts only while there is no connection to be had', async (t) => {
  const fails = ['TRANSIENT_FAILURE']
  const rows: Record<string, [Bench, string[]]> = {
    'before the first addresses': [new Bench(), fails],
    'after failures': [Bench.failing('a:1'), fails],
    'with a connection': [Bench.ready('a:1'), []],
  }
  for (const [name, [bench, log]] of Object.entries(rows)) {
    bench.cc.takeLog()
    bench.policy.resolverError(NO_NAME)
    t.strictSame(bench.cc.takeLog(), log, name)
    if (log === fails) t.strictSame(bench.cc.pick(), { kind: 'fail', status: NO_NAME }, name)
  }
})

t.test('below another policy a connection counts once its server says it is healthy', async (t) => {
  const bench = new Bench(undefined, true)
  bench.resolve('a:1')
  t.strictSame(bench.move('a:1', Connecting, Ready), [])
  const { healthListener } = bench.at('a:1')
  healthListener?.({ state: Ready })
  t.strictSame(bench.cc.takeLog(), ['READY'])
  healthListener?.({ state: TransientFailure, error: REFUSED })
  t.strictSame(bench.cc.takeLog(), ['TRANSIENT_FAILURE'])
  t.strictSame(bench.cc.pick(), { kind: 'fail', status: REFUSED })
  healthListener?.({ state: Connecting })
  t.strictSame(bench.cc.takeLog(), ['CONNECTING'])
  t.strictSame(bench.move('a:1', Idle), ['IDLE'])
  healthListener?.({ state: Ready })
  t.strictSame(bench.cc.takeLog(), [], 'not once the connection is lost')
})

t.test('shuffleAddressList takes the endpoints by chance and weight', async (t) => {
  const endpoints: Endpoint[] = ['a:1', 'b:1', 'c:1'].map((address, i) => ({
    addresses: [{ address }],
    attributes: { weight: i === 2 ? 1000 : 1 },
  }))
  const firsts: Record<string, number> = { 'a:1': 0, 'b:1': 0, 'c:1': 0 }
  for (let seed = 0; seed < 100; seed++) {
    let state = seed + 1
    const bench = new Bench(() => {
      state = (state * 48_271) % 0x7fff_ffff
      return state / 0x7fff_ffff
    })
    bench.policy.handleResolvedAddrs({ endpoints }, { shuffleAddressList: true })
    firsts[bench.cc.subConns[0]!.addresses[0]!]! += 1
  }
  t.ok(firsts['c:1']! > 90, `the heavy one came first ${firsts['c:1']} times`)
})

t.test('close leaves no timer, and the SubConns to the channel', async (t) => {
  const bench = new Bench()
  bench.resolve('a:1', 'b:1')
  bench.policy.close()
  t.strictSame(bench.cc.takeLog(), [])
  t.equal(bench.clock.pending, 0)
})

t.test('a failure without a reason still has a text', async (t) => {
  const bench = new Bench()
  bench.resolve('a:1')
  bench.at('a:1').move(TransientFailure)
  t.match(bench.cc.pick(), { kind: 'fail', status: { code: Code.Unavailable, message: /./ } })
})

t.test('policies are found by name, and a name can be taken over', async (t) => {
  t.equal(getBalancer('pick_first'), pickFirst)
  t.equal(getBalancer('Pick_First'), undefined)
  const mine: BalancerBuilder = { name: 'spec_only', build: (cc, o) => pickFirst.build(cc, o) }
  registerBalancer(mine)
  t.equal(getBalancer('spec_only'), mine)
})
