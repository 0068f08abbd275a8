import fc from 'fast-check'
import t from 'tap'
import {
  ErrorCode,
  Flag,
  FrameDecoder,
  type FrameDecoderOptions,
  FrameType,
  frame,
  Http2Error,
  paddedFrame,
} from '../../lib/frame/index.ts'
import { RecordingHandler } from './recording-handler.ts'

const octets = (hex: string): Buffer => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex')

interface Outcome {
  readonly calls: string[]
  readonly payloads: string[]
  readonly error: Http2Error | undefined
}

/** Pushes `input` in pieces of the given sizes, the last size over and over. */
function decode(input: Buffer, sizes: readonly number[], options?: FrameDecoderOptions): Outcome {
  const handler = new RecordingHandler()
  const decoder = new FrameDecoder(handler, options)
  let error: Http2Error | undefined
  try {
    for (let pos = 0, i = 0; pos < input.length; i++) {
      const size = sizes[Math.min(i, sizes.length - 1)]!
      // Each piece in memory of its own: whoever keeps a borrowed range reads garbage.
      const piece = Buffer.from(input.subarray(pos, pos + size))
      decoder.push(piece, 0, piece.length)
      piece.fill(0xee)
      pos += size
    }
  } catch (thrown) {
    if (!(thrown instanceof Http2Error)) throw thrown
    error = thrown
  }
  return { calls: handler.calls, payloads: handler.payloads, error }
}

const whole = (input: Buffer): readonly number[] => [Math.max(1, input.length)]
const SPLITS = { 'in one piece': whole, 'octet by octet': () => [1] }

const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS } = FrameType
const { PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } = FrameType
const { END_STREAM, ACK, END_HEADERS, PADDED } = Flag
const EXTENSION = 0x42

