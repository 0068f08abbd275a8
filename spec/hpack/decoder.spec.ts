import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { HpackDecoder, HpackEncoder, HpackError, Indexing } from '../../lib/hpack/index.ts'
import { decodeBlock, encodeBlock, octets } from './support.ts'

/** A literal of short plain strings: `40` inserted, `00` without indexing, `10` never indexed. */
const literal = (first: string, name: string, value: string): string =>
  [first, ...[name, value].map((text) => hexByte(text.length) + hexOf(text))].join('')

const hexByte = (value: number): string => value.toString(16).padStart(2, '0')
const hexOf = (text: string): string => Buffer.from(text, 'latin1').toString('hex')

/** A decoder that has decoded these blocks. */
function decoderAfter(...blocks: string[]): HpackDecoder {
  const decoder = new HpackDecoder()
  for (const block of blocks) decodeBlock(decoder, octets(block))
  return decoder
}

t.test('an empty block is an empty list', async (t) => {
  t.same(decodeBlock(new HpackDecoder(), octets('')), {
    fields: [],
    wireBytes: 0,
    listBytes: 0,
    neverIndexed: undefined,
    exceeded: undefined,
  })
})

t.test('a block lies anywhere in its buffer, and its strings outlive it', async (t) => {
  const buf = octets(`ffff 82 ${literal('40', 'name', 'value')} ffff`)
  const block = new HpackDecoder().decode(buf, 2, buf.length - 2)
  buf.fill(0)
  t.same(block.fields, [':method', 'GET', 'name', 'value'])
  t.equal(block.wireBytes, 13)
  t.equal(block.listBytes, 42 + 41)
})

t.test('never-indexed literals are marked, by the index of their name', async (t) => {
  const wire = ['82', literal('10', 'a', '1'), literal('00', 'b', '2'), literal('10', 'c', '3')]
  const decoder = new HpackDecoder()
  t.same(decodeBlock(decoder, octets(wire.join(''))).neverIndexed, [2, 6])
  t.same(decodeBlock(decoder, octets('1f 08 01 78')).neverIndexed, [0])
  t.equal(decoder.tableBytes, 0)
})

t.test('octets above 127 and empty names pass', async (t) => {
  const { fields } = decodeBlock(new HpackDecoder(), octets('00 00 00 00 01 ff 02 80 00'))
  t.same(fields, ['', '', '\xff', '\x80\0'])
})

t.test('names that objects have by birth are ordinary names', async (t) => {
  const fields = ['constructor', '__proto__', 'toString', '__proto__', '__proto__', 'constructor']
  const encoder = new HpackEncoder()
  const decoder = new HpackDecoder()
  for (let i = 0; i < 4; i++)
    t.same(decodeBlock(decoder, encodeBlock(encoder, fields)).fields, fields)
})

t.test('the name of an entry may be used by the very insertion that evicts it', async (t) => {
  const decoder = new HpackDecoder({ maxTableBytes: 68 })
  decodeBlock(decoder, octets(literal('40', 'name', 'x'.repeat(32))))
  t.same(decodeBlock(decoder, octets('7e 01 79')).fields, ['name', 'y'])
  t.same(decodeBlock(decoder, octets('be')).fields, ['name', 'y'])
})

