import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import t from 'tap'
import { ByteSink } from '../../../lib/base/byte-sink.ts'
import { lazyCodecs, MessageCodecs } from '../../../lib/grpc/proto/message-codec.ts'
import { type FieldError, WireFormatError } from '../../../lib/grpc/proto/proto-errors.ts'
import type { Codec } from '../../../lib/grpc/protocol/codec.ts'

const FIXTURES = 'spec/grpc/proto/fixtures'
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

function load(file: string): protobuf.Root {
  const root = new protobuf.Root()
  root.resolvePath = (_origin, target) =>
    target.startsWith('google/') ? target : `${FIXTURES}/${target}`
  root.loadSync(file).resolveAll()
  return root
}

const root = load('all_kinds.proto')
const old = load('old.proto')
const codecs = new MessageCodecs()

type Value = Record<string, unknown>

function codecOf(name: string, from = root, set = codecs): Codec<Value> {
  return set.of<Value>(from.lookupType(name))
}
function encode(codec: Codec<Value>, message: Value): Buffer {
  const sink = new ByteSink(1)
  codec.encode(message, sink)
  return sink.detach()
}
function decode(codec: Codec<Value>, bytes: Uint8Array, owned = false): Value {
  // Amid other octets, as in a read buffer.
  const around = Buffer.concat([hex('ffffffff'), bytes, hex('ffffffff')])
  return codec.decode(around, 4, around.length - 4, owned)
}

const All = root.lookupType('kinds.All')
const all = codecOf('kinds.All')
const oldCodec = codecOf('old.Old', old)

// Values in the form that both sides understand.
const text = fc.string({ unit: 'binary', maxLength: 60 })
const int32 = fc.oneof(fc.integer(), fc.integer({ min: -2, max: 300 }))
const uint32 = fc.oneof(fc.integer({ min: 0, max: 0xffff_ffff }), fc.nat(300))
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -2n, max: 300n }),
)
const uint64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: 0n, max: 300n }),
)
const double = fc.double({ noNaN: true })
const float = fc.float({ noNaN: true })
const bytes = fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets))
const color = fc.constantFrom('COLOR_NONE', 'RED', 'GREEN', 'FAR', 77)
const dictionary = <T>(key: fc.Arbitrary<unknown>, value: fc.Arbitrary<T>) =>
  fc
    .array(fc.tuple(key.map(String), value), { maxLength: 3 })
    .map((entries) => Object.fromEntries(entries))

/** A message with children down to `depth`; everything that decoding would fill in is there. */
function messageOf(depth: number): fc.Arbitrary<Value> {
  const child = depth > 0 ? fc.array(messageOf(depth - 1), { maxLength: 2 }) : fc.constant([])
  return fc
    .tuple(
      fc.record({
        aDouble: double,
        aFloat: float,
        anInt32: int32,
        aUint32: uint32,
        aSint32: int32,
        aFixed32: uint32,
        aSfixed32: int32,
        anInt64: int64,
        aUint64: uint64,
        aSint64: int64,
        aFixed64: uint64,
        aSfixed64: int64,
        aBool: fc.boolean(),
        aString: text,
        someBytes: bytes,
        color,
        packedInts: fc.array(int32),
        packedLongs: fc.array(int64),
        looseInts: fc.array(int32),
        strings: fc.array(text),
        blobs: fc.array(bytes),
        colors: fc.array(color),
        doubles: fc.array(double),
        bools: fc.array(fc.boolean()),
        byName: dictionary(text, int32),
        byInt: dictionary(int32, text),
        byBool: dictionary(fc.boolean(), color),
        byUint: dictionary(uint32, bytes),
        children: child,
        byLong: child.map((all) => Object.fromEntries(all.map((each, i) => [`${i - 1}`, each]))),
        farAway: int32,
      }),
      fc.record(
        {
          maybeInt: int32,
          maybeText: text,
          maybeColor: color,
          maybeBool: fc.boolean(),
          at: fc.record({ seconds: int64, nanos: int32 }, { noNullPrototype: true }),
        },
        { requiredKeys: [] },
      ),
      child.map(([first]) => (first === undefined ? {} : { child: first })),
      fc.oneof(
        fc.constant({}),
        text.map((chosenText) => ({ choice: 'chosenText', chosenText })),
        int64.map((chosenLong) => ({ choice: 'chosenLong', chosenLong })),
        color.map((chosenColor) => ({ choice: 'chosenColor', chosenColor })),
        child.map(([first]) =>
          first === undefined ? {} : { choice: 'chosenChild', chosenChild: first },
        ),
      ),
    )
    .map((parts) => Object.assign({}, ...parts))
}
const message = messageOf(1)
const numRuns = 150

