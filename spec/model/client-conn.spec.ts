import t, { type Test } from 'tap'
import { Code } from '../../lib/base/status.ts'
import { type ChannelOptions, ClientConn } from '../../lib/grpc/channel/client-conn.ts'
import { ManualResolver, staticResolver } from '../../lib/naming/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { FakeCall } from '../support/fake-call.ts'
import { FakeNetwork, type FakeTransport, settle } from '../support/fake-network.ts'

/** Handed through as it is. */
const OPAQUE = { tls: {} }

class Bench {
  public readonly clock = new FakeClock()
  public readonly network = new FakeNetwork()
  public readonly resolverLog: string[] = []
  public readonly states: string[] = []
  public readonly names = new ManualResolver('spec', {
    built: () => this.resolverLog.push('built'),
    resolveNow: () => this.resolverLog.push('resolveNow'),
    closed: () => this.resolverLog.push('closed'),
  })
  public readonly conn: ClientConn

  public constructor(options: ChannelOptions = {}) {
    this.conn = new ClientConn(
      'spec:///service',
      { resolvers: [this.names], ...options },
      { connect: this.network.connect, clock: this.clock, random: () => 0.5 },
    )
    this.conn.onStateChange((state) => this.states.push(state))
  }

  public async resolve(...addresses: string[]): Promise<void> {
    this.names.newAddress(addresses.map((address) => ({ address })))
    await settle()
  }

  /** One call: the address that it gets, now or later, or how it fails. */
  public call(waitForReady = false): FakeCall {
    const call = new FakeCall({ waitForReady })
    this.conn.callStarted()
    const transport = this.conn.pick(call)
    if (transport !== undefined) call.onTransport(transport)
    return call
  }

  public async accept(): Promise<FakeTransport> {
    const transport = this.network.last.accept()
    await settle()
    return transport
  }

  /** A first call has made the channel resolve one address and connect to it. */
  public async connected(): Promise<FakeTransport> {
    this.call()
    await this.resolve('a:1')
    return this.accept()
  }

  public async refuse(message?: string): Promise<void> {
    this.network.last.refuse(message)
    await settle()
  }

  public async advance(ms: number): Promise<void> {
    this.clock.advance(ms)
    await settle()
  }

  /** The channel leaves nothing behind. */
  public async assertQuiet(t: Test): Promise<void> {
    this.conn.close()
    await settle()
    t.equal(this.clock.pending, 0, 'no timer is left')
    t.equal(this.conn.getState(), 'SHUTDOWN')
  }
}

t.test('it is IDLE, without any I/O, until the first call', async (t) => {
  const bench = new Bench()
  await settle()
  t.equal(bench.conn.getState(), 'IDLE')
  t.strictSame(bench.resolverLog, [])
  t.equal(bench.clock.pending, 0)
  bench.call()
  t.equal(bench.conn.getState(), 'CONNECTING')
  t.strictSame(bench.resolverLog, ['built'])
  await bench.assertQuiet(t)
})

t.test('the first call waits for resolution and connection though it fails fast', async (t) => {
  const bench = new Bench()
  const call = bench.call()
  await bench.resolve('a:1')
  t.strictSame(bench.network.addresses, ['a:1'])
  t.strictSame(call.log, [])
  await bench.accept()
  t.strictSame(call.log, ['a:1'])
  t.strictSame(bench.states, ['CONNECTING', 'READY'])
  t.strictSame(bench.call().log, ['a:1'], 'the next one has its transport at once')
  await bench.assertQuiet(t)
})

t.test(
  'no connection: calls fail with address and cause, those that wait get theirs',
  async (t) => {
    const bench = new Bench()
    const fast = bench.call()
    const patient = bench.call(true)
    await bench.resolve('a:1')
    await bench.refuse('connection refused')
    t.equal(bench.conn.getState(), 'TRANSIENT_FAILURE')
    const expected = 'UNAVAILABLE: could not connect: a:1: connection refused'
    t.strictSame(fast.log, [expected])
    t.strictSame(bench.call().log, [expected])
    t.strictSame(patient.log, [])
    t.match(patient.latestFailure, { message: /a:1/ })
    await bench.advance(1000)
    t.equal(bench.network.attempts.length, 2, 'after the backoff it tries again by itself')
    t.equal(bench.conn.getState(), 'TRANSIENT_FAILURE')
    await bench.accept()
    t.strictSame(patient.log, ['a:1'])
    t.equal(bench.conn.getState(), 'READY')
    await bench.assertQuiet(t)
  },
)

