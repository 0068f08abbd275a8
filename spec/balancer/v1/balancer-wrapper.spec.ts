import t from 'tap'
import {
  type Balancer,
  BalancerV1Error,
  balancerFromV1,
  ConnectivityState,
  type PickResult,
} from '../../../lib/balancer/index.ts'
import { Code } from '../../../lib/base/status.ts'
import { RpcError } from '../../../lib/grpc/protocol/rpc-error.ts'
import { FakeClock } from '../../../lib/testing/index.ts'
import { settle } from '../../support/fake-network.ts'
import { RecordingBalancerConn } from '../../support/recording-balancer-conn.ts'
import { ScriptedBalancerV1 } from '../../support/scripted-balancer-v1.ts'

const { Connecting, Idle, Ready, TransientFailure, Shutdown } = ConnectivityState
const NEVER = new AbortController().signal

/** A wrapped v1 balancer below a channel that records. */
class Bench {
  public readonly cc = new RecordingBalancerConn()
  public readonly v1: ScriptedBalancerV1
  public readonly policy: Balancer<undefined>

  public constructor(v1: ScriptedBalancerV1) {
    this.v1 = v1
    const options = { clock: new FakeClock(), random: () => 0.5 }
    this.policy = balancerFromV1('legacy', () => v1).build(this.cc, options)
    this.cc.policy = this.policy
  }

  /** Begins to read the lists. */
  public release(): Promise<void> {
    this.policy.handleResolvedAddrs({ endpoints: [] }, undefined)
    return settle()
  }

  public move(at: number, ...states: ConnectivityState[]): void {
    for (const state of states) this.cc.subConns[at]?.move(state)
  }

  /** What a call gets in the end. */
  public async pick(waitForReady: boolean, signal = NEVER): Promise<PickResult | undefined> {
    const info = { path: '/spec.Service/Method', header: () => undefined, waitForReady }
    const result = this.cc.latest?.picker.pick(info)
    return result?.kind === 'later' ? await result.answer(signal) : result
  }
}

const TARGETS = [
  ['dns:///host:80', 'host:80'],
  ['host:80', 'host:80'],
  ['unix:/a', 'unix:/a'],
  ['x://authority/name', 'x://authority/name'],
] as const

t.test('the v1 balancer starts with the target without its scheme', async (t) => {
  for (const [target, started] of TARGETS) {
    const cc = new RecordingBalancerConn(target)
    const v1 = new ScriptedBalancerV1()
    const builder = balancerFromV1('legacy', () => v1)
    t.equal(builder.name, 'legacy')
    builder.build(cc, { clock: new FakeClock(), random: () => 0.5 })
    t.strictSame(v1.log, [`start ${started}`])
    t.strictSame(cc.log, ['IDLE'])
  }
})

t.test('what start throws is for the channel to tell', async (t) => {
  const v1 = new ScriptedBalancerV1()
  v1.start = () => {
    throw new Error('no such name')
  }
  t.throws(() => new Bench(v1), { message: 'no such name' })
})

t.test('lists make and remove SubConns', async (t) => {
  const bench = new Bench(new ScriptedBalancerV1())
  const { cc, v1 } = bench
  await bench.release()
  await v1.list('a:1', 'b:1', 'a:1')
  t.strictSame(cc.takeLog(), [
    'IDLE',
    'newSubConn a:1',
    'connect a:1',
    'newSubConn b:1',
    'connect b:1',
  ])
  await v1.list('b:1', 'c:1')
  t.strictSame(cc.takeLog(), ['shutdown a:1', 'newSubConn c:1', 'connect c:1'])
  await v1.list()
  t.strictSame(cc.takeLog(), ['shutdown b:1', 'shutdown c:1'])
})

t.test("an error of the channel's resolver starts the lists too", async (t) => {
  const { policy, v1 } = new Bench(new ScriptedBalancerV1())
  v1.takeLog()
  policy.resolverError({ code: Code.Unavailable, message: 'no names' })
  policy.resolverError({ code: Code.Unavailable, message: 'no names' })
  policy.exitIdle()
  t.strictSame(v1.log, ['notify'], 'once')
})

t.test('the state is that of the SubConns together, until each is SHUTDOWN', async (t) => {
  const bench = new Bench(new ScriptedBalancerV1())
  const { cc, v1 } = bench
  await bench.release()
  await v1.list('a:1', 'b:1')
  cc.takeLog()
  bench.move(0, Connecting, TransientFailure)
  bench.move(1, TransientFailure, Connecting, Ready)
  await v1.list('a:1')
  t.strictSame(cc.takeLog(), [
    Connecting,
    Idle,
    TransientFailure,
    Connecting,
    Ready,
    'shutdown b:1',
  ])
  bench.move(0, Connecting)
  t.equal(cc.latest?.state, Ready, 'one that was removed counts while it is there')
  bench.move(1, Shutdown)
  t.equal(cc.latest?.state, Connecting)
  cc.takeLog()
  bench.move(1, Idle)
  t.strictSame(cc.log, [], 'and is unknown afterwards')
})

