// updateBalancerState, newSubConn and the watcher: pickers and states in order, nothing after close.
import t from 'tap'
import {
  type BalancerState,
  ConnectivityState,
  defaultLbConfig,
  failingPicker,
  WAITING_PICKER,
} from '../../lib/balancer/index.ts'
import { Serializer } from '../../lib/base/serializer.ts'
import { Code } from '../../lib/base/status.ts'
import { AddrConn } from '../../lib/grpc/channel/addr-conn.ts'
import { CcBalancerWrapper } from '../../lib/grpc/channel/cc-balancer-wrapper.ts'
import { ClientConn } from '../../lib/grpc/channel/client-conn.ts'
import { Connector } from '../../lib/grpc/channel/connector.ts'
import { ManualResolver } from '../../lib/naming/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { FakeCall } from '../support/fake-call.ts'
import { FakeNetwork, settle } from '../support/fake-network.ts'
import { ScriptedBalancer } from '../support/scripted-balancer.ts'

const DOWN = { code: Code.Unavailable, message: 'down' }

/** The wrapper alone, with the channel's part played by the spec. */
class Bench {
  public readonly clock = new FakeClock()
  public readonly network = new FakeNetwork()
  public readonly policy = new ScriptedBalancer()
  public readonly lbConfig = defaultLbConfig(this.policy)
  public readonly published: BalancerState[] = []
  public readonly gone: AddrConn[] = []
  public resolveNows = 0
  public readonly wrapper: CcBalancerWrapper

  public constructor() {
    const connector = new Connector({
      connect: this.network.connect,
      clock: this.clock,
      random: () => 0.5,
      authority: 'spec',
    })
    this.wrapper = new CcBalancerWrapper(
      {
        target: 'spec:x',
        newAddrConn: (addresses) =>
          new AddrConn(addresses, connector, {
            stateChanged: () => {},
            resolveNow: () => {},
            usable: () => {},
            gone: (addrConn) => this.gone.push(addrConn),
          }),
        updateBalancerState: (state) => this.published.push(state),
        resolveNow: () => {
          this.resolveNows += 1
        },
      },
      new Serializer(),
      connector,
    )
    this.wrapper.handleResolvedAddrs({ endpoints: [] }, this.lbConfig)
    this.policy.takeLog()
  }
}

t.test(
  'the watcher delivers SubConn states one by one, in order, in a turn of its own',
  async (t) => {
    const bench = new Bench()
    const subConn = bench.policy.cc.newSubConn([{ address: 'a:1' }])
    subConn.connect()
    bench.network.last.accept()
    t.strictSame(bench.policy.takeLog(), [])
    await settle()
    subConn.shutdown()
    await settle()
    t.strictSame(bench.policy.takeLog(), ['CONNECTING', 'READY', 'SHUTDOWN'])
  },
)

t.test('removeSubConn ends its connection gracefully', async (t) => {
  const bench = new Bench()
  const subConn = bench.policy.cc.newSubConn([{ address: 'a:1' }])
  subConn.connect()
  const transport = bench.network.last.accept()
  await settle()
  transport.openStream()
  bench.policy.cc.removeSubConn(subConn)
  t.equal(transport.closed, false)
  transport.endStream()
  t.equal(transport.closed, true)
  t.equal(bench.gone.length, 1)
})

t.test('a SubConn needs an address', async (t) => {
  t.throws(() => new Bench().policy.cc.newSubConn([]), { message: /^sub_conn_empty: / })
})

t.test('nothing passes after close, in either direction', async (t) => {
  const bench = new Bench()
  const subConn = bench.policy.cc.newSubConn([{ address: 'a:1' }])
  subConn.connect()
  bench.wrapper.exitIdle()
  bench.wrapper.close()
  bench.wrapper.close()
  bench.wrapper.exitIdle()
  t.equal(bench.wrapper.handleResolvedAddrs({ endpoints: [] }, bench.lbConfig), false)
  bench.wrapper.resolverError(DOWN, bench.lbConfig)
  bench.wrapper.updateBalancerState({ state: 'READY', picker: WAITING_PICKER })
  bench.wrapper.resolveNow()
  t.throws(() => bench.policy.cc.newSubConn([{ address: 'b:1' }]), {
    message: /^sub_conn_closed: /,
  })
  subConn.connect()
  bench.network.last.accept()
  await settle()
  t.strictSame(bench.policy.log, ['close'])
  t.strictSame(bench.published, [])
  t.equal(bench.resolveNows, 0)
  t.equal(bench.network.attempts.length, 1)
  t.equal(bench.gone.length, 1)
  t.equal(bench.clock.pending, 0)
})

t.test('states and pickers reach the channel together and in order', async (t) => {
  const names = new ManualResolver('spec')
  const policy = new ScriptedBalancer({
    onResolved(cc) {
      cc.updateBalancerState({ state: ConnectivityState.Connecting, picker: WAITING_PICKER })
      cc.updateBalancerState({
        state: ConnectivityState.TransientFailure,
        picker: failingPicker({ ...DOWN, message: 'first' }),
      })
      cc.updateBalancerState({
        state: ConnectivityState.TransientFailure,
        picker: failingPicker({ ...DOWN, message: 'second' }),
      })
      return true
    },
  })
  const conn = new ClientConn(
    'spec:x',
    { resolvers: [names], balancer: policy },
    { connect: new FakeNetwork().connect, clock: new FakeClock() },
  )
  const seen: string[] = []
  conn.onStateChange((state) => {
    const call = new FakeCall()
    conn.pick(call)
    seen.push(state, ...call.log)
  })
  const parked = new FakeCall()
  conn.pick(parked)
  names.newAddress([])
  await settle()
  t.strictSame(seen, ['CONNECTING', 'TRANSIENT_FAILURE', 'UNAVAILABLE: second'])
  t.strictSame(parked.log, ['UNAVAILABLE: second'])
  conn.close()
})

t.test('the policy of an idle channel’s earlier life cannot speak for the next', async (t) => {
  const clock = new FakeClock()
  const names = new ManualResolver('spec')
  const policies: ScriptedBalancer[] = []
  const conn = new ClientConn(
    'spec:x',
    {
      resolvers: [names],
      idleTimeoutMs: 1000,
      balancer: {
        name: 'spec',
        build(cc) {
          const policy = new ScriptedBalancer()
          policies.push(policy)
          return policy.build(cc)
        },
      },
    },
    { connect: new FakeNetwork().connect, clock },
  )
  conn.connect()
  names.newAddress([{ address: 'a:1' }])
  await settle()
  clock.advance(1000)
  conn.connect()
  await settle()
  const [first, second] = policies
  first?.cc.updateBalancerState({ state: 'READY', picker: WAITING_PICKER })
  t.equal(conn.getState(), 'CONNECTING')
  t.strictSame(first?.log, ['build', 'resolved a:1', 'close'])
  t.strictSame(second?.log, ['build', 'resolved a:1'])
  conn.close()
})
