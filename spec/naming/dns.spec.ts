import t from 'tap'
import { endpointWeight } from '../../lib/balancer/index.ts'
import { codeName } from '../../lib/base/status.ts'
import {
  createDnsResolver,
  DnsLookupError,
  type DnsResolverOptions,
  findResolver,
  type Resolver,
  type ResolverOptions,
  type ResolverState,
  type SrvRecord,
} from '../../lib/naming/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { settle } from '../support/fake-network.ts'
import { RecordingConn } from '../support/recording-conn.ts'

interface Question<T> {
  readonly host: string
  readonly signal: AbortSignal
  answer(...found: T[]): Promise<void>
  fail(error: Error): Promise<void>
}

/** Keeps a question for the spec to answer. */
function ask<T>(
  questions: Question<T>[],
  host: string,
  signal: AbortSignal,
): Promise<readonly T[]> {
  return new Promise((resolve, reject) => {
    questions.push({
      host,
      signal,
      answer(...found) {
        resolve(found)
        return settle()
      },
      fail(error) {
        reject(error)
        return settle()
      },
    })
  })
}

/** Keeps whole states and statuses as well. */
class StatesConn extends RecordingConn {
  public readonly states: ResolverState[] = []

  public override updateState(state: ResolverState): void {
    this.states.push(state)
    super.updateState(state)
  }
}

/** A resolver whose look-ups the spec answers. */
class Bench {
  public readonly clock = new FakeClock()
  public readonly cc = new StatesConn()
  public readonly questions: Question<string>[] = []
  public readonly services: Question<SrvRecord>[] = []
  public readonly texts: Question<string>[] = []
  public readonly servers: (string | undefined)[] = []
  public readonly resolver: Resolver

  /** Without service configs unless asked for. */
  public constructor(
    text = 'dns:///host:50051',
    options: DnsResolverOptions = {},
    lent: Partial<ResolverOptions> = {},
  ) {
    const builder = createDnsResolver({
      serviceConfig: false,
      ...options,
      lookup: (server) => {
        this.servers.push(server)
        return {
          addresses: (host, signal) => ask(this.questions, host, signal),
          srv: (name, signal) => ask(this.services, name, signal),
          txt: (name, signal) => ask(this.texts, name, signal),
        }
      },
    })
    const { target } = findResolver(text, [builder])
    const clock = this.clock
    this.resolver = builder.build(target, this.cc, { clock, random: () => 0.5, ...lent })
  }

  public get last(): Question<string> {
    return this.questions.at(-1) as Question<string>
  }

  public get lastText(): Question<string> {
    return this.texts.at(-1) as Question<string>
  }

  /** Looks up again, as soon as it may. */
  public again(): void {
    this.resolver.resolveNow()
    this.clock.advance(30_000)
  }
}

function noSuchHost(): Error {
  return Object.assign(new Error('getaddrinfo ENOTFOUND host'), { code: 'ENOTFOUND' })
}

function serverFailure(): Error {
  return Object.assign(new Error('queryTxt ESERVFAIL host'), { code: 'ESERVFAIL' })
}

t.test('a host is looked up at once; every address is an endpoint with the port', async (t) => {
  const bench = new Bench()
  t.strictSame(bench.servers, [undefined])
  t.equal(bench.last.host, 'host')
  await bench.last.answer('1.2.3.4', '::1')
  t.strictSame(bench.cc.log, [['1.2.3.4:50051', '[::1]:50051']])
  t.equal(bench.clock.pending, 0)
})

t.test('the port is 443 unless given, an authority is the server to ask', async (t) => {
  const bench = new Bench('dns://8.8.8.8:53/host')
  t.strictSame(bench.servers, ['8.8.8.8:53'])
  await bench.last.answer('1.2.3.4')
  t.strictSame(bench.cc.log, [['1.2.3.4:443']])
})

t.test('nothing is looked up again unless asked for', async (t) => {
  const bench = new Bench()
  await bench.last.answer('1.2.3.4')
  bench.clock.advance(3_600_000)
  t.equal(bench.questions.length, 1)
})