/** protobufjs takes Long; strings reach both alike. */
function forProtobufjs(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return value.map(forProtobufjs)
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, forProtobufjs(each)]))
}

t.test('encodes as protobufjs does', async (t) => {
  fc.assert(
    fc.property(message, (value) => {
      const theirs = All.encode(All.fromObject(forProtobufjs(value) as Value)).finish()
      assert.equal(encode(all, value).toString('hex'), Buffer.from(theirs).toString('hex'))
    }),
    { numRuns },
  )
  t.pass()
})

t.test('decodes what protobufjs encoded', async (t) => {
  fc.assert(
    fc.property(message, fc.boolean(), (value, owned) => {
      const theirs = All.encode(All.fromObject(forProtobufjs(value) as Value)).finish()
      assert.deepStrictEqual(decode(all, theirs, owned), value)
    }),
    { numRuns },
  )
  t.pass()
})

t.test('no octets make the decoder do anything but throw its own error', async (t) => {
  const check = (octets: Uint8Array): void => {
    try {
      decode(all, octets)
    } catch (error) {
      assert.ok(error instanceof WireFormatError, String(error))
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), check), { numRuns: 1000 })
  fc.assert(
    fc.property(message, fc.nat(), fc.nat(255), fc.nat(), (value, at, octet, cut) => {
      const octets = encode(all, value)
      if (octets.length > 0) octets[at % octets.length] = octet
      check(octets.subarray(0, octets.length - (cut % 3)))
    }),
    { numRuns },
  )
  t.pass()
})

t.test('an absent field is its default or no property', async (t) => {
  const empty = decode(all, hex(''))
  t.match(empty, {
    aDouble: 0,
    anInt64: 0n,
    aBool: false,
    aString: '',
    color: 'COLOR_NONE',
    strings: [],
    byName: {},
  })
  t.equal((empty['someBytes'] as Buffer).length, 0)
  for (const name of ['child', 'at', 'maybeInt', 'choice', 'chosenText']) {
    t.notOk(name in empty, name)
  }
  const bare = codecOf('kinds.All', root, new MessageCodecs({ defaults: false }))
  t.same(decode(bare, hex('')), {})
  t.same(decode(bare, hex('18 01 a201 02 0102 ba01 01 78 f201 00')), {
    anInt32: 1,
    packedInts: [1, 2],
    strings: ['x'],
    byName: { '': 0 },
  })
})

t.test('undefined and null are absent', async (t) => {
  const nothing = Object.fromEntries(All.fieldsArray.map((each) => [camel(each.name), undefined]))
  t.equal(encode(all, nothing).length, 0)
  const nulls = Object.fromEntries(All.fieldsArray.map((each) => [camel(each.name), null]))
  t.equal(encode(all, nulls).length, 0)
})
const camel = (name: string): string => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase())

