// RFC 7541 appendix C: every example, decoded and encoded.
import t from 'tap'
import { HpackDecoder, HpackEncoder, Indexing } from '../../lib/hpack/index.ts'
import { decodeBlock, encodeBlock, octets } from './support.ts'

interface Example {
  readonly section: string
  readonly wire: string
  readonly fields: readonly string[]
  readonly tableBytes: number
}

const WITHOUT_CONTEXT: readonly (Example & { readonly indexing: Indexing })[] = [
  {
    section: 'C.2.1, literal with indexing',
    wire: '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
    fields: ['custom-key', 'custom-header'],
    tableBytes: 55,
    indexing: Indexing.Incremental,
  },
  {
    section: 'C.2.2, literal without indexing',
    wire: '040c 2f73 616d 706c 652f 7061 7468',
    fields: [':path', '/sample/path'],
    tableBytes: 0,
    indexing: Indexing.Without,
  },
  {
    section: 'C.2.3, literal never indexed',
    wire: '1008 7061 7373 776f 7264 0673 6563 7265 74',
    fields: ['password', 'secret'],
    tableBytes: 0,
    indexing: Indexing.Never,
  },
  {
    section: 'C.2.4, indexed',
    wire: '82',
    fields: [':method', 'GET'],
    tableBytes: 0,
    indexing: Indexing.Incremental,
  },
]

const REQUESTS = [
  [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'],
  [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'].concat(
    'cache-control',
    'no-cache',
  ),
  [':method', 'GET', ':scheme', 'https', ':path', '/index.html'].concat(
    ':authority',
    'www.example.com',
    'custom-key',
    'custom-value',
  ),
]

const DATE = 'Mon, 21 Oct 2013 20:13:21 GMT'
const LATER = 'Mon, 21 Oct 2013 20:13:22 GMT'
const COOKIE = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'
const LOCATION = ['location', 'https://www.example.com']

const RESPONSES = [
  [':status', '302', 'cache-control', 'private', 'date', DATE, ...LOCATION],
  [':status', '307', 'cache-control', 'private', 'date', DATE, ...LOCATION],
  [':status', '200', 'cache-control', 'private', 'date', LATER, ...LOCATION].concat(
    'content-encoding',
    'gzip',
    'set-cookie',
    COOKIE,
  ),
]

interface Story {
  readonly section: string
  readonly maxTableBytes: number
  readonly huffman: boolean
  readonly lists: readonly (readonly string[])[]
  readonly tableBytes: readonly number[]
  readonly wires: readonly string[]
}

const STORIES: readonly Story[] = [
  {
    section: 'C.3, requests without Huffman coding',
    maxTableBytes: 4096,
    huffman: false,
    lists: REQUESTS,
    tableBytes: [57, 110, 164],
    wires: [
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ],
  },
  {
    section: 'C.4, requests with Huffman coding',
    maxTableBytes: 4096,
    huffman: true,
    lists: REQUESTS,
    tableBytes: [57, 110, 164],
    wires: [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ],
  },
  {
    section: 'C.5, responses without Huffman coding',
    maxTableBytes: 256,
    huffman: false,
    lists: RESPONSES,
    tableBytes: [222, 222, 215],
    wires: [
      `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a
       3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
      '4803 3330 37c1 c0bf',
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04
       677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49
       553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
    ],
  },
  {
    section: 'C.6, responses with Huffman coding',
    maxTableBytes: 256,
    huffman: true,
    lists: RESPONSES,
    tableBytes: [222, 222, 215],
    wires: [
      `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e
       919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
      '4883 640e ffc1 c0bf',
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7
       821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed
       4ee5 b106 3d50 07`,
    ],
  },
]

/** Where we write other octets: a string that Huffman coding makes no shorter is written plain. */
const OUR_WIRES = new Map([['4883 640e ffc1 c0bf', '4803 3330 37c1 c0bf']])

t.test('examples without context', async (t) => {
  for (const example of WITHOUT_CONTEXT) {
    const decoder = new HpackDecoder()
    t.same(decodeBlock(decoder, octets(example.wire)).fields, example.fields, example.section)
    t.equal(decoder.tableBytes, example.tableBytes, 'size of the decoder table')

    const encoder = new HpackEncoder({ huffman: false, indexing: () => example.indexing })
    t.same(encodeBlock(encoder, example.fields), octets(example.wire), 'encodes to the same')
    t.equal(encoder.tableBytes, example.tableBytes, 'size of the encoder table')
  }
})

t.test('only the never-indexed example is marked as such', async (t) => {
  for (const { wire, indexing } of WITHOUT_CONTEXT) {
    const { neverIndexed } = decodeBlock(new HpackDecoder(), octets(wire))
    t.same(neverIndexed, indexing === Indexing.Never ? [0] : undefined)
  }
})

for (const { section, maxTableBytes, huffman, lists, tableBytes, wires } of STORIES) {
  t.test(`${section}: decodes`, async (t) => {
    const decoder = new HpackDecoder({ maxTableBytes })
    wires.forEach((wire, i) => {
      t.same(decodeBlock(decoder, octets(wire)).fields, lists[i])
      t.equal(decoder.tableBytes, tableBytes[i], 'table size')
    })
  })

  t.test(`${section}: encodes`, async (t) => {
    const indexing = (): Indexing => Indexing.Incremental
    const encoder = new HpackEncoder({ maxTableBytes, huffman, indexing })
    encoder.begin(Buffer.alloc(12), 0) // the size update, which the examples do without
    wires.forEach((wire, i) => {
      t.same(encodeBlock(encoder, lists[i]!), octets(OUR_WIRES.get(wire) ?? wire))
      t.equal(encoder.tableBytes, tableBytes[i], 'table size')
    })
  })
}