t.test('resolveNow looks up again, 30 s after the last success at the soonest', async (t) => {
  const bench = new Bench()
  await bench.last.answer('1.2.3.4')
  bench.clock.advance(10_000)
  bench.resolver.resolveNow()
  bench.resolver.resolveNow()
  bench.clock.advance(19_999)
  t.equal(bench.questions.length, 1)
  bench.clock.advance(1)
  t.equal(bench.questions.length, 2)
  await bench.last.answer('5.6.7.8')
  t.strictSame(bench.cc.log, [['1.2.3.4:50051'], ['5.6.7.8:50051']])
  bench.clock.advance(40_000)
  bench.resolver.resolveNow()
  t.equal(bench.questions.length, 3, 'long after a success it is done at once')
})

t.test('resolveNow while a look-up runs means another one', async (t) => {
  const bench = new Bench()
  bench.resolver.resolveNow()
  t.equal(bench.questions.length, 1)
  await bench.last.answer('1.2.3.4')
  bench.clock.advance(30_000)
  t.equal(bench.questions.length, 2)
})

t.test('a host that does not exist is an error that names it', async (t) => {
  const bench = new Bench()
  await bench.last.fail(noSuchHost())
  t.strictSame(bench.cc.log, [
    'UNAVAILABLE: dns_lookup: A and AAAA of "host": no such host (ENOTFOUND)',
  ])
})

t.test('an error names the server that was asked, and carries what went wrong', async (t) => {
  let cause: unknown
  const bench = new Bench('dns://8.8.8.8:53/host')
  bench.cc.reportError = (status) => {
    cause = status.cause
    t.equal(codeName(status.code), 'UNAVAILABLE')
    t.equal(
      status.message,
      'dns_lookup: A and AAAA of "host" at 8.8.8.8:53: queryTxt ESERVFAIL host',
    )
  }
  await bench.last.fail(serverFailure())
  t.type(cause, DnsLookupError)
  t.match(cause, { code: 'ESERVFAIL', host: 'host', server: '8.8.8.8:53', records: 'A and AAAA' })
})

t.test('failures are retried with the connect backoff, whatever resolveNow says', async (t) => {
  const bench = new Bench()
  const waits = [1000, 1600, 2560]
  for (const [round, waitMs] of waits.entries()) {
    await bench.last.fail(new Error('queryA ESERVFAIL'))
    bench.resolver.resolveNow()
    bench.clock.advance(waitMs - 1)
    t.equal(bench.questions.length, round + 1)
    bench.clock.advance(1)
    t.equal(bench.questions.length, round + 2)
  }
  await bench.last.answer('1.2.3.4')
  bench.clock.advance(30_000)
  bench.resolver.resolveNow()
  await bench.last.fail(noSuchHost())
  bench.clock.advance(1000)
  t.equal(bench.questions.length, 6, 'a success makes the next failure the first')
})

t.test('a look-up is given up after 30 s', async (t) => {
  const bench = new Bench()
  bench.clock.advance(29_999)
  await settle()
  t.strictSame(bench.cc.log, [])
  bench.clock.advance(1)
  await settle()
  t.equal(bench.last.signal.aborted, true)
  t.strictSame(bench.cc.log, [
    'UNAVAILABLE: dns_lookup: A and AAAA of "host": no answer within 30000 ms',
  ])
  bench.clock.advance(1000)
  t.equal(bench.questions.length, 2)
})

t.test('close gives a look-up up, and nothing is told afterwards', async (t) => {
  const bench = new Bench()
  bench.resolver.close()
  t.equal(bench.last.signal.aborted, true)
  await bench.last.answer('1.2.3.4')
  t.strictSame(bench.cc.log, [])
  t.equal(bench.clock.pending, 0)
})

t.test('close forgets a look-up that is due', async (t) => {
  const bench = new Bench()
  await bench.last.fail(noSuchHost())
  t.equal(bench.clock.pending, 1)
  bench.resolver.close()
  t.equal(bench.clock.pending, 0)
})

t.test('a refresh interval looks up again by itself, give or take a tenth', async (t) => {
  for (const [random, waitMs] of [
    [0, 90_000],
    [0.5, 100_000],
    [0.999999, 110_000],
  ] as const) {
    const bench = new Bench('dns:///host', { refreshIntervalMs: 100_000 }, { random: () => random })
    await bench.last.answer('1.2.3.4')
    bench.clock.advance(waitMs - 1)
    t.equal(bench.questions.length, 1)
    bench.clock.advance(1)
    t.equal(bench.questions.length, 2)
    await bench.last.answer('1.2.3.4')
    bench.resolver.resolveNow()
    bench.clock.advance(30_000)
    t.equal(bench.questions.length, 3, 'resolveNow does not wait for it')
    bench.resolver.close()
  }
})