t.test('64-bit values may be bigint, number, decimal text or Long', async (t) => {
  const Long = protobuf.util.Long as unknown as { fromString(text: string, u?: boolean): unknown }
  for (const big of [5n, -1n, 2n ** 53n - 1n, -(2n ** 53n) + 1n]) {
    const want = encode(all, { anInt64: big, aSint64: big, aSfixed64: big })
    for (const same of [Number(big), String(big), Long.fromString(String(big))]) {
      const got = encode(all, { anInt64: same, aSint64: same, aSfixed64: same })
      t.same(got, want, `${typeof same} ${big}`)
    }
  }
  const most = 2n ** 64n - 1n
  for (const same of [String(most), Long.fromString(String(most), true)]) {
    t.same(encode(all, { aUint64: same }), encode(all, { aUint64: most }))
  }
  for (const zero of [0n, 0, '0', Long.fromString('0')]) {
    t.equal(encode(all, { anInt64: zero, aUint64: zero }).length, 0)
  }
  for (const [longs, value] of [
    ['bigint', -(2n ** 63n)],
    ['number', -(2 ** 63)],
    ['string', '-9223372036854775808'],
  ] as const) {
    const codec = codecOf('kinds.All', root, new MessageCodecs({ longs }))
    t.equal(decode(codec, encode(all, { anInt64: -(2n ** 63n) }))['anInt64'], value, longs)
    const maximum = decode(codec, encode(all, { aUint64: most }))['aUint64']
    t.equal(String(maximum), longs === 'number' ? '18446744073709552000' : String(most))
  }
  const codec = codecOf('kinds.All', root, new MessageCodecs({ longs: 'Long' }))
  t.match(decode(codec, encode(all, { anInt64: -2n })), {
    anInt64: { low: -2, high: -1, unsigned: false },
    aUint64: { low: 0, high: 0, unsigned: true },
  })
})

t.test('enum values are names or numbers both ways', async (t) => {
  t.same(encode(all, { color: 'CRIMSON' }), encode(all, { color: 1 }))
  t.same(encode(all, { color: 'COLOR_NONE' }), hex(''))
  t.equal(decode(all, encode(all, { color: 77 }))['color'], 77)
  const numbers = codecOf('kinds.All', root, new MessageCodecs({ enums: 'number' }))
  t.match(decode(numbers, encode(all, { colors: ['FAR', 'RED'] })), {
    colors: [-2147483648, 1],
    color: 0,
  })
})

