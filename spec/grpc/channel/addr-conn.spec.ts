import t, { type Test } from 'tap'
import { seededRandom } from '../../../lib/base/random.ts'
import { AddrConn } from '../../../lib/grpc/channel/addr-conn.ts'
import { Connector } from '../../../lib/grpc/channel/connector.ts'
import type { Address } from '../../../lib/naming/index.ts'
import { FakeClock } from '../../../lib/testing/index.ts'
import { ErrorCode } from '../../../lib/transport/index.ts'
import { FakeNetwork, type FakeTransport, settle } from '../../support/fake-network.ts'

/** Handed through as it is. */
const SECRET = { tls: {} }

const KEEPALIVE_MS = 60_000

function list(...addresses: string[]): Address[] {
  return addresses.map((address) => ({ address }))
}

class Bench {
  public readonly clock = new FakeClock()
  public readonly network = new FakeNetwork()
  public readonly log: string[] = []
  public readonly connector: Connector
  public readonly addrConn: AddrConn

  public constructor(...addresses: string[]) {
    this.connector = new Connector({
      connect: this.network.connect,
      clock: this.clock,
      random: () => 0.5,
      authority: 'spec',
      credentials: SECRET,
      keepalive: { timeMs: KEEPALIVE_MS, timeoutMs: 1000 },
    })
    this.addrConn = new AddrConn(list(...addresses), this.connector, {
      stateChanged: ({ state, error }) =>
        this.log.push(error === undefined ? state : `${state} ${error.message}`),
      resolveNow: () => this.log.push('resolveNow'),
      usable: () => this.log.push('usable'),
      gone: () => this.log.push('gone'),
    })
  }

  public takeLog(): string[] {
    return this.log.splice(0)
  }

  /** Connects, and the newest attempt is accepted. */
  public async ready(): Promise<FakeTransport> {
    this.addrConn.connect()
    const transport = this.network.last.accept()
    await settle()
    this.takeLog()
    return transport
  }

  /** The newest attempts are refused until none is left of the pass. */
  public async refuseAll(): Promise<void> {
    const before = this.network.attempts.length - 1
    for (let at = before; at < this.network.attempts.length; at++) {
      this.network.attempts[at]?.refuse()
      await settle()
    }
  }

  /** Nothing is left behind. */
  public async assertQuiet(t: Test): Promise<void> {
    this.addrConn.tearDown('the spec is over', false)
    await settle()
    t.equal(this.clock.pending, 0, 'no timer is left')
  }
}

t.test('it is IDLE until told to connect', async (t) => {
  const bench = new Bench('a:1')
  await settle()
  t.strictSame(bench.log, [])
  t.equal(bench.network.attempts.length, 0)
  t.equal(bench.addrConn.getReadyTransport(), undefined)
})

t.test('connect: CONNECTING, and READY when a transport is', async (t) => {
  const bench = new Bench('a:1', 'b:1')
  bench.addrConn.connect()
  bench.addrConn.connect()
  t.strictSame(bench.takeLog(), ['CONNECTING'])
  t.equal(bench.addrConn.getReadyTransport(), undefined)
  const transport = bench.network.last.accept()
  await settle()
  t.strictSame(bench.takeLog(), ['READY'])
  t.equal(bench.addrConn.getReadyTransport(), transport)
  t.strictSame(bench.network.addresses, ['a:1'])
  await bench.assertQuiet(t)
})

t.test('the connector gets the channel’s options and one deadline for all addresses', async (t) => {
  const bench = new Bench('a:1', 'b:1')
  bench.clock.advance(500)
  bench.addrConn.connect()
  bench.clock.advance(7000)
  bench.network.last.refuse()
  await settle()
  t.strictSame(bench.network.addresses, ['a:1', 'b:1'])
  for (const { options } of bench.network.attempts) {
    t.strictSame(options, {
      deadlineMs: 20_500,
      authority: 'spec',
      credentials: SECRET,
      keepalive: { timeMs: KEEPALIVE_MS, timeoutMs: 1000 },
    })
  }
  await bench.assertQuiet(t)
})

t.test('an address that fails makes room for the next', async (t) => {
  const bench = new Bench('a:1', 'b:1')
  bench.addrConn.connect()
  bench.network.last.refuse()
  await settle()
  bench.network.last.accept()
  await settle()
  t.strictSame(bench.takeLog(), ['CONNECTING', 'READY'])
  t.equal(bench.addrConn.getReadyTransport()?.peer.address, 'b:1')
  await bench.assertQuiet(t)
})

