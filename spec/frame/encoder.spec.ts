import t from 'tap'
import {
  ErrorCode,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  frame,
  goAwayFrameBytes,
  PING_FRAME_BYTES,
  PRIORITY_FRAME_BYTES,
  PUSH_PROMISE_HEADER_BYTES,
  paddedFrame,
  putContinuationHeader,
  putDataHeader,
  putFrame,
  putFrameHeader,
  putGoAway,
  putHeadersHeader,
  putPaddedFrame,
  putPing,
  putPriority,
  putPushPromiseHeader,
  putRstStream,
  putSettings,
  putSettingsAck,
  putWindowUpdate,
  RST_STREAM_FRAME_BYTES,
  Setting,
  settingsFrameBytes,
  WINDOW_UPDATE_FRAME_BYTES,
} from '../../lib/frame/index.ts'

const OFFSET = 5
const UNTOUCHED = 0xee

type Put = (buf: Buffer, pos: number) => number
const octets = (hex: string): Buffer => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex')

const FRAMES: Record<string, readonly [put: Put, bytes: number, hex: string]> = {
  'a header': [
    (buf, pos) => putFrameHeader(buf, pos, 0x010203, 0x42, 0xff, 0x7ffffffe),
    FRAME_HEADER_BYTES,
    '010203 42 ff 7ffffffe',
  ],
  'a header with the reserved bit and all length bits': [
    (buf, pos) => putFrameHeader(buf, pos, 0xffffff, 0xff, 0, 0x8000_0001),
    FRAME_HEADER_BYTES,
    'ffffff ff 00 80000001',
  ],
  'the header of DATA': [
    (buf, pos) => putDataHeader(buf, pos, 1, 16_384, false),
    FRAME_HEADER_BYTES,
    '004000 00 00 00000001',
  ],
  'the header of the last DATA': [
    (buf, pos) => putDataHeader(buf, pos, 0x01020304, 0, true),
    FRAME_HEADER_BYTES,
    '000000 00 01 01020304',
  ],
  'the header of HEADERS': [
    (buf, pos) => putHeadersHeader(buf, pos, 3, 258, false, true),
    FRAME_HEADER_BYTES,
    '000102 01 04 00000003',
  ],
  'the header of HEADERS that end the stream but not the block': [
    (buf, pos) => putHeadersHeader(buf, pos, 3, 1, true, false),
    FRAME_HEADER_BYTES,
    '000001 01 01 00000003',
  ],
  'the header of CONTINUATION': [
    (buf, pos) => putContinuationHeader(buf, pos, 3, 7, false),
    FRAME_HEADER_BYTES,
    '000007 09 00 00000003',
  ],
  'the header of the last CONTINUATION': [
    (buf, pos) => putContinuationHeader(buf, pos, 3, 7, true),
    FRAME_HEADER_BYTES,
    '000007 09 04 00000003',
  ],
  PRIORITY: [
    (buf, pos) => putPriority(buf, pos, 9, 11, false, 8),
    PRIORITY_FRAME_BYTES,
    '000005 02 00 00000009 0000000b 07',
  ],
  'exclusive PRIORITY of the largest weight': [
    (buf, pos) => putPriority(buf, pos, 9, 0x7fff_ffff, true, 256),
    PRIORITY_FRAME_BYTES,
    '000005 02 00 00000009 ffffffff ff',
  ],
  RST_STREAM: [
    (buf, pos) => putRstStream(buf, pos, 5, ErrorCode.CANCEL),
    RST_STREAM_FRAME_BYTES,
    '000004 03 00 00000005 00000008',
  ],
  SETTINGS: [
    (buf, pos) =>
      putSettings(buf, pos, [
        [Setting.HEADER_TABLE_SIZE, 8192],
        [0xfedc, 0xffff_ffff],
      ]),
    settingsFrameBytes(2),
    '00000c 04 00 00000000 0001 00002000 fedc ffffffff',
  ],
  'SETTINGS without entries': [
    (buf, pos) => putSettings(buf, pos, []),
    settingsFrameBytes(0),
    '000000 04 00 00000000',
  ],
  'SETTINGS ACK': [putSettingsAck, FRAME_HEADER_BYTES, '000000 04 01 00000000'],
  'PUSH_PROMISE before its fragment': [
    (buf, pos) => putPushPromiseHeader(buf, pos, 1, 2, 3, true),
    PUSH_PROMISE_HEADER_BYTES,
    '000007 05 04 00000001 00000002',
  ],
  'PUSH_PROMISE that does not end its block': [
    (buf, pos) => putPushPromiseHeader(buf, pos, 1, 2, 0, false),
    PUSH_PROMISE_HEADER_BYTES,
    '000004 05 00 00000001 00000002',
  ],
  PING: [
    (buf, pos) => putPing(buf, pos, false, 0x6465_6164, 0xffff_fffe),
    PING_FRAME_BYTES,
    '000008 06 00 00000000 64656164 fffffffe',
  ],
  'PING ACK, halves also signed': [
    (buf, pos) => putPing(buf, pos, true, -1, 0),
    PING_FRAME_BYTES,
    '000008 06 01 00000000 ffffffff 00000000',
  ],
  GOAWAY: [
    (buf, pos) => putGoAway(buf, pos, 30, ErrorCode.COMPRESSION_ERROR, 'hpack'),
    goAwayFrameBytes(5),
    '00000d 07 00 00000000 0000001e 00000009 68 70 61 63 6b',
  ],
  'GOAWAY without debug data': [
    (buf, pos) => putGoAway(buf, pos, 0x7fff_ffff, ErrorCode.NO_ERROR),
    goAwayFrameBytes(0),
    '000008 07 00 00000000 7fffffff 00000000',
  ],
  WINDOW_UPDATE: [
    (buf, pos) => putWindowUpdate(buf, pos, 0, 0x7fff_ffff),
    WINDOW_UPDATE_FRAME_BYTES,
    '000004 08 00 00000000 7fffffff',
  ],
  'any frame, legal or not': [
    (buf, pos) => putFrame(buf, pos, FrameType.PING, 0x80, 0xffff_ffff, octets('01 02')),
    FRAME_HEADER_BYTES + 2,
    '000002 06 80 ffffffff 01 02',
  ],
  'any frame with padding': [
    (buf, pos) => putPaddedFrame(buf, pos, FrameType.DATA, Flag.END_STREAM, 1, octets('0a 0b'), 3),
    FRAME_HEADER_BYTES + 6,
    '000006 00 09 00000001 03 0a 0b 00 00 00',
  ],
  'any frame with a pad length of 0': [
    (buf, pos) => putPaddedFrame(buf, pos, FrameType.HEADERS, 0, 1, octets(''), 0),
    FRAME_HEADER_BYTES + 1,
    '000001 01 08 00000001 00',
  ],
}

