import t, { type Test } from 'tap'
import { Code, dial, RpcError } from '../../../lib/grpc/index.ts'
import { findResolver, type ResolverState } from '../../../lib/naming/index.ts'
import { createEtcdResolver, type EtcdOptions } from '../../../lib/plugins/etcd/index.ts'
import { FakeClock } from '../../../lib/testing/index.ts'
import { FakeEtcd, until } from '../../support/fake-etcd.ts'
import { settle } from '../../support/fake-network.ts'
import { RecordingConn } from '../../support/recording-conn.ts'

/** Keeps whole states too. */
class StateConn extends RecordingConn {
  public state: ResolverState | undefined

  public override updateState(state: ResolverState): void {
    this.state = state
    super.updateState(state)
  }
}

/** A resolver of `svc` and the etcd that it asks; only the clock moves time for the resolver. */
class Bench {
  public readonly clock = new FakeClock()
  public readonly cc = new StateConn()
  public readonly etcd: FakeEtcd

  private constructor(etcd: FakeEtcd) {
    this.etcd = etcd
  }

  public static async create(t: Test, options: EtcdOptions = {}): Promise<Bench> {
    const bench = await Bench.prepare(t)
    bench.resolve(t, options)
    return bench
  }

  public static async prepare(t: Test): Promise<Bench> {
    const etcd = await new FakeEtcd().start()
    t.teardown(() => etcd.stop())
    return new Bench(etcd)
  }

  public resolve(t: Test, options: EtcdOptions = {}, text = 'etcd:///svc'): () => void {
    const builder = createEtcdResolver({ endpoints: [this.etcd.endpoint], ...options })
    const { target } = findResolver(text, [builder])
    const resolver = builder.build(target, this.cc, { clock: this.clock, random: () => 0.5 })
    t.teardown(() => resolver.close())
    return () => resolver.close()
  }

  public logged(count: number): Promise<void> {
    return until(() => this.cc.log.length >= count, `entry ${count} after ${this.cc.log.join()}`)
  }

  public asked(count: number): Promise<void> {
    const { log } = this.etcd
    return until(() => log.length >= count, `request ${count} after ${log.join()}`)
  }

  /** Synced and watching. */
  public async watching(): Promise<void> {
    await until(() => this.etcd.watchCount === 1, 'a watch')
  }
}

const PERMISSION_DENIED = new RpcError(Code.PermissionDenied, 'etcdserver: permission denied')

t.test(
  'a Range gives the first set, a Watch from the revision after it what changes',
  async (t) => {
    const bench = await Bench.prepare(t)
    const { etcd, cc } = bench
    etcd.put('svc/b', '{"Op":0,"Addr":"10.0.0.2:80","Metadata":{"zone":"x"}}')
    etcd.put('svc/a', '10.0.0.1:80')
    etcd.put('svc2/a', '10.9.9.9:80')
    bench.resolve(t)
    await bench.watching()
    t.strictSame(cc.log, [['10.0.0.1:80', '10.0.0.2:80']])
    t.strictSame(etcd.log, ['range', 'watch from 5'])
    t.strictSame(cc.state?.endpoints[1]?.addresses, [
      { address: '10.0.0.2:80', metadata: { zone: 'x' } },
    ])
    etcd.put('svc/c', '10.0.0.3:80')
    await bench.logged(2)
    etcd.delete('svc/a', 'svc/b')
    await bench.logged(3)
    t.strictSame(cc.log.slice(1), [['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'], ['10.0.0.3:80']])
  },
)

t.test('an expired lease takes its keys out; a service may have no server', async (t) => {
  const bench = await Bench.prepare(t)
  const { etcd, cc } = bench
  etcd.leases.set(5n, new Set())
  etcd.put('svc/a', '10.0.0.1:80', 5n)
  bench.resolve(t)
  await bench.watching()
  etcd.expireLease(5n)
  await bench.logged(2)
  t.strictSame(cc.log, [['10.0.0.1:80'], []])
})

