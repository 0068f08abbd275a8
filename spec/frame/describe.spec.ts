import fc from 'fast-check'
import t from 'tap'
import {
  CONNECTION_PREFACE,
  describeFrame,
  Flag,
  FrameDescriber,
  FrameType,
  frame,
  paddedFrame,
} from '../../lib/frame/index.ts'

const text = (latin1: string): string => Buffer.from(latin1, 'latin1').toString('hex')

const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS } = FrameType
const { PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } = FrameType
const { END_STREAM, ACK, END_HEADERS, PADDED } = Flag

const LINES: readonly (readonly [Buffer, string])[] = [
  [frame(DATA, 0, 1, text('secret')), 'DATA stream=1 length=6 data=6'],
  [
    paddedFrame(DATA, END_STREAM, 1, text('secret'), 2),
    'DATA stream=1 length=9 flags=END_STREAM|PADDED data=6 pad=2',
  ],
  [frame(DATA, PADDED, 1, '03 aa bb'), 'DATA stream=1 length=3 flags=PADDED malformed 03aabb'],
  [frame(DATA, PADDED, 1), 'DATA stream=1 length=0 flags=PADDED malformed'],
  [
    frame(HEADERS, END_STREAM | END_HEADERS, 3, '82 84'),
    'HEADERS stream=3 length=2 flags=END_STREAM|END_HEADERS block=2',
  ],
  [
    paddedFrame(HEADERS, Flag.PRIORITY, 3, '80000014 09 82', 1),
    'HEADERS stream=3 length=8 flags=PADDED|PRIORITY block=1 pad=1 dependsOn=20 weight=10 exclusive',
  ],
  [
    frame(HEADERS, Flag.PRIORITY, 3, '00000001'),
    'HEADERS stream=3 length=4 flags=PRIORITY malformed 00000001',
  ],
  [
    frame(HEADERS, Flag.PRIORITY, 3, '00000000 00'),
    'HEADERS stream=3 length=5 flags=PRIORITY block=0 dependsOn=0 weight=1',
  ],
  [frame(PRIORITY, 0, 9, '0000000b 07'), 'PRIORITY stream=9 length=5 dependsOn=11 weight=8'],
  [frame(PRIORITY, 0, 9, '0000'), 'PRIORITY stream=9 length=2 malformed 0000'],
  [frame(RST_STREAM, 0, 5, '00000008'), 'RST_STREAM stream=5 length=4 CANCEL'],
  [frame(RST_STREAM, 0, 5, '000000ff'), 'RST_STREAM stream=5 length=4 0xff'],
  [frame(RST_STREAM, 0, 5), 'RST_STREAM stream=5 length=0 malformed'],
  [
    frame(SETTINGS, 0, 0, '0001 00002000 0003 00001388 00f0 00000001'),
    'SETTINGS stream=0 length=18 HEADER_TABLE_SIZE=8192 MAX_CONCURRENT_STREAMS=5000 0xf0=1',
  ],
  [frame(SETTINGS, 0, 0), 'SETTINGS stream=0 length=0'],
  [frame(SETTINGS, ACK, 0), 'SETTINGS stream=0 length=0 flags=ACK'],
  [frame(SETTINGS, 0, 1, '00'), 'SETTINGS stream=1 length=1 malformed 00'],
  [
    paddedFrame(PUSH_PROMISE, END_HEADERS, 1, '0000000c 82', 1),
    'PUSH_PROMISE stream=1 length=7 flags=END_HEADERS|PADDED promised=12 block=1 pad=1',
  ],
  [frame(PUSH_PROMISE, 0, 1, '000000'), 'PUSH_PROMISE stream=1 length=3 malformed 000000'],
  [frame(PING, ACK, 0, '01020304 fffefdfc'), 'PING stream=0 length=8 flags=ACK 01020304fffefdfc'],
  [frame(PING, 0, 0, '0102'), 'PING stream=0 length=2 malformed 0102'],
  [
    frame(GOAWAY, 0, 0, `8000001e 00000009 ${text('hpack\r\n"broken"\x00')}`),
    'GOAWAY stream=0 length=24 last=30 COMPRESSION_ERROR "hpack...broken.."',
  ],
  [frame(GOAWAY, 0, 0, '00000000 00000000'), 'GOAWAY stream=0 length=8 last=0 NO_ERROR'],
  [
    frame(GOAWAY, 0, 0, `0000000000000000${text('x'.repeat(129))}`),
    `GOAWAY stream=0 length=137 last=0 NO_ERROR "${'x'.repeat(128)}"…`,
  ],
  [frame(GOAWAY, 0, 0, '00'), 'GOAWAY stream=0 length=1 malformed 00'],
  [frame(WINDOW_UPDATE, 0, 50, '800003e8'), 'WINDOW_UPDATE stream=50 length=4 +1000'],
  [frame(WINDOW_UPDATE, 0, 50, '01'), 'WINDOW_UPDATE stream=50 length=1 malformed 01'],
  [
    frame(CONTINUATION, END_HEADERS, 1, '82'),
    'CONTINUATION stream=1 length=1 flags=END_HEADERS block=1',
  ],
  [frame(0x42, 0x81, 0x8000_0007, 'aa'), '0x42 stream=7 length=1 flags=0x81'],
  [
    frame(PING, 0x05, 0, '0000000000000000'),
    'PING stream=0 length=8 flags=ACK|0x04 0000000000000000',
  ],
  [
    frame(RST_STREAM, 0, 1, 'ab'.repeat(17)),
    `RST_STREAM stream=1 length=17 malformed ${'ab'.repeat(16)}…`,
  ],
]

