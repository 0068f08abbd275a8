import { getEventListeners } from 'node:events'
import t from 'tap'
import { PickFirstV1, RoundRobinV1 } from '../../../lib/balancer/index.ts'
import type { NamingUpdate } from '../../../lib/naming/index.ts'
import { settle } from '../../support/fake-network.ts'
import { ScriptedNaming } from '../../support/scripted-naming.ts'

const GONE = new Error('gone')

function add(...addresses: string[]): NamingUpdate[] {
  return addresses.map((address) => ({ op: 'add', address }))
}

function remove(...addresses: string[]): NamingUpdate[] {
  return addresses.map((address) => ({ op: 'delete', address }))
}

/** A balancer with a resolver, and what its gets have come to. */
class Bench {
  public readonly naming = new ScriptedNaming()
  public readonly balancer = new RoundRobinV1(this.naming)
  public readonly log: string[] = []

  public static async with(...addresses: string[]): Promise<Bench> {
    const bench = new Bench()
    bench.balancer.start('service')
    await bench.naming.tell(...add(...addresses))
    return bench
  }

  public up(address: string): ((error: Error) => void) | undefined {
    return this.balancer.up({ address })
  }

  /** Whatever comes of it is in the log. */
  public async get(waitForReady: boolean, signal?: AbortSignal): Promise<void> {
    const options = signal === undefined ? { waitForReady } : { waitForReady, signal }
    this.balancer.get(options).then(
      ({ address }) => this.log.push(address.address),
      (error: Error) => this.log.push(error.message),
    )
    await settle()
  }

  public takeLog(): string[] {
    return this.log.splice(0)
  }
}

t.test('without a resolver the target is the address', async (t) => {
  const balancer = new RoundRobinV1()
  balancer.start('a:1')
  t.equal(balancer.notify(), undefined)
  t.strictSame(await balancer.get({ waitForReady: false }), { address: { address: 'a:1' } })
})

t.test(
  'the resolver is asked for the target, whose addresses are told as whole lists',
  async (t) => {
    const bench = await Bench.with('a:1', 'b:1')
    t.strictSame(bench.naming.targets, ['service'])
    const lists = bench.balancer.notify()?.[Symbol.asyncIterator]()
    const next = async (): Promise<unknown> => (await lists?.next())?.value
    t.strictSame(await next(), [{ address: 'a:1' }, { address: 'b:1' }])
    await bench.naming.tell(...remove('a:1', 'nobody:1'), ...add('b:1', 'c:1'))
    await bench.naming.tell({ op: 'add', address: 'c:1', metadata: 7 })
    t.strictSame(
      await next(),
      [{ address: 'b:1' }, { address: 'c:1' }, { address: 'c:1', metadata: 7 }],
      'the newest only; duplicates but for their metadata are none',
    )
  },
)

t.test('addresses with a connection are given in turn', async (t) => {
  const bench = await Bench.with('a:1', 'b:1', 'c:1')
  bench.up('a:1')
  const down = bench.up('c:1')
  for (let call = 0; call < 3; call++) await bench.get(false)
  t.strictSame(bench.takeLog(), ['a:1', 'c:1', 'a:1'])
  bench.up('b:1')
  for (let call = 0; call < 3; call++) await bench.get(true)
  t.strictSame(bench.takeLog(), ['b:1', 'c:1', 'a:1'])
  down?.(GONE)
  for (let call = 0; call < 3; call++) await bench.get(true)
  t.strictSame(bench.takeLog(), ['b:1', 'a:1', 'b:1'])
})

t.test(
  'a call that does not wait gets an address whose turn it is, connected or not',
  async (t) => {
    const bench = await Bench.with()
    await bench.get(false)
    t.strictSame(bench.takeLog(), ['there is no address available'])
    await bench.naming.tell(...add('a:1', 'b:1'))
    for (let call = 0; call < 3; call++) await bench.get(false)
    t.strictSame(bench.takeLog(), ['a:1', 'b:1', 'a:1'])
    await bench.naming.tell(...remove('b:1'))
    await bench.get(false)
    t.strictSame(bench.takeLog(), ['a:1'], 'the turn was that of one that is gone')
  },
)