t.test('a value of the wrong type or out of range is refused by name', async (t) => {
  const table: [value: Value, message: RegExp][] = [
    [{ anInt32: 1.5 }, /^anInt32: got number 1.5, want an integer from -2\^31/],
    [{ anInt32: 2 ** 31 }, /^anInt32: /],
    [{ anInt32: '1' }, /^anInt32: got string "1"/],
    [{ anInt32: '' }, /^anInt32: got string ""/],
    [{ anInt32: false }, /^anInt32: got false/],
    [{ anInt32: 1n }, /^anInt32: got bigint 1/],
    [{ anInt32: Number.NaN }, /^anInt32: got number NaN/],
    [{ aUint32: -1 }, /^aUint32: got number -1, want an integer from 0/],
    [{ aUint32: 2 ** 32 }, /^aUint32: /],
    [{ aSint32: -(2 ** 31) - 1 }, /^aSint32: /],
    [{ aFixed32: -1 }, /^aFixed32: /],
    [{ aSfixed32: 2 ** 31 }, /^aSfixed32: /],
    [{ anInt64: 2n ** 63n }, /^anInt64: got bigint 9223372036854775808, want .*2\^63-1/],
    [{ anInt64: 2 ** 53 }, /^anInt64: got number/],
    [{ anInt64: 0.5 }, /^anInt64: got number 0.5/],
    [{ anInt64: 'x' }, /^anInt64: got string "x"/],
    [{ anInt64: '' }, /^anInt64: /],
    [{ anInt64: '9223372036854775808' }, /^anInt64: /],
    [{ anInt64: {} }, /^anInt64: got an object/],
    [{ anInt64: false }, /^anInt64: /],
    [{ anInt64: { low: 0, high: -1, unsigned: true } }, /^anInt64: /],
    [{ aUint64: { low: 0, high: -1, unsigned: false } }, /^aUint64: /],
    [{ aUint64: -1n }, /^aUint64: got bigint -1, want .*2\^64-1/],
    [{ aUint64: -1 }, /^aUint64: /],
    [{ aUint64: 2n ** 64n }, /^aUint64: /],
    [{ aSint64: 2n ** 63n }, /^aSint64: /],
    [{ aFixed64: -1n }, /^aFixed64: /],
    [{ aSfixed64: -(2n ** 63n) - 1n }, /^aSfixed64: /],
    [{ aDouble: '1' }, /^aDouble: got string "1", want a number/],
    [{ aDouble: 1n }, /^aDouble: /],
    [{ aFloat: 1e39 }, /^aFloat: got number 1e\+39, want a number within float/],
    [{ aBool: 0 }, /^aBool: got number 0, want a boolean/],
    [{ aBool: 'false' }, /^aBool: /],
    [{ aString: 5 }, /^aString: got number 5, want a string/],
    [{ aString: Buffer.from('x') }, /^aString: got an object \(Buffer\)/],
    [{ aString: '\ud800' }, /^aString: .*lone surrogates/],
    [{ aString: `${'x'.repeat(100)}\udc00` }, /^aString: .*lone surrogates/],
    [{ someBytes: 'text' }, /^someBytes: got string "text", want a Uint8Array/],
    [{ someBytes: [1, 2] }, /^someBytes: got an array/],
    [{ someBytes: '' }, /^someBytes: /],
    [{ color: 'BLUE' }, /^color: got string "BLUE", want a name or number of kinds.sub.Color/],
    [{ color: 1.5 }, /^color: /],
    [{ color: '__proto__' }, /^color: /],
    [{ child: 5 }, /^child: got number 5, want an object for kinds.All/],
    [{ child: [] }, /^child: got an array/],
    [{ child: { child: { aBool: 1 } } }, /^child\.child\.aBool: got number 1/],
    [{ packedInts: 5 }, /^packedInts: got number 5, want an array/],
    [{ packedInts: { length: 1 } }, /^packedInts: got an object/],
    [{ packedInts: [1, 'x'] }, /^packedInts\[1\]: got string "x"/],
    [{ packedLongs: [1n, null] }, /^packedLongs\[1\]: got null/],
    [{ looseInts: [undefined] }, /^looseInts\[0\]: got undefined/],
    [{ strings: ['a', 1] }, /^strings\[1\]: got number 1, want a string/],
    [{ blobs: ['a'] }, /^blobs\[0\]: got string "a"/],
    [{ colors: ['RED', 'BLUE'] }, /^colors\[1\]: got string "BLUE"/],
    [{ children: [{}, { aBool: 1 }] }, /^children\[1\]\.aBool: got number 1/],
    [{ children: [null] }, /^children\[0\]: got null/],
    [{ byName: 5 }, /^byName: got number 5, want a Map or a plain object/],
    [{ byName: { a: 'x' } }, /^byName\["a"\]: got string "x"/],
    [{ byName: new Map([[5, 5]]) }, /^byName\["5"\]\.key: got number 5, want a string/],
    [{ byInt: { x: 'x' } }, /^byInt\["x"\]\.key: got string "x", want an integer/],
    [{ byBool: { yes: 1 } }, /^byBool\["yes"\]\.key: got string "yes", want a boolean/],
    [{ byLong: { 5: { aBool: 1 } } }, /^byLong\["5"\]\.aBool: got number 1/],
    [{ byLong: { 5: null } }, /^byLong\["5"\]: got null/],
    [{ chosenText: 'a', chosenLong: 1n }, /^choice: got both chosenText and chosenLong/],
    [{ maybeInt: 'x' }, /^maybeInt: /],
  ]
  for (const [value, want] of table) {
    try {
      encode(all, value)
      t.fail(`accepted ${String(want)}`)
    } catch (error) {
      t.match((error as FieldError).message, want)
      t.equal((error as Error).name, 'FieldError')
    }
  }
  for (const value of [undefined, null, 5, 'x', []]) {
    t.throws(() => all.encode(value as never, new ByteSink()), {
      message: /want an object for kinds/,
    })
  }
})

t.test('a message in itself ends in an error', async (t) => {
  const loop: Value = {}
  loop['child'] = loop
  t.throws(() => encode(all, loop), { message: /nested deeper than 100 messages/ })
})

t.test('a message of protobufjs is encoded as what it has of its own', async (t) => {
  const message = All.create({ anInt32: 5, chosenText: 'x', children: [All.create({})] })
  const octets = encode(all, message as unknown as Value)
  t.same(octets, Buffer.from(All.encode(message).finish()))
})

