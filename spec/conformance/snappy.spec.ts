import fc from 'fast-check'
import t from 'tap'
import { DecompressedTooLarge } from '../../lib/grpc/index.ts'
import { snappyCompressor } from './programs/snappy.ts'

const MAX_BYTES = 1024 * 1024

const compress = (bytes: Buffer): Buffer => snappyCompressor.compress(bytes) as Buffer
const decompress = (bytes: Buffer, maxBytes: number = MAX_BYTES): Buffer =>
  snappyCompressor.decompress(bytes, maxBytes) as Buffer

const IDENTIFIER = 'ff060000734e61507059'
/** What golang/snappy makes. */
const BY_GO: readonly (readonly [text: string, hex: string])[] = [
  ['hello', `${IDENTIFIER}01090000bb1f1c1968656c6c6f`],
  [
    'Wikipedia is a free, web-based, collaborative, multilingual encyclopedia project. Wikipedia is a free, web-based project.',
    `${IDENTIFIER}006400004094c0eb79f04357696b697065646961206973206120667265652c207765622d62617365642c20636f6c6c61626f7261746976652c206d756c74696c696e6775616c20656e6379636c6f70053f2070726f6a6563742e20765200202070726f6a6563742e`,
  ],
]

t.test('reads what golang/snappy writes', async (t) => {
  for (const [text, hex] of BY_GO) t.equal(String(decompress(Buffer.from(hex, 'hex'))), text)
})

t.test('reads several streams and skips what may be skipped', async (t) => {
  const [, hello] = BY_GO[0]!
  const streams = Buffer.from(`${hello}fe020000aaaa${hello}80000000`, 'hex')
  t.equal(String(decompress(streams)), 'hellohello')
})

t.test('refuses what is no stream', async (t) => {
  const table: [what: string, hex: string, reason: RegExp][] = [
    ['nothing', '', /identifier/],
    ['no identifier', '01090000bb1f1c1968656c6c6f', /identifier/],
    ['a chunk cut off', `${IDENTIFIER}01090000bb1f1c1968656c6c`, /cut off/],
    ['a chunk head cut off', `${IDENTIFIER}0109`, /cut off/],
    ['another checksum', `${IDENTIFIER}01090000bb1f1c1868656c6c6f`, /checksum/],
    ['no checksum', `${IDENTIFIER}010300000000aa`, /checksum/],
    ['a reserved chunk', `${IDENTIFIER}02000000`, /reserved/],
    ['a literal cut off', `${IDENTIFIER}00060000000000000404`, /cut off/],
    ['a copy from nowhere', `${IDENTIFIER}000700000000000004010101`, /nowhere/],
    ['a block of another length', `${IDENTIFIER}00070000000000000400aa`, /another length/],
    ['a block that is too long', `${IDENTIFIER}00080000000000000104aabb`, /too long/],
  ]
  for (const [what, hex, reason] of table) {
    t.throws(() => decompress(Buffer.from(hex, 'hex')), reason, what)
  }
})

t.test('stops at the limit', async (t) => {
  const compressed = compress(Buffer.alloc(200_000))
  t.equal(decompress(compressed, 200_000).length, 200_000)
  t.throws(() => decompress(compressed, 199_999), DecompressedTooLarge)
})

t.test('gives any message back', async (t) => {
  const runs = fc.array(fc.tuple(fc.nat(255), fc.nat(300)))
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 2000 }), runs.map(octetsOf)), (octets) => {
      const bytes = Buffer.from(octets)
      return decompress(compress(bytes)).equals(bytes)
    }),
  )
  for (const size of [65_535, 65_536, 65_537, 200_000]) {
    for (const bytes of [Buffer.alloc(size, 7), Buffer.from(octetsOf([[size & 255, size]]))]) {
      t.ok(decompress(compress(bytes)).equals(bytes))
      t.ok(compress(bytes).length < size / 10)
    }
  }
})

function octetsOf(runs: readonly (readonly [number, number])[]): Uint8Array {
  return Uint8Array.from(runs.flatMap(([octet, length]) => Array(length).fill(octet)))
}