const ERRORS: readonly { token: string; wire: string; after?: string[] }[] = [
  { token: 'index_invalid', wire: '80' },
  { token: 'index_invalid', wire: 'be' },
  { token: 'index_invalid', wire: 'bf', after: [literal('40', 'a', '1')] },
  { token: 'index_invalid', wire: 'ff 00' },
  { token: 'index_invalid', wire: 'ff 80 ff ff ff 07' },
  { token: 'index_invalid', wire: '7e 01 61' },
  { token: 'index_invalid', wire: '0f 2f 01 61' },
  { token: 'index_invalid', wire: '1f 2f 01 61' },
  { token: 'index_invalid', wire: 'be', after: [literal('40', 'a', '1'), '20'] },
  { token: 'integer_truncated', wire: 'ff' },
  { token: 'integer_truncated', wire: '82 ff 80' },
  { token: 'integer_truncated', wire: '7f' },
  { token: 'integer_truncated', wire: '3f' },
  { token: 'integer_too_long', wire: 'ff 80 80 80 80 80 01' },
  { token: 'integer_too_large', wire: '0f ff ff ff ff 0f' },
  { token: 'string_missing', wire: '40' },
  { token: 'string_missing', wire: '00 01 61' },
  { token: 'string_missing', wire: '41' },
  { token: 'string_truncated', wire: '00 02 61' },
  { token: 'string_truncated', wire: '00 01 61 7f 00' },
  { token: 'huffman_padding', wire: '00 81 00 00' },
  { token: 'huffman_eos', wire: '00 84 ff ff ff ff 00' },
  { token: 'size_update_late', wire: '82 20' },
  { token: 'size_update_late', wire: '20 82 3f e1 1f' },
  { token: 'size_update_too_large', wire: '3f e2 1f' },
]

for (const { token, wire, after = [] } of ERRORS) {
  t.test(`${token}: ${wire}${after.length > 0 ? ' after another block' : ''}`, async (t) => {
    const decoder = decoderAfter(...after)
    const block = octets(wire)
    t.throws(() => decodeBlock(decoder, block), { name: 'HpackError', token })
    // The block ends where the range does, not where the buffer does.
    const longer = Buffer.concat([block, Buffer.alloc(64)])
    t.throws(() => decoderAfter(...after).decode(longer, 0, block.length), {
      name: 'HpackError',
      token,
    })
    t.throws(() => decodeBlock(decoder, octets('82')), { token, name: 'HpackError' }, 'sticks')
  })
}

t.test('an error says what it is', async (t) => {
  try {
    decodeBlock(new HpackDecoder(), octets('80'))
    t.fail('no error')
  } catch (error) {
    t.ok(error instanceof HpackError)
    t.match(`${error}`, 'COMPRESSION_ERROR (index_invalid): got 0, want 1 to 61')
  }
})

t.test('size updates within the setting, several of them, before all fields', async (t) => {
  const decoder = decoderAfter(literal('40', 'a', '1'))
  t.equal(decoder.tableBytes, 34)
  t.same(decodeBlock(decoder, octets('3f 03 20 3f e1 1f 82')).fields, [':method', 'GET'])
  t.equal(decoder.tableBytes, 0)
  decodeBlock(decoder, octets(literal('40', 'a', '1')))
  t.equal(decoder.tableBytes, 34)
})

t.test('a reduced setting must be followed by an update to at most that', async (t) => {
  for (const { settings, wire, token } of [
    { settings: [100], wire: '82', token: 'size_update_missing' },
    { settings: [100], wire: '', token: 'size_update_missing' },
    { settings: [100], wire: '3f 46 82', token: 'size_update_too_large' },
    { settings: [100], wire: '3f 45 82', token: undefined },
    { settings: [100], wire: '20 3f 45 82', token: undefined },
    { settings: [100], wire: '3f 45 3f 46', token: 'size_update_too_large' },
    { settings: [100, 200], wire: '3f a9 01 82', token: 'size_update_too_large' },
    { settings: [100, 200], wire: '3f 45 82', token: undefined },
    { settings: [100, 200], wire: '3f 45 3f a9 01 82', token: undefined },
    { settings: [100, 200], wire: '3f 45 3f aa 01 82', token: 'size_update_too_large' },
    { settings: [100, 4096], wire: '82', token: 'size_update_missing' },
    { settings: [200, 100], wire: '3f a9 01', token: 'size_update_too_large' },
    { settings: [4096], wire: '82', token: undefined },
    { settings: [8192], wire: '82', token: undefined },
    { settings: [8192], wire: '3f e1 3f 82', token: undefined },
    { settings: [8192], wire: '3f e2 3f', token: 'size_update_too_large' },
  ]) {
    const decoder = new HpackDecoder()
    for (const bytes of settings) decoder.setMaxTableBytes(bytes)
    const decode = (): unknown => decodeBlock(decoder, octets(wire))
    const what = `settings ${settings.join(', ')}; block ${wire}`
    if (token === undefined) t.doesNotThrow(decode, what)
    else t.throws(decode, { name: 'HpackError', token }, what)
  }
})

