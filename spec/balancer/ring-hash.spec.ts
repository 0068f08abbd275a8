// ring_hash_experimental: the ring, and the policy that walks it.
import t from 'tap'
import { ConnectivityState, parseLbConfig, ringHash } from '../../lib/balancer/index.ts'
import { grownSize, Ring, ringPosition } from '../../lib/balancer/ring.ts'
import { seededRandom } from '../../lib/base/random.ts'
import { Code } from '../../lib/base/status.ts'
import { endpointOf, PolicyBench } from '../support/policy-bench.ts'

const { Idle, Ready } = ConnectivityState
const CONFIG = {
  minRingSize: 1024,
  maxRingSize: 4096,
  entriesPerEndpoint: 0,
  requestHashHeader: 'user',
}

function members(count: number): { hashKey: string; weight: number }[] {
  return Array.from({ length: count }, (_, i) => ({ hashKey: `10.0.0.${i}:80`, weight: 1 }))
}

function backends(count: number): string[] {
  return members(count).map(({ hashKey }) => hashKey)
}

function newBench(config: object = {}): PolicyBench<typeof CONFIG> {
  return new PolicyBench(ringHash, { ...CONFIG, ...config }, seededRandom(3))
}

const KEYS = 10_000

/** Where the keys went that moved when the last of `n` backends joined. */
function movedTo(n: number): number[] {
  const before = owners(new Ring(members(n - 1), 1024, 4096), KEYS)
  const after = owners(new Ring(members(n), 1024, 4096), KEYS)
  return after.filter((owner, i) => owner !== before[i])
}

/** Who gets each of `count` keys. */
function owners(ring: Ring, count: number): number[] {
  return Array.from({ length: count }, (_, i) =>
    ring.ownerAfter(ring.find(ringPosition(`user ${i}`)), 0),
  )
}

t.test('the ring', async (t) => {
  t.test('moves at most 1.5/n of the keys when a backend joins', async (t) => {
    // As long as nobody's entries become fewer: the joiner takes its share, and that is all.
    for (const n of [50, 80, 200]) {
      const moved = movedTo(n)
      t.ok(moved.length > 0 && moved.length <= (1.5 / n) * KEYS, `${n}: ${moved.length} moved`)
      t.strictSame(new Set(moved), new Set([n - 1]), 'all to the new one')
    }
    // A ring of the least size has a place for each: 1/n of the entries go, and as many come.
    for (const n of [5, 10, 20]) {
      const moved = movedTo(n).length
      t.ok(moved > 0 && moved <= (2 / n) * KEYS, `${n}: ${moved} moved`)
    }
  })

  t.test('that grows with its members moves no more than that, however few they are', async (t) => {
    const grown = (n: number): number[] => {
      const size = grownSize(members(n), 200)
      return owners(new Ring(members(n), size, size), KEYS)
    }
    for (const n of [2, 3, 5, 10, 11, 20, 21, 100]) {
      const before = grown(n - 1)
      const moved = grown(n).filter((owner, i) => owner !== before[i])
      t.ok(moved.length > 0 && moved.length <= (1.5 / n) * KEYS, `${n}: ${moved.length} moved`)
      t.strictSame(new Set(moved), new Set([n - 1]), 'all to the new one')
    }
    t.equal(grownSize(members(10_000), 4096), 131_072, 'it has an end')
    t.equal(grownSize([{ hashKey: 'heavy', weight: 3 }, ...members(1)], 10), 40)
  })

  t.test('gives by weight', async (t) => {
    const ring = new Ring([{ hashKey: 'heavy', weight: 3 }, ...members(1)], 1024, 4096)
    const heavy = owners(ring, 10_000).filter((owner) => owner === 0).length
    t.ok(Math.abs(heavy - 7500) < 500, `${heavy}`)
  })

  t.test('is as large as the lightest needs, within bounds', async (t) => {
    const rows: [weights: number[], min: number, max: number, size: number][] = [
      [[1, 1, 1], 9, 100, 9],
      [[1, 1, 1], 10, 100, 12],
      [[3, 3, 4], 10, 20, 10],
      [[1, 99], 10, 20, 20],
      [[1], 1, 1, 1],
    ]
    for (const [weights, min, max, size] of rows) {
      const list = weights.map((weight, i) => ({ hashKey: `m${i}`, weight }))
      t.equal(new Ring(list, min, max).size, size, weights.join())
    }
  })

  t.test('has no end', async (t) => {
    const ring = new Ring(members(2), 4, 4)
    t.equal(ring.find(2 ** 53), 0)
    t.equal(ring.ownerAfter(3, 1), ring.ownerAfter(0, 0))
  })
})

