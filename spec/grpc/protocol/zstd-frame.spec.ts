import t from 'tap'
import { zstdFrameEnd } from '../../../lib/grpc/protocol/zstd-frame.ts'

/** Frames that libzstd 1.5 made. */
const FRAMES: readonly (readonly [what: string, hex: string])[] = [
  ['a single segment with its size in an octet', '28b52ffd200529000068656c6c6f'],
  ['a size of two octets', '28b52ffd602c004d00001061610100272ac002'],
  ['a checksum', '28b52ffd240529000068656c6c6fa36d9f88'],
  ['a window and no size', '28b52ffd000029000068656c6c6f'],
  ['no content', '28b52ffd2000010000'],
  [
    'a size of four octets, several blocks, one of them RLE',
    '28b52ffda0e09304005400001000000100fbff39c00202001000039f0400',
  ],
]

t.test('finds the end of a frame, with or without octets after it', async (t) => {
  for (const [what, hex] of FRAMES) {
    const frame = Buffer.from(hex, 'hex')
    t.equal(zstdFrameEnd(frame), frame.length, what)
    t.equal(zstdFrameEnd(Buffer.concat([frame, frame])), frame.length, what)
  }
})

t.test('a frame that is cut off anywhere has no end', async (t) => {
  for (const [what, hex] of FRAMES) {
    const frame = Buffer.from(hex, 'hex')
    for (let end = 0; end < frame.length; end++) {
      t.equal(zstdFrameEnd(frame.subarray(0, end)), undefined, `${what}, ${end} octets`)
    }
  }
})

t.test('something else is no frame', async (t) => {
  t.equal(zstdFrameEnd(Buffer.from('something else')), undefined)
})