t.test('an error leaves nothing behind for the next message', async (t) => {
  const sink = new ByteSink()
  all.encode({ anInt32: 1 }, sink)
  const refuses = Object.defineProperty({}, 'aString', {
    enumerable: true,
    get: () => {
      if (reads++ > 1) throw new Error('no more')
      return 'x'
    },
  })
  let reads = 0
  t.throws(() => all.encode({ child: refuses }, sink), { message: 'no more' })
  t.throws(() => decode(all, hex('18 05 8a01 03 8a01 01')))
  all.encode({ anInt32: 2 }, sink)
  t.same(sink.detach(), hex('18 01 18 02'))
  t.same(decode(all, hex('18 03'))['anInt32'], 3)
})

t.test('takes Maps and typed arrays', async (t) => {
  const plain = { byInt: { 1: 'a', 2: 'b' }, byBool: { true: 'RED' }, byLong: { 5: {} } }
  const maps = {
    byInt: new Map([
      [1, 'a'],
      [2, 'b'],
    ]),
    byBool: new Map([[true, 'RED']]),
    byLong: new Map([[5n, {}]]),
  }
  t.same(encode(all, maps), encode(all, plain))
  t.same(
    encode(all, { doubles: new Float64Array([1, 2]), packedLongs: new BigInt64Array([-1n]) }),
    encode(all, { doubles: [1, 2], packedLongs: [-1n] }),
  )
})

t.test('writes lengths that outgrow the room left for them', async (t) => {
  for (const size of [0, 126, 127, 128, 16_383, 16_384, 2_100_000, 5, 200]) {
    const value = { child: { someBytes: Buffer.alloc(size, 1) }, strings: ['é'.repeat(size >> 2)] }
    const back = All.decode(encode(all, value)) as unknown as typeof value
    t.equal(back.child.someBytes.length, size)
    t.equal(back.strings[0], value.strings[0])
  }
})

t.test('reads the wire as the rules have it', async (t) => {
  const table: [what: string, octets: string, want: Value][] = [
    ['the last value of a field wins', '18 01 18 02', { anInt32: 2 }],
    ['a default value on the wire', '18 00', { anInt32: 0 }],
    ['a number of more octets than needed', '18 8100', { anInt32: 1 }],
    ['a 32-bit number of 64 bits is cut', '18 ffffffff ffffffff ff01', { anInt32: -1 }],
    ['the same, unsigned', '20 ffffffff ffffffff ff01', { aUint32: 0xffff_ffff }],
    ['a boolean of 64 bits', '68 8080808080 8080808001', { aBool: true }],
    ['packed', 'a201 03 010203', { packedInts: [1, 2, 3] }],
    ['packed in pieces', 'a201 01 01 a201 02 0203', { packedInts: [1, 2, 3] }],
    ['packed, empty', 'a201 00', { packedInts: [] }],
    ['not packed where packed is written', 'a001 01 a001 02', { packedInts: [1, 2] }],
    ['packed where not packed is written', 'b201 02 0102', { looseInts: [1, 2] }],
    ['both', 'b001 05 b201 02 0102', { looseInts: [5, 1, 2] }],
    ['a map entry without a key', 'f201 02 1005', { byName: { '': 5 } }],
    ['a map entry without a value', 'f201 03 0a0161', { byName: { a: 0 } }],
    ['a map entry with something else', 'f201 05 0a0161 1805', { byName: { a: 0 } }],
    [
      'a map entry that comes again',
      'f201 05 0a0161 1001 f201 05 0a0161 1002',
      { byName: { a: 2 } },
    ],
    ['a map value that is no message yet', '8202 02 0807', { byLong: { 7: { anInt32: 0 } } }],
    [
      'a map value in two pieces',
      '8202 0a 0807 1202 1805 1202 6801',
      { byLong: { 7: { anInt32: 5, aBool: true } } },
    ],
    [
      'a message that comes again is merged',
      '8a01 02 1805 8a01 02 6801',
      { child: { anInt32: 5, aBool: true } },
    ],
    [
      'a list in merged messages goes on',
      '8a01 03 b0 0101 8a01 03 b0 0102',
      { child: { looseInts: [1, 2] } },
    ],
    [
      'the last member of a oneof wins',
      'c202 01 61 c802 05',
      { choice: 'chosenLong', chosenLong: 5n, chosenText: undefined },
    ],
    [
      'members merge only with themselves',
      'd202 02 1801 c202 00 d202 02 6801',
      { choice: 'chosenChild', chosenChild: { anInt32: 0, aBool: true } },
    ],
    [
      'a member of a oneof merges',
      'd202 02 1801 d202 02 6801',
      { choice: 'chosenChild', chosenChild: { anInt32: 1, aBool: true } },
    ],
    ['an unknown varint', '1805 e83e 96ffff01', { anInt32: 5 }],
    ['an unknown field of eight octets', 'e93e 0102030405060708 1805', { anInt32: 5 }],
    ['an unknown field of four octets', 'ed3e 01020304 1805', { anInt32: 5 }],
    ['an unknown field with a length', 'ea3e 02 0102 1805', { anInt32: 5 }],
    ['an unknown group', 'eb3e 0801 eb3e ec3e 12 01 00 ec3e 1805', { anInt32: 5 }],
    ['a known field of another wire type is unknown', '1d 01020304 1a 01 05 1805', { anInt32: 5 }],
    ['the highest field number', 'f8ffffff0f 05', { farAway: 5 }],
    ['an unknown enum value', '8001 4d', { color: 77 }],
    ['a negative enum value', '8001 80808080 f8ffffffff01', { color: 'FAR' }],
  ]
  for (const [what, octets, want] of table) t.match(decode(all, hex(octets)), want, what)
})

