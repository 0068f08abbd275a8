// Connections that may have died unnoticed are asked before a call takes them.
import t, { type Test } from 'tap'
import type { Clock } from '../../../lib/base/clock.ts'
import { AddrConn } from '../../../lib/grpc/channel/addr-conn.ts'
import { Connector } from '../../../lib/grpc/channel/connector.ts'
import { bytesCodec, defineService, unary } from '../../../lib/grpc/index.ts'
import { FakeClock } from '../../../lib/testing/index.ts'
import { FakeNetwork, type FakeTransport, settle } from '../../support/fake-network.ts'
import { RpcBench } from '../../support/rpc-bench.ts'

const MINUTE_MS = 60_000

/** A clock whose process or machine can be stopped. */
class SleepyClock extends FakeClock {
  private asleepMs = 0

  /** What `timer` armed is late by `ms`. */
  public stopProcess(ms: number): void {
    this.jump(ms)
  }

  /** The monotonic clock stands still meanwhile. */
  public suspendMachine(ms: number): void {
    this.asleepMs += ms
  }

  public override wallMs(): number {
    return super.wallMs() + this.asleepMs
  }
}

class Bench {
  public readonly clock = new SleepyClock()
  public readonly network = new FakeNetwork()
  public readonly log: string[] = []
  public readonly addrConn: AddrConn

  public constructor(probeAfterIdleMs?: number) {
    const connector = new Connector({
      connect: this.network.connect,
      clock: this.clock as Clock,
      random: () => 0.5,
      authority: 'spec',
      maxConnectionsPerAddress: 2,
      ...(probeAfterIdleMs === undefined ? {} : { probeAfterIdleMs }),
    })
    this.addrConn = new AddrConn([{ address: 'a:1' }], connector, {
      stateChanged: ({ state }) => this.log.push(state),
      resolveNow() {},
      usable: () => this.log.push('usable'),
      gone() {},
    })
  }

  public static async ready(probeAfterIdleMs?: number): Promise<[Bench, FakeTransport]> {
    const bench = new Bench(probeAfterIdleMs)
    bench.addrConn.connect()
    const transport = bench.network.last.accept()
    await settle()
    bench.log.length = 0
    return [bench, transport]
  }

  /** The transport is not given to a call, and is asked once. */
  public doubts(transport: FakeTransport): boolean {
    this.addrConn.connector.liveness.look()
    const given = [this.addrConn.getReadyTransport(), this.addrConn.getReadyTransport()]
    return given.every((each) => each === undefined) && transport.pings.length === 1
  }

  public async assertQuiet(t: Test): Promise<void> {
    this.addrConn.tearDown('the spec is over', false)
    await settle()
    t.equal(this.clock.pending, 0, 'no timer is left')
  }
}

async function answer(transport: FakeTransport): Promise<void> {
  transport.pings.shift()?.resolve(1)
  await settle()
}

t.test('a connection in use is taken as it is', async (t) => {
  const [bench, transport] = await Bench.ready()
  for (let n = 0; n < 20; n++) {
    bench.clock.advance(MINUTE_MS)
    transport.lastReadMs = bench.clock.nowMs()
    t.equal(bench.addrConn.getReadyTransport(), transport)
  }
  t.equal(transport.pings.length, 0)
  await bench.assertQuiet(t)
})

t.test('silent for 5 minutes: it is asked, once, and taken when it answers', async (t) => {
  const [bench, transport] = await Bench.ready()
  bench.clock.advance(5 * MINUTE_MS - 1)
  t.equal(bench.addrConn.getReadyTransport(), transport)
  bench.clock.advance(15_000)
  t.equal(transport.pings.length, 0, 'nobody asks while there is no call')
  t.ok(bench.doubts(transport))
  bench.clock.advance(1999)
  t.strictSame(bench.log, [])
  await answer(transport)
  t.strictSame(bench.log, ['usable'])
  t.equal(bench.addrConn.getReadyTransport(), transport)
  await bench.assertQuiet(t)
})

t.test('no answer: the connection is dropped and calls go on', async (t) => {
  const [bench, transport] = await Bench.ready()
  bench.clock.advance(6 * MINUTE_MS)
  t.ok(bench.doubts(transport))
  bench.clock.advance(2000)
  await settle()
  t.match(transport.closeReason, /^probe_timeout: .* 2000 ms$/)
  t.strictSame(bench.log, ['IDLE', 'usable'])
  await bench.assertQuiet(t)
})

t.test('no answer while calls are open: it takes no more, and they may finish', async (t) => {
  const [bench, transport] = await Bench.ready()
  transport.openStream()
  bench.clock.advance(6 * MINUTE_MS)
  t.ok(bench.doubts(transport))
  bench.clock.advance(2000)
  await settle()
  t.strictSame([transport.canOpen, transport.closed], [false, false])
  t.strictSame(bench.log, ['IDLE', 'usable'])
  await bench.assertQuiet(t)
})

