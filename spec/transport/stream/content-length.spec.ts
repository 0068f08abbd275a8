import fc from 'fast-check'
import t from 'tap'
import {
  BAD_CONTENT_LENGTH,
  CONTENT_OVERRUN,
  contentAfter,
  contentLengthOf,
  isContentComplete,
  NO_CONTENT_LENGTH,
  parseContentLength,
} from '../../../lib/transport/stream/content-length.ts'

const values: [string, number][] = [
  ['0', 0],
  ['7', 7],
  ['007', 7],
  ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ['9007199254740992', BAD_CONTENT_LENGTH],
  ['99999999999999999999999999', BAD_CONTENT_LENGTH],
  ['', BAD_CONTENT_LENGTH],
  ['-1', BAD_CONTENT_LENGTH],
  ['+1', BAD_CONTENT_LENGTH],
  ['1.0', BAD_CONTENT_LENGTH],
  ['1e3', BAD_CONTENT_LENGTH],
  ['0x10', BAD_CONTENT_LENGTH],
  [' 1', BAD_CONTENT_LENGTH],
  ['1 ', BAD_CONTENT_LENGTH],
  ['42, 42', BAD_CONTENT_LENGTH],
  ['١', BAD_CONTENT_LENGTH],
]
for (const [value, want] of values) {
  t.test(`content-length "${value}" reads as ${want}`, (t) => {
    t.equal(parseContentLength(value), want)
    t.end()
  })
}

t.test('the length is found among the fields', (t) => {
  t.equal(contentLengthOf([':status', '200', 'content-length', '12']), 12)
  t.equal(contentLengthOf([':status', '200', 'x', 'content-length']), NO_CONTENT_LENGTH)
  t.equal(contentLengthOf([]), NO_CONTENT_LENGTH)
  t.end()
})

t.test('without a length any amount is right', (t) => {
  t.equal(contentAfter(NO_CONTENT_LENGTH, 1_000_000), NO_CONTENT_LENGTH)
  t.ok(isContentComplete(NO_CONTENT_LENGTH))
  t.end()
})

t.test('content is complete exactly when as much came as was announced', (t) => {
  const chunks = fc.array(fc.nat(1000), { maxLength: 20 })
  fc.assert(
    fc.property(chunks, fc.nat(5000), (sizes, announced) => {
      let left = announced
      let came = 0
      for (const size of sizes) {
        came += size
        left = contentAfter(left, size)
        if (came > announced) return left === CONTENT_OVERRUN && !isContentComplete(left)
      }
      return isContentComplete(left) === (came === announced)
    }),
  )
  t.end()
})
