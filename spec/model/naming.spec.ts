// naming: Resolver.resolve(target) -> Watcher.next(): first all addresses, then what has changed;
// close unblocks. The watcher of a literal address and the watcher of DNS.
import t from 'tap'
import {
  createDnsNaming,
  type DnsLookup,
  type NamingUpdate,
  type SrvRecord,
  type Watcher,
} from '../../lib/naming/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { settle } from '../support/fake-network.ts'

const HALF_HOUR_MS = 30 * 60 * 1000

function failure(code: string): Error {
  return Object.assign(new Error(code), { code })
}

/** A watcher of `host`, the zone that it sees, and what its user has been told. */
class Bench {
  public readonly clock = new FakeClock()
  /** By host; a code for a lookup that fails, nothing for a host that does not exist. */
  public readonly hosts: Record<string, string[] | string> = {}
  public services: SrvRecord[] | string = 'ENOTFOUND'
  public lookups = 0
  public readonly watcher: Watcher
  public readonly log: (readonly NamingUpdate[] | string)[] = []

  public constructor(target = 'host:50051', frequencyMs?: number) {
    const lookup: DnsLookup = {
      addresses: async (host) => found(this.hosts[host] ?? 'ENOTFOUND'),
      srv: async (name) => {
        this.lookups += 1
        if (name !== '_grpclb._tcp.host') throw failure('ENOTFOUND')
        return found(this.services)
      },
      txt: async () => [],
    }
    const naming = createDnsNaming({
      lookup,
      clock: this.clock,
      random: () => 0.5,
      ...(frequencyMs === undefined ? {} : { frequencyMs }),
    })
    this.watcher = naming.resolve(target)
  }

  /** Asks for changes; what comes, whenever it comes, is in the log. */
  public next(): Promise<void> {
    const tell = (line: readonly NamingUpdate[] | string): number => this.log.push(line)
    this.watcher.next().then(tell, (error: Error) => tell(error.message))
    return settle()
  }

  public async pass(ms: number): Promise<void> {
    this.clock.advance(ms)
    await settle()
  }
}

function found<T>(answer: T[] | string): T[] {
  if (typeof answer === 'string') throw failure(answer)
  return answer
}

const add = (address: string): NamingUpdate => ({ op: 'add', address })
const remove = (address: string): NamingUpdate => ({ op: 'delete', address })
const CLOSED = 'watcher_closed: want a watcher that has not been closed'

t.test('the watcher of a literal address says it once and then waits for its end', async (t) => {
  const bench = new Bench('1.2.3.4:80')
  await bench.next()
  t.strictSame(bench.log, [[add('1.2.3.4:80')]])
  await bench.next()
  await bench.pass(24 * HALF_HOUR_MS)
  t.equal(bench.log.length, 1)
  bench.watcher.close()
  await settle()
  await bench.next()
  t.strictSame(bench.log.slice(1), [CLOSED, CLOSED])
  t.equal(bench.lookups, 0)
})

t.test('a watcher that was closed before its first answer has none', async (t) => {
  for (const target of ['1.2.3.4', 'host']) {
    const bench = new Bench(target)
    bench.watcher.close()
    await bench.next()
    t.strictSame(bench.log, [CLOSED])
    t.equal(bench.lookups, 0)
  }
})

t.test('which targets there are', async (t) => {
  for (const [target, address] of [
    ['1.2.3.4', '1.2.3.4:443'],
    ['::1', '[::1]:443'],
    ['[::1]:80', '[::1]:80'],
    ['[::1]', '[::1]:443'],
    ['host', '9.9.9.9:443'],
    ['host:80', '9.9.9.9:80'],
    [':80', '127.0.0.1:80'],
  ] as const) {
    const bench = new Bench(target)
    Object.assign(bench.hosts, { host: ['9.9.9.9'], localhost: ['127.0.0.1'] })
    await bench.next()
    t.strictSame(bench.log, [[add(address)]], target)
  }
  for (const target of ['', 'host:', '[::1]:', 'host:port', 'host:99999', '[host]:80', ':']) {
    t.throws(() => new Bench(target), { message: /^naming_target: got / }, target)
  }
})

t.test('first all addresses, then what has changed, deletions first', async (t) => {
  const bench = new Bench()
  bench.hosts['host'] = ['1.1.1.1', '2.2.2.2']
  await bench.next()
  t.strictSame(bench.log.splice(0), [[add('1.1.1.1:50051'), add('2.2.2.2:50051')]])
  bench.hosts['host'] = ['3.3.3.3', '2.2.2.2']
  await bench.next()
  await bench.pass(HALF_HOUR_MS - 1)
  t.strictSame(bench.log, [], 'not before its time')
  await bench.pass(1)
  t.strictSame(bench.log, [[remove('1.1.1.1:50051'), add('3.3.3.3:50051')]])
  t.equal(bench.clock.pending, 0)
})