const LEGAL: Record<string, readonly [input: Buffer, ...payloads: string[]]> = {
  'DATA without data': [frame(DATA, 0, 1), 'dataBegin 1 flow=0 pad=0 end=false', 'dataEnd []'],
  'DATA that ends the stream': [
    frame(DATA, END_STREAM, 3, 'aa bb cc'),
    'dataBegin 3 flow=3 pad=0 end=true',
    'dataEnd [aabbcc]',
  ],
  'DATA with padding, counted with its length octet': [
    paddedFrame(DATA, 0, 1, 'aa bb', 3),
    'dataBegin 1 flow=6 pad=4 end=false',
    'dataEnd [aabb]',
  ],
  'DATA with a pad length of 0': [
    paddedFrame(DATA, 0, 1, 'aa', 0),
    'dataBegin 1 flow=2 pad=1 end=false',
    'dataEnd [aa]',
  ],
  'DATA of padding alone': [
    paddedFrame(DATA, END_STREAM, 1, '', 255),
    'dataBegin 1 flow=256 pad=256 end=true',
    'dataEnd []',
  ],
  'DATA of a pad length octet alone': [
    paddedFrame(DATA, 0, 1, '', 0),
    'dataBegin 1 flow=1 pad=1 end=false',
    'dataEnd []',
  ],
  'DATA with unknown flags': [
    frame(DATA, 0xf6, 1, 'aa'),
    'dataBegin 1 flow=1 pad=0 end=false',
    'dataEnd [aa]',
  ],
  'DATA as long as the limit': [
    frame(DATA, 0, 1, Buffer.alloc(16_384, 0x61)),
    'dataBegin 1 flow=16384 pad=0 end=false',
    `dataEnd [${'61'.repeat(16_384)}]`,
  ],
  'the reserved bit of a stream identifier': [
    frame(DATA, 0, 0x8000_0001),
    'dataBegin 1 flow=0 pad=0 end=false',
    'dataEnd []',
  ],
  HEADERS: [
    frame(HEADERS, END_STREAM | END_HEADERS, 1, '82 86'),
    'headers 1 endStream=true endHeaders=true pad=0 [8286]',
  ],
  'HEADERS without a fragment': [
    frame(HEADERS, END_HEADERS, 1),
    'headers 1 endStream=false endHeaders=true pad=0 []',
  ],
  'HEADERS with padding': [
    paddedFrame(HEADERS, END_HEADERS, 1, '82', 2),
    'headers 1 endStream=false endHeaders=true pad=2 [82]',
  ],
  'HEADERS with priority, dropped': [
    frame(HEADERS, END_HEADERS | Flag.PRIORITY, 3, '80000001 0f 82'),
    'headers 3 endStream=false endHeaders=true pad=0 [82]',
  ],
  'HEADERS with padding and priority': [
    paddedFrame(HEADERS, END_STREAM | END_HEADERS | Flag.PRIORITY, 3, '00000000 00 82 84', 1),
    'headers 3 endStream=true endHeaders=true pad=1 [8284]',
  ],
  'HEADERS of padding and priority alone': [
    paddedFrame(HEADERS, END_HEADERS | Flag.PRIORITY, 3, '00000000 00', 4),
    'headers 3 endStream=false endHeaders=true pad=4 []',
  ],
  'a block over three frames': [
    Buffer.concat([
      frame(HEADERS, END_STREAM, 1, '82'),
      frame(CONTINUATION, 0, 1),
      frame(CONTINUATION, END_HEADERS, 1, '84 86'),
      frame(HEADERS, END_HEADERS, 3, '88'),
    ]),
    'headers 1 endStream=true endHeaders=false pad=0 [82]',
    'continuation 1 endHeaders=false []',
    'continuation 1 endHeaders=true [8486]',
    'headers 3 endStream=false endHeaders=true pad=0 [88]',
  ],
  PRIORITY: [
    frame(PRIORITY, 0, 5, '80000003 ff'),
    'priority 5 dependsOn=3 exclusive=true weight=256',
  ],
  RST_STREAM: [frame(RST_STREAM, 0, 1, '00000008'), 'rstStream 1 CANCEL'],
  'RST_STREAM with an unknown code': [
    frame(RST_STREAM, 0, 1, 'fffffffe'),
    'rstStream 1 0xfffffffe',
  ],
  SETTINGS: [
    frame(SETTINGS, 0, 0, '0001 00001000  0003 ffffffff'),
    'setting 1=4096',
    'setting 3=4294967295',
    'settingsEnd',
  ],
  'SETTINGS without entries': [frame(SETTINGS, 0, 0), 'settingsEnd'],
  'SETTINGS with the smallest values': [
    frame(SETTINGS, 0, 0, '0002 00000000  0004 00000000  0005 00004000  0008 00000000'),
    'setting 2=0',
    'setting 4=0',
    'setting 5=16384',
    'setting 8=0',
    'settingsEnd',
  ],
  'SETTINGS with the largest values': [
    frame(SETTINGS, 0, 0, '0002 00000001  0004 7fffffff  0005 00ffffff  0008 00000001'),
    'setting 2=1',
    'setting 4=2147483647',
    'setting 5=16777215',
    'setting 8=1',
    'settingsEnd',
  ],
  'SETTINGS with an unknown setting': [
    frame(SETTINGS, 0, 0, '00ff ffffffff'),
    'setting 255=4294967295',
    'settingsEnd',
  ],
  'SETTINGS with 32 entries': [
    frame(SETTINGS, 0, 0, '0001 00001000'.repeat(32)),
    ...Array<string>(32).fill('setting 1=4096'),
    'settingsEnd',
  ],
  'SETTINGS ACK': [frame(SETTINGS, ACK, 0), 'settingsAck'],
  'PUSH_PROMISE and its block, which is not delivered': [
    Buffer.concat([
      frame(PUSH_PROMISE, 0, 1, '80000002 82'),
      frame(CONTINUATION, END_HEADERS, 1, '84'),
      frame(HEADERS, 0, 1, '88'),
      frame(CONTINUATION, END_HEADERS, 1, '89'),
    ]),
    'pushPromise 1',
    'headers 1 endStream=false endHeaders=false pad=0 [88]',
    'continuation 1 endHeaders=true [89]',
  ],
  'PUSH_PROMISE with padding': [
    paddedFrame(PUSH_PROMISE, END_HEADERS, 1, '00000004 83', 2),
    'pushPromise 1',
  ],
  PING: [frame(PING, 0, 0, 'ffffffff 00000001'), 'ping ack=false 4294967295 1'],
  'PING ACK': [frame(PING, ACK, 0, '00000000 80000000'), 'ping ack=true 0 2147483648'],
  GOAWAY: [
    frame(GOAWAY, 0, 0, `ffffffff 0000000b ${Buffer.from('calm').toString('hex')}`),
    'goAway last=2147483647 ENHANCE_YOUR_CALM "calm"',
  ],
  'GOAWAY without debug data': [
    frame(GOAWAY, 0, 0, '00000003 00000000'),
    'goAway last=3 NO_ERROR ""',
  ],
  'WINDOW_UPDATE of the connection': [frame(WINDOW_UPDATE, 0, 0, '80000001'), 'windowUpdate 0 +1'],
  'WINDOW_UPDATE of a stream': [
    frame(WINDOW_UPDATE, 0, 7, '7fffffff'),
    'windowUpdate 7 +2147483647',
  ],
  'a frame of unknown type': [
    frame(EXTENSION, 0xff, 9, 'ab cd'),
    'extension 66 flags=255 stream=9 [abcd]',
  ],
  'a frame of unknown type without payload': [
    frame(0xff, 0, 0),
    'extension 255 flags=0 stream=0 []',
  ],
}