t.test('no name: calls fail with what the resolver says', async (t) => {
  const bench = new Bench()
  const call = bench.call()
  bench.names.reportError({ code: Code.Unavailable, message: 'dns: looking up "x": no such host' })
  await settle()
  t.strictSame(call.log, ['UNAVAILABLE: dns: looking up "x": no such host'])
  await bench.resolve('a:1')
  await bench.accept()
  t.equal(bench.conn.getState(), 'READY')
  bench.names.reportError({ code: Code.Unavailable, message: 'later' })
  await settle()
  t.equal(bench.conn.getState(), 'READY', 'known addresses still hold')
  await bench.assertQuiet(t)
})

t.test('a target that makes no sense fails calls, not the constructor', async (t) => {
  const conn = new ClientConn('dns:///a b:c', {}, { connect: new FakeNetwork().connect })
  const call = new FakeCall()
  conn.pick(call)
  await settle()
  t.match(call.log, [/^UNAVAILABLE: name resolver: dns_target: /])
  conn.close()
})

t.test('the server goes and comes back: the next call succeeds', async (t) => {
  const bench = new Bench()
  const first = await bench.connected()
  first.lose(new Error('killed'))
  await settle()
  t.equal(bench.conn.getState(), 'IDLE')
  t.strictSame(bench.resolverLog, ['built', 'resolveNow'])
  t.equal(bench.network.attempts.length, 1, 'nobody connects without a call')
  const call = bench.call()
  await settle()
  t.equal(bench.conn.getState(), 'CONNECTING')
  await bench.accept()
  t.strictSame(call.log, ['a:1'])
  await bench.assertQuiet(t)
})

t.test('between the loss and the news of it no call is lost', async (t) => {
  const bench = new Bench()
  const first = await bench.connected()
  first.lose()
  const call = bench.call()
  t.strictSame(call.log, [])
  await settle()
  await bench.accept()
  t.strictSame(call.log, ['a:1'])
  await bench.assertQuiet(t)
})

t.test('GOAWAY: new calls take a new connection, open ones finish on the old', async (t) => {
  const bench = new Bench()
  const first = await bench.connected()
  first.openStream()
  first.goAway()
  const call = bench.call()
  await settle()
  const second = await bench.accept()
  t.strictSame(call.log, ['a:1'])
  t.equal(first.closed, false)
  bench.conn.close()
  t.equal(first.closeReason, 'the channel was closed')
  t.equal(second.closed, true)
  await bench.assertQuiet(t)
})

t.test('names that change: the connection stays while its address does', async (t) => {
  const bench = new Bench()
  bench.call()
  await bench.resolve('a:1', 'b:1')
  const first = await bench.accept()
  await bench.resolve('c:1', 'a:1')
  t.strictSame(bench.call().log, ['a:1'])
  await bench.resolve('c:1')
  t.equal(first.canOpen, false)
  const call = bench.call()
  await bench.accept()
  t.strictSame(call.log, ['c:1'])
  await bench.assertQuiet(t)
})

t.test('names that vanish fail calls, and are asked for again with a backoff', async (t) => {
  const bench = new Bench()
  bench.call()
  await bench.resolve()
  t.match(bench.call().log, [/^UNAVAILABLE: .*no addresses/])
  await bench.advance(1000)
  t.strictSame(bench.resolverLog, ['built', 'resolveNow'])
  await bench.resolve('a:1')
  await bench.accept()
  t.equal(bench.conn.getState(), 'READY')
  await bench.assertQuiet(t)
})

t.test('connect leaves IDLE with and without a resolver at work', async (t) => {
  const bench = new Bench()
  bench.conn.connect()
  bench.conn.connect()
  await bench.resolve('a:1')
  const transport = await bench.accept()
  transport.lose()
  await settle()
  bench.conn.connect()
  await settle()
  t.equal(bench.network.attempts.length, 2)
  t.strictSame(bench.states, ['CONNECTING', 'READY', 'IDLE', 'CONNECTING'])
  await bench.assertQuiet(t)
})