t.test('a map entry without a value holds the default of its type', async (t) => {
  const { root } = protobuf.parse(`syntax = "proto3"; message A {
    map<string, int64> longs = 1; map<string, uint64> unsigned = 2; map<string, bytes> blobs = 3; }`)
  root.resolveAll()
  const octets = hex('0a03 0a0161 0a05 0a0162 1005 1203 0a0161 1a03 0a0161 1a06 0a0162 1201 07')
  const Long = protobuf.util.Long as unknown as { fromInt(value: number, u?: boolean): unknown }
  for (const [longs, zero, five, unsigned] of [
    ['bigint', 0n, 5n, 0n],
    ['number', 0, 5, 0],
    ['string', '0', '5', '0'],
    ['Long', Long.fromInt(0), Long.fromInt(5), Long.fromInt(0, true)],
  ] as const) {
    for (const defaults of [true, false]) {
      const codec = codecOf('A', root, new MessageCodecs({ longs, defaults }))
      assert.deepStrictEqual(decode(codec, octets), {
        longs: { a: zero, b: five },
        unsigned: { a: unsigned },
        blobs: { a: Buffer.alloc(0), b: hex('07') },
      })
    }
  }
  t.pass()
})

t.test('refuses malformed octets', async (t) => {
  const nested = (depth: number): Buffer => {
    let octets = Buffer.alloc(0)
    for (let i = 0; i < depth; i++) {
      octets = Buffer.concat([hex('8a01'), varint(octets.length), octets])
    }
    return octets
  }
  const table: [what: string, octets: Buffer | string, message: RegExp][] = [
    ['a tag cut off', '98', /index out of range/],
    ['a value missing', '18', /index out of range/],
    ['a varint cut off', '18 80', /index out of range/],
    ['a varint of eleven octets', '18 80808080 80808080 808000', /invalid varint/],
    ['a 64-bit varint of eleven octets', '40 80808080 80808080 808000', /invalid varint/],
    ['a fixed64 cut off', '59 010203', /index out of range/],
    ['a fixed32 cut off', '35 010203', /index out of range/],
    ['a double cut off', '09 01020304050607', /index out of range/],
    ['a length beyond the end', '72 02 61', /index out of range/],
    ['a huge length', '72 ffffffff0f 61', /invalid length/],
    ['a message beyond its parent', '8a01 03 8a01 01', /index out of range/],
    ['a field beyond its message', '8a01 01 18 05', /index out of range/],
    ['a packed element beyond its field', 'a201 01 80 01', /index out of range/],
    ['a map entry beyond its field', 'f201 01 10 05', /index out of range/],
    ['field number 0', '00 05', /field number 0/],
    ['field number 0, length', '02 00', /field number 0/],
    ['wire type 6', '1e 00', /wire type 6/],
    ['wire type 7', '1f 00', /wire type 7/],
    ['the end of no group', '1c', /wire type 4/],
    ['a group without its end', 'eb3e 0801', /index out of range/],
    ['a group with another end', 'eb3e f43e', /invalid end group/],
    ['an unknown field cut off', 'ea3e 05 01', /index out of range/],
    ['text that is not UTF-8', '72 02 c328', /not valid/],
    ['longer text that is not UTF-8', `72 14 ${'61'.repeat(19)}ff`, /not valid/],
    ['a surrogate in UTF-8', '72 03 eda080', /not valid/],
    ['102 messages in each other', nested(102), /max depth/],
    ['102 groups in each other', 'eb3e'.repeat(102), /max depth/],
  ]
  for (const [what, octets, want] of table) {
    const bytes = typeof octets === 'string' ? hex(octets) : octets
    t.throws(() => decode(all, bytes), { name: 'WireFormatError', message: want }, what)
    t.throws(() => decode(all, bytes), { message: /^malformed kinds\.All: / }, what)
  }
  decode(all, nested(100))
  t.equal(decode(all, hex('72 03 efbfbd'))['aString'], '\ufffd', 'U+FFFD itself is well-formed')
})

