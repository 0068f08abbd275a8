// Balancer v1: start, up -> down, get, which may block, notify, close. A round robin over a v1 resolver
// carries the calls of a channel; a get that blocks ends with its call's deadline.
import t from 'tap'
import { balancerFromV1, RoundRobinV1 } from '../../lib/balancer/index.ts'
import { ClientConn } from '../../lib/grpc/channel/client-conn.ts'
import type { NamingUpdate } from '../../lib/naming/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { Echo } from '../support/echo-service.ts'
import { FakeCall } from '../support/fake-call.ts'
import { FakeNetwork, type FakeTransport, settle } from '../support/fake-network.ts'
import { ScriptedNaming } from '../support/scripted-naming.ts'

function add(address: string): NamingUpdate {
  return { op: 'add', address }
}

/** A channel whose names and turns are those of v1. */
class Bench {
  public readonly clock = new FakeClock()
  public readonly network = new FakeNetwork()
  public readonly naming = new ScriptedNaming()
  /** How many wait in a `get` now. */
  public waiting = 0
  public readonly conn: ClientConn

  public constructor() {
    this.conn = new ClientConn(
      'passthrough:///service',
      { balancer: balancerFromV1('round_robin_v1', () => this.balancer()) },
      { connect: this.network.connect, clock: this.clock, random: () => 0.5 },
    )
    this.conn.connect()
  }

  public async accept(at: number): Promise<FakeTransport | undefined> {
    const transport = this.network.attempts[at]?.accept()
    await settle()
    return transport
  }

  /** The address that a call gets. */
  public async call(waitForReady = false): Promise<string | undefined> {
    const call = new FakeCall({ waitForReady })
    this.conn.pick(call)
    await settle()
    return call.log[0]
  }

  private balancer(): RoundRobinV1 {
    const balancer = new RoundRobinV1(this.naming)
    const get = balancer.get.bind(balancer)
    balancer.get = async (options) => {
      this.waiting += 1
      try {
        return await get(options)
      } finally {
        this.waiting -= 1
      }
    }
    return balancer
  }
}

t.test('a blocking get is ended by its deadline', async (t) => {
  const bench = new Bench()
  await settle()
  await bench.naming.tell(add('a:1'))
  const options = { waitForReady: true, timeoutMs: 100 }
  const call = t.rejects(bench.conn.invoke(Echo.methods.unary, {}, options), {
    message: /^DEADLINE_EXCEEDED: .*still waiting for a connection/,
  })
  await settle()
  t.equal(bench.waiting, 1)
  bench.clock.advance(99)
  await settle()
  t.equal(bench.waiting, 1)
  bench.clock.advance(1)
  await call
  t.equal(bench.waiting, 0)
  bench.conn.close()
  await settle()
  t.equal(bench.clock.pending, 0)
})

t.test('it is ended by cancellation and by the end of the channel', async (t) => {
  const bench = new Bench()
  await settle()
  const controller = new AbortController()
  const wait = (signal?: AbortSignal): Promise<unknown> =>
    t.rejects(
      bench.conn.invoke(
        Echo.methods.unary,
        {},
        { waitForReady: true, ...(signal === undefined ? {} : { signal }) },
      ),
      { message: /^CANCELLED/ },
    )
  const cancelled = wait(controller.signal)
  const closed = wait()
  await settle()
  t.equal(bench.waiting, 2)
  controller.abort()
  await cancelled
  t.equal(bench.waiting, 1)
  bench.conn.close()
  await closed
  await settle()
  t.equal(bench.waiting, 0)
  t.equal(bench.naming.closes, 1)
  t.equal(bench.clock.pending, 0)
})

t.test('up ends the wait of all calls, down has them wait again', async (t) => {
  const bench = new Bench()
  await settle()
  await bench.naming.tell(add('a:1'), add('b:1'))
  const calls = [new FakeCall({ waitForReady: true }), new FakeCall({ waitForReady: true })]
  for (const call of calls) bench.conn.pick(call)
  await settle()
  t.strictSame(bench.network.addresses, ['a:1', 'b:1'])
  const transport = await bench.accept(1)
  t.strictSame(
    calls.map(({ log }) => log),
    [['b:1'], ['b:1']],
  )
  transport?.lose()
  await settle()
  t.equal(await bench.call(true), undefined)
  t.equal(bench.waiting, 1)
  bench.conn.close()
})

t.test('calls take the connected addresses in turn; others fail fast', async (t) => {
  const bench = new Bench()
  await settle()
  t.equal(await bench.call(), 'UNAVAILABLE: there is no address available')
  await bench.naming.tell(add('a:1'), add('b:1'), add('c:1'))
  t.equal(await bench.call(), 'UNAVAILABLE: there is no connection available')
  await bench.accept(0)
  await bench.accept(2)
  t.strictSame([await bench.call(), await bench.call(), await bench.call()], ['c:1', 'a:1', 'c:1'])
  bench.conn.close()
})
