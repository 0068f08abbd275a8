// Whatever happens, in whatever order: the rules that hold for every channel.
import fc from 'fast-check'
import t from 'tap'
import { type BalancerBuilder, pickFirst } from '../../../lib/balancer/index.ts'
import { ClientConn } from '../../../lib/grpc/channel/client-conn.ts'
import { ManualResolver } from '../../../lib/naming/index.ts'
import { FakeClock } from '../../../lib/testing/index.ts'
import { FakeCall } from '../../support/fake-call.ts'
import { FakeNetwork, type FakeTransport, settle } from '../../support/fake-network.ts'
import { ScriptedBalancer } from '../../support/scripted-balancer.ts'

const IDLE_TIMEOUT_MS = 5000

/** A channel with everything that can happen to it, and what must hold. */
class World {
  public readonly clock = new FakeClock()
  public readonly network = new FakeNetwork()
  public readonly names = new ManualResolver('spec')
  public readonly policies: ScriptedBalancer[] = []
  public readonly calls: FakeCall[] = []
  public readonly transports: FakeTransport[] = []
  public readonly states: string[] = ['IDLE']
  public readonly conn: ClientConn
  private answered = 0

  public constructor() {
    this.conn = new ClientConn(
      'spec:x',
      { resolvers: [this.names], balancer: this.balancer(), idleTimeoutMs: IDLE_TIMEOUT_MS },
      { connect: this.network.connect, clock: this.clock, random: () => 0.5 },
    )
    this.conn.onStateChange((state) => this.states.push(state))
  }

  public call(waitForReady: boolean): void {
    const call = new FakeCall({ waitForReady })
    this.calls.push(call)
    this.conn.callStarted()
    const transport = this.conn.pick(call)
    if (transport === undefined) return
    // What picks at once must be able to carry the call.
    if (!transport.canOpen) throw new Error('a call got a transport that opens no streams')
    transport.openStream([], undefined as never)
    call.onTransport(transport)
  }

  public answer(accepted: boolean): void {
    const attempt = this.network.attempts[this.answered]
    if (attempt === undefined) return
    this.answered += 1
    if (accepted) this.transports.push(attempt.accept())
    else attempt.refuse()
  }

  public goAway(): void {
    const transport = this.transports.at(-1)
    if (transport?.closed === false) transport.goAway()
  }

  public endCalls(): void {
    while (this.calls.pop() !== undefined) this.conn.callEnded()
  }

  public cancel(): void {
    const call = this.calls.at(-1)
    if (call !== undefined) this.conn.cancelPick(call)
  }

  public resolve(addresses: readonly string[]): void {
    this.names.newAddress(addresses.map((address) => ({ address })))
  }

  /** Pick-first, watched by a scripted policy that counts nested callbacks. */
  private balancer(): BalancerBuilder {
    return {
      name: 'watched',
      build: (cc, options) => {
        const inner = pickFirst.build(cc, options)
        const policy = new ScriptedBalancer({
          onResolved: (_cc, resolved) => inner.handleResolvedAddrs(resolved, undefined),
          onStateChange: (_cc, subConn, change) => inner.handleSubConnStateChange(subConn, change),
          onExitIdle: () => inner.exitIdle(),
          onClose: () => inner.close(),
        })
        this.policies.push(policy)
        return policy.build(cc)
      },
    }
  }
}

type Event = readonly [name: string, happen: (world: World) => unknown]

const event: fc.Arbitrary<Event> = fc.oneof(
  fc.boolean().map((wfr): Event => [`call ${wfr}`, (world) => world.call(wfr)]),
  fc.boolean().map((ok): Event => [`answer ${ok}`, (world) => world.answer(ok)]),
  fc
    .subarray(['a:1', 'b:1', 'c:1'])
    .map((list): Event => [`resolve ${list}`, (world) => world.resolve(list)]),
  fc.constantFrom<Event>(
    ['settle', settle],
    ['settle', settle],
    ['settle', settle],
    ['connect', (world) => world.conn.connect()],
    ['name error', (world) => world.names.reportError({ code: 14, message: 'no name' })],
    ['lose', (world) => world.transports.at(-1)?.lose()],
    ['goAway', (world) => world.goAway()],
    ['end calls', (world) => world.endCalls()],
    ['cancel', (world) => world.cancel()],
    ['close', (world) => world.conn.close()],
  ),
  fc
    .constantFrom(1, 1000, 1600, IDLE_TIMEOUT_MS, 20_000)
    .map((ms): Event => [`advance ${ms}`, (world) => world.clock.advance(ms)]),
)

t.test('calls are answered once, policies are not nested, and close leaves nothing', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
      const world = new World()
      for (const [, happen] of events) await happen(world)
      const calls = [...world.calls]
      await settle()
      world.conn.close()
      while (world.network.attempts.length > 0) {
        const before = world.network.attempts.length
        for (let at = 0; at < before; at++) world.answer(true)
        await settle()
        if (world.network.attempts.length === before) break
      }
      await settle()

      for (const { log } of calls) {
        if (log.length > 1) throw new Error(`a call was answered twice: ${log}`)
      }
      for (const { nested, log } of world.policies) {
        if (nested > 0) throw new Error(`a callback ran inside another: ${log}`)
        if (log.indexOf('close') !== log.length - 1) throw new Error(`not closed last: ${log}`)
      }
      for (const transport of world.transports) {
        if (!transport.closed) throw new Error('a transport is left open')
      }
      for (const [at, state] of world.states.entries()) {
        if (state === world.states[at + 1]) throw new Error(`no edge: ${world.states}`)
      }
      if (world.states.at(-1) !== 'SHUTDOWN') throw new Error(`not closed: ${world.states}`)
      if (world.clock.pending > 0) throw new Error(`${world.clock.pending} timers are left`)
    }),
    { numRuns: 300 },
  )
  t.pass('for 300 stories')
})

t.test('a parked call that is not cancelled is always answered by close', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        event.filter(([name]) => name !== 'cancel' && name !== 'end calls'),
        { maxLength: 25 },
      ),
      async (events) => {
        const world = new World()
        for (const [, happen] of events) await happen(world)
        world.conn.close()
        await settle()
        for (const { log } of world.calls) {
          if (log.length !== 1) throw new Error(`answered ${log.length} times: ${log}`)
        }
      },
    ),
    { numRuns: 200 },
  )
  t.pass('for 200 stories')
})