t.test('a backend is connected by the first call with a key of its own', async (t) => {
  const bench = newBench()
  bench.resolve(...backends(10))
  t.strictSame(bench.cc.takeLog(), ['IDLE'])
  t.strictSame(bench.picks(1, { user: 'x' }), ['wait'])
  const [address] = bench.cc.subConns[0]!.addresses as [string]
  t.strictSame(bench.cc.takeLog(), ['CONNECTING', `newSubConn ${address}`, `connect ${address}`])
  bench.ready(address)
  t.equal(bench.state, Ready)
  t.strictSame(bench.picks(3, { user: 'x' }), [address, address, address])
})

t.test('keys keep to their backends, which are many', async (t) => {
  const bench = newBench()
  bench.resolve(...backends(10))
  const keys = Array.from({ length: 100 }, (_, i) => ({ user: `${i}` }))
  for (const key of keys) bench.picks(1, key)
  bench.ready(...backends(10))
  const taken = keys.map((key) => bench.picks(1, key)[0]!)
  t.strictSame(
    keys.map((key) => bench.picks(1, key)[0]!),
    taken,
  )
  t.equal(new Set(taken).size, 10)
  bench.resolve(...backends(10).reverse())
  t.strictSame(
    keys.map((key) => bench.picks(1, key)[0]!),
    taken,
    'in whatever order they are listed',
  )
})

t.test('with entriesPerEndpoint a backend that joins takes its share and no more', async (t) => {
  const bench = newBench({ entriesPerEndpoint: 200 })
  const keys = Array.from({ length: 2000 }, (_, i) => ({ user: `${i}` }))
  const taken = (): string[] => keys.map((key) => bench.picks(1, key)[0]!)
  bench.resolve(...backends(10))
  taken()
  bench.ready(...backends(10))
  const before = taken()
  bench.resolve(...backends(11))
  taken()
  bench.ready(backends(11).at(-1)!)
  const moved = taken().filter((address, i) => address !== before[i])
  t.ok(moved.length > 0 && moved.length <= (1.5 / 11) * keys.length, `${moved.length} moved`)
  t.strictSame(new Set(moved), new Set([backends(11).at(-1)]))
})

t.test('a backend that is down is passed over, and without any calls fail', async (t) => {
  const bench = newBench()
  bench.resolve('a:1', 'b:1')
  bench.picks(1, { user: 'x' })
  const [first] = bench.cc.subConns[0]!.addresses as [string]
  const second = first === 'a:1' ? 'b:1' : 'a:1'
  bench.fail(first)
  t.equal(bench.state, 'CONNECTING')
  t.ok(bench.at(second), 'another one is tried without a call')
  t.strictSame(bench.picks(1, { user: 'x' }), ['wait'])
  bench.ready(second)
  t.strictSame(bench.picks(2, { user: 'x' }), [second, second])
  bench.at(second).move(Idle)
  bench.picks(1, { user: 'x' })
  bench.fail(second)
  t.equal(bench.state, 'TRANSIENT_FAILURE')
  t.match(bench.cc.pick({ user: 'x' }), {
    kind: 'fail',
    status: { message: `${first}: refused` },
  })
  t.match(bench.cc.pick(), { kind: 'fail' })
})

t.test('calls without the header take what is READY, and have one more connected', async (t) => {
  const bench = newBench()
  bench.resolve(...backends(4))
  t.strictSame(bench.picks(3), ['wait', 'wait', 'wait'])
  t.equal(bench.cc.subConns.length, 1, 'one at a time')
  const [address] = bench.cc.subConns[0]!.addresses as [string]
  bench.ready(address)
  t.strictSame([...new Set(bench.picks(20))], [address])
  t.equal(bench.cc.subConns.length, 2)
  const byChance = newBench({ requestHashHeader: '' })
  byChance.resolve(...backends(4))
  for (let i = 0; i < 4; i++) {
    byChance.picks(50, { user: 'x' })
    byChance.ready(...byChance.cc.subConns.at(-1)!.addresses)
  }
  t.equal(new Set(byChance.picks(100)).size, 4)
})

