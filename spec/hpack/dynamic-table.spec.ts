// The dynamic table, and the encoder's searchable one, which must agree with it.
import fc from 'fast-check'
import hpack from 'hpack.js'
import t from 'tap'
import { DynamicTable } from '../../lib/hpack/dynamic-table.ts'
import { EncoderTable } from '../../lib/hpack/encoder-table.ts'
import { STATIC_FIELDS, STATIC_LENGTH, STATIC_NAMES } from '../../lib/hpack/static-table.ts'

const sizeOf = (name: string, value: string): number => name.length + value.length + 32

const insert = (table: DynamicTable, name: string, value: string): void =>
  table.insert(name, value, sizeOf(name, value))

const fieldAt = (table: DynamicTable, index: number): string[] => {
  const slot = table.slotOf(index)
  return [table.listOf(index)[slot]!, table.listOf(index)[slot + 1]!]
}

/** All dynamic fields, the newest first. */
const fieldsOf = (table: DynamicTable): string[][] =>
  Array.from({ length: table.length }, (_, i) => fieldAt(table, STATIC_LENGTH + 1 + i))

t.test('the static table is that of hpack.js', async (t) => {
  const wanted = hpack['static-table'].table.map(({ name, value }) => [name, value])
  const table = new DynamicTable(0)
  t.equal(table.lastIndex, STATIC_LENGTH)
  t.same(
    Array.from({ length: STATIC_LENGTH }, (_, i) => fieldAt(table, i + 1)),
    wanted,
  )
  for (const [name, index] of STATIC_NAMES) {
    t.equal(wanted.findIndex((field) => field[0] === name) + 1, index, `lowest index of ${name}`)
  }
  t.equal(STATIC_FIELDS.length, 2 * (STATIC_LENGTH + 1))
})

t.test('the newest entry has the lowest index, 62', async (t) => {
  const table = new DynamicTable(4096)
  insert(table, 'a', '1')
  insert(table, 'b', '2')
  t.same(fieldAt(table, 62), ['b', '2'])
  t.same(fieldAt(table, 63), ['a', '1'])
  t.equal(table.lastIndex, 63)
  t.equal(table.bytes, 68)
})

t.test('an entry that fits exactly stays, one octet less and it goes', async (t) => {
  const table = new DynamicTable(68)
  insert(table, 'a', '1')
  insert(table, 'b', '2')
  t.equal(table.length, 2)
  table.setMaxBytes(67)
  t.same(fieldsOf(table), [['b', '2']])
  table.setMaxBytes(33)
  t.same(fieldsOf(table), [])
  t.equal(table.bytes, 0)
})

t.test('an insertion evicts as many of the oldest as it takes', async (t) => {
  const table = new DynamicTable(102)
  for (const name of ['a', 'b', 'c']) insert(table, name, '1')
  insert(table, 'd', '22')
  t.same(fieldsOf(table), [
    ['d', '22'],
    ['c', '1'],
  ])
})

t.test('an entry of the size of the table evicts all others', async (t) => {
  const table = new DynamicTable(68)
  insert(table, 'a', '1')
  insert(table, 'b', 'x'.repeat(35))
  t.same(fieldsOf(table), [['b', 'x'.repeat(35)]])
})

t.test('an entry larger than the table empties it and is not an error', async (t) => {
  for (const Table of [DynamicTable, EncoderTable]) {
    const table = new Table(68)
    insert(table, 'a', '1')
    insert(table, 'b', 'x'.repeat(36))
    t.same(fieldsOf(table), [])
    t.equal(table.bytes, 0)
    insert(table, 'c', '1')
    t.same(fieldsOf(table), [['c', '1']])
  }
})

t.test('a table of no octets holds nothing', async (t) => {
  const table = new DynamicTable(0)
  insert(table, '', '')
  t.equal(table.length, 0)
})

t.test('every change changes the version', async (t) => {
  const table = new DynamicTable(100)
  const versions = new Set([table.version])
  insert(table, 'a', '1')
  versions.add(table.version)
  insert(table, 'b', 'x'.repeat(100))
  versions.add(table.version)
  table.setMaxBytes(50)
  versions.add(table.version)
  table.setMaxBytes(50)
  versions.add(table.version)
  t.equal(versions.size, 5)
})

