import t, { type Test } from 'tap'
import type { Timer } from '../../../lib/base/clock.ts'
import { Code, RpcError } from '../../../lib/grpc/index.ts'
import {
  Registration,
  type RegistrationOptions,
  type RegistrationState,
} from '../../../lib/plugins/etcd/index.ts'
import { FakeClock } from '../../../lib/testing/index.ts'
import { FakeEtcd, until } from '../../support/fake-etcd.ts'
import { settle } from '../../support/fake-network.ts'

/** The server at 10.0.0.1:80 in an etcd of its own; leases have 9 s. */
class Bench {
  public readonly clock = new FakeClock()
  public readonly states: RegistrationState[] = []
  public readonly errors: string[] = []
  public readonly etcd: FakeEtcd
  public readonly registration: Registration

  private constructor(etcd: FakeEtcd, options: Partial<RegistrationOptions>) {
    this.etcd = etcd
    this.registration = new Registration(
      {
        endpoints: [etcd.endpoint],
        service: 'svc',
        address: '10.0.0.1:80',
        ttlSeconds: 9,
        keepalive: {},
        onState: (state) => this.states.push(state),
        onError: ({ message }) => this.errors.push(message),
        ...options,
      },
      { clock: this.clock, random: () => 0.5 },
    )
  }

  public static async create(
    t: Test,
    options: Partial<RegistrationOptions> = {},
    prepare: (etcd: FakeEtcd) => unknown = () => {},
  ): Promise<Bench> {
    const etcd = await new FakeEtcd().start()
    await prepare(etcd)
    const bench = new Bench(etcd, options)
    t.teardown(async () => {
      await bench.registration.close()
      await etcd.stop()
    })
    return bench
  }

  public asked(count: number): Promise<void> {
    const { log } = this.etcd
    return until(() => log.length >= count, `request ${count} after ${log.join()}`)
  }

  public told(...states: RegistrationState[]): Promise<void> {
    return until(() => this.states.join() === states.join(), `${states} after ${this.states}`)
  }

  /** The lease is confirmed `count` times; its next confirmation waits for the clock. */
  public confirmed(count: number): Promise<void> {
    const { etcd, clock } = this
    const dueMs = clock.nowMs() + 3000
    const confirmations = (): number =>
      etcd.log.filter((line) => line.startsWith('keepAlive')).length
    return until(() => confirmations() === count && clock.nextDueMs() === dueMs, `${count}`)
  }
}

t.test('a key stands under a lease that is kept alive each third of its time', async (t) => {
  const bench = await Bench.create(t, { metadata: { zone: 'x' } })
  const { etcd, clock, registration } = bench
  t.equal(registration.state, 'registering')
  await registration.registered()
  t.strictSame(etcd.keys(), ['svc/10.0.0.1:80'])
  for (const count of [1, 2, 3]) {
    await bench.confirmed(count)
    clock.advance(3000)
  }
  await bench.confirmed(4)
  t.strictSame(etcd.log.slice(0, 3), ['grant 9', 'put svc/10.0.0.1:80', 'keepAlive 101'])
  t.strictSame(bench.states, ['registered'])
  await registration.close()
  t.strictSame(etcd.keys(), [])
  t.equal(etcd.log.at(-1), 'revoke 101')
  t.strictSame(bench.states, ['registered', 'closed'])
  await until(() => clock.pending === 0, 'no timer')
})

t.test('a lease that is gone is replaced, at once', async (t) => {
  const bench = await Bench.create(t)
  const { etcd, clock } = bench
  await bench.confirmed(1)
  etcd.expireLeases()
  t.strictSame(etcd.keys(), [])
  clock.advance(3000)
  await bench.told('registered', 'registering', 'registered')
  t.strictSame(etcd.keys(), ['svc/10.0.0.1:80'])
  t.strictSame(etcd.log.slice(3), [
    'keepAlive 101',
    'grant 9',
    'put svc/10.0.0.1:80',
    'keepAlive 102',
  ])
  t.strictSame(bench.errors, [])
})

t.test('an etcd that keeps no lease is tried with backoff', async (t) => {
  const bench = await Bench.create(t, { ttlSeconds: 2 }, (etcd) => {
    etcd.dropsLeases = true
  })
  await until(() => bench.errors.length === 1, 'an error')
  t.match(bench.errors[0], /^etcd 127\S+: NOT_FOUND: etcdserver: requested lease not found$/)
  await until(() => bench.clock.nextDueMs() === 1000, 'the wait')
  t.equal(bench.etcd.log.length, 2)
  bench.etcd.dropsLeases = false
  bench.clock.advance(1000)
  await bench.told('registered')
})

t.test('a lost connection: the same lease is kept alive by the next one', async (t) => {
  const bench = await Bench.create(t)
  const { etcd, clock } = bench
  await bench.confirmed(1)
  clock.advance(2000)
  etcd.dropConnections()
  await bench.confirmed(2)
  t.strictSame(etcd.log.slice(3), ['keepAlive 101'])
  t.strictSame(bench.states, ['registered'])
})

t.test(
  'while etcd is away: registering once the lease may have ended, then all anew',
  async (t) => {
    const bench = await Bench.create(t)
    const { etcd, clock } = bench
    await bench.confirmed(1)
    await etcd.stop()
    await until(() => clock.pending === 2, 'the backoff and the time of the lease')
    clock.advance(1000)
    await until(() => bench.errors.length === 1, 'an error')
    t.match(bench.errors[0], /^etcd 127\S+: UNAVAILABLE: .*ECONNREFUSED/)
    clock.advance(7999)
    await settle()
    t.strictSame(bench.states, ['registered'])
    clock.advance(1)
    t.strictSame(bench.states, ['registered', 'registering'])
    etcd.expireLeases()
    await etcd.start()
    const again = bench.registration.registered()
    await until(() => clock.pending === 1, 'the backoff')
    clock.advance(10_000)
    await again
    t.strictSame(etcd.keys(), ['svc/10.0.0.1:80'])
  },
)

