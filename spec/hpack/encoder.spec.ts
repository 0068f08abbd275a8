import t, { type Test } from 'tap'
import { defaultIndexing, HpackDecoder, HpackEncoder, Indexing } from '../../lib/hpack/index.ts'
import { decodeBlock, encodeBlock, OracleDecoder, octets } from './support.ts'

const hexOf = (encoder: HpackEncoder, fields: readonly string[]): string =>
  encodeBlock(encoder, fields).toString('hex')

const REQUEST = [
  ...[':method', 'POST', ':scheme', 'http', ':path', '/routeguide.RouteGuide/GetFeature'],
  ...[':authority', '127.0.0.1:50051', 'content-type', 'application/grpc', 'te', 'trailers'],
]

t.test('the default policy', async (t) => {
  const long = 'x'.repeat(256)
  for (const [name, value, indexing] of [
    ['authorization', 'Bearer x', Indexing.Never],
    ['proxy-authorization', 'Basic x', Indexing.Never],
    ['cookie', 'a=b', Indexing.Never],
    ['set-cookie', 'a=b', Indexing.Never],
    ['grpc-timeout', '1S', Indexing.Without],
    ['grpc-message', 'no feature', Indexing.Without],
    ['content-length', '17', Indexing.Without],
    ['grpc-status-details-bin', 'AAAA', Indexing.Without],
    ['x-user', long, Indexing.Adaptive],
    ['x-user', `${long}x`, Indexing.Without],
    [':path', '/a/b', Indexing.Adaptive],
    [':path', '/a/b?c=d', Indexing.Without],
    ['x-query', 'a?b', Indexing.Adaptive],
    ['constructor', '__proto__', Indexing.Adaptive],
  ] as const) {
    t.equal(defaultIndexing(name, value), indexing, `${name}: ${value.slice(0, 20)}`)
  }
})

t.test('secrets are literals that nobody may index, with the index of their name', async (t) => {
  const encoder = new HpackEncoder({ huffman: false })
  for (let i = 0; i < 2; i++) {
    t.equal(hexOf(encoder, ['authorization', 'x']), '1f080178')
    t.equal(hexOf(encoder, ['proxy-authorization', 'x']), '1f220178')
    t.equal(hexOf(encoder, ['cookie', 'x']), '1f110178')
    t.equal(hexOf(encoder, ['set-cookie', 'x']), '1f280178')
  }
  t.equal(encoder.tableBytes, 0)
})

t.test('what hardly recurs is a literal without indexing', async (t) => {
  const encoder = new HpackEncoder({ huffman: false })
  for (let i = 0; i < 2; i++) {
    t.equal(hexOf(encoder, ['grpc-timeout', '1S']), '000c677270632d74696d656f7574023153')
    t.equal(hexOf(encoder, ['x-bin', 'AA']), '0005782d62696e024141')
    t.equal(hexOf(encoder, [':path', '/?']), '04022f3f', 'with the index of its name')
  }
  t.equal(encoder.tableBytes, 0)
})

t.test('neverIndexed is honoured even where a table has the field', async (t) => {
  const encoder = new HpackEncoder({ huffman: false })
  hexOf(encoder, ['x-a', '1'])
  t.equal(hexOf(encoder, ['x-a', '1', ':method', 'GET']), 'be82')
  const block = encodeBlock(encoder, ['x-a', '1', ':method', 'GET', 'te', 't'], [0, 2])
  t.equal(block.toString('hex'), '1f2f0131 1203474554 4002746501 74'.replaceAll(' ', ''))
  const decoder = new HpackDecoder()
  decodeBlock(decoder, octets('40 03 78 2d 61 01 31'))
  t.same(decodeBlock(decoder, block).neverIndexed, [0, 2])
})

t.test('a name gets another entry only when its newest one was of use', async (t) => {
  const encoder = new HpackEncoder()
  encodeBlock(encoder, REQUEST)
  const idle = encoder.tableBytes
  encodeBlock(encoder, ['x-request-id', 'id-0'])
  const withId = encoder.tableBytes
  t.ok(withId > idle)
  for (let i = 1; i < 100; i++) encodeBlock(encoder, ['x-request-id', `id-${i}`])
  t.equal(encoder.tableBytes, withId, 'ids that never come back take one entry')
  encodeBlock(encoder, ['x-request-id', 'id-0'])
  encodeBlock(encoder, ['x-request-id', 'id-1'])
  t.ok(encoder.tableBytes > withId)
})

t.test('an indexing of its own decides for fields that no table has', async (t) => {
  const asked: string[] = []
  const indexing = (name: string): Indexing => {
    asked.push(name)
    return Indexing.Incremental
  }
  const encoder = new HpackEncoder({ indexing })
  for (let i = 0; i < 3; i++) encodeBlock(encoder, ['cookie', 'a', ':method', 'GET'])
  for (let i = 0; i < 3; i++) encodeBlock(encoder, ['cookie', `${i}`])
  t.same(asked, ['cookie', 'cookie', 'cookie', 'cookie'])
  t.equal(hexOf(encoder, ['cookie', 'a']), 'c1')
})