t.test('all failed: TRANSIENT_FAILURE with address and cause, a backoff, then IDLE', async (t) => {
  const bench = new Bench('a:1', 'b:1')
  bench.addrConn.connect()
  bench.network.last.refuse('no route')
  await settle()
  bench.clock.advance(300)
  bench.network.last.refuse('connection refused')
  await settle()
  t.strictSame(bench.takeLog(), [
    'CONNECTING',
    'resolveNow',
    'TRANSIENT_FAILURE could not connect: b:1: connection refused',
  ])
  bench.addrConn.connect()
  t.equal(bench.network.attempts.length, 2, 'connect does not cut the backoff short')
  bench.clock.advance(699)
  t.strictSame(bench.takeLog(), [])
  bench.clock.advance(1)
  t.strictSame(bench.takeLog(), ['IDLE'], 'the backoff counts from the start of the attempt')
  t.equal(bench.network.attempts.length, 2, 'only the policy connects again')
  await bench.assertQuiet(t)
})

t.test('the backoff grows by 1.6 to 120 s, and a connection makes it small again', async (t) => {
  const bench = new Bench('a:1')
  let expectedMs = 1000
  for (let failures = 0; failures < 15; failures++) {
    bench.addrConn.connect()
    await bench.refuseAll()
    const startMs = bench.clock.nowMs()
    while (bench.log.at(-1) !== 'IDLE') bench.clock.advance(1)
    t.equal(bench.clock.nowMs() - startMs, Math.ceil(expectedMs), `after failure ${failures + 1}`)
    expectedMs = Math.min(expectedMs * 1.6, 120_000)
  }
  const transport = await bench.ready()
  transport.lose()
  bench.addrConn.connect()
  await bench.refuseAll()
  t.equal(bench.clock.nextDueMs(), bench.clock.nowMs() + 1000)
  await bench.assertQuiet(t)
})

t.test('with jitter the backoff stays within a fifth', async (t) => {
  const clock = new FakeClock()
  const network = new FakeNetwork()
  const random = seededRandom(7)
  const connector = new Connector({ connect: network.connect, clock, random, authority: 'spec' })
  const events = { stateChanged() {}, resolveNow() {}, usable() {}, gone() {} }
  const waits = new Set<number>()
  for (let round = 0; round < 20; round++) {
    const addrConn = new AddrConn(list('a:1'), connector, events)
    for (let failures = 0; failures < 2; failures++) {
      addrConn.connect()
      network.last.refuse()
      await settle()
      const waitMs = (clock.nextDueMs() ?? 0) - clock.nowMs()
      if (failures === 1) waits.add(waitMs)
      clock.advance(waitMs)
    }
    addrConn.tearDown('', false)
  }
  t.ok(waits.size > 10)
  for (const waitMs of waits) t.ok(waitMs >= 1280 && waitMs <= 1920, `${waitMs}`)
})

t.test('an attempt may take 20 s, or as long as the backoff', async (t) => {
  const bench = new Bench('a:1', 'b:1')
  bench.addrConn.connect()
  bench.clock.advance(19_999)
  await settle()
  t.equal(bench.network.last.signal.aborted, false)
  bench.clock.advance(1)
  await settle()
  t.equal(bench.network.last.signal.aborted, true)
  t.strictSame(bench.network.addresses, ['a:1'], 'nothing is left for the second address')
  t.match(bench.takeLog(), [
    'CONNECTING',
    'resolveNow',
    /^TRANSIENT_FAILURE could not connect: a:1: connect_timeout: .* 20000 ms$/,
  ])
  const late = bench.network.last.accept()
  await settle()
  t.equal(late.closed, true, 'a transport that comes too late is closed')
  bench.clock.advance(0)
  t.strictSame(bench.takeLog(), ['IDLE'], 'the backoff of 1 s was over long ago')

  for (let failures = 1; failures < 9; failures++) {
    bench.addrConn.connect()
    await bench.refuseAll()
    bench.clock.advance(200_000)
  }
  bench.addrConn.connect()
  const { options } = bench.network.last
  t.equal(Math.round(options.deadlineMs - bench.clock.nowMs()), Math.round(1000 * 1.6 ** 9))
  await bench.assertQuiet(t)
})