t.test('with a shared connection lists change the one SubConn', async (t) => {
  const bench = new Bench(new ScriptedBalancerV1({ sharesConnection: true }))
  const { cc, v1 } = bench
  await bench.release()
  await v1.list('a:1', 'b:1')
  bench.move(0, Connecting, Ready)
  await v1.list('b:1', 'c:1')
  await v1.list('b:1')
  t.strictSame(cc.takeLog(), [
    Idle,
    'newSubConn a:1,b:1',
    'connect a:1,b:1',
    Connecting,
    Ready,
    'updateAddresses b:1,c:1',
    'updateAddresses b:1',
  ])
  t.strictSame(
    v1.takeLog().slice(2),
    ['up a:1', 'down a:1: connection is closing', 'up b:1'],
    'it is known by the first of the list',
  )
  const picked = bench.pick(false)
  await v1.grant('whatever:1')
  t.match(await picked, { kind: 'ready', subConn: cc.subConns[0] })
  await v1.list()
  t.strictSame(cc.takeLog(), ['shutdown b:1'])
  await v1.list('d:1')
  t.strictSame(cc.takeLog(), ['newSubConn d:1', 'connect d:1'])
})

t.test('a shared connection that is not READY is renamed in silence', async (t) => {
  const bench = new Bench(new ScriptedBalancerV1({ sharesConnection: true }))
  const { v1 } = bench
  await bench.release()
  await v1.list('a:1')
  await v1.list('b:1')
  v1.takeLog()
  bench.move(0, Ready)
  t.strictSame(v1.takeLog(), ['up b:1'])
})

const REFUSALS: readonly (readonly [
  name: string,
  error: unknown,
  code: number,
  message: string,
])[] = [
  [
    'a BalancerV1Error',
    new BalancerV1Error({ code: Code.ResourceExhausted, message: 'all taken' }),
    Code.ResourceExhausted,
    'all taken',
  ],
  ['an RpcError', new RpcError(Code.Unavailable, 'nobody'), Code.Unavailable, 'nobody'],
  ['any Error', new Error('a bug'), Code.Unknown, 'a bug'],
  ['anything', undefined, Code.Unknown, 'undefined'],
]

t.test('what get rejects with fails the call, even one that waits for ready', async (t) => {
  for (const [name, error, code, message] of REFUSALS) {
    for (const waitForReady of [false, true]) {
      const bench = new Bench(new ScriptedBalancerV1())
      const picked = bench.pick(waitForReady)
      t.equal(bench.v1.gets[0]?.options.waitForReady, waitForReady)
      await bench.v1.refuse(error)
      const kind = waitForReady ? 'drop' : 'fail'
      t.match(await picked, { kind, status: { code, message } }, name)
    }
  }
})

t.test('after close, the calls are for the next policy', async (t) => {
  for (const how of ['grant', 'refuse'] as const) {
    const bench = new Bench(new ScriptedBalancerV1())
    const { v1, policy } = bench
    await bench.release()
    await v1.list('a:1')
    bench.move(0, Ready)
    const picked = bench.pick(true)
    v1.takeLog()
    policy.close()
    await (how === 'grant' ? v1.grant('a:1') : v1.refuse(new Error('the balancer is closing')))
    t.strictSame(await picked, { kind: 'wait' }, how)
    t.strictSame(v1.log, how === 'grant' ? ['close', 'put a:1'] : ['close'])
  }
})

t.test('a list that comes with the end is not taken', async (t) => {
  const bench = new Bench(new ScriptedBalancerV1())
  await bench.release()
  bench.cc.takeLog()
  const listed = bench.v1.list('a:1')
  bench.policy.close()
  await listed
  t.strictSame(bench.cc.log, [])
})

t.test('lists that end with an error fail the channel', async (t) => {
  const v1 = new ScriptedBalancerV1()
  v1.notify = () => {
    throw new Error('a bug')
  }
  const bench = new Bench(v1)
  await bench.release()
  t.equal(bench.cc.latest?.state, TransientFailure)
  const status = { code: Code.Internal, message: 'balancer_v1_threw: Error: a bug' }
  t.match(await bench.pick(true), { kind: 'drop', status })
})