t.test('calls that wait are all woken by the first connection', async (t) => {
  const bench = await Bench.with('a:1', 'b:1')
  for (let call = 0; call < 3; call++) await bench.get(true)
  t.strictSame(bench.takeLog(), [])
  bench.up('other:1')
  await settle()
  t.strictSame(bench.takeLog(), [], 'one that is not listed is none')
  bench.up('b:1')
  await settle()
  t.strictSame(bench.takeLog(), ['b:1', 'b:1', 'b:1'])
})

t.test('one that was lost before it was taken is waited for again', async (t) => {
  const bench = await Bench.with('a:1')
  await bench.get(true)
  bench.up('a:1')?.(GONE)
  await settle()
  t.strictSame(bench.takeLog(), [])
  bench.up('a:1')
  await settle()
  t.strictSame(bench.takeLog(), ['a:1'])
})

t.test('the end of a call ends its wait', async (t) => {
  const bench = await Bench.with('a:1')
  const controller = new AbortController()
  await bench.get(true, controller.signal)
  controller.abort(new Error('too late'))
  await settle()
  t.strictSame(bench.takeLog(), ['too late'])
  await bench.get(true, controller.signal)
  t.strictSame(bench.takeLog(), ['too late'], 'one that is over does not wait')
  bench.up('a:1')
  await bench.get(true, controller.signal)
  t.strictSame(bench.takeLog(), ['a:1'])
})

t.test('nothing of a wait stays with a signal that lives on', async (t) => {
  const bench = await Bench.with('a:1')
  const { signal } = new AbortController()
  await bench.get(true, signal)
  t.equal(getEventListeners(signal, 'abort').length, 1)
  bench.up('a:1')
  await settle()
  t.strictSame(bench.takeLog(), ['a:1'])
  t.equal(getEventListeners(signal, 'abort').length, 0)
})

t.test('one that is connected already has no second down', async (t) => {
  const bench = await Bench.with('a:1')
  const down = bench.up('a:1')
  t.equal(bench.up('a:1'), undefined)
  down?.(GONE)
  t.type(bench.up('a:1'), 'function')
})

t.test('an address that leaves and comes back keeps its connection', async (t) => {
  const bench = await Bench.with('a:1')
  bench.up('a:1')
  await bench.naming.tell(...remove('a:1'))
  await bench.get(true)
  t.strictSame(bench.takeLog(), [])
  await bench.naming.tell(...add('a:1'))
  t.strictSame(bench.takeLog(), ['a:1'])
})

t.test('when the resolver gives up, what is known holds', async (t) => {
  const bench = await Bench.with('a:1')
  await bench.naming.end('past hope')
  await bench.get(false)
  t.strictSame(bench.takeLog(), ['a:1'])

  const hopeless = new Bench()
  hopeless.balancer.start('service')
  await hopeless.naming.end('past hope')
  await t.rejects(hopeless.balancer.get({ waitForReady: false }), {
    message: 'there is no address available',
    cause: { message: 'past hope' },
  })
})

t.test('a target that makes no sense is refused at the start', async (t) => {
  const bench = new Bench()
  bench.naming.refusal = 'no such name'
  t.throws(() => bench.balancer.start('service'), { message: 'no such name' })
})

t.test('close: calls are rejected, the lists end, the watcher is closed', async (t) => {
  const bench = await Bench.with('a:1')
  const lists = bench.balancer.notify()?.[Symbol.asyncIterator]()
  await lists?.next()
  const end = lists?.next()
  await bench.get(true)
  bench.balancer.close()
  t.strictSame(await end, { done: true, value: undefined })
  bench.up('a:1')
  for (const waitForReady of [true, false]) await bench.get(waitForReady)
  const closing = 'the balancer is closing'
  t.strictSame(bench.takeLog(), [closing, closing, closing])
  await bench.naming.tell(...add('b:1'))
  t.equal(bench.naming.closes, 1)
  t.throws(() => bench.balancer.start('service'), { message: closing })
  t.throws(() => bench.balancer.close(), { message: /^balancer_closed: .*balancer is closed$/ })
})

t.test('pick first is the same over addresses that share a connection', async (t) => {
  const balancer = new PickFirstV1()
  t.equal(balancer.sharesConnection, true)
  t.type(balancer, RoundRobinV1)
})