function varint(value: number): Buffer {
  const octets: number[] = []
  for (; value > 127; value >>>= 7) octets.push((value & 127) | 128)
  return Buffer.from([...octets, value])
}

t.test('keys that are names of the language are keys', async (t) => {
  const byName = Object.fromEntries([
    ['__proto__', 1],
    ['constructor', 2],
    ['toString', 3],
  ])
  const back = decode(all, encode(all, { byName }))['byName'] as object
  t.same(Object.entries(back), Object.entries(byName))
  t.equal(Object.getPrototypeOf(back), Object.prototype)
  t.equal(({} as Value)['1'], undefined)
})

t.test('octets are copies, or views of owned memory when they are large', async (t) => {
  const small = encode(all, { someBytes: Buffer.alloc(10, 1) })
  const large = encode(all, { someBytes: Buffer.alloc(5000, 1) })
  const borrowed = all.decode(large, 0, large.length, false)['someBytes'] as Buffer
  const owned = all.decode(large, 0, large.length, true)['someBytes'] as Buffer
  const copied = all.decode(small, 0, small.length, true)['someBytes'] as Buffer
  large.fill(9)
  small.fill(9)
  t.equal(borrowed[0], 1)
  t.equal(copied[0], 1)
  t.equal(owned[0], 9)
})

t.test('proto2: required fields, declared defaults, groups, extensions', async (t) => {
  t.throws(() => encode(oldCodec, {}), { message: /^id: got undefined, want an integer/ })
  t.throws(() => encode(oldCodec, { id: 1, item: [{}] }), { message: /^item\[0\]\.key: got undef/ })
  t.throws(() => decode(oldCodec, hex('')), { message: "malformed old.Old: missing required 'id'" })
  t.same(decode(oldCodec, hex('08 00')), {
    id: 0,
    name: 'nobody',
    big: -5n,
    level: 'HIGH',
    raw: Buffer.from('ab\u0001'),
    flag: true,
    loose: [],
    tight: [],
    item: [],
    ratio: 0.5,
    inf: Number.POSITIVE_INFINITY,
  })
  const value = {
    id: 1,
    name: '',
    big: 0n,
    level: 'LOW',
    raw: Buffer.alloc(0),
    flag: false,
    plain: 0,
    loose: [1, 2],
    tight: [3, 4],
    data: { x: 5, tags: ['a', 'b'] },
    item: [{ key: 'k' }, { key: '' }],
    pick: 'b',
    b: '',
    inner: { outer: { ...decode(oldCodec, hex('08 07')) }, kind: 'ZERO' },
    ratio: 0,
    inf: 0,
    '.old.note': 'extended',
  }
  const Old = old.lookupType('old.Old')
  const octets = encode(oldCodec, value)
  const theirs = Old.encode(Old.fromObject(forProtobufjs(value) as Value)).finish()
  t.equal(octets.toString('hex'), Buffer.from(theirs).toString('hex'))
  t.same(decode(oldCodec, octets), value)
  t.throws(() => decode(oldCodec, hex('08 01 53 0801')), { message: /old\.Old: missing end group/ })
  t.throws(() => decode(oldCodec, hex('08 01 53 0801 5c')), { message: /wire type 4/ })
  t.equal(decode(oldCodec, hex('08 01 12 01 ff'))['name'], '\ufffd', 'text is not verified')
  for (const [longs, big] of [
    ['number', -5],
    ['string', '-5'],
  ] as const) {
    const codec = codecOf('old.Old', old, new MessageCodecs({ longs, enums: 'number' }))
    t.match(decode(codec, hex('08 00')), { big, level: 2 })
  }
  const codec = codecOf('old.Old', old, new MessageCodecs({ longs: 'Long' }))
  t.match(decode(codec, hex('08 00')), { big: { low: -5, high: -1 } })
})