t.test('no refresh comes before the least interval, nor hurries a retry', async (t) => {
  const bench = new Bench('dns:///host', { refreshIntervalMs: 1, minIntervalMs: 5_000 })
  await bench.last.answer('1.2.3.4')
  bench.clock.advance(4_999)
  t.equal(bench.questions.length, 1)
  bench.clock.advance(1)
  await bench.last.fail(noSuchHost())
  bench.clock.advance(999)
  t.equal(bench.questions.length, 2)
  bench.clock.advance(1)
  t.equal(bench.questions.length, 3)
})

t.test('what a closed resolver is asked for it does not do', async (t) => {
  const bench = new Bench()
  await bench.last.answer('1.2.3.4')
  bench.resolver.close()
  bench.resolver.resolveNow()
  t.equal(bench.clock.pending, 0)
})

const CONFIG = 'grpc_config=[{"serviceConfig":{"a":1}}]'

t.test('the service config comes from a TXT record, with the addresses', async (t) => {
  const bench = new Bench('dns:///host', { serviceConfig: true })
  t.equal(bench.lastText.host, '_grpc_config.host')
  await bench.last.answer('1.2.3.4')
  t.strictSame(bench.cc.log, [], 'a policy is not chosen twice')
  await bench.lastText.answer('v=spf1', CONFIG)
  t.strictSame(bench.cc.states, [
    { endpoints: [{ addresses: [{ address: '1.2.3.4:443' }] }], serviceConfig: { a: 1 } },
  ])
})

t.test('service configs are taken by default, and not where nobody wants them', async (t) => {
  const rows: readonly (readonly [string, DnsResolverOptions, Partial<ResolverOptions>, number])[] =
    [
      ['dns:///host', { serviceConfig: true }, {}, 1],
      ['dns:///host', { serviceConfig: false }, {}, 0],
      ['dns:///host', { serviceConfig: true }, { disableServiceConfig: true }, 0],
      ['dns:///localhost', { serviceConfig: true }, {}, 0],
      ['dns:///a.LocalHost.:80', { serviceConfig: true }, {}, 0],
      ['dns:///notlocalhost', { serviceConfig: true }, {}, 1],
    ]
  for (const [target, options, lent, count] of rows) {
    const bench = new Bench(target, options, lent)
    t.equal(bench.texts.length, count, `${target} ${JSON.stringify([options, lent])}`)
    bench.resolver.close()
  }
})

t.test('a wrong service config keeps the addresses and says what is wrong', async (t) => {
  const bench = new Bench('dns:///host', { serviceConfig: true })
  await bench.last.answer('1.2.3.4')
  await bench.lastText.answer('grpc_config=[')
  const state = bench.cc.states[0]
  t.strictSame(bench.cc.log, [['1.2.3.4:443']])
  t.equal(state?.serviceConfig, undefined)
  t.match(state?.serviceConfigError, { code: 14, message: /^txt_config: want JSON / })
})

t.test('a service config that cannot be looked up is what it was', async (t) => {
  const bench = new Bench('dns:///host', { serviceConfig: true })
  const configs = (): unknown[] => bench.cc.states.map(({ serviceConfig }) => serviceConfig)
  await bench.last.answer('1.2.3.4')
  await bench.lastText.fail(serverFailure())
  t.strictSame(configs(), [undefined])
  bench.again()
  await bench.last.answer('1.2.3.4')
  await bench.lastText.answer(CONFIG)
  bench.again()
  await bench.last.answer('1.2.3.4')
  await bench.lastText.fail(serverFailure())
  t.strictSame(configs(), [undefined, { a: 1 }, { a: 1 }])
  bench.again()
  await bench.last.answer('1.2.3.4')
  await bench.lastText.fail(noSuchHost())
  t.strictSame(configs().at(-1), undefined, 'one that does not exist any more is gone')
})

t.test('addresses wait 5 s for their service config, no longer', async (t) => {
  const bench = new Bench('dns:///host', { serviceConfig: true })
  await bench.last.answer('1.2.3.4')
  bench.clock.advance(4_999)
  await settle()
  t.strictSame(bench.cc.log, [])
  bench.clock.advance(1)
  await settle()
  t.strictSame(bench.cc.log, [['1.2.3.4:443']])
  t.equal(bench.lastText.signal.aborted, true)
  t.equal(bench.clock.pending, 0)
})

