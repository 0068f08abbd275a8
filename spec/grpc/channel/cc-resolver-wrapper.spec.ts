import t from 'tap'
import { Serializer } from '../../../lib/base/serializer.ts'
import { Code, type Status } from '../../../lib/base/status.ts'
import { CcResolverWrapper } from '../../../lib/grpc/channel/cc-resolver-wrapper.ts'
import { addressesOf, findResolver, type ResolverBuilder } from '../../../lib/naming/index.ts'
import { FakeClock } from '../../../lib/testing/index.ts'
import { settle } from '../../support/fake-network.ts'

const DOWN: Status = { code: Code.Unavailable, message: 'down' }

class Bench {
  public readonly clock = new FakeClock()
  public readonly log: string[] = []
  /** What the channel says to a state. */
  public accepts = true
  public readonly wrapper: CcResolverWrapper

  public constructor() {
    this.wrapper = new CcResolverWrapper(
      {
        handleResolvedAddrs: ({ endpoints }) => {
          this.log.push(`state ${addressesOf(endpoints).map(({ address }) => address)}`)
          return this.accepts
        },
        handleResolverError: ({ message }) => this.log.push(`error ${message}`),
      },
      new Serializer(),
      { clock: this.clock, random: () => 0.5 },
    )
  }

  public start(builder: Partial<ResolverBuilder> = {}): this {
    const resolver: ResolverBuilder = {
      scheme: 'spec',
      build: () => ({
        resolveNow: () => this.log.push('resolveNow'),
        close: () => this.log.push('close'),
      }),
      ...builder,
    }
    this.wrapper.start(findResolver('spec:x', [resolver]))
    return this
  }

  public tell(...addresses: string[]): void {
    this.wrapper.newAddress(addresses.map((address) => ({ address })))
  }
}

t.test('the newest state wins, and comes after the resolver’s own code', async (t) => {
  const bench = new Bench().start()
  bench.tell('a:1')
  bench.tell('b:1', 'c:1')
  t.strictSame(bench.log, [])
  await settle()
  t.strictSame(bench.log, ['state b:1,c:1'])
})

t.test('a resolver may answer while it is being built', async (t) => {
  const bench = new Bench().start({
    build(_target, cc) {
      cc.newAddress([{ address: 'a:1' }])
      return { resolveNow() {}, close() {} }
    },
  })
  await settle()
  t.strictSame(bench.log, ['state a:1'])
})

t.test('an error comes after the state that it follows, and not after a newer one', async (t) => {
  const bench = new Bench().start()
  bench.tell('a:1')
  bench.wrapper.reportError(DOWN)
  await settle()
  t.strictSame(bench.log.splice(0), ['state a:1', 'error down'])
  bench.wrapper.reportError(DOWN)
  bench.tell('b:1')
  await settle()
  t.strictSame(bench.log, ['state b:1'])
})

t.test('a resolver that cannot be built is one that fails', async (t) => {
  const bench = new Bench().start({
    build() {
      throw new Error('dns_target: nonsense')
    },
  })
  await settle()
  t.strictSame(bench.log, ['error name resolver: dns_target: nonsense'])
  bench.wrapper.resolveNow()
  bench.wrapper.close()
  await settle()
  t.equal(bench.log.length, 1)
})

t.test('a resolver that throws when asked is one that fails', async (t) => {
  const bench = new Bench().start({
    build: () => ({
      resolveNow() {
        throw new Error('a bug')
      },
      close() {},
    }),
  })
  bench.wrapper.resolveNow()
  await settle()
  t.strictSame(bench.log, ['error name resolver: a bug'])
})

t.test('resolveNow never runs inside the code that wants it', async (t) => {
  const bench = new Bench().start()
  bench.wrapper.resolveNow()
  t.strictSame(bench.log, [])
  await settle()
  t.strictSame(bench.log, ['resolveNow'])
})

t.test('a state that is refused is resolved again with a growing backoff', async (t) => {
  const bench = new Bench().start()
  bench.accepts = false
  for (const waitMs of [1000, 1600, 2560]) {
    bench.tell()
    await settle()
    bench.log.length = 0
    bench.clock.advance(waitMs - 1)
    await settle()
    t.strictSame(bench.log, [])
    bench.clock.advance(1)
    await settle()
    t.strictSame(bench.log, ['resolveNow'])
  }
  bench.accepts = true
  bench.tell('a:1')
  await settle()
  t.equal(bench.clock.pending, 0)
  bench.accepts = false
  bench.tell()
  await settle()
  t.equal(bench.clock.nextDueMs(), bench.clock.nowMs() + 1000, 'small again after a good one')
})

t.test('close: the resolver is closed once and nothing of it is heard any more', async (t) => {
  const bench = new Bench().start()
  bench.accepts = false
  bench.tell()
  await settle()
  bench.log.length = 0
  bench.tell('a:1')
  bench.wrapper.reportError(DOWN)
  bench.wrapper.resolveNow()
  bench.wrapper.close()
  bench.wrapper.close()
  bench.tell('b:1')
  await settle()
  t.strictSame(bench.log, ['close'])
  t.equal(bench.clock.pending, 0)
})
