// balancerWrapper: a v1 balancer as a policy of today. notify drives newSubConn and removeSubConn, state
// changes call up and down, pick wraps get, handleResolvedAddrs only releases.
import t from 'tap'
import { balancerFromV1, ConnectivityState } from '../../lib/balancer/index.ts'
import { ClientConn } from '../../lib/grpc/channel/client-conn.ts'
import { ManualResolver } from '../../lib/naming/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { FakeCall } from '../support/fake-call.ts'
import { FakeNetwork, type FakeTransport, settle } from '../support/fake-network.ts'
import { ScriptedBalancerV1 } from '../support/scripted-balancer-v1.ts'

/** A channel with a scripted v1 balancer on a fake clock and fake transports. */
class Bench {
  public readonly clock = new FakeClock()
  public readonly network = new FakeNetwork()
  public readonly names = new ManualResolver('spec')
  public readonly conn: ClientConn
  /** Each time that the channel leaves IDLE has its own. */
  public readonly made: ScriptedBalancerV1[] = []
  private readonly options: ConstructorParameters<typeof ScriptedBalancerV1>[0]

  public constructor(options: ConstructorParameters<typeof ScriptedBalancerV1>[0] = {}) {
    this.options = options
    this.conn = new ClientConn(
      'spec:///service',
      {
        resolvers: [this.names],
        balancer: balancerFromV1('scripted', () => this.make()),
        idleTimeoutMs: 1000,
      },
      { connect: this.network.connect, clock: this.clock, random: () => 0.5 },
    )
    this.conn.connect()
  }

  /** One whose channel has heard of its resolver. */
  public static async resolved(
    options?: ConstructorParameters<typeof ScriptedBalancerV1>[0],
  ): Promise<Bench> {
    const bench = new Bench(options)
    bench.names.newAddress([{ address: 'ignored:1' }])
    await settle()
    return bench
  }

  public get v1(): ScriptedBalancerV1 {
    const newest = this.made.at(-1)
    if (newest === undefined) throw new Error('the policy has not been built')
    return newest
  }

  /** The newest attempt's peer is ready. */
  public async accept(): Promise<FakeTransport> {
    const transport = this.network.last.accept()
    await settle()
    return transport
  }

  public call(waitForReady = false): FakeCall {
    const call = new FakeCall({ waitForReady })
    this.conn.pick(call)
    return call
  }

  private make(): ScriptedBalancerV1 {
    const v1 = new ScriptedBalancerV1(this.options)
    this.made.push(v1)
    return v1
  }
}

t.test('handleResolvedAddrs only releases: its addresses do not matter', async (t) => {
  const bench = await Bench.resolved()
  t.strictSame(bench.v1.takeLog(), ['start service', 'notify'])
  bench.names.newAddress([{ address: 'other:1' }])
  await settle()
  t.strictSame(bench.v1.takeLog(), [])
  t.strictSame(bench.network.addresses, [])
  t.equal(bench.conn.getState(), ConnectivityState.Idle)
  bench.conn.close()
})

t.test('notify drives newSubConn and removeSubConn', async (t) => {
  const bench = await Bench.resolved()
  await bench.v1.list('a:1')
  const a = await bench.accept()
  await bench.v1.list('a:1', 'b:1')
  t.strictSame(bench.network.addresses, ['a:1', 'b:1'])
  const b = await bench.accept()
  await bench.v1.list('b:1')
  t.strictSame([a.closed, b.closed], [true, false])
  t.equal(bench.conn.getState(), ConnectivityState.Ready)
  await bench.v1.list()
  t.ok(b.closed)
  t.equal(bench.conn.getState(), ConnectivityState.TransientFailure)
  bench.conn.close()
})

t.test('state changes call up and down, and IDLE connects again', async (t) => {
  const bench = await Bench.resolved()
  await bench.v1.list('a:1')
  bench.v1.takeLog()
  const transport = await bench.accept()
  t.strictSame(bench.v1.takeLog(), ['up a:1'])
  transport.lose()
  await settle()
  t.strictSame(bench.v1.takeLog(), ['down a:1: connection is closing'])
  t.strictSame(bench.network.addresses, ['a:1', 'a:1'])
  await bench.accept()
  t.strictSame(bench.v1.takeLog(), ['up a:1'])
  await bench.v1.list()
  t.strictSame(bench.v1.takeLog(), ['down a:1: connection is closing'])
  bench.conn.close()
})

