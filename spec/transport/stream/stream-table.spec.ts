import fc from 'fast-check'
import t from 'tap'
import type { Stream } from '../../../lib/transport/index.ts'
import { StreamTable } from '../../../lib/transport/stream/stream-table.ts'

/** The table looks at the identifier alone. */
const stream = (id: number): Stream => ({ id }) as Stream

t.test('a stream is found by its identifier until it is removed', (t) => {
  const table = new StreamTable()
  const [first, second] = [stream(1), stream(3)]
  t.equal(table.get(1), undefined)
  table.add(first)
  table.add(second)
  t.equal(table.get(1), first)
  t.equal(table.get(3), second)
  t.equal(table.get(5), undefined)
  table.remove(first)
  t.equal(table.get(1), undefined)
  t.equal(table.size, 1)
  t.strictSame(table.list(), [second])
  t.end()
})

t.test('a stream that lives long is found beside ten thousand that come and go', (t) => {
  const table = new StreamTable()
  const old = stream(1)
  table.add(old)
  for (let id = 3; id < 20_003; id += 2) {
    const young = stream(id)
    table.add(young)
    if (table.get(id) !== young || table.get(1) !== old) t.fail(`at stream ${id}`)
    table.remove(young)
  }
  t.equal(table.size, 1)
  t.strictSame(table.list(), [old])
  t.end()
})

t.test('it is what a Map is, whatever is added and removed', (t) => {
  const ids = fc.integer({ min: 0, max: 300 }).map((n) => 2 * n + 1)
  fc.assert(
    fc.property(fc.array(ids, { maxLength: 400 }), (sequence) => {
      const table = new StreamTable()
      const model = new Map<number, Stream>()
      for (const id of sequence) {
        const known = model.get(id)
        if (known === undefined) {
          const added = stream(id)
          table.add(added)
          model.set(id, added)
        } else {
          table.remove(known)
          model.delete(id)
        }
        if (table.size !== model.size || table.get(id) !== model.get(id)) return false
      }
      const listed = table.list().sort((a, b) => a.id - b.id)
      const expected = [...model.values()].sort((a, b) => a.id - b.id)
      return listed.length === expected.length && listed.every((one, at) => one === expected[at])
    }),
    { numRuns: 300 },
  )
  t.end()
})

t.test('all streams at once, with identifiers far apart', (t) => {
  const table = new StreamTable()
  const streams = Array.from({ length: 500 }, (_, n) => stream(2 * n * 1024 + 1))
  for (const one of streams) table.add(one)
  t.ok(streams.every((one) => table.get(one.id) === one))
  t.equal(table.list().length, 500)
  for (const one of streams) table.remove(one)
  t.equal(table.size, 0)
  t.strictSame(table.list(), [])
  t.end()
})