t.test('waitForReady connects and waits failures out', async (t) => {
  const bench = new Bench()
  const ready = bench.conn.waitForReady({ timeoutMs: 60_000 })
  await bench.resolve('a:1')
  await bench.refuse()
  await bench.advance(1000)
  await bench.accept()
  await ready
  await bench.conn.waitForReady()
  await bench.assertQuiet(t)
})

t.test('waitForReady tells at its deadline what the matter is', async (t) => {
  const bench = new Bench()
  const rejected = t.rejects(bench.conn.waitForReady({ timeoutMs: 500 }), {
    code: Code.DeadlineExceeded,
    message: /TRANSIENT_FAILURE; latest failure: could not connect: a:1: connection refused/,
  })
  await bench.resolve('a:1')
  await bench.refuse('connection refused')
  await bench.advance(500)
  await rejected
  await bench.assertQuiet(t)
})

t.test('waitForStateChange is told of the edge', async (t) => {
  const bench = new Bench()
  const changed = bench.conn.waitForStateChange('IDLE')
  bench.conn.connect()
  await changed
  t.equal(bench.conn.getState(), 'CONNECTING')
  await bench.assertQuiet(t)
})

t.test('a connection attempt has 20 s in all', async (t) => {
  const bench = new Bench()
  const call = bench.call()
  await bench.resolve('a:1')
  await bench.advance(20_000)
  t.match(call.log, [/^UNAVAILABLE: could not connect: a:1: connect_timeout/])
  await bench.assertQuiet(t)
})

t.test('30 minutes without a call: all is closed, and the next call starts afresh', async (t) => {
  const bench = new Bench()
  const transport = await bench.connected()
  await bench.advance(3_600_000)
  t.equal(bench.conn.getState(), 'READY', 'not while a call is open')
  bench.conn.callEnded()
  await bench.advance(30 * 60_000 - 1)
  t.equal(bench.conn.getState(), 'READY')
  await bench.advance(1)
  t.equal(bench.conn.getState(), 'IDLE')
  t.equal(transport.closed, true)
  t.strictSame(bench.resolverLog, ['built', 'closed'])
  t.equal(bench.clock.pending, 0)

  const call = bench.call()
  await settle()
  t.strictSame(bench.resolverLog, ['built', 'closed', 'built'])
  await bench.accept()
  t.strictSame(call.log, ['a:1'])
  t.strictSame(bench.states, ['CONNECTING', 'READY', 'IDLE', 'CONNECTING', 'READY'])
  await bench.assertQuiet(t)
})

t.test('a channel that idles while it fails starts with hope again', async (t) => {
  const bench = new Bench({ idleTimeoutMs: 500 })
  bench.conn.connect()
  await bench.resolve('a:1')
  await bench.refuse()
  await bench.advance(500)
  t.equal(bench.conn.getState(), 'IDLE')
  const call = bench.call()
  t.strictSame(call.log, [])
  await settle()
  await bench.accept()
  t.strictSame(call.log, ['a:1'])
  await bench.assertQuiet(t)
})

t.test('a connection that is over is forgotten', async (t) => {
  const bench = new Bench()
  const transport = await bench.connected()
  transport.openStream()
  await bench.resolve()
  t.equal(bench.conn['addrConns'].size, 1, 'its call is to finish')
  transport.endStream()
  t.equal(bench.conn['addrConns'].size, 0)
  await bench.assertQuiet(t)
})

t.test('a channel that idles and wakes in one turn forgets the earlier life', async (t) => {
  const bench = new Bench({ idleTimeoutMs: 1000 })
  bench.conn.connect()
  await bench.resolve('a:1')
  const transport = await bench.accept()
  bench.clock.advance(1000)
  const call = bench.call()
  await settle()
  t.equal(transport.closed, true)
  t.strictSame(call.log, [])
  t.equal(bench.conn.getState(), 'CONNECTING')
  await bench.accept()
  t.strictSame(call.log, ['a:1'])
  await bench.assertQuiet(t)
})

t.test('close ends what waits, what connects and what is connected', async (t) => {
  const bench = new Bench()
  const rejected = t.rejects(bench.conn.waitForReady(), { code: Code.Cancelled })
  const parked = bench.call(true)
  await bench.resolve('a:1')
  bench.conn.close()
  bench.conn.close()
  t.strictSame(parked.log, ['CANCELLED: the channel is closed'])
  await rejected
  t.equal(bench.network.last.signal.aborted, true)
  const late = bench.network.last.accept()
  await settle()
  t.equal(late.closed, true)
  t.strictSame(bench.resolverLog, ['built', 'closed'])
  t.strictSame(bench.states, ['CONNECTING', 'SHUTDOWN'])

  bench.conn.connect()
  t.strictSame(bench.call(true).log, ['CANCELLED: the channel is closed'])
  await t.rejects(bench.conn.waitForReady(), { code: Code.Cancelled })
  t.strictSame(bench.resolverLog, ['built', 'closed'])
  await bench.assertQuiet(t)
})