t.test(
  'equal values keep the same address object; a put that changes nothing is not told',
  async (t) => {
    const bench = await Bench.prepare(t)
    const { etcd, cc } = bench
    const value = '{"Addr":"10.0.0.1:80","Metadata":{"weight":1}}'
    etcd.put('svc/a', value)
    bench.resolve(t)
    await bench.watching()
    const before = cc.state?.endpoints[0]
    etcd.put('svc/a', value)
    etcd.put('svc/b', '10.0.0.2:80')
    await bench.logged(2)
    t.strictSame(cc.log, [['10.0.0.1:80'], ['10.0.0.1:80', '10.0.0.2:80']])
    t.equal(cc.state?.endpoints[0], before)
  },
)

t.test('a value that names no address is left out, and told to the logger', async (t) => {
  const bench = await Bench.prepare(t)
  const warnings: string[] = []
  bench.etcd.put('svc/a', '{"Addr":')
  bench.etcd.put('svc/b', '10.0.0.2:80')
  bench.resolve(t, { logger: { error() {}, warn: (message) => warnings.push(message) } })
  await bench.watching()
  t.strictSame(bench.cc.log, [['10.0.0.2:80']])
  t.strictSame(warnings, ['etcd: svc/a has no address: "{\\"Addr\\":"'])
})

t.test(
  'a lost connection: the watch goes on after the last revision, nothing is read anew',
  async (t) => {
    const bench = await Bench.create(t)
    const { etcd, cc, clock } = bench
    await bench.watching()
    etcd.put('svc/a', '10.0.0.1:80')
    await bench.logged(2)
    clock.advance(1000)
    etcd.dropConnections()
    await until(() => etcd.watchCount === 0, 'the loss')
    etcd.put('svc/b', '10.0.0.2:80')
    await bench.logged(3)
    t.strictSame(etcd.log, ['range', 'watch from 2', 'watch from 3'])
    t.strictSame(cc.log, [[], ['10.0.0.1:80'], ['10.0.0.1:80', '10.0.0.2:80']])
  },
)

t.test('a session that ended soon after its start is not followed at once', async (t) => {
  const bench = await Bench.create(t)
  const { etcd, clock } = bench
  await bench.watching()
  etcd.dropConnections()
  await until(() => etcd.watchCount === 0 && clock.nextDueMs() === 1000, 'the wait')
  t.strictSame(bench.cc.log, [[]], 'no error: etcd was there')
  clock.advance(999)
  await settle()
  t.equal(etcd.log.length, 2)
  clock.advance(1)
  await bench.asked(3)
})

t.test('progress moves the revision from which the watch goes on', async (t) => {
  const bench = await Bench.create(t)
  const { etcd, clock } = bench
  await bench.watching()
  etcd.put('other/a', '10.0.0.1:80')
  etcd.put('other/b', '10.0.0.1:80')
  etcd.notifyProgress()
  etcd.put('svc/a', '10.0.0.1:80')
  await bench.logged(2)
  etcd.put('other/c', '10.0.0.1:80')
  etcd.notifyProgress()
  await settle()
  await settle()
  clock.advance(1000)
  etcd.dropConnections()
  await bench.asked(3)
  t.equal(etcd.log[2], 'watch from 6')
})

t.test('a compacted watch: keys are read again, what is the same is not told', async (t) => {
  const bench = await Bench.prepare(t)
  const { etcd, cc, clock } = bench
  etcd.put('svc/a', '10.0.0.1:80')
  bench.resolve(t)
  await bench.watching()
  for (const round of [1, 2]) {
    clock.advance(1000)
    etcd.dropConnections()
    await until(() => etcd.watchCount === 0, 'the loss')
    if (round === 2) {
      etcd.delete('svc/a')
      etcd.put('svc/b', '10.0.0.2:80')
    }
    etcd.put('other/a', '')
    etcd.put('other/a', '')
    etcd.compact()
    await bench.watching()
  }
  t.strictSame(etcd.log, [
    'range',
    'watch from 3',
    'watch from 3',
    'range',
    'watch from 5',
    'watch from 5',
    'range',
    'watch from 9',
  ])
  t.strictSame(cc.log, [['10.0.0.1:80'], ['10.0.0.2:80']])
})