t.test('a field larger than the table is not inserted', async (t) => {
  const encoder = new HpackEncoder({ maxTableBytes: 100, indexing: () => Indexing.Incremental })
  encodeBlock(encoder, ['a', '1'])
  encodeBlock(encoder, ['b', 'x'.repeat(68)])
  t.equal(encoder.tableBytes, 34)
  encodeBlock(encoder, ['b', 'x'.repeat(67)])
  t.equal(encoder.tableBytes, 100)
})

t.test('indices are right on both sides of the one-octet bounds', async (t) => {
  const encoder = new HpackEncoder({ indexing: () => Indexing.Incremental })
  const decoder = new HpackDecoder()
  const oracle = new OracleDecoder()
  const lists = Array.from({ length: 120 }, (_, i) => [`${i}`, ''])
  for (const list of lists) {
    const block = encodeBlock(encoder, list)
    t.same([decodeBlock(decoder, block).fields, oracle.decode(block)], [list, list])
  }
  for (const list of lists) {
    const block = encodeBlock(encoder, list)
    t.equal(block.length, 181 - Number(list[0]) < 127 ? 1 : 2)
    t.same([decodeBlock(decoder, block).fields, oracle.decode(block)], [list, list])
  }
  for (const name of ['5', '60', '119']) {
    const list = [name, 'new', `${name}-never`, 'x']
    const block = encodeBlock(encoder, list, [2])
    t.same([decodeBlock(decoder, block).fields, oracle.decode(block)], [list, list])
  }
})

t.test('size updates: the smallest size since the last block, then the last', async (t) => {
  for (const { sizes, wire } of [
    { sizes: [], wire: '' },
    { sizes: [4096], wire: '' },
    { sizes: [2 ** 32 - 1], wire: '' },
    { sizes: [0], wire: '20' },
    { sizes: [100], wire: '3f45' },
    { sizes: [0, 4096], wire: '203fe11f' },
    { sizes: [0, 2 ** 32 - 1], wire: '203fe11f' },
    { sizes: [200, 100, 150], wire: '3f453f77' },
    { sizes: [150, 200, 100], wire: '3f45' },
    { sizes: [30, 30], wire: '3e' },
  ]) {
    const encoder = new HpackEncoder()
    for (const size of sizes) encoder.setPeerMaxTableBytes(size)
    t.equal(hexOf(encoder, []), wire, `sizes ${sizes.join(', ')}`)
    t.equal(hexOf(encoder, []), '', 'once')
  }
})

t.test('a smaller own limit is announced in the first block', async (t) => {
  const encoder = new HpackEncoder({ maxTableBytes: 256 })
  t.equal(hexOf(encoder, [':method', 'GET']), '3fe10182')
  encoder.setPeerMaxTableBytes(8192)
  t.equal(hexOf(encoder, [':method', 'GET']), '82')
})

t.test('a larger own limit is used once the peer allows it', async (t) => {
  const encoder = new HpackEncoder({ maxTableBytes: 8192 })
  t.equal(hexOf(encoder, []), '')
  encoder.setPeerMaxTableBytes(65_536)
  t.equal(hexOf(encoder, []), '3fe13f')
})

t.test('a shrunken table forgets, and both sides go on', async (t) => {
  const encoder = new HpackEncoder()
  const decoder = new HpackDecoder()
  const oracle = new OracleDecoder()
  for (const size of [4096, 0, 4096, 60, 100, 4096]) {
    encoder.setPeerMaxTableBytes(size)
    decoder.setMaxTableBytes(size)
    for (let i = 0; i < 3; i++) {
      const block = encodeBlock(encoder, REQUEST)
      t.same(decodeBlock(decoder, block).fields, REQUEST)
      t.same(oracle.decode(block), REQUEST)
      t.ok(encoder.tableBytes <= size)
      t.equal(decoder.tableBytes, encoder.tableBytes)
    }
  }
})

t.test('a peer that allows 4 GiB and 100,000 new fields: the table stays at 4096', async (t) => {
  const encoder = new HpackEncoder({ indexing: () => Indexing.Incremental })
  encoder.setPeerMaxTableBytes(2 ** 32 - 1)
  const buf = Buffer.alloc(256)
  let largest = 0
  for (let i = 0; i < 100_000; i++) {
    encoder.encode([`x-${i}`, `${i}`], buf, encoder.begin(buf, 0))
    largest = Math.max(largest, encoder.tableBytes)
  }
  t.ok(largest <= 4096, `${largest}`)
  const names = Reflect.get(Reflect.get(encoder, 'table'), 'names') as Map<string, unknown>
  t.ok(names.size <= 128, `${names.size} names are known`)
})

