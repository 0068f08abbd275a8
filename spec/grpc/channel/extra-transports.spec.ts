// Several connections to one address, for a server that allows few streams on each.
import t, { type Test } from 'tap'
import { AddrConn } from '../../../lib/grpc/channel/addr-conn.ts'
import { Connector } from '../../../lib/grpc/channel/connector.ts'
import { bytesCodec, defineService, unary } from '../../../lib/grpc/index.ts'
import { FakeClock } from '../../../lib/testing/index.ts'
import { FakeNetwork, type FakeTransport, settle } from '../../support/fake-network.ts'
import { RpcBench } from '../../support/rpc-bench.ts'

class Bench {
  public readonly clock = new FakeClock()
  public readonly network = new FakeNetwork()
  public readonly log: string[] = []
  public readonly addrConn: AddrConn

  public constructor(maxConnectionsPerAddress: number) {
    const connector = new Connector({
      connect: this.network.connect,
      clock: this.clock,
      random: () => 0.5,
      authority: 'spec',
      maxConnectionsPerAddress,
      probeAfterIdleMs: 0,
    })
    this.addrConn = new AddrConn([{ address: 'a:1' }, { address: 'b:1' }], connector, {
      stateChanged: ({ state }) => this.log.push(state),
      resolveNow: () => this.log.push('resolveNow'),
      usable: () => this.log.push('usable'),
      gone: () => this.log.push('gone'),
    })
    this.addrConn.watcher = {
      stateChanged() {},
      transportChanged: (transport) =>
        this.log.push(transport === undefined ? 'no transport' : 'transport'),
    }
  }

  /** A bench with one connection that takes `maxStreams` streams. */
  public static async ready(
    maxConnections: number,
    maxStreams: number,
  ): Promise<[Bench, FakeTransport]> {
    const bench = new Bench(maxConnections)
    bench.addrConn.connect()
    const transport = await bench.accept(maxStreams)
    bench.log.length = 0
    return [bench, transport]
  }

  public async accept(maxStreams: number): Promise<FakeTransport> {
    const transport = this.network.last.accept()
    transport.maxStreams = maxStreams
    await settle()
    return transport
  }

  /** A call opens its stream wherever it may; where that is. */
  public call(): FakeTransport | undefined {
    const transport = this.addrConn.getReadyTransport() as FakeTransport | undefined
    transport?.openStream()
    return transport
  }

  public async assertQuiet(t: Test): Promise<void> {
    this.addrConn.tearDown('the spec is over', false)
    await settle()
    t.equal(this.clock.pending, 0, 'no timer is left')
    t.equal(this.log.at(-1), 'gone')
  }
}

t.test('one connection is enough unless more are allowed', async (t) => {
  const [bench, first] = await Bench.ready(1, 1)
  bench.call()
  bench.call()
  t.equal(first.waitingStreams, 1)
  t.equal(bench.network.attempts.length, 1)
  await bench.assertQuiet(t)
})

t.test('a call that waits has another connection made, to the same address', async (t) => {
  const [bench, first] = await Bench.ready(3, 2)
  bench.call()
  bench.call()
  t.equal(bench.network.attempts.length, 1, 'nobody waits')
  for (let n = 0; n < 5; n++) bench.call()
  t.strictSame(bench.network.addresses, ['a:1', 'a:1'], 'one attempt at a time')
  t.match(bench.addrConn.load, {
    address: 'a:1',
    connections: 1,
    openStreams: 2,
    waitingStreams: 5,
  })
  const second = await bench.accept(2)
  t.equal(first.released, 2, 'as many move over as the new one can open')
  t.equal(bench.network.attempts.length, 3, 'others still wait')
  await bench.accept(100)
  t.equal(first.released, 5)
  t.equal(bench.network.attempts.length, 3)
  t.match(bench.addrConn.load, { connections: 3, waitingStreams: 0 })
  t.strictSame(bench.log, [], 'all of it is one READY')
  t.equal(second.waitingStreams, 0)
  await bench.assertQuiet(t)
})

t.test('there are never more than allowed', async (t) => {
  const [bench] = await Bench.ready(2, 1)
  for (let n = 0; n < 4; n++) bench.call()
  await bench.accept(1)
  for (let n = 0; n < 10; n++) bench.call()
  t.equal(bench.network.attempts.length, 2)
  await bench.assertQuiet(t)
})

t.test('a call takes the connection with most room', async (t) => {
  const [bench, first] = await Bench.ready(2, 3)
  for (let n = 0; n < 4; n++) bench.call()
  const second = await bench.accept(3)
  t.equal(bench.call(), second)
  t.equal(bench.call(), second)
  first.endStream()
  first.endStream()
  t.equal(bench.call(), first)
  second.canOpen = false
  first.openStream()
  t.equal(bench.call(), first)
  await bench.assertQuiet(t)
})

t.test(
  'a further connection that cannot be made is tried again, if calls still wait',
  async (t) => {
    const [bench, first] = await Bench.ready(2, 1)
    bench.call()
    bench.call()
    for (const waitMs of [1000, 1600, 2560]) {
      const { length } = bench.network.attempts
      bench.network.last.refuse()
      await settle()
      bench.call()
      bench.clock.advance(waitMs - 1)
      t.equal(bench.network.attempts.length, length, `not before ${waitMs} ms`)
      bench.clock.advance(1)
      t.equal(bench.network.attempts.length, length + 1)
    }
    first.waitingStreams = 0
    bench.network.last.refuse()
    await settle()
    bench.clock.advance(600_000)
    t.equal(bench.network.attempts.length, 5)
    t.strictSame(bench.log, [], 'READY all the while')
    await bench.assertQuiet(t)
  },
)