const ALL = Buffer.concat(LINES.map(([octets]) => octets))
const ALL_LINES = LINES.map(([, line]) => line)

t.test('describes a frame in a line', async (t) => {
  for (const [octets, line] of LINES) {
    const [type, flags] = [octets[3]!, octets[4]!]
    const streamId = octets.readUInt32BE(5) & 0x7fff_ffff
    t.equal(describeFrame(type, flags, streamId, octets.subarray(9)), line)
  }
})

t.test('shows data as text if asked', async (t) => {
  const payload = Buffer.from('h\u00e9llo\n, world', 'latin1')
  t.equal(
    describeFrame(DATA, 0, 1, payload, { previewBytes: 100 }),
    'DATA stream=1 length=13 data=13 "h.llo., world"',
  )
  t.equal(
    describeFrame(DATA, 0, 1, payload, { previewBytes: 3 }),
    'DATA stream=1 length=13 data=13 "h.l"…',
  )
})

t.test('describes the frames of a stream of octets', async (t) => {
  t.strictSame(new FrameDescriber().push(ALL), ALL_LINES, 'in one piece')
  const describer = new FrameDescriber()
  const lines = Array.from(ALL, (_, i) => describer.push(ALL, i, i + 1)).flat()
  t.strictSame(lines, ALL_LINES, 'octet by octet')
})

t.test('gives each line as soon as its frame is whole', async (t) => {
  const describer = new FrameDescriber()
  const ack = frame(SETTINGS, ACK, 0)
  t.strictSame(describer.push(ack, 0, 8), [])
  t.strictSame(describer.push(ack, 8), ['SETTINGS stream=0 length=0 flags=ACK'])
})

t.test('holds little memory behind a large frame', async (t) => {
  const describer = new FrameDescriber()
  const held = (): number => describer['received'].buf.length
  const large = frame(DATA, 0, 1, Buffer.alloc(100_000))
  describer.push(large, 0, 99_999)
  t.ok(held() > 65_536)
  describer.push(large, 99_999)
  t.ok(held() <= 65_536)
})

t.test('passes over the preface of a client', async (t) => {
  const ping = frame(PING, 0, 0, '0000000000000000')
  const input = Buffer.concat([Buffer.from(CONNECTION_PREFACE), ping])
  const line = 'PING stream=0 length=8 0000000000000000'
  t.strictSame(new FrameDescriber().push(input), [line])
  const describer = new FrameDescriber()
  t.strictSame(Array.from(input, (_, i) => describer.push(input, i, i + 1)).flat(), [line])

  t.test('only at the start, and only a whole one', async (t) => {
    const almost = Buffer.concat([Buffer.from('PRI'), Buffer.alloc(0x505249 + 6)])
    const [described] = new FrameDescriber().push(almost)
    t.match(described, /^DATA stream=0 length=5263945 /)
  })
})

t.test('shows the fields of a block where it ends', async (t) => {
  const blocks: string[] = []
  const describer = new FrameDescriber({
    describeBlock: (block) => {
      blocks.push(block.toString('hex'))
      return `{${block.toString('hex')}}`
    },
  })
  const lines = describer.push(
    Buffer.concat([
      frame(HEADERS, END_HEADERS, 1, '82'),
      frame(DATA, END_HEADERS, 1),
      frame(HEADERS, 0, 3, '83'),
      frame(CONTINUATION, 0, 3, '84'),
      frame(CONTINUATION, END_HEADERS, 3),
      paddedFrame(PUSH_PROMISE, END_HEADERS, 1, '00000002 85', 3),
      paddedFrame(HEADERS, END_HEADERS | Flag.PRIORITY, 5, '00000000 00 86', 2),
      frame(HEADERS, 0, 7, '87'),
      frame(HEADERS, END_HEADERS, 9, '88'),
      frame(HEADERS, END_HEADERS | PADDED, 11, '88'),
    ]),
  )
  t.strictSame(blocks, ['82', '8384', '85', '86', '88'])
  t.strictSame(
    lines.map((line) => line.replace(/^(\w+) stream=(\d+) .*?(\{\w*\})?$/, '$1 $2 $3')),
    [
      'HEADERS 1 {82}',
      'DATA 1 ',
      'HEADERS 3 ',
      'CONTINUATION 3 ',
      'CONTINUATION 3 {8384}',
      'PUSH_PROMISE 1 {85}',
      'HEADERS 5 {86}',
      'HEADERS 7 ',
      'HEADERS 9 {88}',
      'HEADERS 11 ',
    ],
  )
})

t.test('says so when a block cannot be decoded', async (t) => {
  const describer = new FrameDescriber({
    describeBlock: () => {
      throw new RangeError('index 99')
    },
  })
  t.strictSame(describer.push(frame(HEADERS, END_HEADERS, 1, 'e3')), [
    'HEADERS stream=1 length=1 flags=END_HEADERS block=1 undecodable (index 99)',
  ])
})

t.test('gives a line of printable text for any octets', async () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 0, max: 255 }),
      fc.uint8Array({ maxLength: 60 }),
      (type, flags, payload) => {
        const line = describeFrame(type, flags, 1, Buffer.from(payload), { previewBytes: 40 })
        return /^[\x20-\x7e…]+$/.test(line)
      },
    ),
    { numRuns: 2_000 },
  )
})