t.test('without addresses there is nothing to connect to', async (t) => {
  const bench = new Bench('a:1')
  bench.addrConn.updateAddresses([])
  bench.addrConn.connect()
  await settle()
  t.match(bench.takeLog(), ['CONNECTING', 'resolveNow', /^TRANSIENT_FAILURE there is no address/])
  await bench.assertQuiet(t)
})

t.test('from the second attempt on the error counts them', async (t) => {
  const bench = new Bench('a:1')
  for (const suffix of ['', ' (attempt 2)', ' (attempt 3)']) {
    bench.addrConn.connect()
    await bench.refuseAll()
    const expected = `TRANSIENT_FAILURE could not connect: a:1: connection refused${suffix}`
    t.equal(bench.log.at(-1), expected)
    bench.clock.advance(5000)
  }
  await bench.assertQuiet(t)
})

t.test('a lost connection: resolve, and IDLE without a backoff', async (t) => {
  const bench = new Bench('a:1')
  const transport = await bench.ready()
  transport.lose(new Error('reset'))
  t.strictSame(bench.takeLog(), ['resolveNow', 'IDLE'])
  t.equal(bench.addrConn.getReadyTransport(), undefined)
  t.equal(bench.clock.pending, 0)
  t.not(await bench.ready(), transport)
  await bench.assertQuiet(t)
})

t.test('GOAWAY: the transport finishes its streams beside the next one', async (t) => {
  const bench = new Bench('a:1')
  const first = await bench.ready()
  first.openStream()
  first.goAway()
  t.strictSame(bench.takeLog(), ['resolveNow', 'IDLE'])
  const second = await bench.ready()
  t.equal(bench.addrConn.getReadyTransport(), second)
  t.equal(first.closed, false)
  first.endStream()
  t.equal(first.closed, true)
  t.strictSame(bench.takeLog(), [], 'its end concerns nobody')
  await bench.assertQuiet(t)
})

t.test('GOAWAY without streams ends the transport', async (t) => {
  const bench = new Bench('a:1')
  const transport = await bench.ready()
  transport.goAway()
  t.equal(transport.closed, true)
  t.strictSame(bench.takeLog(), ['resolveNow', 'IDLE'])
})

t.test('a transport that opens no streams is not given out', async (t) => {
  const bench = new Bench('a:1')
  const transport = await bench.ready()
  transport.canOpen = false
  t.equal(bench.addrConn.getReadyTransport(), undefined)
})

t.test('a connection that ends before it is handed over is as one that failed', async (t) => {
  const ends: Record<string, (transport: FakeTransport) => void> = {
    closed: (transport) => transport.lose(),
    'going away': (transport) => transport.goAway(),
  }
  for (const [name, end] of Object.entries(ends)) {
    const bench = new Bench('a:1')
    bench.addrConn.connect()
    const transport = bench.network.last.accept()
    end(transport)
    await settle()
    t.equal(transport.closed, true, name)
    t.match(bench.takeLog(), ['CONNECTING', 'resolveNow', /^TRANSIENT_FAILURE .*at once$/], name)
    await bench.assertQuiet(t)
  }
})

t.test('whenever it ends on its way to the channel, it is not taken for READY', async (t) => {
  const ends: readonly ((transport: FakeTransport) => void)[] = [
    (transport) => transport.lose(),
    (transport) => transport.goAway(),
  ]
  for (const end of ends) {
    for (let microtasks = 0; microtasks < 12; microtasks++) {
      const bench = new Bench('a:1')
      bench.addrConn.connect()
      const transport = bench.network.last.accept()
      for (let n = 0; n < microtasks; n++) await Promise.resolve()
      end(transport)
      await settle()
      t.match(bench.log.at(-1), /^(IDLE|TRANSIENT_FAILURE)/, `after ${microtasks} microtasks`)
      t.equal(transport.closed, true)
      await bench.assertQuiet(t)
    }
  }
})

t.test('a long list of addresses leaves no listeners behind', async (t) => {
  const warnings: Error[] = []
  const onWarning = (warning: Error): unknown => warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const bench = new Bench(...Array.from({ length: 30 }, (_, n) => `a:${n + 1}`))
  bench.addrConn.connect()
  await bench.refuseAll()
  t.equal(bench.network.attempts.length, 30)
  await settle()
  t.strictSame(warnings, [])
  await bench.assertQuiet(t)
})