t.test('close closes open connections with their streams', async (t) => {
  const bench = new Bench()
  const transport = await bench.connected()
  transport.openStream()
  await bench.conn[Symbol.asyncDispose]()
  t.equal(transport.closed, true)
  await bench.assertQuiet(t)
})

t.test('a cancelled call gets nothing', async (t) => {
  const bench = new Bench()
  const call = bench.call()
  bench.conn.cancelPick(call)
  await bench.resolve('a:1')
  await bench.accept()
  t.strictSame(call.log, [])
  await bench.assertQuiet(t)
})

t.test('credentials, keepalive, backoff and time-out reach the connection', async (t) => {
  const bench = new Bench({
    credentials: OPAQUE,
    keepalive: { timeMs: 30_000 },
    backoff: { baseMs: 5 },
    minConnectTimeoutMs: 100,
    authority: 'override',
  })
  bench.call()
  await bench.resolve('a:1')
  t.strictSame(bench.network.last.options, {
    deadlineMs: 100,
    authority: 'override',
    credentials: OPAQUE,
    keepalive: { timeMs: 30_000 },
  })
  await bench.refuse()
  await bench.advance(5)
  t.equal(bench.network.attempts.length, 2)
  await bench.assertQuiet(t)
})

const AUTHORITIES: readonly (readonly [target: string, authority: string])[] = [
  ['dns:///host:443', 'host:443'],
  ['dns://8.8.8.8/host', 'host'],
  ['host', 'host'],
  [':50051', 'localhost:50051'],
  ['[::1]:80', '[::1]:80'],
  ['unix:///run/x.sock', 'localhost'],
  ['ipv4:1.2.3.4:80,5.6.7.8:80', '1.2.3.4:80'],
  ['fixed:a b/é', 'a%20b%2F%C3%A9'],
]

for (const [target, authority] of AUTHORITIES) {
  t.test(`the :authority of ${target} is ${authority}`, async (t) => {
    const resolvers = [staticResolver('fixed', [])]
    const { connect } = new FakeNetwork()
    t.equal(new ClientConn(target, { resolvers }, { connect }).authority, authority)
  })
}

t.test('an unknown policy or default scheme is refused at once', async (t) => {
  const { connect } = new FakeNetwork()
  t.throws(() => new ClientConn('x', { balancer: 'nonsense' }, { connect }), {
    message: /^balancer_unknown: got "nonsense"/,
  })
  t.throws(() => new ClientConn('x', { defaultScheme: 'nonsense' }, { connect }), {
    message: /^resolver_unknown: /,
  })
})

t.test('resetConnectBackoff has the next attempt made at once', async (t) => {
  const bench = new Bench()
  bench.conn.connect()
  await bench.resolve('a:1')
  bench.network.last.refuse()
  await settle()
  t.equal(bench.conn.getState(), 'TRANSIENT_FAILURE')
  t.equal(bench.network.attempts.length, 1)
  bench.conn.resetConnectBackoff()
  await settle()
  t.equal(bench.network.attempts.length, 2)
  bench.network.last.accept()
  await settle()
  t.equal(bench.conn.getState(), 'READY')
  bench.conn.close()
})

t.test('load tells of calls that wait and of connections', async (t) => {
  const bench = new Bench()
  bench.conn.callStarted()
  bench.conn.pick(new FakeCall())
  t.strictSame(bench.conn.load(), { waitingCalls: 1, subConns: [] })
  await bench.resolve('a:1')
  const [subConn] = bench.conn.load().subConns
  t.match(subConn, { address: 'a:1', state: 'CONNECTING', connections: 0 })
  bench.network.last.accept()
  await settle()
  t.match(bench.conn.load(), {
    waitingCalls: 0,
    subConns: [{ address: 'a:1', state: 'READY', connections: 1, waitingStreams: 0 }],
  })
  bench.conn.close()
})