const CONNECTION_ERRORS: readonly (readonly [
  token: string,
  code: keyof typeof ErrorCode,
  Buffer,
])[] = [
  ['frame_too_large', 'FRAME_SIZE_ERROR', octets('004001 00 00 00000001')],
  ['frame_too_large', 'FRAME_SIZE_ERROR', octets('ffffff 42 00 00000000')],
  ['frame_too_large', 'FRAME_SIZE_ERROR', Buffer.from('HTTP/1.1 400 Bad Request\r\n')],
  ['data_on_stream_zero', 'PROTOCOL_ERROR', frame(DATA, 0, 0, 'aa')],
  ['headers_on_stream_zero', 'PROTOCOL_ERROR', frame(HEADERS, END_HEADERS, 0, '82')],
  ['priority_on_stream_zero', 'PROTOCOL_ERROR', frame(PRIORITY, 0, 0, '00000001 00')],
  ['priority_on_stream_zero', 'PROTOCOL_ERROR', frame(PRIORITY, 0, 0, '00')],
  ['rst_stream_on_stream_zero', 'PROTOCOL_ERROR', frame(RST_STREAM, 0, 0, '00000000')],
  ['settings_on_stream', 'PROTOCOL_ERROR', frame(SETTINGS, 0, 1)],
  ['settings_on_stream', 'PROTOCOL_ERROR', frame(SETTINGS, ACK, 2)],
  ['push_promise_on_stream_zero', 'PROTOCOL_ERROR', frame(PUSH_PROMISE, 4, 0, '00000002')],
  ['ping_on_stream', 'PROTOCOL_ERROR', frame(PING, 0, 1, '0000000000000000')],
  ['goaway_on_stream', 'PROTOCOL_ERROR', frame(GOAWAY, 0, 1, '0000000000000000')],
  ['rst_stream_length', 'FRAME_SIZE_ERROR', frame(RST_STREAM, 0, 1, '000000')],
  ['rst_stream_length', 'FRAME_SIZE_ERROR', frame(RST_STREAM, 0, 1, '0000000000')],
  ['ping_length', 'FRAME_SIZE_ERROR', frame(PING, 0, 0, '00000000000000')],
  ['ping_length', 'FRAME_SIZE_ERROR', frame(PING, ACK, 0, '000000000000000000')],
  ['goaway_length', 'FRAME_SIZE_ERROR', frame(GOAWAY, 0, 0, '00000000000000')],
  ['window_update_length', 'FRAME_SIZE_ERROR', frame(WINDOW_UPDATE, 0, 0, '000001')],
  ['window_update_length', 'FRAME_SIZE_ERROR', frame(WINDOW_UPDATE, 0, 1, '0000000001')],
  ['settings_ack_length', 'FRAME_SIZE_ERROR', frame(SETTINGS, ACK, 0, '0001 00001000')],
  ['settings_length', 'FRAME_SIZE_ERROR', frame(SETTINGS, 0, 0, '0001 000010')],
  ['settings_length', 'FRAME_SIZE_ERROR', frame(SETTINGS, 0, 0, '00')],
  [
    'settings_too_many_entries',
    'ENHANCE_YOUR_CALM',
    frame(SETTINGS, 0, 0, '0001 00001000'.repeat(33)),
  ],
  ['settings_enable_push', 'PROTOCOL_ERROR', frame(SETTINGS, 0, 0, '0002 00000002')],
  ['settings_initial_window_size', 'FLOW_CONTROL_ERROR', frame(SETTINGS, 0, 0, '0004 80000000')],
  ['settings_max_frame_size', 'PROTOCOL_ERROR', frame(SETTINGS, 0, 0, '0005 00000000')],
  ['settings_max_frame_size', 'PROTOCOL_ERROR', frame(SETTINGS, 0, 0, '0005 00003fff')],
  ['settings_max_frame_size', 'PROTOCOL_ERROR', frame(SETTINGS, 0, 0, '0005 01000000')],
  ['settings_enable_connect_protocol', 'PROTOCOL_ERROR', frame(SETTINGS, 0, 0, '0008 00000002')],
  ['data_length', 'FRAME_SIZE_ERROR', frame(DATA, PADDED, 1)],
  ['data_padding', 'PROTOCOL_ERROR', frame(DATA, PADDED, 1, '01')],
  ['data_padding', 'PROTOCOL_ERROR', frame(DATA, PADDED, 1, '04 aaaaaa')],
  ['headers_length', 'FRAME_SIZE_ERROR', frame(HEADERS, END_HEADERS | PADDED, 1)],
  ['headers_length', 'FRAME_SIZE_ERROR', frame(HEADERS, Flag.PRIORITY, 1, '00000000')],
  ['headers_length', 'FRAME_SIZE_ERROR', frame(HEADERS, Flag.PRIORITY | PADDED, 1, '0000000000')],
  ['headers_padding', 'PROTOCOL_ERROR', frame(HEADERS, END_HEADERS | PADDED, 1, '03 8286')],
  [
    'headers_padding',
    'PROTOCOL_ERROR',
    frame(HEADERS, END_HEADERS | PADDED | Flag.PRIORITY, 1, '02 00000000 00 82'),
  ],
  ['push_promise_length', 'FRAME_SIZE_ERROR', frame(PUSH_PROMISE, 0, 1, '000000')],
  ['push_promise_length', 'FRAME_SIZE_ERROR', frame(PUSH_PROMISE, PADDED, 1, '00000002')],
  ['push_promise_padding', 'PROTOCOL_ERROR', frame(PUSH_PROMISE, PADDED, 1, '02 00000002 82')],
  ['push_promise_promised_id', 'PROTOCOL_ERROR', frame(PUSH_PROMISE, 0, 1, '80000000')],
  ['push_promise_promised_id', 'PROTOCOL_ERROR', frame(PUSH_PROMISE, 0, 1, '00000003')],
  ['window_update_zero_on_connection', 'PROTOCOL_ERROR', frame(WINDOW_UPDATE, 0, 0, '80000000')],
  ['continuation_unexpected', 'PROTOCOL_ERROR', frame(CONTINUATION, END_HEADERS, 1, '82')],
  ['continuation_unexpected', 'PROTOCOL_ERROR', frame(CONTINUATION, END_HEADERS, 0)],
  [
    'continuation_unexpected',
    'PROTOCOL_ERROR',
    Buffer.concat([frame(HEADERS, END_HEADERS, 1), frame(CONTINUATION, END_HEADERS, 1)]),
  ],
  [
    'continuation_unexpected',
    'PROTOCOL_ERROR',
    Buffer.concat([
      frame(HEADERS, 0, 1),
      frame(CONTINUATION, END_HEADERS, 1),
      frame(CONTINUATION, 0, 1),
    ]),
  ],
  [
    'continuation_wrong_stream',
    'PROTOCOL_ERROR',
    Buffer.concat([frame(HEADERS, 0, 1), frame(CONTINUATION, END_HEADERS, 3)]),
  ],
  [
    'continuation_wrong_stream',
    'PROTOCOL_ERROR',
    Buffer.concat([frame(HEADERS, 0, 1), frame(CONTINUATION, END_HEADERS, 0)]),
  ],
  [
    'continuation_wrong_stream',
    'PROTOCOL_ERROR',
    Buffer.concat([frame(PUSH_PROMISE, 0, 1, '00000002'), frame(CONTINUATION, END_HEADERS, 2)]),
  ],
  ...[DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, EXTENSION].map(
    (type) =>
      [
        'continuation_expected',
        'PROTOCOL_ERROR',
        Buffer.concat([frame(HEADERS, 0, 1), frame(type, 0, 1, '0000000200000000')]),
      ] as const,
  ),
  [
    'continuation_expected',
    'PROTOCOL_ERROR',
    Buffer.concat([frame(PUSH_PROMISE, 0, 1, '00000002'), frame(WINDOW_UPDATE, 0, 1, '00000001')]),
  ],
]

