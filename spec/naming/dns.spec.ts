import t from 'tap'
import {
  createDnsResolver,
  type DnsLookup,
  findResolver,
  type Resolver,
} from '../../lib/naming/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { settle } from '../support/fake-network.ts'
import { RecordingConn } from '../support/recording-conn.ts'

interface Question {
  readonly host: string
  readonly signal: AbortSignal
  answer(...addresses: string[]): Promise<void>
  fail(error: Error): Promise<void>
}

/** A resolver whose look-ups the spec answers. */
class Bench {
  public readonly clock = new FakeClock()
  public readonly cc = new RecordingConn()
  public readonly questions: Question[] = []
  public readonly servers: (string | undefined)[] = []
  public readonly resolver: Resolver

  public constructor(text = 'dns:///host:50051') {
    const lookup: DnsLookup = {
      addresses: (host, signal) =>
        new Promise((resolve, reject) => {
          this.questions.push({
            host,
            signal,
            answer(...addresses) {
              resolve(addresses)
              return settle()
            },
            fail(error) {
              reject(error)
              return settle()
            },
          })
        }),
    }
    const builder = createDnsResolver({
      lookup: (server) => {
        this.servers.push(server)
        return lookup
      },
    })
    const { target } = findResolver(text, [builder])
    this.resolver = builder.build(target, this.cc, { clock: this.clock, random: () => 0.5 })
  }

  public get last(): Question {
    return this.questions.at(-1) as Question
  }
}

function noSuchHost(): Error {
  return Object.assign(new Error('getaddrinfo ENOTFOUND host'), { code: 'ENOTFOUND' })
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
  t.strictSame(bench.cc.log, ['UNAVAILABLE: dns: looking up "host": no such host (ENOTFOUND)'])
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
  t.strictSame(bench.cc.log, ['UNAVAILABLE: dns: looking up "host": no answer within 30000 ms'])
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