t.test('a further connection that is never ready is given up in time', async (t) => {
  const [bench] = await Bench.ready(2, 1)
  bench.call()
  bench.call()
  bench.clock.advance(19_999)
  t.equal(bench.network.last.signal.aborted, false)
  bench.clock.advance(1)
  t.equal(bench.network.last.signal.aborted, true)
  const late = await bench.accept(1)
  t.equal(late.closed, true)
  bench.clock.advance(1000)
  t.equal(bench.network.attempts.length, 3)
  await bench.assertQuiet(t)
})

t.test('when the first connection goes, another one takes its place', async (t) => {
  for (const end of ['GOAWAY', 'loss'] as const) {
    const [bench, first] = await Bench.ready(2, 1)
    bench.call()
    bench.call()
    const second = await bench.accept(1)
    if (end === 'loss') first.lose()
    else first.goAway()
    t.strictSame(bench.log, ['transport', 'resolveNow'], `${end}: READY all the while`)
    t.equal(bench.addrConn.getReadyTransport(), second)
    second.openStreams = 0
    second.lose()
    t.strictSame(bench.log.slice(2), ['no transport', 'resolveNow', 'IDLE'], end)
    await bench.assertQuiet(t)
  }
})

t.test('an extra connection goes without a word', async (t) => {
  const [bench, first] = await Bench.ready(2, 1)
  bench.call()
  bench.call()
  const second = await bench.accept(1)
  second.lose()
  t.strictSame(bench.log, [])
  t.equal(bench.addrConn.getReadyTransport(), first)
  t.equal(bench.addrConn.load.connections, 1)
  await bench.assertQuiet(t)
})

t.test('an attempt for a further connection ends with READY', async (t) => {
  const [bench, first] = await Bench.ready(2, 1)
  bench.call()
  bench.call()
  first.lose()
  t.equal(bench.network.last.signal.aborted, true)
  const late = await bench.accept(1)
  t.equal(late.closed, true)
  t.strictSame(bench.log, ['no transport', 'resolveNow', 'IDLE'])
  await bench.assertQuiet(t)
})

t.test('other addresses: all connections finish their calls', async (t) => {
  const [bench, first] = await Bench.ready(2, 1)
  bench.call()
  bench.call()
  const second = await bench.accept(1)
  second.openStream()
  bench.addrConn.updateAddresses([{ address: 'c:1' }])
  t.strictSame([first.canOpen, second.canOpen, second.closed], [false, false, false])
  t.equal(bench.network.last.address, 'c:1')
  await bench.assertQuiet(t)
})

t.test('connections that are not needed are drained, one a minute', async (t) => {
  const [bench, first] = await Bench.ready(3, 4)
  for (let n = 0; n < 5; n++) bench.call()
  const second = await bench.accept(4)
  for (let n = 0; n < 5; n++) bench.call()
  const third = await bench.accept(4)
  bench.clock.advance(120_000)
  t.equal(bench.addrConn.load.connections, 3, 'all are in use')
  first.openStreams = 2
  first.waitingStreams = 0
  second.openStreams = 1
  third.openStreams = 2
  bench.clock.advance(60_000)
  t.equal(bench.addrConn.load.connections, 3, 'there was a time when all were needed')
  third.endStream()
  bench.clock.advance(60_000)
  t.strictSame([second.canOpen, second.closed], [false, false], 'it finishes its stream')
  t.not(bench.call(), second)
  first.openStreams = 1
  third.openStreams = 1
  bench.clock.advance(60_000)
  t.equal(third.canOpen, true, 'the call was the third stream of late')
  bench.clock.advance(60_000)
  t.equal(third.canOpen, false)
  second.endStream()
  third.endStream()
  bench.clock.advance(600_000)
  t.equal(first.canOpen, true, 'the first one stays')
  t.strictSame(bench.log, [])
  await bench.assertQuiet(t)
})

t.test('calls of a channel over several connections, from end to end', async (t) => {
  const Work = defineService('spec.Work', { once: unary(bytesCodec, bytesCodec) })
  const bench = new RpcBench({
    server: { maxConcurrentStreams: 2 },
    channel: { maxConnectionsPerAddress: 3 },
  })
  const held: (() => void)[] = []
  bench.server.register(Work, {
    once: (request) => new Promise((resolve) => held.push(() => resolve(request))),
  })
  const octets = Buffer.from('x')
  const calls = Array.from({ length: 7 }, () => bench.conn.invoke(Work.methods.once, octets))
  await bench.settle()
  t.equal(bench.pairs.length, 3)
  t.equal(held.length, 6, 'two calls on each connection')
  t.strictSame(bench.conn.load(), {
    waitingCalls: 0,
    subConns: [
      { address: 'bench:1', state: 'READY', connections: 3, openStreams: 6, waitingStreams: 1 },
    ],
  })
  for (const release of held.splice(0)) release()
  await bench.settle()
  for (const release of held.splice(0)) release()
  t.equal((await bench.run(Promise.all(calls))).length, 7)
  await bench.advance(180_000)
  t.equal(bench.server.connections.length, 1, 'one is enough for no calls')
  await bench.assertQuiet(t)
})