t.test(
  'a running watch that fell behind a compaction is begun anew on the same connection',
  async (t) => {
    const bench = await Bench.create(t)
    await bench.watching()
    bench.etcd.cancelWatches({ compactRevision: 1000n })
    await bench.asked(4)
    t.strictSame(bench.etcd.log, ['range', 'watch from 2', 'range', 'watch from 2'])
  },
)

t.test('a compaction that explains nothing is an error, not a loop', async (t) => {
  const bench = await Bench.create(t)
  await bench.watching()
  bench.etcd.cancelWatches({ compactRevision: 1n, cancelReason: 'odd' })
  await until(() => bench.clock.nextDueMs() === 1000, 'the wait')
  t.equal(bench.etcd.log.length, 2)
})

t.test('a cancelled watch is a failure; when the next one fails too, it is told', async (t) => {
  const bench = await Bench.create(t)
  const { etcd, cc, clock } = bench
  await bench.watching()
  etcd.failure = PERMISSION_DENIED
  clock.advance(1000)
  etcd.cancelWatches({ cancelReason: 'etcdserver: permission denied' })
  await bench.logged(2)
  t.strictSame(cc.log, [
    [],
    `UNAVAILABLE: etcd ${etcd.endpoint}: PERMISSION_DENIED: etcdserver: permission denied`,
  ])
  etcd.failure = undefined
  clock.advance(1000)
  await bench.logged(3)
  t.strictSame(cc.log[2], [], 'after an error what is known is told again')
})

t.test('another cluster at the address: its keys are read from the start', async (t) => {
  const bench = await Bench.prepare(t)
  const { etcd, cc, clock } = bench
  etcd.put('svc/a', '10.0.0.1:80')
  bench.resolve(t)
  await bench.watching()
  clock.advance(1000)
  etcd.dropConnections()
  etcd.replace()
  etcd.put('svc/b', '10.0.0.2:80')
  await bench.logged(2)
  await bench.watching()
  t.strictSame(cc.log, [['10.0.0.1:80'], ['10.0.0.2:80']])
  t.strictSame(etcd.log, ['range', 'watch from 3', 'watch from 3', 'range', 'watch from 3'])
})

t.test(
  'while etcd is away the addresses stay, errors name it, and tries are backed off',
  async (t) => {
    const bench = await Bench.prepare(t)
    const { etcd, cc, clock } = bench
    etcd.put('svc/a', '10.0.0.1:80')
    bench.resolve(t)
    await bench.watching()
    clock.advance(1000)
    await etcd.stop()
    await bench.logged(2)
    const waits = [1000, 1600, 2560]
    for (const [index, waitMs] of waits.entries()) {
      await until(() => clock.pending === 1, 'the backoff alone')
      t.equal(clock.nextDueMs()! - clock.nowMs(), waitMs)
      t.equal(cc.log.length, 2 + index)
      clock.advance(waitMs)
      await bench.logged(3 + index)
    }
    const [first, ...errors] = cc.log
    t.strictSame(first, ['10.0.0.1:80'])
    for (const error of errors) {
      t.match(error, new RegExp(`^UNAVAILABLE: etcd ${etcd.endpoint}: UNAVAILABLE: .*ECONNREFUSED`))
    }
    await etcd.start()
    await until(() => clock.pending === 1, 'the backoff alone')
    clock.advance(10_000)
    await bench.logged(6)
    await bench.watching()
    t.strictSame(cc.log.at(-1), ['10.0.0.1:80'])
    t.equal(etcd.log.at(-1), 'watch from 3')
  },
)

t.test('an etcd that does not answer is given up after the time limit', async (t) => {
  const bench = await Bench.prepare(t)
  const { etcd, cc, clock } = bench
  etcd.isMute = true
  bench.resolve(t, { callTimeoutMs: 3000 })
  await bench.asked(1)
  clock.advance(3100)
  await bench.logged(1)
  t.match(cc.log[0], /^UNAVAILABLE: etcd 127.*: DEADLINE_EXCEEDED/)
  etcd.isMute = false
  await bench.watching()
  etcd.isMute = true
  clock.advance(1000)
  etcd.dropConnections()
  await bench.asked(4)
  clock.advance(3000)
  await bench.logged(3)
  t.match(cc.log[2], /no answer within 3000 ms/, 'a watch that is not begun, too')
})