t.test('an update is due once, and not when the table is already as small', async (t) => {
  const decoder = decoderAfter('3f 45')
  decoder.setMaxTableBytes(100)
  t.doesNotThrow(() => decodeBlock(decoder, octets('82')))
  decoder.setMaxTableBytes(99)
  decodeBlock(decoder, octets('3f 44'))
  t.doesNotThrow(() => decodeBlock(decoder, octets('82')))
})

t.test('a reduced setting is not forgotten over a block that is known', async (t) => {
  const decoder = decoderAfter('82', '82', '82', '82')
  decoder.setMaxTableBytes(0)
  t.throws(() => decodeBlock(decoder, octets('82')), {
    name: 'HpackError',
    token: 'size_update_missing',
  })
})

t.test('equal blocks share one result while the table does not move', async (t) => {
  const decoder = decoderAfter(literal('40', 'a', '1'))
  const wire = octets(`82 be ${literal('10', 's', 'x')}`)
  const results = Array.from({ length: 5 }, () => decodeBlock(decoder, wire))
  t.equal(results[4], results[3])
  t.same(results[4], results[0])
  t.same(results[4]!.neverIndexed, [4])
})

t.test(
  'the table moves between two equal blocks, and the second means the new table',
  async (t) => {
    const decoder = decoderAfter(literal('40', 'a', '1'))
    const wire = octets('82 be')
    const expect = (value: string, what: string): void => {
      for (let i = 0; i < 5; i++) {
        t.same(decodeBlock(decoder, wire).fields, [':method', 'GET', 'a', value], what)
      }
    }
    expect('1', 'at first')
    decodeBlock(decoder, octets(literal('40', 'a', '2')))
    expect('2', 'after an insertion')
    decodeBlock(decoder, octets(`20 3f e1 1f ${literal('40', 'a', '3')}`))
    expect('3', 'after size updates')
    decodeBlock(decoder, octets('20'))
    t.throws(() => decodeBlock(decoder, wire), { name: 'HpackError', token: 'index_invalid' })
  },
)

t.test('a block that inserts is never taken as known', async (t) => {
  const decoder = new HpackDecoder()
  const wire = octets(literal('40', 'a', '1'))
  for (let i = 1; i < 6; i++) {
    decodeBlock(decoder, wire)
    t.equal(decoder.tableBytes, i * 34)
  }
})

t.test('a block that is known may be followed by one that differs in any octet', async (t) => {
  const decoder = new HpackDecoder()
  const known = octets(literal('00', 'x'.repeat(40), 'y'.repeat(40)))
  for (let i = 0; i < 4; i++) decodeBlock(decoder, known)
  for (let i = 2; i < known.length; i++) {
    if (i === 42) continue // the length of the value
    const other = Buffer.from(known)
    other[i] = 0x7a
    const { fields } = decodeBlock(decoder, other)
    t.equal(fields.join('').indexOf('z'), i < 42 ? i - 2 : i - 3)
    t.same(decodeBlock(decoder, known).fields, ['x'.repeat(40), 'y'.repeat(40)])
  }
})

/** A field of 101 octets in a list. */
const TOO_LARGE = literal('00', 'a', 'x'.repeat(68))

