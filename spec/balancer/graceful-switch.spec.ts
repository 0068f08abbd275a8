// From one policy to another: nobody waits for the new one while the old one serves.
import t from 'tap'
import {
  type BalancerState,
  ConnectivityState,
  defaultLbConfig,
  GracefulSwitch,
  WAITING_PICKER,
} from '../../lib/balancer/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { RecordingBalancerConn } from '../support/recording-balancer-conn.ts'
import { ScriptedBalancer } from '../support/scripted-balancer.ts'

const { Idle, Connecting, Ready, TransientFailure } = ConnectivityState
const NOTHING = { endpoints: [] }

function stateOf(state: ConnectivityState): BalancerState {
  return { state, picker: WAITING_PICKER }
}

class Named extends ScriptedBalancer {
  public override readonly name: string

  public constructor(name: string) {
    super({ onResolved: (cc) => cc.newSubConn([{ address: `${name}:1` }]) !== undefined })
    this.name = name
  }
}

class Bench {
  public readonly cc = new RecordingBalancerConn()
  public readonly policies: GracefulSwitch
  public readonly old = new Named('old')
  public readonly next = new Named('next')

  public constructor(state: ConnectivityState) {
    this.policies = new GracefulSwitch(this.cc, { clock: new FakeClock(), random: () => 0 })
    this.to(this.old)
    this.old.cc.updateBalancerState(stateOf(state))
    this.cc.takeLog()
  }

  public to(policy: Named): void {
    this.policies.handleResolvedAddrs(NOTHING, defaultLbConfig(policy))
  }
}

t.test('the new policy takes over once it is more than CONNECTING', async (t) => {
  for (const state of [Ready, Idle, TransientFailure]) {
    const { cc, old, next, policies } = new Bench(Ready)
    policies.handleResolvedAddrs(NOTHING, defaultLbConfig(next))
    t.strictSame(cc.takeLog(), ['newSubConn next:1'])
    next.cc.updateBalancerState(stateOf(Connecting))
    t.strictSame(cc.takeLog(), [])
    next.cc.updateBalancerState(stateOf(state))
    t.strictSame(cc.takeLog(), [state, 'shutdown old:1'])
    t.equal(old.log.at(-1), 'close')
    t.throws(() => old.cc.newSubConn([{ address: 'x:1' }]), /^sub_conn_closed: got old/)
  }
})

t.test('it takes over at once when the old one does not serve', async (t) => {
  const bench = new Bench(Ready)
  bench.to(bench.next)
  bench.next.cc.updateBalancerState(stateOf(Connecting))
  bench.old.cc.updateBalancerState(stateOf(TransientFailure))
  t.strictSame(bench.cc.takeLog(), ['newSubConn next:1', 'CONNECTING', 'shutdown old:1'])
  const failing = new Bench(TransientFailure)
  failing.to(failing.next)
  failing.next.cc.updateBalancerState(stateOf(Connecting))
  t.strictSame(failing.cc.takeLog(), ['newSubConn next:1', 'CONNECTING', 'shutdown old:1'])
})

t.test('until then the old one serves, and the newest hears of everything', async (t) => {
  const bench = new Bench(Ready)
  bench.to(bench.next)
  bench.old.takeLog()
  bench.policies.exitIdle()
  bench.policies.resolverError({ code: 14, message: 'no name' }, defaultLbConfig(bench.old))
  bench.to(bench.next)
  t.strictSame(bench.next.takeLog(), [
    'build',
    'resolved ',
    'exitIdle',
    'error no name',
    'resolved ',
  ])
  t.strictSame(bench.old.takeLog(), [])
  bench.cc.takeLog()
  bench.old.cc.updateBalancerState(stateOf(Ready))
  t.strictSame(bench.cc.takeLog(), ['READY'])
})

t.test('a third policy replaces one that has not taken over', async (t) => {
  const bench = new Bench(Ready)
  bench.to(bench.next)
  const third = new Named('third')
  bench.to(third)
  t.strictSame(bench.next.takeLog(), ['build', 'resolved ', 'close'])
  bench.cc.takeLog()
  bench.next.cc.updateBalancerState(stateOf(Ready))
  t.strictSame(bench.cc.takeLog(), [], 'what is closed is not heard')
  third.cc.updateBalancerState(stateOf(Ready))
  t.strictSame(bench.cc.takeLog(), ['READY', 'shutdown old:1'])
})

t.test('a policy of the same name is the same policy', async (t) => {
  const bench = new Bench(Ready)
  bench.old.takeLog()
  bench.to(bench.old)
  t.strictSame(bench.old.takeLog(), ['resolved '])
})

t.test('what a policy tells as it is built is not lost', async (t) => {
  const cc = new RecordingBalancerConn()
  const policies = new GracefulSwitch(cc, { clock: new FakeClock(), random: () => 0 })
  const eager = new Named('eager')
  policies.handleResolvedAddrs(
    NOTHING,
    defaultLbConfig({
      name: 'eager',
      build(conn) {
        conn.updateBalancerState(stateOf(Idle))
        return eager.build(conn)
      },
    }),
  )
  t.strictSame(cc.takeLog(), ['IDLE', 'newSubConn eager:1'])
})

t.test('an error before any addresses is heard by the policy that there would be', async (t) => {
  const cc = new RecordingBalancerConn()
  const policies = new GracefulSwitch(cc, { clock: new FakeClock(), random: () => 0 })
  const fallback = new Named('fallback')
  policies.resolverError({ code: 14, message: 'no name' }, defaultLbConfig(fallback))
  t.strictSame(fallback.takeLog(), ['build', 'error no name'])
})

t.test('close closes both, even if one throws', async (t) => {
  const bench = new Bench(Ready)
  bench.to(bench.next)
  bench.old.script = {
    onClose: () => {
      throw new Error('a bug')
    },
  }
  bench.cc.takeLog()
  t.throws(() => bench.policies.close(), /a bug/)
  t.equal(bench.next.log.at(-1), 'close')
  t.strictSame(bench.cc.takeLog(), ['shutdown old:1', 'shutdown next:1'])
})