t.test('too_many_pings doubles the keepalive time of the transports to come', async (t) => {
  const bench = new Bench('a:1')
  const first = await bench.ready()
  first.goAway(ErrorCode.ENHANCE_YOUR_CALM, 'too_many_pings')
  const second = await bench.ready()
  t.equal(bench.network.last.options.keepalive.timeMs, 2 * KEEPALIVE_MS)
  first.goAway(ErrorCode.ENHANCE_YOUR_CALM, 'too_many_pings')
  second.goAway(ErrorCode.ENHANCE_YOUR_CALM, 'something else')
  const third = await bench.ready()
  t.equal(bench.network.last.options.keepalive.timeMs, 2 * KEEPALIVE_MS)
  third.goAway(ErrorCode.NO_ERROR, 'too_many_pings')
  await bench.ready()
  t.equal(bench.network.last.options.keepalive.timeMs, 2 * KEEPALIVE_MS)
  await bench.assertQuiet(t)
})

t.test('the keepalive time is 10 s at the least, and off unless asked for', async (t) => {
  const rows = [
    [1000, 10_000],
    [10_000, 10_000],
    [90_000, 90_000],
    [undefined, Infinity],
  ] as const
  for (const [timeMs, expected] of rows) {
    const connector = new Connector({
      connect: new FakeNetwork().connect,
      clock: new FakeClock(),
      random: () => 0.5,
      authority: 'spec',
      keepalive: timeMs === undefined ? {} : { timeMs },
    })
    t.equal(connector.keepaliveTimeMs, expected)
  }
})

t.test('READY: addresses with the current one among them change nothing', async (t) => {
  const bench = new Bench('a:1')
  const transport = await bench.ready()
  bench.addrConn.updateAddresses(list('b:1', 'a:1'))
  t.equal(bench.addrConn.getReadyTransport(), transport)
  t.strictSame(bench.log, [])
  await bench.assertQuiet(t)
})

t.test('READY: other addresses mean another connection, and the old one finishes', async (t) => {
  const bench = new Bench('a:1')
  const transport = await bench.ready()
  transport.openStream()
  bench.addrConn.updateAddresses(list('b:1'))
  t.strictSame(bench.takeLog(), ['CONNECTING'])
  t.equal(transport.closed, false)
  t.equal(transport.canOpen, false)
  t.equal(bench.network.last.address, 'b:1')
  await bench.assertQuiet(t)
})

t.test('READY: no addresses mean IDLE', async (t) => {
  const bench = new Bench('a:1')
  const transport = await bench.ready()
  bench.addrConn.updateAddresses([])
  t.strictSame(bench.takeLog(), ['IDLE'])
  t.equal(transport.closed, true)
  await bench.assertQuiet(t)
})

t.test('CONNECTING: other addresses start the attempt anew, the same ones do not', async (t) => {
  const bench = new Bench('a:1', 'b:1')
  bench.addrConn.connect()
  bench.addrConn.updateAddresses(list('a:1', 'b:1'))
  t.equal(bench.network.attempts.length, 1)
  bench.addrConn.updateAddresses(list('c:1'))
  t.strictSame(bench.network.addresses, ['a:1', 'c:1'])
  t.equal(bench.network.attempts[0]?.signal.aborted, true)
  const late = bench.network.attempts[0]?.accept()
  bench.network.last.accept()
  await settle()
  t.equal(late?.closed, true)
  t.equal(bench.addrConn.getReadyTransport()?.peer.address, 'c:1')
  t.strictSame(bench.takeLog(), ['CONNECTING', 'READY'])
  await bench.assertQuiet(t)
})

t.test('other addresses while a transport is on its way: it is closed', async (t) => {
  const bench = new Bench('a:1')
  bench.addrConn.connect()
  const transport = bench.network.last.accept()
  bench.addrConn.updateAddresses(list('b:1'))
  await settle()
  t.equal(transport.closed, true)
  t.strictSame(bench.takeLog(), ['CONNECTING'])
  await bench.assertQuiet(t)
})

t.test(
  'TRANSIENT_FAILURE: a new address ends the backoff, a rest of the old ones does not',
  async (t) => {
    const bench = new Bench('a:1', 'b:1')
    bench.addrConn.connect()
    await bench.refuseAll()
    bench.takeLog()
    bench.addrConn.updateAddresses(list('b:1'))
    bench.addrConn.updateAddresses(list('b:1'))
    t.strictSame(bench.takeLog(), [])
    bench.addrConn.updateAddresses(list('b:1', 'c:1'))
    t.strictSame(bench.takeLog(), ['IDLE'])
    bench.addrConn.connect()
    await bench.refuseAll()
    t.strictSame(bench.network.addresses, ['a:1', 'b:1', 'b:1', 'c:1'])
    t.equal(bench.clock.nextDueMs(), bench.clock.nowMs() + 1000, 'as after a first failure')
    await bench.assertQuiet(t)
  },
)