t.test('while nothing changes next waits', async (t) => {
  const bench = new Bench('host', 1000)
  bench.hosts['host'] = ['1.1.1.1', '2.2.2.2']
  await bench.next()
  await bench.next()
  bench.hosts['host'] = ['2.2.2.2', '1.1.1.1']
  for (let i = 0; i < 5; i++) await bench.pass(1000)
  t.equal(bench.log.length, 1)
  t.equal(bench.lookups, 6)
})

t.test('who asks late gets an answer at once', async (t) => {
  const bench = new Bench('host', 1000)
  bench.hosts['host'] = ['1.1.1.1']
  await bench.next()
  bench.hosts['host'] = ['2.2.2.2']
  await bench.pass(5000)
  await bench.next()
  t.equal(bench.log.length, 2)
})

const balancer = (host: string, port: number): SrvRecord => ({ host, port, priority: 0, weight: 0 })
const announced = (address: string, serverName: string) => ({
  address,
  metadata: { addressType: 'grpclb', serverName },
})

t.test(
  'announced balancers take the place of addresses, those without one are left out',
  async (t) => {
    const bench = new Bench()
    bench.services = [balancer('lb1', 1), balancer('gone', 2), balancer('lb2', 3)]
    Object.assign(bench.hosts, { host: ['9.9.9.9'], lb1: ['1.1.1.1', '::1'], lb2: ['2.2.2.2'] })
    await bench.next()
    t.strictSame(bench.log.splice(0), [
      [
        { op: 'add', ...announced('1.1.1.1:1', 'lb1') },
        { op: 'add', ...announced('[::1]:1', 'lb1') },
        { op: 'add', ...announced('2.2.2.2:3', 'lb2') },
      ],
    ])
    bench.services = [balancer('lb3', 1), balancer('lb2', 3)]
    bench.hosts['lb3'] = ['1.1.1.1']
    await bench.next()
    await bench.pass(HALF_HOUR_MS)
    t.strictSame(
      bench.log.splice(0),
      [
        [
          { op: 'delete', ...announced('1.1.1.1:1', 'lb1') },
          { op: 'delete', ...announced('[::1]:1', 'lb1') },
          { op: 'add', ...announced('1.1.1.1:1', 'lb3') },
        ],
      ],
      'an address with another name is another',
    )
    bench.services = 'ENOTFOUND'
    await bench.next()
    await bench.pass(HALF_HOUR_MS)
    t.strictSame(bench.log, [
      [
        { op: 'delete', ...announced('1.1.1.1:1', 'lb3') },
        { op: 'delete', ...announced('2.2.2.2:3', 'lb2') },
        add('9.9.9.9:50051'),
      ],
    ])
  },
)

t.test('when nothing can be found what is known stays, and it is tried again sooner', async (t) => {
  const bench = new Bench()
  bench.hosts['host'] = ['1.1.1.1']
  await bench.next()
  bench.hosts['host'] = 'ESERVFAIL'
  await bench.next()
  await bench.pass(HALF_HOUR_MS)
  for (const waitMs of [1000, 1600, 2560]) await bench.pass(waitMs)
  t.equal(bench.lookups, 5)
  t.equal(bench.log.length, 1)
  bench.services = [balancer('gone', 1)]
  await bench.pass(4096)
  t.equal(bench.log.length, 1, 'balancers without any address are nothing either')
  Object.assign(bench, { services: 'ESERVFAIL' }).hosts['host'] = ['2.2.2.2']
  await bench.pass(6553.6)
  t.strictSame(bench.log.slice(1), [[remove('1.1.1.1:50051'), add('2.2.2.2:50051')]])
})

t.test('a name that cannot be found at first is waited for', async (t) => {
  const bench = new Bench()
  await bench.next()
  t.strictSame(bench.log, [])
  bench.hosts['host'] = ['1.1.1.1']
  await bench.pass(1000)
  t.strictSame(bench.log, [[add('1.1.1.1:50051')]])
})

t.test('close unblocks a user who waits, and leaves no timer', async (t) => {
  for (const answer of ['ESERVFAIL', ['1.1.1.1']]) {
    const bench = new Bench()
    bench.hosts['host'] = answer
    await bench.next()
    if (bench.log.length > 0) await bench.next()
    t.equal(bench.clock.pending, 1)
    bench.watcher.close()
    await settle()
    t.equal(bench.log.at(-1), CLOSED)
    t.equal(bench.clock.pending, 0)
  }
})

t.test('close does not wait for a lookup', async (t) => {
  const clock = new FakeClock()
  let signal: AbortSignal | undefined
  const lookup: DnsLookup = {
    addresses: async () => [],
    srv: (_name, lookupSignal) => {
      signal = lookupSignal
      return new Promise(() => {})
    },
    txt: async () => [],
  }
  const watcher = createDnsNaming({ lookup, clock, random: () => 0.5 }).resolve('host')
  const next = watcher.next()
  watcher.close()
  await t.rejects(next, { message: CLOSED })
  t.equal(signal?.aborted, true)
  t.equal(clock.pending, 0)
})
