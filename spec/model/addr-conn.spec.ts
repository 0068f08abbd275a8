// The retry loop around the address loop, and the monitor: with a policy that connects whenever it
// may, a list of servers is tried over and over, and a server that comes back is found.
import t from 'tap'
import { ConnectivityState } from '../../lib/balancer/index.ts'
import { AddrConn } from '../../lib/grpc/channel/addr-conn.ts'
import { Connector } from '../../lib/grpc/channel/connector.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { FakeNetwork, type FakeTransport, settle } from '../support/fake-network.ts'

/** A world of servers that are up or down. */
class World {
  public readonly clock = new FakeClock()
  public readonly network = new FakeNetwork()
  public readonly up = new Set<string>()
  public readonly states: string[] = []
  public readonly addrConn: AddrConn
  private answered = 0

  public constructor(...addresses: string[]) {
    const connector = new Connector({
      connect: this.network.connect,
      clock: this.clock,
      random: () => 0.5,
      authority: 'spec',
    })
    this.addrConn = new AddrConn(
      addresses.map((address) => ({ address })),
      connector,
      {
        stateChanged: ({ state }) => {
          this.states.push(state)
          if (state === ConnectivityState.Idle) queueMicrotask(() => this.addrConn.connect())
        },
        resolveNow() {},
        usable() {},
        gone() {},
      },
    )
    this.addrConn.connect()
  }

  /** Every attempt is answered by the server that it goes to. */
  public async run(forMs: number): Promise<FakeTransport | undefined> {
    let latest: FakeTransport | undefined
    const untilMs = this.clock.nowMs() + forMs
    for (;;) {
      await settle()
      for (const attempt of this.network.attempts.slice(this.answered)) {
        this.answered += 1
        if (this.up.has(attempt.address)) latest = attempt.accept()
        else attempt.refuse()
      }
      await settle()
      if (this.answered < this.network.attempts.length) continue
      const dueMs = this.clock.nextDueMs()
      if (dueMs === undefined || dueMs > untilMs) break
      this.clock.advance(dueMs - this.clock.nowMs())
    }
    this.clock.advance(untilMs - this.clock.nowMs())
    return latest
  }
}

t.test('the list is gone through once per try, and tries are a backoff apart', async (t) => {
  const world = new World('a:1', 'b:1')
  await world.run(5000)
  // At 0 ms, 1,000 ms, 2,600 ms; the next one would be at 5,160 ms.
  t.strictSame(world.network.addresses, ['a:1', 'b:1', 'a:1', 'b:1', 'a:1', 'b:1'])
  t.strictSame(world.states.slice(0, 4), ['CONNECTING', 'TRANSIENT_FAILURE', 'IDLE', 'CONNECTING'])
})

t.test('a server that comes up is found by the next try', async (t) => {
  const world = new World('a:1', 'b:1')
  await world.run(5000)
  world.up.add('b:1')
  await world.run(200)
  t.equal(world.addrConn.getReadyTransport()?.peer.address, 'b:1')
})

t.test('a server is killed and restarted: the monitor sees it, the loop finds it', async (t) => {
  const world = new World('a:1')
  world.up.add('a:1')
  const first = await world.run(0)
  t.not(first, undefined)
  world.up.delete('a:1')
  first?.lose(new Error('killed'))
  await world.run(1500)
  t.equal(world.addrConn.getReadyTransport(), undefined)
  world.up.add('a:1')
  const second = await world.run(2000)
  t.equal(world.addrConn.getReadyTransport(), second)
  t.strictSame(world.states, [
    'CONNECTING',
    'READY',
    'IDLE',
    'CONNECTING',
    'TRANSIENT_FAILURE',
    'IDLE',
    'CONNECTING',
    'TRANSIENT_FAILURE',
    'IDLE',
    'CONNECTING',
    'READY',
  ])
})

t.test('a server that goes away in peace is replaced without a pause', async (t) => {
  const world = new World('a:1', 'b:1')
  world.up.add('a:1')
  const first = await world.run(0)
  first?.openStream()
  world.up.delete('a:1')
  world.up.add('b:1')
  first?.goAway()
  await world.run(0)
  t.equal(world.addrConn.getReadyTransport()?.peer.address, 'b:1')
  t.equal(first?.closed, false)
})

t.test('tearDown ends the loop', async (t) => {
  const world = new World('a:1')
  await world.run(1500)
  const attempts = world.network.attempts.length
  world.addrConn.tearDown('over', false)
  await world.run(600_000)
  t.equal(world.network.attempts.length, attempts)
  t.equal(world.clock.pending, 0)
})
