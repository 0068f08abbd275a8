import fc from 'fast-check'
import hpack from 'hpack.js'
import t from 'tap'
import { decodeHuffman, encodeHuffman, maxDecodedOctets } from '../../lib/hpack/huffman.ts'
import { CODE_BITS, CODES, EOS } from '../../lib/hpack/huffman-codes.ts'
import { readString, writeString } from '../../lib/hpack/string-literal.ts'
import { octets } from './support.ts'

const ROOM = 1_000_000

function encode(text: string): Buffer {
  const buf = Buffer.alloc(text.length * 4 + 4)
  return buf.subarray(0, encodeHuffman(text, buf, 0, ROOM))
}

function decode(wire: Buffer): string {
  const out = Buffer.alloc(maxDecodedOctets(wire.length) + 1)
  return out.toString('latin1', 0, decodeHuffman(wire, 0, wire.length, out))
}

const latin1 = (options: fc.StringConstraints = {}): fc.Arbitrary<string> =>
  fc.string({ unit: fc.nat(255).map((octet) => String.fromCharCode(octet)), ...options })

t.test('the codes are those of hpack.js', async (t) => {
  const ours = Array.from(CODES, (code, symbol) => [CODE_BITS[symbol], code])
  t.same(ours, hpack.huffman.encode)
  t.equal(ours.length, EOS + 1)
})

t.test('every octet alone and beside every other', async (t) => {
  let wrong = 0
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) {
      const text = String.fromCharCode(first, second)
      if (decode(encode(text)) !== text) wrong++
    }
    const text = String.fromCharCode(first)
    if (decode(encode(text)) !== text) wrong++
  }
  t.equal(wrong, 0)
})

t.test('any string is decoded as it was encoded', async () => {
  fc.assert(fc.property(latin1({ maxLength: 300 }), (text) => decode(encode(text)) === text))
})

t.test('padding is at most 7 bits, all ones', async (t) => {
  t.equal(decode(octets('1f')), 'a', '5 bits and 3 of padding')
  t.equal(decode(octets('18 c6 31 ff')), 'aaaaa', '25 bits and 7 of padding')
  t.equal(decode(octets('f8')), '&', '8 bits, none of padding')
  for (const [what, wire] of [
    ['8 bits of padding', 'ff'],
    ['11 bits of padding', '1f ff'],
    ['a zero in the padding', '1e'],
    ['24 bits of padding', 'ff ff ff'],
  ] as const) {
    t.throws(() => decode(octets(wire)), { name: 'HpackError', token: 'huffman_padding' }, what)
  }
})

t.test('EOS inside a string is an error', async (t) => {
  for (const wire of ['ff ff ff fc', 'ff ff ff ff', '1f ff ff ff ff 00', 'ff ff ff fd 1f']) {
    t.throws(() => decode(octets(wire)), { name: 'HpackError', token: 'huffman_eos' }, wire)
  }
})

t.test('an empty string is legal', async (t) => {
  t.equal(decode(octets('')), '')
})

t.test('encoding gives up at its limit and writes nothing from there on', async (t) => {
  for (const text of ['aaaaaaaa', '~~~~', '\0\0\0', 'a\0', 'a\xf9', '&&&']) {
    const whole = encode(text)
    for (let limit = 0; limit <= whole.length + 1; limit++) {
      const buf = Buffer.alloc(whole.length + 8, 0xee)
      const end = encodeHuffman(text, buf, 0, limit)
      t.equal(end, whole.length < limit ? whole.length : -1, `${JSON.stringify(text)} ${limit}`)
      t.ok(buf.subarray(limit).every((octet) => octet === 0xee))
    }
  }
})

t.test('a string is Huffman coded only where that is shorter', async (t) => {
  for (const [text, wire] of [
    ['', '00'],
    ['a', '0161'],
    ['aa', '026161'],
    ['302', '826402'],
    ['307', '03333037'],
    ['\0\0', '020000'],
    ['www.example.com', '8cf1e3c2e5f23a6ba0ab90f4ff'],
  ] as const) {
    const buf = Buffer.alloc(64, 0xee)
    const end = writeString(text, buf, 1, true)
    t.equal(buf.toString('hex', 1, end), wire, JSON.stringify(text))
  }
})

t.test('strings of every length around those where the length takes another octet', async (t) => {
  const lengths = [
    125, 126, 127, 128, 200, 201, 202, 203, 204, 254, 255, 256, 400, 409, 410, 16_600,
  ]
  for (const octet of ['a', '~', '\xff', 'X']) {
    for (const length of lengths) {
      for (const huffman of [true, false]) {
        const text = octet.repeat(length)
        const buf = Buffer.alloc(length + 10, 0xee)
        const end = writeString(text, buf, 2, huffman)
        t.ok(end <= 2 + 5 + length, 'within its bound')
        const at = { buf, pos: 2, end, stringBytes: 0 }
        t.equal(readString(at, ROOM), text, `${length} times ${octet}`)
        t.equal(at.pos, end)
      }
    }
  }
})

t.test('a string that is too long is measured but not made', async (t) => {
  for (const huffman of [true, false]) {
    const buf = Buffer.alloc(64)
    const end = writeString('0123456789', buf, 0, huffman)
    const at = { buf, pos: 0, end, stringBytes: 0 }
    t.equal(readString(at, 9), '')
    t.equal(at.stringBytes, 10)
    t.equal(at.pos, end)
  }
})

t.test('a string keeps its text when the buffer is used again', async (t) => {
  const buf = Buffer.alloc(64)
  const end = writeString('\xff\xfe plain', buf, 0, false)
  const text = readString({ buf, pos: 0, end, stringBytes: 0 }, ROOM)
  buf.fill(0)
  t.equal(text, '\xff\xfe plain')
})

t.test('a character above 255 is written as its low octet, coded or not', async (t) => {
  for (const huffman of [true, false]) {
    for (const length of [3, 100]) {
      const buf = Buffer.alloc(200)
      const end = writeString('\u0161'.repeat(length), buf, 0, huffman)
      t.equal(readString({ buf, pos: 0, end, stringBytes: 0 }, ROOM), 'a'.repeat(length))
    }
  }
})

for (const [token, wire] of [
  ['string_missing', ''],
  ['string_truncated', '05 61 61 61 61'],
  ['string_truncated', '85 1f'],
  ['string_truncated', 'ff 80 ff ff ff 07'],
  ['integer_truncated', '7f'],
  ['huffman_padding', '81 00'],
] as const) {
  t.test(`${token}: ${wire}`, async (t) => {
    const buf = octets(wire)
    const at = { buf, pos: 0, end: buf.length, stringBytes: 0 }
    t.throws(() => readString(at, ROOM), { name: 'HpackError', token })
  })
}