t.test('when the addresses fail the service config is not waited for', async (t) => {
  const bench = new Bench('dns:///host', { serviceConfig: true })
  await bench.last.fail(noSuchHost())
  t.equal(bench.cc.log.length, 1)
  t.equal(bench.lastText.signal.aborted, true)
  bench.resolver.close()
  t.equal(bench.clock.pending, 0)
})

const SRV = { srv: true }
const SERVICE = 'dns:///_grpc._tcp.example'
const record = (host: string, port: number, priority: number, weight: number): SrvRecord => ({
  host,
  port,
  priority,
  weight,
})

t.test('SRV records are endpoints with weights, a server each, priorities in order', async (t) => {
  const bench = new Bench(SERVICE, SRV)
  t.equal(bench.services[0]?.host, '_grpc._tcp.example')
  t.equal(bench.questions.length, 0)
  await bench.services[0]?.answer(
    record('backup', 3, 20, 1),
    record('a', 1, 10, 0),
    record('b', 2, 10, 7),
    record('a', 4, 30, 1),
  )
  const [b, a, backup] = bench.questions
  t.strictSame([b?.host, a?.host, backup?.host, bench.questions.length], ['b', 'a', 'backup', 3])
  await backup?.answer('3.3.3.3')
  await b?.answer('2.2.2.2', '::2')
  await a?.answer('1.1.1.1')
  const endpoint = (weight: number, priority: number, ...addresses: string[]) => ({
    addresses: addresses.map((address) => ({ address })),
    attributes: { weight, priority },
  })
  t.strictSame(bench.cc.states, [
    {
      endpoints: [
        endpoint(7, 10, '2.2.2.2:2', '[::2]:2'),
        endpoint(1, 10, '1.1.1.1:1'),
        endpoint(1, 20, '3.3.3.3:3'),
        endpoint(1, 30, '1.1.1.1:4'),
      ],
    },
  ])
  t.strictSame(bench.cc.states[0]?.endpoints.map(endpointWeight), [7, 1, 1, 1], 'policies see them')
})

t.test('an SRV target without addresses is left out; without any the lookup fails', async (t) => {
  const bench = new Bench(SERVICE, SRV)
  await bench.services[0]?.answer(record('a', 1, 1, 1), record('b', 2, 2, 1))
  await bench.questions[0]?.fail(noSuchHost())
  await bench.questions[1]?.answer('2.2.2.2')
  t.strictSame(bench.cc.log.splice(0), [['2.2.2.2:2']])
  bench.again()
  await bench.services[1]?.answer(record('a', 1, 1, 1), record('b', 2, 2, 1))
  await bench.questions[2]?.fail(noSuchHost())
  await bench.questions[3]?.fail(serverFailure())
  t.strictSame(bench.cc.log.splice(0), [
    'UNAVAILABLE: dns_lookup: A and AAAA of "b": queryTxt ESERVFAIL host',
  ])
})

t.test('a service that does not exist, or is not offered, is an error', async (t) => {
  const bench = new Bench(SERVICE, SRV)
  await bench.services[0]?.fail(noSuchHost())
  bench.clock.advance(1000)
  await bench.services[1]?.answer(record('', 0, 0, 0))
  t.equal(bench.questions.length, 0)
  t.strictSame(bench.cc.log, [
    'UNAVAILABLE: dns_lookup: SRV of "_grpc._tcp.example": no such host (ENOTFOUND)',
    'UNAVAILABLE: dns_lookup: SRV of "_grpc._tcp.example": the service is not offered',
  ])
})

t.test('SRV is for names of services only, and only if asked for', async (t) => {
  t.equal(new Bench('dns:///host', SRV).questions.length, 1)
  t.equal(new Bench(SERVICE).questions.length, 1)
  t.strictSame(new Bench('dns:///1.2.3.4', SRV).cc.log, [['1.2.3.4:443']])
  t.throws(() => new Bench(`${SERVICE}:80`, SRV), { message: /^dns_srv_port: / })
})

t.test('the :authority of a service is its domain', async (t) => {
  const builder = createDnsResolver(SRV)
  const authority = (text: string): string | undefined =>
    builder.defaultAuthority?.(findResolver(text, [builder]).target)
  t.equal(authority(SERVICE), 'example')
  t.equal(authority('dns:///host:80'), 'host:80')
})