t.test('find: static before dynamic names, the newest of equal names', async (t) => {
  const table = new EncoderTable(4096)
  t.equal(table.find(':method', 'POST'), 3)
  t.equal(table.find(':method', 'PUT'), -2, 'lowest static index of the name')
  t.equal(table.find('x', '1'), 0)
  insert(table, 'x', '1')
  t.equal(table.find('x', '1'), 62)
  t.equal(table.find('x', '2'), -62)
  insert(table, 'x', '2')
  t.equal(table.find('x', '1'), 63)
  t.equal(table.find('x', '2'), 62)
  t.equal(table.find('x', '3'), -62)
  t.equal(table.find(':method', 'PUT'), -2)
  insert(table, ':method', 'PUT')
  t.equal(table.find(':method', 'PUT'), 62)
  t.equal(table.find(':method', 'POST'), 3)
  t.equal(table.findName(':method'), 2)
  t.equal(table.findName('x'), 63)
  t.equal(table.findName('authorization'), 23)
  t.equal(table.findName('y'), 0)
})

t.test('find: what was evicted is not found, whether newest of its name or not', async (t) => {
  const table = new EncoderTable(2 * 34)
  insert(table, 'x', '1')
  insert(table, 'x', '2')
  insert(table, 'x', '3')
  t.equal(table.find('x', '1'), -62)
  t.equal(table.find('x', '2'), 63)
  table.setMaxBytes(0)
  t.equal(table.find('x', '3'), 0)
  t.equal(table.findName('x'), 0)
})

t.test('earnsEntry: when the name has none, or the newest was found again', async (t) => {
  const table = new EncoderTable(4096)
  t.ok(table.earnsEntry('x'))
  insert(table, 'x', '1')
  t.notOk(table.earnsEntry('x'))
  t.equal(table.find('x', '2'), -62)
  t.notOk(table.earnsEntry('x'), 'the name alone was of use')
  table.find('x', '1')
  t.ok(table.earnsEntry('x'))
  insert(table, 'x', '2')
  t.notOk(table.earnsEntry('x'))
  table.setMaxBytes(0)
  t.ok(table.earnsEntry('x'))
})

t.test('names that objects have by birth are ordinary names', async (t) => {
  const table = new EncoderTable(4096)
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf']) {
    t.equal(table.find(name, 'x'), 0, name)
    insert(table, name, '__proto__')
    t.equal(table.find(name, '__proto__'), 62, name)
    t.equal(table.find(name, 'toString'), -62, name)
  }
})

/** A table as the RFC tells it, with no thought of speed. */
class NaiveTable {
  public fields: string[][] = []
  public maxBytes: number

  public constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }
  public get bytes(): number {
    return this.fields.reduce((sum, [name, value]) => sum + sizeOf(name!, value!), 0)
  }
  public insert(name: string, value: string): void {
    this.fields.unshift([name, value])
    this.setMaxBytes(this.maxBytes)
  }
  public setMaxBytes(maxBytes: number): void {
    this.maxBytes = maxBytes
    while (this.bytes > maxBytes) this.fields.pop()
  }
  public find(name: string, value: string): number {
    return 62 + this.fields.findIndex((field) => field[0] === name && field[1] === value)
  }
}

t.test('any history gives the table of the RFC, and every entry can be found', async () => {
  const field = fc.record({
    name: fc.constantFrom('a', 'bb', ':path', 'te', '__proto__'),
    value: fc.string({ maxLength: 40 }),
  })
  const step = fc.oneof({ weight: 9, arbitrary: field }, fc.integer({ min: 0, max: 400 }))
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 600 }),
      fc.array(step, { maxLength: 80 }),
      (max, steps) => {
        const naive = new NaiveTable(max)
        const table = new EncoderTable(max)
        for (const step of steps) {
          if (typeof step === 'number') {
            naive.setMaxBytes(step)
            table.setMaxBytes(step)
          } else if (table.find(step.name, step.value) <= 0) {
            naive.insert(step.name, step.value)
            insert(table, step.name, step.value)
          }
          const found = naive.fields.every(
            ([name, value]) => table.find(name!, value!) === naive.find(name!, value!),
          )
          const same = JSON.stringify(fieldsOf(table)) === JSON.stringify(naive.fields)
          if (!found || !same || table.bytes !== naive.bytes) return false
        }
        return true
      },
    ),
  )
})
