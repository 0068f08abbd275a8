import fc from 'fast-check'
import t from 'tap'
import { seededRandom } from '../../lib/base/random.ts'
import { isServiceName, serviceDomain, srvOrder } from '../../lib/naming/srv.ts'

t.test('which names are names of services', async (t) => {
  for (const [name, domain] of [
    ['_grpc._tcp.example.org', 'example.org'],
    ['_a._udp.b', 'b'],
    ['example.org', undefined],
    ['_grpc.example.org', undefined],
    ['_grpc._tcp', undefined],
    ['x._grpc._tcp.y', undefined],
  ] as const) {
    t.equal(isServiceName(name), domain !== undefined, name)
    t.equal(serviceDomain(name), domain ?? name)
  }
})

t.test('no record is lost, and priorities go up', async () => {
  const record = fc.record({
    host: fc.constantFrom('a', 'b', 'c'),
    port: fc.nat(65535),
    priority: fc.nat(3),
    weight: fc.nat(65535),
  })
  fc.assert(
    fc.property(fc.array(record), fc.integer(), (records, seed) => {
      const ordered = srvOrder(records, seededRandom(seed))
      const isSorted = ordered.every((it, i) => i === 0 || ordered[i - 1]!.priority <= it.priority)
      return (
        isSorted && ordered.length === records.length && records.every((it) => ordered.includes(it))
      )
    }),
  )
})

t.test('within a priority the first is each one’s by its share of the weights', async (t) => {
  const random = seededRandom(1)
  const firsts = new Map<string, number>()
  const records = [
    { host: 'heavy', port: 1, priority: 1, weight: 30 },
    { host: 'light', port: 1, priority: 1, weight: 10 },
    { host: 'none', port: 1, priority: 1, weight: 0 },
  ]
  for (let i = 0; i < 4000; i++) {
    const { host } = srvOrder(records, random)[0]!
    firsts.set(host, (firsts.get(host) ?? 0) + 1)
  }
  const near = (host: string, want: number): boolean => Math.abs(firsts.get(host)! - want) < 150
  t.ok(near('heavy', 3000) && near('light', 1000), JSON.stringify([...firsts]))
  t.ok((firsts.get('none') ?? 0) < 5)
})