t.test('limits: a list stops before the field that breaks one', async (t) => {
  for (const { wire, fields, listBytes, exceeded } of [
    { wire: '82 82', fields: 2, listBytes: 84, exceeded: undefined },
    { wire: '82 82 82', fields: 2, listBytes: 126, exceeded: 'listBytes' },
    { wire: '82 82 00 00 00', fields: 2, listBytes: 116, exceeded: 'listBytes' },
    { wire: '00 00 00 00 00 00', fields: 2, listBytes: 64, exceeded: undefined },
    { wire: '00 00 00 00 00 00 00 00 00', fields: 2, listBytes: 96, exceeded: 'fields' },
    { wire: '00 00 00 00 00 00 10 00 00', fields: 2, listBytes: 96, exceeded: 'fields' },
    { wire: '00 00 00 00 00 00 40 00 00', fields: 2, listBytes: 96, exceeded: 'fields' },
    { wire: literal('00', 'a', 'x'.repeat(67)), fields: 1, listBytes: 100, exceeded: undefined },
    { wire: TOO_LARGE, fields: 0, listBytes: 101, exceeded: 'listBytes' },
    { wire: `${TOO_LARGE}82`, fields: 0, listBytes: 143, exceeded: 'listBytes' },
    { wire: `82${TOO_LARGE}82`, fields: 1, listBytes: 185, exceeded: 'listBytes' },
    { wire: literal('40', 'a', 'x'.repeat(68)), fields: 0, listBytes: 101, exceeded: 'listBytes' },
    { wire: literal('10', 'a'.repeat(69), ''), fields: 0, listBytes: 101, exceeded: 'listBytes' },
  ]) {
    const decoder = new HpackDecoder({ maxListBytes: 100, maxFields: 2 })
    const block = decodeBlock(decoder, octets(wire))
    t.equal(block.fields.length, 2 * fields, `${wire.slice(0, 30)}: fields`)
    t.equal(block.listBytes, listBytes, 'listBytes')
    t.equal(block.exceeded, exceeded, 'exceeded')
    t.equal(block.neverIndexed, undefined, 'nothing that is not there is marked')
  }
})

t.test('the defaults are 16 KiB and 100 fields', async (t) => {
  const hundred = decodeBlock(new HpackDecoder(), octets('82'.repeat(100)))
  t.equal(hundred.exceeded, undefined)
  t.equal(hundred.fields.length, 200)
  const more = decodeBlock(new HpackDecoder(), octets('82'.repeat(101)))
  t.equal(more.exceeded, 'fields')
  t.same(more.fields, hundred.fields)
  const list = (valueBytes: number): string[] => ['a', 'x'.repeat(valueBytes)]
  for (const [valueBytes, exceeded] of [
    [16_384 - 33, undefined],
    [16_384 - 32, 'listBytes'],
  ] as const) {
    const block = decodeBlock(new HpackDecoder(), encodeBlock(new HpackEncoder(), list(valueBytes)))
    t.equal(block.exceeded, exceeded)
  }
})

t.test('behind a limit the table follows every insertion and eviction', async (t) => {
  const full = '82'.repeat(100)
  const big = new HpackEncoder({ indexing: () => Indexing.Incremental, maxTableBytes: 4096 })
  const eviction = encodeBlock(big, ['big', 'x'.repeat(3960)]).toString('hex')
  const decoder = new HpackDecoder()
  for (const { wire, newest } of [
    { wire: literal('40', 'a', '1'), newest: ['a', '1'] },
    { wire: `82 be ${literal('40', 'b', '2')}`, newest: ['b', '2', 'a', '1'] },
    { wire: '7f 00 01 33', newest: ['a', '3', 'b', '2', 'a', '1'] },
    { wire: `${literal('00', 'n', 'v')} ${literal('10', 'n', 'v')}`, newest: ['a', '3', 'b', '2'] },
    { wire: eviction, newest: ['big', 'x'.repeat(3960), 'a', '3', 'b', '2'] },
  ]) {
    const block = decodeBlock(decoder, octets(full + wire))
    t.equal(block.exceeded, 'fields')
    t.equal(block.fields.length, 200)
    const probe = octets('be bf c0').subarray(0, newest.length / 2)
    t.same(decodeBlock(decoder, probe).fields, newest)
  }
  t.equal(decoder.tableBytes, 3995 + 34 + 34, 'the oldest is gone')
})

t.test('behind a limit errors are found all the same', async (t) => {
  for (const { token, wire } of ERRORS.filter(({ after }) => after === undefined)) {
    if (wire.startsWith('3f') || wire.startsWith('20')) continue
    const decoder = new HpackDecoder({ maxFields: 0 })
    t.throws(
      () => decodeBlock(decoder, octets(`82 ${wire}`)),
      { name: 'HpackError', token },
      `${token}: ${wire}`,
    )
  }
})