t.test('a put that failed is made again under the same lease', async (t) => {
  const bench = await Bench.create(t, {}, (etcd) => {
    const put = etcd.put.bind(etcd)
    etcd.put = () => {
      etcd.put = put
      throw new RpcError(Code.Unavailable, 'etcdserver: no leader')
    }
  })
  await until(() => bench.clock.nextDueMs() === 1000, 'the wait')
  t.match(bench.errors, [/no leader/])
  bench.clock.advance(1000)
  await bench.registration.registered()
  t.strictSame(bench.etcd.log, [
    'grant 9',
    'put svc/10.0.0.1:80',
    'put svc/10.0.0.1:80',
    'keepAlive 101',
  ])
})

t.test('a keep-alive that is not answered ends the session', async (t) => {
  const bench = await Bench.create(t, { callTimeoutMs: 1000 })
  const { etcd, clock } = bench
  await bench.confirmed(1)
  etcd.isMute = true
  clock.advance(3000)
  await bench.asked(4)
  etcd.isMute = false
  clock.advance(1000)
  await bench.asked(5)
  t.equal(etcd.log[4], 'keepAlive 101')
  t.strictSame(bench.states, ['registered'])
})

t.test('a user logs in; a refused token leads to another one', async (t) => {
  const user = { name: 'root', password: 'secret' }
  const bench = await Bench.create(t, { user }, (etcd) => {
    etcd.user = user
  })
  const { etcd, clock } = bench
  await bench.confirmed(1)
  t.equal(etcd.log[0], 'authenticate root')
  etcd.expireTokens()
  clock.advance(3000)
  await bench.confirmed(3)
  t.strictSame(etcd.log.slice(4), ['keepAlive 101', 'authenticate root', 'keepAlive 101'])
  t.strictSame(bench.states, ['registered'])
})

t.test('waiting for an etcd that is away keeps the process running', async (t) => {
  const etcd = await new FakeEtcd().start()
  await etcd.stop()
  const holds: boolean[] = []
  class HoldClock extends FakeClock {
    public override timer(delayMs: number, callback: () => void, keepAlive = true): Timer {
      if (delayMs === 777) holds.push(keepAlive)
      return super.timer(delayMs, callback)
    }
  }
  const clock = new HoldClock()
  const registration = new Registration(
    {
      endpoints: [etcd.endpoint],
      service: 'svc',
      address: 'a:1',
      backoff: { baseMs: 777 },
      onError: () => {},
    },
    { clock },
  )
  await until(() => holds.length === 1, 'the backoff')
  t.strictSame(holds, [true])
  await registration.close()
})

t.test('close before there is a lease revokes nothing; who waits hears of it', async (t) => {
  const bench = await Bench.create(t, {}, (etcd) => {
    etcd.isMute = true
  })
  await bench.asked(1)
  const registered = bench.registration.registered()
  await bench.registration.close()
  await t.rejects(registered, { code: Code.Cancelled, token: 'registration_closed' } as never)
  await t.rejects(bench.registration.registered(), { code: Code.Cancelled } as never)
  t.strictSame(bench.etcd.log, ['grant 9'])
  t.strictSame(bench.states, ['closed'])
  await until(() => bench.clock.pending === 0, 'no timer')
})

t.test('close revokes at the first endpoint that is there', async (t) => {
  const away = await new FakeEtcd().start()
  await away.stop()
  const etcd = await new FakeEtcd().start()
  t.teardown(() => etcd.stop())
  const endpoints = [away.endpoint, etcd.endpoint]
  const registration = new Registration({ endpoints, service: 'svc', address: 'a:1' })
  await registration.registered()
  await registration.close()
  t.equal(etcd.log.at(-1), 'revoke 101')
  t.strictSame(etcd.keys(), [])
})

t.test('close with no endpoint there resolves, and the owner hears of it', async (t) => {
  const bench = await Bench.create(t)
  await bench.confirmed(1)
  await bench.etcd.stop()
  await bench.registration.close()
  t.strictSame(bench.states, ['registered', 'closed'])
  t.match(bench.errors, [/^etcd 127\S+: UNAVAILABLE/])
})

t.test('options that make no sense are thrown', (t) => {
  const options = { endpoints: ['127.0.0.1:1'], service: 'svc', address: 'a:1' }
  const wrong: [Partial<RegistrationOptions>, RegExp][] = [
    [{ endpoints: [] }, /^etcd_endpoints: got none for svc/],
    [{ endpoints: ['http://a:1'] }, /^etcd_endpoints: got "http:\/\/a:1"/],
    [{ service: '' }, /^etcd_service/],
    [{ service: 'svc/' }, /^etcd_service/],
    [{ address: 'host' }, /^etcd_address: got "host"/],
    [{ ttlSeconds: 0 }, /^etcd_ttl: got 0 s/],
    [{ ttlSeconds: Number.NaN }, /^etcd_ttl/],
  ]
  for (const [part, message] of wrong) {
    t.throws(() => new Registration({ ...options, ...part }), { message }, String(message))
  }
  t.end()
})