t.test('it is lost while it is asked', async (t) => {
  const [bench, transport] = await Bench.ready()
  bench.clock.advance(6 * MINUTE_MS)
  t.ok(bench.doubts(transport))
  transport.lose()
  await settle()
  t.strictSame(bench.log, ['IDLE', 'usable'])
  t.equal(bench.clock.pending, 0)
})

t.test('octets that come meanwhile are an answer', async (t) => {
  const [bench, transport] = await Bench.ready()
  bench.clock.advance(6 * MINUTE_MS)
  transport.lastReadMs = bench.clock.nowMs()
  t.equal(bench.addrConn.getReadyTransport(), transport)
  t.equal(transport.pings.length, 0)
  await bench.assertQuiet(t)
})

t.test('a process that was stopped doubts what it had', async (t) => {
  const [bench, transport] = await Bench.ready()
  transport.openStream()
  transport.lastReadMs = bench.clock.nowMs()
  bench.clock.advance(1000)
  bench.clock.stopProcess(30_000)
  t.ok(bench.doubts(transport))
  await answer(transport)
  t.equal(bench.addrConn.getReadyTransport(), transport)
  await bench.assertQuiet(t)
})

t.test('a machine that slept doubts what it had, though its timers are not due', async (t) => {
  const [bench, transport] = await Bench.ready()
  bench.clock.advance(1000)
  transport.lastReadMs = bench.clock.nowMs()
  bench.clock.suspendMachine(30_000)
  t.ok(bench.doubts(transport))
  await answer(transport)
  t.equal(bench.addrConn.getReadyTransport(), transport)
  bench.clock.suspendMachine(30_000)
  t.equal(bench.addrConn.getReadyTransport(), transport, 'nobody has looked')
  bench.clock.advance(15_000)
  t.equal(bench.addrConn.getReadyTransport(), undefined, 'but the timer')
  await bench.assertQuiet(t)
})

t.test('a short stop is none', async (t) => {
  const [bench, transport] = await Bench.ready()
  bench.clock.stopProcess(20_000)
  bench.clock.suspendMachine(9000)
  bench.addrConn.connector.liveness.look()
  t.equal(bench.addrConn.getReadyTransport(), transport)
  await bench.assertQuiet(t)
})

t.test('the time can be chosen; 0 and Infinity mean never', async (t) => {
  const [bench, transport] = await Bench.ready(1000)
  bench.clock.advance(1000)
  t.ok(bench.doubts(transport))
  await bench.assertQuiet(t)
  for (const never of [0, Infinity]) {
    const [other, trusted] = await Bench.ready(never)
    other.clock.stopProcess(1e9)
    other.clock.suspendMachine(1e9)
    other.addrConn.connector.liveness.look()
    t.equal(other.addrConn.getReadyTransport(), trusted)
    t.equal(other.clock.pending, 0)
  }
})

t.test('an extra connection is asked for itself', async (t) => {
  const [bench, first] = await Bench.ready()
  first.maxStreams = 1
  first.openStream()
  first.openStream()
  const second = bench.network.last.accept()
  await settle()
  bench.clock.advance(5 * MINUTE_MS - 20_000)
  second.openStream()
  second.openStream()
  bench.clock.advance(40_000)
  first.lastReadMs = bench.clock.nowMs()
  t.ok(bench.doubts(second))
  bench.clock.advance(2000)
  await settle()
  t.equal(second.canOpen, false)
  t.strictSame(bench.log, ['usable'], 'READY by the other one')
  t.equal(bench.addrConn.getReadyTransport(), first)
  await bench.assertQuiet(t)
})

const Work = defineService('spec.Work', { once: unary(bytesCodec, bytesCodec) })
const octets = Buffer.from('x')

t.test('a call over a connection that died in its sleep ends well on another one', async (t) => {
  const bench = new RpcBench({ channel: { idleTimeoutMs: 0 } })
  bench.server.register(Work, { once: (request) => request })
  const call = (): Promise<Uint8Array> => bench.conn.invoke(Work.methods.once, octets)
  await bench.run(call())
  await bench.advance(6 * MINUTE_MS)
  const [first] = bench.transports
  await bench.run(call())
  t.equal(bench.pairs.length, 1, 'the connection answers')
  await bench.advance(6 * MINUTE_MS)
  // As when a middlebox has forgotten it.
  bench.pairs[0]!.client.far = undefined
  const lost = call()
  await bench.settle()
  t.equal(bench.conn.load().waitingCalls, 1)
  await bench.advance(2000)
  t.same(await bench.run(lost), octets)
  t.equal(bench.pairs.length, 2)
  t.equal(first?.canOpen, false)
  await bench.assertQuiet(t)
})
