import fc from 'fast-check'
import t from 'tap'
import { integerOctets, readInteger, writeInteger } from '../../lib/hpack/integer.ts'
import { octets } from './support.ts'

const read = (hex: string, mask: number): number => {
  const buf = octets(hex)
  return readInteger({ buf, pos: 0, end: buf.length }, mask)
}

const write = (mask: number, value: number): string => {
  const buf = Buffer.alloc(8)
  return buf.toString('hex', 0, writeInteger(buf, 0, 0, mask, value))
}

t.test('the examples of RFC 7541 C.1', async (t) => {
  for (const [value, mask, wire] of [
    [10, 0x1f, '0a'],
    [1337, 0x1f, '1f9a0a'],
    [42, 0xff, '2a'],
  ] as const) {
    t.equal(read(wire, mask), value)
    t.equal(write(mask, value), wire)
  }
})

t.test('values at the bounds of the prefix and of each continuation octet', async (t) => {
  for (const [value, wire] of [
    [0, '00'],
    [126, '7e'],
    [127, '7f00'],
    [254, '7f7f'],
    [255, '7f8001'],
    [127 + 2 ** 14 - 1, '7fff7f'],
    [127 + 2 ** 14, '7f808001'],
    [127 + 2 ** 21, '7f80808001'],
    [127 + 2 ** 28, '7f8080808001'],
    [2 ** 31 - 1, '7f80ffffff07'],
  ] as const) {
    t.equal(read(wire, 0x7f), value, wire)
    t.equal(write(0x7f, value), wire, wire)
    t.equal(integerOctets(0x7f, value), wire.length / 2, wire)
  }
})

t.test(
  'bits outside the prefix are the pattern when writing, and ignored when reading',
  async (t) => {
    const buf = Buffer.alloc(4)
    t.equal(writeInteger(buf, 1, 0x20, 0x1f, 31), 3)
    t.same(buf, octets('00 3f 00 00'))
    t.equal(read('ff 9a 0a', 0x1f), 1337)
  },
)

t.test('needless zero octets are allowed as long as there are at most 5', async (t) => {
  t.equal(read('7f 80 80 80 80 00', 0x7f), 127)
})

for (const [token, wire] of [
  ['integer_truncated', '7f'],
  ['integer_truncated', '7f 80'],
  ['integer_truncated', '7f 80 80 80 80'],
  ['integer_too_large', '7f 81 ff ff ff 07'],
  ['integer_too_large', '7f ff ff ff ff 7f'],
  ['integer_too_long', '7f 80 80 80 80 80'],
  ['integer_too_long', '7f 80 80 80 80 80 00'],
  ['integer_too_long', `7f ${'ff'.repeat(1_000_000)}`],
] as const) {
  t.test(`${token}: ${wire.slice(0, 24)}`, async (t) => {
    t.throws(() => read(wire, 0x7f), { name: 'HpackError', token })
  })
}

t.test('the block may end inside the buffer', async (t) => {
  t.throws(() => readInteger({ buf: octets('7f 80 01'), pos: 0, end: 2 }, 0x7f), {
    name: 'HpackError',
    token: 'integer_truncated',
  })
})

t.test('any value is read as it was written', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.nat(2 ** 31 - 1), (bits, value) => {
      const mask = 2 ** bits - 1
      const wire = write(mask, value)
      return read(wire, mask) === value && integerOctets(mask, value) === wire.length / 2
    }),
  )
})
