// The channel and its service config: which one is in force, and what becomes of a bad one.
import t, { type Test } from 'tap'
import { Code } from '../../lib/base/status.ts'
import { type ChannelOptions, ClientConn } from '../../lib/grpc/channel/client-conn.ts'
import { CurrentConfig } from '../../lib/grpc/channel/current-config.ts'
import type { CallConfig } from '../../lib/grpc/client/call-channel.ts'
import { ManualResolver, type ResolverState } from '../../lib/naming/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { FakeCall } from '../support/fake-call.ts'
import { FakeNetwork, settle } from '../support/fake-network.ts'
import { ScriptedBalancer } from '../support/scripted-balancer.ts'

const timed = (timeout: string): object => ({ methodConfig: [{ name: [{}], timeout }] })
const BAD = timed('soon')

class Bench {
  public readonly clock = new FakeClock()
  public readonly network = new FakeNetwork()
  public readonly warnings: unknown[] = []
  public resolveNows = 0
  public readonly names = new ManualResolver('spec', { resolveNow: () => this.resolveNows++ })
  public readonly conn: ClientConn

  public constructor(options: ChannelOptions = {}) {
    const logger = { error() {}, warn: (_: string, status: unknown) => this.warnings.push(status) }
    this.conn = new ClientConn(
      'spec:///service',
      { resolvers: [this.names], logger, ...options },
      { connect: this.network.connect, clock: this.clock, random: () => 0.5 },
    )
    this.conn.connect()
  }

  public async resolve(config: Partial<ResolverState> = {}): Promise<void> {
    this.names.updateState({ endpoints: [{ addresses: [{ address: 'a:1' }] }], ...config })
    await settle()
  }

  public get timeoutMs(): number | undefined {
    return this.conn.callConfig?.methodSettings('/s/m')?.timeoutMs
  }

  public async assertQuiet(t: Test): Promise<void> {
    this.conn.close()
    await settle()
    t.equal(this.clock.pending, 0, 'no timer is left')
  }
}

t.test(
  'the config of the names goes before the default, and the default before none',
  async (t) => {
    const rows: [ChannelOptions, Partial<ResolverState>, number | undefined][] = [
      [{}, {}, undefined],
      [{}, { serviceConfig: timed('1s') }, 1000],
      [{ serviceConfig: timed('2s') }, {}, 2000],
      [{ serviceConfig: JSON.stringify(timed('2s')) }, {}, 2000],
      [{ serviceConfig: timed('2s') }, { serviceConfig: timed('1s') }, 1000],
      [{ serviceConfig: timed('2s') }, { serviceConfig: {} }, undefined],
      [{ disableServiceConfig: true }, { serviceConfig: timed('1s') }, undefined],
      [{ disableServiceConfig: true }, { serviceConfig: BAD }, undefined],
      [
        { disableServiceConfig: true, serviceConfig: timed('2s') },
        { serviceConfig: timed('1s') },
        2000,
      ],
    ]
    for (const [options, state, timeoutMs] of rows) {
      const bench = new Bench(options)
      await bench.resolve(state)
      t.equal(bench.timeoutMs, timeoutMs, JSON.stringify([options, state]))
      t.strictSame(bench.warnings, [])
      await bench.assertQuiet(t)
    }
  },
)

t.test('a bad config is refused: what was good before, or the default, stays', async (t) => {
  const refused = { code: Code.Unavailable, message: 'from the resolver' }
  const bads: Partial<ResolverState>[] = [{ serviceConfig: BAD }, { serviceConfigError: refused }]
  for (const bad of bads) {
    const bench = new Bench({ serviceConfig: timed('2s') })
    await bench.resolve(bad)
    t.equal(bench.timeoutMs, 2000, 'the default')
    await bench.resolve({ serviceConfig: timed('1s') })
    t.equal(bench.timeoutMs, 1000)
    await bench.resolve(bad)
    t.equal(bench.timeoutMs, 1000, 'the last good one')
    t.equal(bench.warnings.length, 2)
    const before = bench.resolveNows
    bench.clock.advance(2000)
    await settle()
    t.equal(bench.resolveNows, before + 1, 'the names are asked again')
    await bench.assertQuiet(t)
  }
})