const STREAM_ERRORS: readonly (readonly [Buffer, ...payloads: string[]])[] = [
  [frame(PRIORITY, 0, 1, '00000000'), 'streamError 1 FRAME_SIZE_ERROR priority_length'],
  [frame(PRIORITY, 0, 1), 'streamError 1 FRAME_SIZE_ERROR priority_length'],
  [frame(PRIORITY, 0, 1, '000000000000'), 'streamError 1 FRAME_SIZE_ERROR priority_length'],
  [frame(PRIORITY, 0, 5, '80000005 00'), 'streamError 5 PROTOCOL_ERROR priority_self_dependency'],
  [
    frame(WINDOW_UPDATE, 0, 1, '80000000'),
    'streamError 1 PROTOCOL_ERROR window_update_zero_on_stream',
  ],
  [
    frame(HEADERS, END_HEADERS | Flag.PRIORITY, 5, '00000005 00 82'),
    'headers 5 endStream=false endHeaders=true pad=0 [82]',
    'streamError 5 PROTOCOL_ERROR headers_self_dependency',
  ],
  [
    Buffer.concat([
      frame(HEADERS, Flag.PRIORITY, 5, '00000005 00 82'),
      frame(CONTINUATION, END_HEADERS, 5, '84'),
    ]),
    'headers 5 endStream=false endHeaders=false pad=0 [82]',
    'streamError 5 PROTOCOL_ERROR headers_self_dependency',
    'continuation 5 endHeaders=true [84]',
  ],
]