t.test('pick wraps get: the call takes the SubConn of the address, put is its end', async (t) => {
  const bench = await Bench.resolved()
  await bench.v1.list('a:1', 'b:1')
  for (const attempt of bench.network.attempts) attempt.accept()
  await settle()
  bench.v1.takeLog()
  const call = bench.call()
  t.strictSame(call.log, [])
  t.match(bench.v1.gets, [{ options: { waitForReady: false } }])
  await bench.v1.grant('b:1')
  t.strictSame(call.log, ['b:1'])
  t.strictSame(bench.v1.takeLog(), [])
  call.onPickDone?.({
    status: { code: 0, message: '' },
    bytesSent: true,
    bytesReceived: true,
    load: () => undefined,
  })
  t.strictSame(bench.v1.takeLog(), ['put b:1'])
  bench.conn.close()
})

t.test('an address without a connection: the call fails fast, and is put back', async (t) => {
  const bench = await Bench.resolved()
  await bench.v1.list('a:1')
  for (const address of ['a:1', 'unknown:1']) {
    bench.v1.takeLog()
    const call = bench.call()
    await bench.v1.grant(address)
    t.strictSame(call.log, ['UNAVAILABLE: there is no connection available'], address)
    t.strictSame(bench.v1.takeLog(), [`put ${address}`])
  }
  bench.conn.close()
})

t.test('a call that waits for ready gets another at the next change of state', async (t) => {
  const bench = await Bench.resolved()
  await bench.v1.list('a:1')
  const call = bench.call(true)
  t.match(bench.v1.gets, [{ options: { waitForReady: true } }])
  await bench.v1.grant('a:1')
  t.strictSame(call.log, [])
  t.equal(bench.v1.gets.length, 0)
  await bench.accept()
  t.equal(bench.v1.gets.length, 1)
  await bench.v1.grant('a:1')
  t.strictSame(call.log, ['a:1'])
  bench.conn.close()
})

t.test('a state that changes while get blocks is not missed', async (t) => {
  const bench = await Bench.resolved()
  await bench.v1.list('a:1', 'b:1')
  const call = bench.call(true)
  bench.network.attempts[1]?.accept()
  await settle()
  t.equal(bench.v1.gets.length, 1, 'one call is in one get')
  await bench.v1.grant('a:1')
  t.equal(bench.v1.gets.length, 1, 'it asks again at once')
  await bench.v1.grant('b:1')
  t.strictSame(call.log, ['b:1'])
  bench.conn.close()
})

t.test('a call that is over ends its get, and puts back what comes too late', async (t) => {
  const bench = await Bench.resolved()
  await bench.v1.list('a:1')
  await bench.accept()
  bench.v1.takeLog()
  const call = bench.call(true)
  const [get] = bench.v1.gets
  t.notOk(get?.options.signal?.aborted)
  bench.conn.cancelPick(call)
  t.ok(get?.options.signal?.aborted)
  await bench.v1.grant('a:1')
  t.strictSame(call.log, [])
  t.strictSame(bench.v1.takeLog(), ['put a:1'])
  bench.conn.close()
})

t.test('without a resolver the target is dialled', async (t) => {
  const bench = await Bench.resolved({ hasResolver: false })
  t.strictSame(bench.network.addresses, ['service'])
  await bench.accept()
  t.strictSame(bench.v1.takeLog(), ['start service', 'notify', 'up service'])
  bench.conn.close()
})

t.test('pick first: one SubConn, whose addresses are updated', async (t) => {
  const bench = await Bench.resolved({ sharesConnection: true })
  await bench.v1.list('a:1', 'b:1')
  bench.network.last.refuse()
  await settle()
  const transport = await bench.accept()
  t.strictSame(bench.network.addresses, ['a:1', 'b:1'])
  await bench.v1.list('c:1', 'b:1')
  t.notOk(transport.closed, 'its address stays')
  t.strictSame(bench.v1.takeLog().slice(2), ['up a:1', 'down a:1: connection is closing', 'up c:1'])
  const call = bench.call()
  await bench.v1.grant('c:1')
  t.strictSame(call.log, ['b:1'])
  bench.conn.close()
})

t.test('an idle channel has no v1 balancer, and another one afterwards', async (t) => {
  const bench = await Bench.resolved()
  await bench.v1.list('a:1')
  const transport = await bench.accept()
  bench.v1.takeLog()
  bench.clock.advance(2000)
  await settle()
  t.strictSame(bench.v1.log, ['close'])
  t.ok(transport.closed)
  t.equal(bench.conn.getState(), ConnectivityState.Idle)
  bench.conn.connect()
  await settle()
  t.equal(bench.made.length, 2)
  t.strictSame(bench.v1.log, ['start service', 'notify'])
  bench.conn.close()
  await settle()
  t.equal(bench.clock.pending, 0)
})