t.test('the declared default of bytes is its text, never base64', async (t) => {
  const table: [declared: string, octets: Buffer][] = [
    ['abcd', Buffer.from('abcd')],
    ['aGk=', Buffer.from('aGk=')],
    ['', Buffer.alloc(0)],
    ['\\000\\377\\x7f\\n\\\\\\"', hex('00 ff 7f 0a 5c 22')],
    ['\u20ac', Buffer.from('\u20ac')],
  ]
  for (const [declared, octets] of table) {
    const { root } = protobuf.parse(
      `syntax = "proto2"; message A { optional bytes raw = 1 [default = "${declared}"]; }`,
    )
    root.resolveAll()
    assert.deepStrictEqual(decode(codecOf('A', root), hex('')), { raw: octets }, declared)
  }
  t.pass()
})

t.test('oneofs may be told by their members alone', async (t) => {
  const codec = codecOf('kinds.All', root, new MessageCodecs({ oneofs: false, defaults: false }))
  t.same(decode(codec, encode(all, { choice: 'ignored', chosenText: '' })), { chosenText: '' })
})

t.test('no name becomes code', async (t) => {
  const evil = `"]; throw new Error('no'); //\u2028`
  const type = new protobuf.Type('A')
    .add(new protobuf.Field(evil, 2, 'string'))
    .add(new protobuf.Field('self', 1, 'A'))
    .add(new protobuf.Field("it's", 3, 'int32'))
    .add(new protobuf.OneOf(`${evil}!`).add(new protobuf.Field('one', 4, 'int32')))
  new protobuf.Root().add(type).resolveAll()
  const codec = new MessageCodecs().of<Value>(type)
  const value = { [evil]: 'x', "it's": 7, one: 1 }
  const back = decode(codec, encode(codec, { self: value }))
  t.match(back, { self: { [evil]: 'x', "it's": 7, one: 1, [`${evil}!`]: 'one' } })
  t.throws(() => encode(codec, { [evil]: 5 }), { message: `${evil}: got number 5, want a string` })
})

t.test('a codec of text is made when it is used', async (t) => {
  const codecs = lazyCodecs('syntax = "proto3"; package p; message A { int64 some_field = 1; }')
  const codec = codecs.of<Value>('p.A')
  t.same(encode(codec, { someField: 5 }), hex('08 05'))
  t.same(decode(codec, hex('08 05')), { someField: 5n })
  t.throws(() => encode(codecs.of('p.B'), {}), /no such .*p\.B/)
})

t.test('a codec of text decodes before anything was encoded', (t) => {
  const codecs = lazyCodecs(`syntax = "proto3"; package p;
    message A { double number = 1; string text = 2; B inner = 3; optional int32 maybe = 4; }
    message B { bool flag = 1; }`)
  t.strictSame(decode(codecs.of<Value>('p.A'), hex('1a 00')), {
    number: 0,
    text: '',
    inner: { flag: false },
  })
  t.end()
})

t.test('says so where code from strings is forbidden', async (t) => {
  const script = `
    const { lazyCodecs } = await import('./dist/lib/grpc/proto/message-codec.js')
    try {
      const codecs = lazyCodecs('syntax = "proto3"; package pkg; message A {}')
      codecs.of('pkg.A').decode(Buffer.alloc(0), 0, 0, false)
    } catch (error) {
      console.log(error.message)
    }`
  const flag = '--disallow-code-generation-from-strings'
  const out = execFileSync(process.execPath, [flag, '--input-type=module', '-e', script])
  t.match(String(out), /^pkg\.A: got a process that forbids code from strings/)
})