for (const [how, sizesOf] of Object.entries(SPLITS)) {
  t.test(`takes ${how}`, async (t) => {
    for (const [name, [input, ...payloads]] of Object.entries(LEGAL)) {
      const outcome = decode(input, sizesOf(input))
      t.equal(outcome.error, undefined, name)
      t.strictSame(outcome.payloads, payloads, name)
    }
  })

  t.test(`ends the connection ${how} at`, async (t) => {
    for (const [token, code, input] of CONNECTION_ERRORS) {
      const { error } = decode(input, sizesOf(input))
      t.equal(error?.token, token, token)
      t.equal(error?.code, ErrorCode[code], `${token} is a ${code}`)
    }
  })

  t.test(`goes on ${how} after the stream error`, async (t) => {
    for (const [input, ...payloads] of STREAM_ERRORS) {
      const more = Buffer.concat([input, frame(PING, ACK, 0, '0000000000000007')])
      const outcome = decode(more, sizesOf(more))
      t.equal(outcome.error, undefined)
      t.strictSame(outcome.payloads, [...payloads, 'ping ack=true 0 7'], payloads.at(-1)!)
    }
  })
}

t.test('announces each frame before its payload, with its header', async (t) => {
  const input = Buffer.concat([
    frame(SETTINGS, 0, 0),
    frame(HEADERS, END_HEADERS, 0x8000_0003, '82'),
    frame(EXTENSION, 5, 1, 'aa'),
  ])
  for (const sizesOf of Object.values(SPLITS)) {
    t.strictSame(decode(input, sizesOf(input)).calls, [
      'frame SETTINGS flags=0 stream=0 length=0',
      'settingsEnd',
      'frame HEADERS flags=4 stream=3 length=1',
      'headers 3 endStream=false endHeaders=true pad=0 [82]',
      'frame 0x42 flags=5 stream=1 length=1',
      'extension 66 flags=5 stream=1 [aa]',
    ])
  }
})