t.test('one block of several lists', async (t) => {
  const encoder = new HpackEncoder()
  const decoder = new HpackDecoder()
  const extra = ['grpc-timeout', '1S', 'x-id', '7']
  for (let i = 0; i < 3; i++) {
    const buf = Buffer.alloc(encoder.encodedBound(REQUEST) + encoder.encodedBound(extra))
    const end = encoder.encode(extra, buf, encoder.encode(REQUEST, buf, encoder.begin(buf, 0)))
    t.same(decoder.decode(buf, 0, end).fields, [...REQUEST, ...extra])
  }
})

t.test('writes at the position it is given and nothing behind what it says', async (t) => {
  const encoder = new HpackEncoder()
  const buf = Buffer.alloc(400, 0xee)
  const end = encoder.encode(REQUEST, buf, encoder.begin(buf, 7))
  t.ok(buf.subarray(0, 7).every((octet) => octet === 0xee))
  t.same(decodeBlock(new HpackDecoder(), buf.subarray(7, end)).fields, REQUEST)
})

/** Sends lists through an encoder that remembers, to ours and to hpack.js. */
class Link {
  public readonly encoder = new HpackEncoder({
    rememberLists: true,
    indexing: () => Indexing.Incremental,
  })
  public readonly decoder = new HpackDecoder()
  private readonly oracle = new OracleDecoder()

  public send(t: Test, fields: readonly string[], neverIndexed?: readonly number[]): Buffer {
    const block = encodeBlock(this.encoder, fields, neverIndexed)
    this.receive(t, block, fields)
    return block
  }

  public receive(t: Test, block: Buffer, fields: readonly string[]): void {
    t.same(decodeBlock(this.decoder, block).fields, fields)
    t.same(this.oracle.decode(block), fields)
  }
}

t.test('a remembered list is the same block while the table does not move', async (t) => {
  const link = new Link()
  link.send(t, REQUEST)
  const warm = link.send(t, REQUEST)
  for (let i = 0; i < 5; i++) t.same(link.send(t, REQUEST), warm)
})

t.test('a remembered list is encoded anew after an insertion moved the table', async (t) => {
  const link = new Link()
  for (let i = 0; i < 5; i++) link.send(t, REQUEST)
  const before = link.send(t, REQUEST)
  link.send(t, ['x-moves-the-table', '1'])
  const after = link.send(t, REQUEST)
  t.notSame(after, before)
  for (let i = 0; i < 5; i++) t.same(link.send(t, REQUEST), after)
})

t.test('a remembered list is encoded anew when its own block moved the table before', async (t) => {
  const link = new Link()
  for (let i = 0; i < 5; i++) link.send(t, REQUEST)
  const before = link.send(t, REQUEST)
  const moves = ['x-moves-it-too', '1']
  const buf = Buffer.alloc(1000)
  const middle = link.encoder.encode(moves, buf, link.encoder.begin(buf, 0))
  const end = link.encoder.encode(REQUEST, buf, middle)
  t.notSame(buf.subarray(middle, end), before)
  link.receive(t, buf.subarray(0, end), [...moves, ...REQUEST])
})

t.test('a remembered list is encoded anew when the peer changes the table size', async (t) => {
  const link = new Link()
  for (const size of [4096, 0, 4096, 300]) {
    link.encoder.setPeerMaxTableBytes(size)
    link.decoder.setMaxTableBytes(size)
    for (let i = 0; i < 4; i++) link.send(t, REQUEST)
    t.equal(link.encoder.tableBytes, link.decoder.tableBytes)
  }
})

t.test('a remembered list is not copied where fields must be never-indexed', async (t) => {
  const link = new Link()
  for (let i = 0; i < 4; i++) link.send(t, REQUEST)
  t.same(decodeBlock(link.decoder, link.send(t, REQUEST, [0])).neverIndexed, [0])
})

t.test('a remembered list keeps its place among many that do not recur', async (t) => {
  const link = new Link()
  const list = [...REQUEST]
  for (let i = 0; i < 4; i++) link.send(t, list)
  const warm = link.send(t, list)
  for (let i = 0; i < 20; i++) {
    link.send(t, [':status', '200', ':method', i % 2 === 0 ? 'GET' : 'POST'])
    list[1] = 'GET' // breaks the promise, to see that the list is copied and not encoded
    t.same(encodeBlock(link.encoder, list), warm)
  }
})

t.test('an encoder that does not remember sees a changed array', async (t) => {
  const encoder = new HpackEncoder()
  const fields = [':method', 'GET']
  for (let i = 0; i < 3; i++) t.equal(hexOf(encoder, fields), '82')
  fields[1] = 'POST'
  t.equal(hexOf(encoder, fields), '83')
})