t.test('the next endpoint is tried at once; only when all failed it is an error', async (t) => {
  const bench = await Bench.prepare(t)
  const away = await new FakeEtcd().start()
  await away.stop()
  const endpoints = [away.endpoint, bench.etcd.endpoint]
  bench.resolve(t, { endpoints })
  await bench.watching()
  t.strictSame(bench.cc.log, [[]])
  bench.clock.advance(1000)
  await bench.etcd.stop()
  await bench.logged(2)
  t.match(bench.cc.log[1], /ECONNREFUSED/)
  t.equal(bench.cc.log.length, 2)
})

t.test('a user logs in with each connection, and anew when the token is refused', async (t) => {
  const bench = await Bench.prepare(t)
  const { etcd, cc, clock } = bench
  const user = { name: 'root', password: 'secret' }
  etcd.user = user
  bench.resolve(t, { user })
  await bench.watching()
  t.strictSame(etcd.log, ['authenticate root', 'range', 'watch from 2'])
  clock.advance(1000)
  etcd.expireTokens()
  etcd.cancelWatches({ compactRevision: 1000n })
  await bench.watching()
  t.strictSame(etcd.log.slice(3), ['range', 'authenticate root', 'range', 'watch from 2'])
  t.strictSame(cc.log, [[]], 'nobody noticed')
})

t.test(
  'a wrong password is an error of the resolver; no user is needed where none is asked for',
  async (t) => {
    const bench = await Bench.prepare(t)
    const { etcd, cc, clock } = bench
    etcd.user = { name: 'root', password: 'secret' }
    bench.resolve(t, { user: { name: 'root', password: 'wrong' } })
    await bench.logged(1)
    t.match(cc.log[0], /INVALID_ARGUMENT: etcdserver: authentication failed/)
    etcd.user = undefined
    clock.advance(1000)
    await bench.watching()
    t.equal(cc.log.length, 2)
  },
)

t.test('close ends watch and timers, nothing is told afterwards', async (t) => {
  const bench = await Bench.prepare(t)
  const { etcd, cc, clock } = bench
  const close = bench.resolve(t)
  await bench.watching()
  close()
  await until(() => etcd.watchCount === 0 && clock.pending === 0, 'the end')
  etcd.put('svc/a', '10.0.0.1:80')
  await settle()
  t.strictSame(cc.log, [[]])
})

t.test('close during a backoff leaves no timer', async (t) => {
  const bench = await Bench.prepare(t)
  await bench.etcd.stop()
  const close = bench.resolve(t)
  await bench.logged(1)
  await until(() => bench.clock.pending === 1, 'the backoff')
  close()
  t.equal(bench.clock.pending, 0)
})

t.test('endpoints of etcd may stand in the target; what makes no sense is thrown', async (t) => {
  const bench = await Bench.prepare(t)
  bench.etcd.put('a/b/c', '10.0.0.1:80')
  bench.resolve(t, { endpoints: [] }, `etcd://${bench.etcd.endpoint}/a/b/`)
  await bench.logged(1)
  t.strictSame(bench.cc.log, [['10.0.0.1:80']])
  const wrong: [string, RegExp][] = [
    ['etcd:///', /^etcd_target: got etcd:\/\/\/, want/],
    ['etcd:///svc', /^etcd_endpoints: got none for etcd:\/\/\/svc/],
    ['etcd://a:1,/svc', /^etcd_endpoints: got "" for/],
  ]
  for (const [text, message] of wrong) {
    const builder = createEtcdResolver()
    const { target } = findResolver(text, [builder])
    const options = { clock: bench.clock, random: () => 0.5 }
    t.throws(() => builder.build(target, bench.cc, options), { message }, text)
  }
  t.end()
})

t.test('a channel takes the resolver as its option', async (t) => {
  const etcd = await new FakeEtcd().start()
  t.teardown(() => etcd.stop())
  const conn = dial('etcd:///svc', {
    resolvers: [createEtcdResolver({ endpoints: [etcd.endpoint] })],
  })
  conn.connect()
  t.equal(conn.authority, 'svc')
  await until(() => etcd.watchCount === 1, 'a watch')
  conn.close()
  await until(() => etcd.watchCount === 0, 'its end')
})