t.test('refuses a header without waiting for its payload, and does not announce it', async (t) => {
  for (const hex of [
    '004001 00 00 00000001',
    '000005 03 00 00000001',
    '0000c6 04 00 00000000',
    '000008 06 00 00000001',
  ]) {
    const { error, calls } = decode(octets(hex), [9])
    t.ok(error, hex)
    t.strictSame(calls, [])
  }
})

t.test('says what came and what was expected', async (t) => {
  const message = (input: Buffer): string => decode(input, whole(input)).error?.message ?? ''
  t.equal(
    message(frame(PING, 0, 0, '00')),
    'FRAME_SIZE_ERROR (ping_length): PING of 1 octets, expected 8',
  )
  t.equal(
    message(frame(GOAWAY, 0, 0, '00')),
    'FRAME_SIZE_ERROR (goaway_length): GOAWAY of 1 octets, expected at least 8',
  )
  t.equal(
    message(frame(DATA, 0, 0)),
    'PROTOCOL_ERROR (data_on_stream_zero): DATA on stream 0, expected a stream',
  )
  t.equal(
    message(frame(SETTINGS, 0, 3)),
    'PROTOCOL_ERROR (settings_on_stream): SETTINGS on stream 3, expected stream 0',
  )
  t.match(message(Buffer.from('HTTP/1.1 505 \r\n')), /reads as an HTTP\/1\.1 status line/)
})

t.test('throws the same error again at every later push', async (t) => {
  const decoder = new FrameDecoder(new RecordingHandler())
  const bad = frame(DATA, 0, 0)
  const good = frame(PING, 0, 0, '0000000000000000')
  const errors = [bad, good, Buffer.alloc(0)].map((input) => {
    try {
      decoder.push(input, 0, input.length)
    } catch (error) {
      return error
    }
    return undefined
  })
  t.ok(errors[0] instanceof Http2Error)
  t.equal(errors[1], errors[0])
  t.equal(errors[2], errors[0])
})

t.test('takes the limits from its options', async (t) => {
  const long = frame(EXTENSION, 0, 0, Buffer.alloc(20_000))
  t.equal(decode(long, [7], { maxFrameSize: 20_000 }).error, undefined)
  t.equal(decode(long, [7], { maxFrameSize: 19_999 }).error?.token, 'frame_too_large')
  const settings = frame(SETTINGS, 0, 0, '0001 00000000'.repeat(2))
  t.equal(decode(settings, [99], { maxSettingsEntries: 2 }).error, undefined)
  t.equal(
    decode(settings, [99], { maxSettingsEntries: 1 }).error?.token,
    'settings_too_many_entries',
  )
})