for (const [name, [put, bytes, hex]] of Object.entries(FRAMES)) {
  t.test(`writes ${name}`, async (t) => {
    const buf = Buffer.alloc(64, UNTOUCHED)
    const end = put(buf, OFFSET)
    t.equal(buf.toString('hex', OFFSET, end), hex.replaceAll(' ', ''))
    t.equal(end - OFFSET, bytes, 'and says how many octets to reserve')
    t.ok(
      buf.subarray(0, OFFSET).every((octet) => octet === UNTOUCHED),
      'nothing before',
    )
    t.ok(
      buf.subarray(end).every((octet) => octet === UNTOUCHED),
      'nothing behind',
    )
  })
}

t.test('makes frames of their own from octets and from hex', async (t) => {
  t.strictSame(frame(0, 1, 2), octets('000000 00 01 00000002'))
  t.strictSame(frame(0, 1, 2, Uint8Array.of(1, 2)), octets('000002 00 01 00000002 01 02'))
  t.strictSame(frame(0, 1, 2, '0a 0B\n0c'), octets('000003 00 01 00000002 0a 0b 0c'))
  t.strictSame(paddedFrame(0, 1, 2, 'aa', 1), octets('000003 00 09 00000002 01 aa 00'))
  t.strictSame(paddedFrame(0, 0, 2, Uint8Array.of(0xaa), 0), octets('000002 00 08 00000002 00 aa'))
})

t.test('refuses what is not hex', async (t) => {
  for (const payload of ['0', 'aa b', 'xy', 'aa zz']) {
    t.throws(() => frame(0, 0, 0, payload), TypeError, payload)
  }
})