/** Heap in use after what can be collected is gone. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  const gc: () => void = runInNewContext('gc')
  gc()
  return process.memoryUsage().heapUsed
}

t.test('a bomb of 16,000 references to one entry of 4,000 octets', async (t) => {
  const encoder = new HpackEncoder({ indexing: () => Indexing.Incremental })
  const insertion = encodeBlock(encoder, ['bomb', 'x'.repeat(4000)])
  const references = Buffer.alloc(16_000, 0xbe)
  const decoder = new HpackDecoder()
  t.equal(decodeBlock(decoder, insertion).exceeded, undefined)
  decodeBlock(decoder, references)
  const before = heapBytes()
  const kept = Array.from({ length: 60 }, () => decodeBlock(decoder, references))
  t.ok(heapBytes() - before < 200_000, '60 results are small')
  for (const block of kept) {
    t.equal(block.exceeded, 'listBytes')
    t.equal(block.fields.length, 2 * 4)
    t.equal(block.listBytes, 16_000 * 4036)
  }
  t.same(decodeBlock(decoder, octets('82 be')).fields, [':method', 'GET', 'bomb', 'x'.repeat(4000)])
})

t.test('a bomb of empty fields', async (t) => {
  const decoder = new HpackDecoder()
  for (const wire of ['000000', '400000', '100000']) {
    const block = decodeBlock(decoder, octets(wire.repeat(8193)))
    t.equal(block.exceeded, 'fields')
    t.equal(block.fields.length, 200)
    t.equal(block.listBytes, 8193 * 32)
  }
  t.equal(decoder.tableBytes, 4096)
  t.same(decodeBlock(decoder, octets('82 be')).fields, [':method', 'GET', '', ''])
})

t.test('a header list that no table helps: one string of 30,000 octets', async (t) => {
  for (const huffman of [true, false]) {
    const encoder = new HpackEncoder({ huffman })
    const decoder = new HpackDecoder()
    const block = decodeBlock(decoder, encodeBlock(encoder, ['a', 'x'.repeat(30_000), 'b', '1']))
    t.same(block.fields, [])
    t.equal(block.exceeded, 'listBytes')
    t.equal(block.listBytes, 30_033 + 34)
    t.same(decodeBlock(decoder, encodeBlock(encoder, ['b', '1'])).fields, ['b', '1'])
  }
})

t.test('what a decoder remembers is bounded', async (t) => {
  const before = heapBytes()
  const decoders = Array.from({ length: 50 }, () => {
    const decoder = new HpackDecoder()
    for (let i = 0; i < 500; i++) {
      const wire = octets(literal('00', `name-${i}`, 'v'.repeat(100)))
      for (let k = 0; k < 3; k++) decodeBlock(decoder, wire)
    }
    return decoder
  })
  const bytesEach = (heapBytes() - before) / decoders.length
  t.ok(bytesEach < 8192, `${bytesEach} octets a decoder`)
})

t.test('the two tables of a connection that served a few calls cost some 2 KB', async (t) => {
  const request = [
    ':method',
    'POST',
    ':scheme',
    'http',
    ':path',
    '/routeguide.RouteGuide/GetFeature',
  ]
  request.push(
    ':authority',
    '127.0.0.1:50051',
    'content-type',
    'application/grpc',
    'te',
    'trailers',
  )
  request.push('user-agent', 'grpc-go/1.60.0', 'grpc-accept-encoding', 'identity,deflate,gzip')
  const answer = [':status', '200', 'content-type', 'application/grpc']
  const trailers = ['grpc-status', '0']
  const client = new HpackEncoder()
  const blocks = [0, 1, 2, 3].map(() => encodeBlock(client, request))
  const serve = (): unknown => {
    const decoder = new HpackDecoder()
    const encoder = new HpackEncoder({ rememberLists: true })
    for (const block of blocks) {
      decodeBlock(decoder, block)
      encodeBlock(encoder, answer)
      encodeBlock(encoder, trailers)
    }
    return [decoder, encoder]
  }
  serve()
  const before = heapBytes()
  const connections = Array.from({ length: 1000 }, serve)
  const bytesEach = (heapBytes() - before) / connections.length
  t.ok(bytesEach < 3000, `${bytesEach} octets a connection`)
})