t.test('lets the frame size be changed between frames', async (t) => {
  const decoder = new FrameDecoder(new RecordingHandler())
  const long = frame(DATA, 0, 1, Buffer.alloc(16_385))
  t.equal(decoder.maxFrameSize, 16_384)
  decoder.maxFrameSize = 16_385
  decoder.push(long, 0, long.length)
  decoder.maxFrameSize = 16_384
  t.throws(() => decoder.push(long, 0, long.length), /frame_too_large/)
})

t.test('passes octets on where they lie', async (t) => {
  const seen: (readonly [Buffer, number, number])[] = []
  class RangeHandler extends RecordingHandler {
    public override dataChunk(buf: Buffer, start: number, end: number): void {
      seen.push([buf, start, end])
    }
    public override headers(...call: Parameters<RecordingHandler['headers']>): void {
      seen.push([call[4], call[5], call[6]])
    }
  }
  const decoder = new FrameDecoder(new RangeHandler())
  const input = Buffer.concat([
    Buffer.alloc(3),
    frame(HEADERS, END_HEADERS, 1, '82 84'),
    paddedFrame(DATA, 0, 1, 'aa bb cc', 2),
  ])

  t.test('whole frames', async (t) => {
    decoder.push(input, 3, input.length)
    t.strictSame(seen, [
      [input, 12, 14],
      [input, 24, 27],
    ])
  })
  t.test('DATA in pieces, as far as it is there', async (t) => {
    seen.length = 0
    decoder.push(input, 14, 25)
    decoder.push(input, 25, 27)
    decoder.push(input, 27, 29)
    t.strictSame(seen, [
      [input, 24, 25],
      [input, 25, 27],
    ])
  })
  t.test('another frame, if only its header came in pieces', async (t) => {
    seen.length = 0
    decoder.push(input, 3, 8)
    decoder.push(input, 8, 14)
    t.strictSame(seen, [[input, 12, 14]])
  })
})

t.test('holds memory only while a payload comes in pieces', async (t) => {
  const decoder = new FrameDecoder(new RecordingHandler())
  const held = (): number => decoder['gathered']?.buf.length ?? 0
  const long = frame(HEADERS, END_HEADERS, 1, Buffer.alloc(16_384))
  const short = frame(PING, 0, 0, '0000000000000001')

  t.equal(held(), 0)
  decoder.push(long, 0, 9)
  t.equal(held(), 0, 'none for a header')
  decoder.push(long, 9, 10)
  t.ok(held() <= 256, 'little for an octet, whatever the length says')
  decoder.push(long, 10, 16_000)
  t.ok(held() <= 16_384, 'never more than the frame')
  decoder.push(long, 16_000, long.length)
  t.equal(held(), 0, 'none after a large frame')
  decoder.push(short, 0, 12)
  decoder.push(short, 12, short.length)
  t.ok(held() <= 256, 'little after a small one')
})

