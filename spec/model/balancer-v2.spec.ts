// What a policy may rely on: these callbacks, one at a time, never inside a call that it makes.
import t from 'tap'
import {
  ConnectivityState,
  failingPicker,
  fixedPicker,
  parseLbConfig,
  type SubConn,
  WAITING_PICKER,
} from '../../lib/balancer/index.ts'
import { Code } from '../../lib/base/status.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { ChannelBench } from '../support/channel-bench.ts'
import { FakeCall } from '../support/fake-call.ts'
import { settle } from '../support/fake-network.ts'
import { RecordingBalancerConn } from '../support/recording-balancer-conn.ts'

const DOWN = { code: Code.Unavailable, message: 'down' }

t.test('a policy makes a SubConn, hears of its states and publishes pickers', async (t) => {
  const bench = new ChannelBench({
    onResolved(cc, { endpoints }) {
      cc.newSubConn(endpoints.flatMap(({ addresses }) => addresses)).connect()
      return true
    },
    onStateChange(cc, subConn, { state }) {
      const ready = state === ConnectivityState.Ready
      const picker = ready ? fixedPicker({ kind: 'ready', subConn }) : WAITING_PICKER
      cc.updateBalancerState({ state, picker })
    },
  })
  const call = new FakeCall()
  bench.conn.pick(call)
  await bench.resolve('a:1')
  t.equal(bench.policy.cc.target, 'spec:x')
  const transport = await bench.accept()
  t.strictSame(call.log, ['a:1'])
  transport.lose()
  await settle()
  t.strictSame(bench.policy.takeLog(), ['build', 'resolved a:1', 'CONNECTING', 'READY', 'IDLE'])
  t.equal(bench.conn.getState(), 'IDLE')
  t.equal(bench.resolveNows, 1)
  bench.conn.close()
})

t.test('it is never called inside one of its own calls, whatever it does', async (t) => {
  const bench = new ChannelBench({
    onResolved(cc) {
      const subConn = cc.newSubConn([{ address: 'a:1' }])
      subConn.connect()
      subConn.updateAddresses([{ address: 'b:1' }])
      cc.updateBalancerState({ state: ConnectivityState.Connecting, picker: WAITING_PICKER })
      cc.resolveNow()
      cc.removeSubConn(subConn)
      return true
    },
    onStateChange(cc, _subConn, { state }) {
      if (state === ConnectivityState.Shutdown) cc.newSubConn([{ address: 'c:1' }]).connect()
    },
  })
  await bench.resolve('x:1')
  t.strictSame(bench.policy.takeLog(), [
    'build',
    'resolved x:1',
    'CONNECTING',
    'SHUTDOWN',
    'CONNECTING',
  ])
  t.equal(bench.policy.nested, 0)
  bench.conn.close()
})

t.test(
  'a call made outside of a callback, by a timer or a picker, is answered later',
  async (t) => {
    const subConns: SubConn[] = []
    const bench = new ChannelBench({
      onResolved(cc) {
        const subConn = cc.newSubConn([{ address: 'a:1' }])
        subConns.push(subConn)
        const picker = {
          pick() {
            subConn.connect()
            return { kind: 'wait' } as const
          },
        }
        cc.updateBalancerState({ state: ConnectivityState.Idle, picker })
        return true
      },
    })
    await bench.resolve('x:1')
    bench.policy.takeLog()
    bench.conn.pick(new FakeCall())
    t.strictSame(bench.policy.log, [])
    await settle()
    t.strictSame(bench.policy.takeLog(), ['CONNECTING'])
    subConns[0]?.shutdown()
    t.strictSame(bench.policy.log, [])
    await settle()
    t.strictSame(bench.policy.takeLog(), ['SHUTDOWN'])
    bench.conn.close()
  },
)

t.test('exitIdle comes when the user connects, resolverError when resolving fails', async (t) => {
  const bench = new ChannelBench()
  await bench.resolve('a:1')
  bench.conn.connect()
  bench.names.reportError(DOWN)
  await settle()
  t.strictSame(bench.policy.takeLog(), ['build', 'resolved a:1', 'exitIdle', 'error down'])
  bench.conn.close()
})

t.test('an error may be the first that a policy hears', async (t) => {
  const bench = new ChannelBench()
  bench.names.reportError(DOWN)
  await settle()
  t.strictSame(bench.policy.log, ['build', 'error down'])
  bench.conn.close()
})