t.test('a bad config with nothing before it: calls fail, and later names repair it', async (t) => {
  const bench = new Bench()
  await bench.resolve({ serviceConfig: BAD })
  t.equal(bench.conn.getState(), 'TRANSIENT_FAILURE')
  const call = new FakeCall()
  const patient = new FakeCall({ waitForReady: true })
  bench.conn.pick(call)
  bench.conn.pick(patient)
  t.match(call.log, [
    /^UNAVAILABLE: service config: methodConfig\[0\]\.timeout: got "soon", want a duration/,
  ])
  t.equal(bench.network.attempts.length, 0, 'no policy was made')
  await bench.resolve({ serviceConfig: timed('1s') })
  t.equal(bench.timeoutMs, 1000)
  bench.network.last.accept()
  await settle()
  t.strictSame(patient.log, ['a:1'])
  await bench.assertQuiet(t)
})

t.test('a default that means nothing is told at once', (t) => {
  const serviceConfig = '{"methodConfig":[{"timeout":1}]}'
  t.throws(() => new ClientConn('spec:x', { serviceConfig }), {
    name: 'ConfigError',
    message: 'methodConfig[0].timeout: got 1, want a duration such as "1.5s"',
  })
  t.end()
})

t.test(
  'the config chooses the policy, and the channel goes over from one to another',
  async (t) => {
    const bench = new Bench()
    const two = { endpoints: ['a:1', 'b:1'].map((address) => ({ addresses: [{ address }] })) }
    await bench.resolve(two)
    t.strictSame(bench.network.addresses, ['a:1'], 'pick_first')
    await bench.resolve({ ...two, serviceConfig: { loadBalancingConfig: [{ round_robin: {} }] } })
    t.strictSame(bench.network.addresses, ['a:1', 'a:1', 'b:1'], 'round_robin')
    await bench.assertQuiet(t)

    const own = new ScriptedBalancer()
    const fixed = new Bench({ balancer: own })
    await fixed.resolve({ serviceConfig: { loadBalancingConfig: [{ round_robin: {} }] } })
    t.strictSame(own.log, ['build', 'resolved a:1'], "the channel's own policy stands above it")
    await fixed.assertQuiet(t)
  },
)

t.test('the config names the service whose health counts', (t) => {
  const health = (serviceName: string): object => ({ healthCheckConfig: { serviceName } })
  const config = new CurrentConfig({ serviceConfig: health('default') })
  t.equal(config.healthServiceName, 'default')
  config.take({ endpoints: [], serviceConfig: health('names') })
  t.equal(config.healthServiceName, 'names')
  config.take({ endpoints: [], serviceConfig: {} })
  t.equal(config.healthServiceName, undefined)
  t.end()
})

t.test('the same config again is the same object, and nothing is read', async (t) => {
  const bench = new Bench()
  const configs: (CallConfig | undefined)[] = []
  for (const timeout of ['1s', '1s', '2s']) {
    await bench.resolve({ serviceConfig: timed(timeout) })
    configs.push(bench.conn.callConfig)
  }
  t.equal(configs[0], configs[1])
  t.not(configs[1], configs[2])
  await bench.assertQuiet(t)
})

t.test('calls wait for the first resolution, also after the channel was idle', async (t) => {
  const bench = new Bench({ idleTimeoutMs: 1000 })
  t.equal(bench.conn.callConfig, undefined)
  const seen: string[] = []
  const waiter = (name: string): { onConfig(): void } => ({ onConfig: () => seen.push(name) })
  const cancelled = waiter('cancelled')
  bench.conn.awaitConfig(waiter('first'))
  bench.conn.awaitConfig(cancelled)
  bench.conn.cancelConfig(cancelled)
  t.strictSame(seen, [])
  await bench.resolve()
  t.strictSame(seen, ['first'])
  bench.clock.advance(2000)
  t.equal(bench.conn.callConfig, undefined, 'idle')
  bench.conn.awaitConfig(waiter('second'))
  await settle()
  t.strictSame(seen, ['first', 'second'], 'the channel left idle for it')
  await bench.assertQuiet(t)

  const failing = new Bench()
  failing.conn.awaitConfig(waiter('failing'))
  failing.names.reportError({ code: Code.Unavailable, message: 'no such name' })
  await settle()
  t.equal(seen.at(-1), 'failing', 'a resolution that fails is one')
  await failing.assertQuiet(t)

  const closed = new Bench()
  closed.conn.awaitConfig(waiter('closed'))
  closed.conn.close()
  t.equal(seen.at(-1), 'closed', 'it will hear from its pick')
  await closed.assertQuiet(t)
})