t.test('knows how far it came when a handler throws', async (t) => {
  class FailingHandler extends RecordingHandler {
    public failAt = ''
    public error: Error = new Error('the handler')
    public override frame(...call: Parameters<RecordingHandler['frame']>): void {
      super.frame(...call)
      this.check('frame')
    }
    public override dataBegin(...call: Parameters<RecordingHandler['dataBegin']>): void {
      super.dataBegin(...call)
      this.check('dataBegin')
    }
    public override dataChunk(...call: Parameters<RecordingHandler['dataChunk']>): void {
      super.dataChunk(...call)
      this.check('dataChunk')
    }
    public override ping(...call: Parameters<RecordingHandler['ping']>): void {
      super.ping(...call)
      this.check('ping')
    }
    private check(call: string): void {
      if (call !== this.failAt) return
      this.failAt = ''
      throw this.error
    }
  }

  const ping = frame(PING, 0, 0, '0000000000000001')
  const data = paddedFrame(DATA, 0, 1, 'aa bb cc', 2)
  const input = Buffer.concat([ping, data, ping, data])
  for (const failAt of ['frame', 'dataBegin', 'dataChunk', 'ping']) {
    for (const size of [input.length, 30, 12, 5, 1]) {
      const handler = new FailingHandler()
      const decoder = new FrameDecoder(handler)
      handler.failAt = failAt
      let thrown = 0
      for (let start = 0; start < input.length; start += size) {
        const end = Math.min(input.length, start + size)
        try {
          decoder.push(input, start, end)
        } catch (error) {
          t.equal(error, handler.error)
          thrown++
          decoder.push(input, decoder.position, end)
        }
      }
      t.equal(thrown, 1)
      t.equal(handler.calls.length - handler.payloads.length, 4, 'no frame is seen twice')
      t.strictSame(
        handler.payloads.slice(-3),
        ['ping ack=false 0 1', 'dataBegin 1 flow=6 pad=3 end=false', 'dataEnd [aabbcc]'],
        `goes on after ${failAt} with pieces of ${size}`,
      )
    }
  }

  t.test('and takes a connection error of the handler for its own', async (t) => {
    const handler = new FailingHandler()
    const decoder = new FrameDecoder(handler)
    handler.failAt = 'ping'
    handler.error = new Http2Error(ErrorCode.COMPRESSION_ERROR, 'by_handler', 'a test')
    t.throws(() => decoder.push(ping, 0, ping.length), handler.error)
    t.throws(() => decoder.push(ping, 0, ping.length), handler.error)
  })
})

t.test('has a last position at the end of what was pushed', async (t) => {
  const decoder = new FrameDecoder(new RecordingHandler())
  const input = frame(PING, 0, 0, '0000000000000001')
  for (const [start, end] of [
    [0, 0],
    [0, 4],
    [4, 9],
    [9, 11],
    [11, 17],
    [0, 17],
  ] as const) {
    decoder.push(input, start, end)
    t.equal(decoder.position, end)
  }
})

/** Frames as they may come from anywhere: mostly near the rules, on both sides of them. */
const anyFrame = fc
  .record({
    type: fc.oneof(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 0, max: 255 })),
    flags: fc.oneof(fc.constantFrom(0, 1, 4, 5, 8, 0x20, 0x2c), fc.integer({ min: 0, max: 255 })),
    streamId: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 0xffff_ffff })),
    payload: fc.oneof(
      fc.constantFrom('', '00000001', '0000000000000001', '000400000001', '03000000020000000000'),
      fc.uint8Array({ maxLength: 40 }),
    ),
  })
  .map(({ type, flags, streamId, payload }) => frame(type, flags, streamId, payload))

const anySizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 12 })

/** Legal frames of all types, and what they mean. */
const legalFrame = fc.constantFrom(...Object.values(LEGAL))

t.test('decodes legal frames alike however they are cut', async () => {
  fc.assert(
    fc.property(fc.array(legalFrame, { maxLength: 6 }), anySizes, (frames, sizes) => {
      const input = Buffer.concat(frames.map(([octets]) => octets))
      const outcome = decode(input, sizes)
      const payloads = frames.flatMap(([, ...calls]) => calls)
      return outcome.error === undefined && outcome.payloads.join() === payloads.join()
    }),
    { numRuns: 200 },
  )
})

t.test('judges any frames alike however they are cut', async () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 8 }), anySizes, (frames, sizes) => {
      const input = Buffer.concat(frames)
      const one = decode(input, whole(input))
      const many = decode(input, sizes)
      return one.error?.message === many.error?.message && one.calls.join() === many.calls.join()
    }),
    { numRuns: 2_000 },
  )
})

t.test('throws nothing but Http2Error, whatever comes', async () => {
  // `decode` rethrows anything else.
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), anySizes, (noise, sizes) => {
      decode(Buffer.from(noise), sizes)
    }),
    { numRuns: 2_000 },
  )
})