t.test('a refused state is resolved again, with backoff', async (t) => {
  const bench = new ChannelBench({ onResolved: () => false })
  await bench.resolve()
  t.equal(bench.resolveNows, 0)
  bench.clock.advance(1000)
  await settle()
  t.equal(bench.resolveNows, 1)
  bench.conn.close()
})

t.test('close is the last callback, and whatever is done in it does nothing', async (t) => {
  const errors: unknown[] = []
  const bench = new ChannelBench({
    onResolved(cc) {
      cc.newSubConn([{ address: 'a:1' }]).connect()
      return true
    },
    onClose(cc) {
      cc.updateBalancerState({ state: ConnectivityState.Ready, picker: failingPicker(DOWN) })
      cc.resolveNow()
      try {
        cc.newSubConn([{ address: 'b:1' }])
      } catch (error) {
        errors.push(error)
      }
    },
  })
  await bench.resolve('a:1')
  bench.policy.takeLog()
  await bench.resolve('c:1')
  bench.policy.takeLog()
  bench.names.newAddress([{ address: 'd:1' }])
  bench.network.last.accept()
  bench.conn.close()
  await settle()
  t.strictSame(bench.policy.takeLog(), ['close'])
  t.match(errors, [{ message: /^sub_conn_closed: / }])
  t.equal(bench.conn.getState(), 'SHUTDOWN')
  t.equal(bench.resolveNows, 0)
  t.equal(bench.clock.pending, 0)
})

t.test('a policy that throws fails its calls, not the process', async (t) => {
  const throwing = (): never => {
    throw new Error('a bug')
  }
  const scripts = {
    handleResolvedAddrs: { onResolved: throwing },
    exitIdle: { onExitIdle: throwing },
  }
  for (const [name, script] of Object.entries(scripts)) {
    const bench = new ChannelBench({ ...script, onClose: throwing })
    await bench.resolve('a:1')
    bench.conn.connect()
    await settle()
    const call = new FakeCall({ waitForReady: true })
    bench.conn.pick(call)
    t.strictSame(call.log, ['INTERNAL: policy_threw: scripted: Error: a bug, dropped'], name)
    t.equal(bench.conn.getState(), 'TRANSIENT_FAILURE', name)
    bench.conn.close()
    await settle()
  }
})

t.test('a policy that cannot be built fails its calls', async (t) => {
  const bench = new ChannelBench()
  bench.policy.build = () => {
    throw new Error('a bug')
  }
  await bench.resolve('a:1')
  const call = new FakeCall()
  bench.conn.pick(call)
  t.strictSame(call.log, ['INTERNAL: policy_threw: scripted: Error: a bug, dropped'])
  bench.conn.close()
})

t.test('every policy has these methods, and is found by its name', async (t) => {
  const children = [{ round_robin: {} }]
  const rows: [name: string, config: object][] = [
    ['pick_first', {}],
    ['round_robin', {}],
    ['weighted_round_robin', {}],
    ['least_request_experimental', {}],
    ['ring_hash_experimental', {}],
    ['random_subsetting_experimental', { subsetSize: 1, childPolicy: children }],
    ['outlier_detection_experimental', { childPolicy: children }],
    ['weighted_target_experimental', { targets: { x: { weight: 1, childPolicy: children } } }],
    ['priority_experimental', { children: { x: { config: children } }, priorities: ['x'] }],
  ]
  for (const [name, json] of rows) {
    const cc = new RecordingBalancerConn()
    const { builder, config } = parseLbConfig([{ [name]: json }], 'lb')
    const clock = new FakeClock()
    const policy = builder.build(cc, { clock, random: () => 0 })
    const endpoint = { addresses: [{ address: 'a:1' }], attributes: { path: ['x'] } }
    t.equal(policy.handleResolvedAddrs({ endpoints: [endpoint] }, config), true, name)
    policy.exitIdle()
    cc.pick()
    const [subConn] = cc.subConns
    t.strictSame(subConn?.addresses, ['a:1'], `${name} connects`)
    policy.handleSubConnStateChange(subConn!, { state: ConnectivityState.Connecting })
    policy.resolverError(DOWN)
    t.equal(cc.latest?.state, 'CONNECTING', `${name} has not lost hope`)
    policy.close()
    t.equal(clock.pending, 0, `${name} leaves no timer`)
  }
})