t.test('who wants a connection without a call gets one', async (t) => {
  const bench = newBench()
  bench.policy.exitIdle()
  bench.resolve(...backends(4))
  bench.policy.exitIdle()
  bench.policy.exitIdle()
  t.equal(bench.cc.subConns.length, 1)
  bench.ready(...bench.cc.subConns[0]!.addresses)
  bench.policy.exitIdle()
  t.equal(bench.cc.subConns.length, 1)
})

t.test('two failures are a failure, even while a third connects', async (t) => {
  const bench = newBench()
  bench.resolve(...backends(4))
  for (let i = 0; i < 4; i++) bench.picks(50)
  bench.fail(...bench.cc.subConns[0]!.addresses)
  t.equal(bench.state, 'CONNECTING')
  bench.fail(...bench.cc.subConns[1]!.addresses)
  t.equal(bench.state, 'TRANSIENT_FAILURE')
  t.equal(bench.cc.subConns.length, 3)
  bench.ready(...bench.cc.subConns[2]!.addresses)
  t.equal(bench.state, 'READY')
})

t.test('an endpoint may have a key other than its address', async (t) => {
  const taken = (address: string): string => {
    const bench = newBench()
    bench.resolve(
      endpointOf(address, { hashKey: 'the first' }),
      endpointOf('z:1', { hashKey: 'the second' }),
    )
    for (let i = 0; i < 10; i++) bench.picks(1, { user: `${i}` })
    bench.ready(address, 'z:1')
    return Array.from({ length: 10 }, (_, i) => bench.picks(1, { user: `${i}` })[0])
      .map((one) => (one === 'z:1' ? '2' : '1'))
      .join('')
  }
  t.match(taken('a:1'), /^(?=.*1)(?=.*2)/)
  t.equal(taken('a:1'), taken('other:7'))
})

t.test('without endpoints calls fail', async (t) => {
  const bench = newBench()
  t.equal(bench.resolve(), false)
  t.match(bench.cc.pick(), { kind: 'fail', status: { message: /no addresses/ } })
  bench.policy.resolverError({ code: Code.Unavailable, message: 'no name' })
  t.match(bench.cc.pick(), { kind: 'fail', status: { message: 'no name' } })
  bench.resolve('a:1')
  t.equal(bench.state, Idle)
  bench.policy.resolverError({ code: Code.Unavailable, message: 'no name' })
  t.equal(bench.state, Idle, 'what is known still holds')
  bench.policy.close()
})

t.test('the config', async (t) => {
  const parse = (json: unknown): unknown =>
    parseLbConfig([{ ring_hash_experimental: json }], 'lb').config
  const base = { ...CONFIG, requestHashHeader: '' }
  const rows: [unknown, object | RegExp][] = [
    [{}, base],
    [{ minRingSize: 0, maxRingSize: 0 }, base],
    [
      { minRingSize: 5000, maxRingSize: 8388608 },
      { ...base, minRingSize: 4096 },
    ],
    [{ requestHashHeader: 'X-User' }, { ...base, requestHashHeader: 'x-user' }],
    [{ entriesPerEndpoint: 200 }, { ...base, entriesPerEndpoint: 200 }],
    [{ entriesPerEndpoint: 4097 }, /entriesPerEndpoint: got 4097/],
    [{ minRingSize: 8388609 }, /minRingSize: got 8388609/],
    [{ minRingSize: 5000 }, /minRingSize: got 5000, want at most maxRingSize, 4096/],
    [{ requestHashHeader: 'x-bin' }, /requestHashHeader: got "x-bin"/],
    [{ requestHashHeader: 'x y' }, /requestHashHeader: got "x y"/],
  ]
  for (const [json, want] of rows) {
    if (want instanceof RegExp) t.throws(() => parse(json), want)
    else t.strictSame(parse(json), want)
  }
})
