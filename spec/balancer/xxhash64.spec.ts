// XXH64 against the vectors of its specification and of other implementations.
import fc from 'fast-check'
import t from 'tap'
import { type Hash64, upper53, xxHash64 } from '../../lib/balancer/xxhash64.ts'

const SENTENCE = 'Call me Ishmael. Some years ago--never mind how long precisely-'

function bits({ hi, lo }: Hash64): bigint {
  return (BigInt(hi) << 32n) | BigInt(lo)
}

function seedOf(seed: bigint): Hash64 {
  return { hi: Number(seed >> 32n), lo: Number(seed & 0xffff_ffffn) }
}

t.test('texts of every length class hash as elsewhere', async (t) => {
  const rows: [string, bigint, bigint][] = [
    ['', 0n, 0xef46db3751d8e999n],
    ['a', 0n, 0xd24ec4f1a98c6e5bn],
    ['as', 0n, 0x1c330fb2d66be179n],
    ['asd', 0n, 0x631c37ce72a97393n],
    ['asdf', 0n, 0x415872f599cea71en],
    [SENTENCE, 0n, 0x02a2e85470d6fd96n],
    ['', 123n, 0xe0db84de91f3e198n],
    ['asdf', 2n ** 64n - 1n, 0x9a2fd8473be539b6n],
    [SENTENCE, 54321n, 0x1736d186daf5d1cdn],
  ]
  for (const [text, seed, hash] of rows) {
    t.equal(bits(xxHash64(text, seedOf(seed))), hash, `"${text}" with ${seed}`)
  }
})

t.test('the halves compute what 64 bits would', async (t) => {
  fc.assert(
    fc.property(fc.string({ maxLength: 120 }), fc.bigInt(0n, 2n ** 64n - 1n), (text, seed) => {
      return bits(xxHash64(text, seedOf(seed))) === plainXxHash64(Buffer.from(text), seed)
    }),
  )
  t.pass()
})

t.test('the upper 53 bits keep the order', async (t) => {
  t.equal(upper53({ hi: 0xffff_ffff, lo: 0xffff_ffff }), 2 ** 53 - 1)
  t.equal(upper53({ hi: 1, lo: 0x800 }), 2 ** 21 + 1)
})

/** The specification, word by word. */
function plainXxHash64(octets: Buffer, seed: bigint): bigint {
  const [p1, p2, p3, p4, p5] = [
    0x9e3779b185ebca87n,
    0xc2b2ae3d27d4eb4fn,
    0x165667b19e3779f9n,
    0x85ebca77c2b2ae63n,
    0x27d4eb2f165667c5n,
  ] as const
  const u64 = (value: bigint): bigint => BigInt.asUintN(64, value)
  const rotated = (value: bigint, by: bigint): bigint => u64(value << by) | (value >> (64n - by))
  const round = (value: bigint, lane: bigint): bigint =>
    u64(rotated(u64(value + lane * p2), 31n) * p1)
  let at = 0
  let hash = u64(seed + p5)
  if (octets.length >= 32) {
    const parts = [seed + p1 + p2, seed + p2, seed, seed - p1].map(u64)
    for (; at + 32 <= octets.length; at += 32) {
      for (let i = 0; i < 4; i++) parts[i] = round(parts[i]!, octets.readBigUInt64LE(at + 8 * i))
    }
    const turns = [1n, 7n, 12n, 18n]
    hash = u64(parts.reduce((sum, part, i) => sum + rotated(part, turns[i]!), 0n))
    for (const part of parts) hash = u64((hash ^ round(0n, part)) * p1 + p4)
  }
  hash = u64(hash + BigInt(octets.length))
  for (; at + 8 <= octets.length; at += 8) {
    hash = u64(rotated(hash ^ round(0n, octets.readBigUInt64LE(at)), 27n) * p1 + p4)
  }
  if (at + 4 <= octets.length) {
    hash = u64(rotated(hash ^ u64(BigInt(octets.readUInt32LE(at)) * p1), 23n) * p2 + p3)
    at += 4
  }
  for (; at < octets.length; at++) {
    hash = u64(rotated(hash ^ u64(BigInt(octets[at]!) * p5), 11n) * p1)
  }
  hash = u64((hash ^ (hash >> 33n)) * p2)
  hash = u64((hash ^ (hash >> 29n)) * p3)
  return hash ^ (hash >> 32n)
}