t.test('IDLE: addresses are for the next attempt', async (t) => {
  const bench = new Bench('a:1')
  bench.addrConn.updateAddresses(list('b:1'))
  t.strictSame(bench.log, [])
  bench.addrConn.connect()
  t.strictSame(bench.network.addresses, ['b:1'])
  await bench.assertQuiet(t)
})

t.test('tearDown ends every state with SHUTDOWN, for good', async (t) => {
  const states: Record<string, (bench: Bench) => unknown> = {
    IDLE: () => undefined,
    CONNECTING: (bench) => bench.addrConn.connect(),
    READY: (bench) => bench.ready(),
    TRANSIENT_FAILURE: async (bench) => {
      bench.addrConn.connect()
      await bench.refuseAll()
    },
  }
  for (const [name, enter] of Object.entries(states)) {
    const bench = new Bench('a:1')
    await enter(bench)
    bench.takeLog()
    bench.addrConn.tearDown('over', false)
    await settle()
    t.equal(bench.clock.pending, 0, name)
    t.strictSame(bench.takeLog(), ['SHUTDOWN', 'gone'], name)
    const attempts = bench.network.attempts.length
    bench.addrConn.connect()
    bench.addrConn.updateAddresses(list('z:1'))
    bench.addrConn.resetConnectBackoff()
    bench.network.attempts.at(-1)?.accept()
    await settle()
    t.equal(bench.network.attempts.length, attempts, name)
    t.strictSame(bench.log, [], name)
  }
})

t.test('tearDown at once closes what is READY and what is finishing', async (t) => {
  const bench = new Bench('a:1')
  const draining = await bench.ready()
  draining.openStream()
  draining.goAway()
  const ready = await bench.ready()
  ready.openStream()
  bench.addrConn.tearDown('the channel was closed', false)
  t.equal(draining.closeReason, 'the channel was closed')
  t.equal(ready.closeReason, 'the channel was closed')
})

t.test('tearDown gracefully lets streams finish, and can be cut short', async (t) => {
  const bench = new Bench('a:1')
  const transport = await bench.ready()
  transport.openStream()
  bench.addrConn.tearDown('removed', true)
  t.strictSame(bench.takeLog(), ['SHUTDOWN'])
  t.equal(transport.closed, false)
  t.equal(bench.addrConn.getReadyTransport(), undefined)
  transport.endStream()
  t.strictSame(bench.takeLog(), ['gone'])

  const other = new Bench('a:1')
  const open = await other.ready()
  open.openStream()
  other.addrConn.tearDown('removed', true)
  other.addrConn.tearDown('closed', false)
  t.equal(open.closeReason, 'closed')
})

t.test('resetConnectBackoff makes the next attempt possible at once', async (t) => {
  const bench = new Bench('a:1')
  bench.addrConn.connect()
  await bench.refuseAll()
  bench.takeLog()
  bench.addrConn.resetConnectBackoff()
  t.strictSame(bench.takeLog(), ['IDLE'])
  bench.addrConn.resetConnectBackoff()
  t.strictSame(bench.takeLog(), [])
  t.equal(bench.clock.pending, 0)
})

t.test('a connector that throws, or rejects with anything, is a failed address', async (t) => {
  const thrown: readonly (readonly [unknown, RegExp])[] = [
    [new Error('boom'), /a:1: boom$/],
    [new Error('a:1: refused'), /connect: a:1: refused$/],
    [Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }), /a:1: ECONNREFUSED$/],
    ['text', /a:1: text$/],
  ]
  for (const [error, expected] of thrown) {
    const clock = new FakeClock()
    const log: string[] = []
    const connector = new Connector({
      connect: () => {
        throw error
      },
      clock,
      random: () => 0.5,
      authority: 'spec',
    })
    const addrConn = new AddrConn(list('a:1'), connector, {
      stateChanged: (change) => log.push(change.error?.message ?? change.state),
      resolveNow() {},
      usable() {},
      gone() {},
    })
    addrConn.connect()
    await settle()
    t.match(log, ['CONNECTING', expected])
  }
})
