import fc from 'fast-check'
import t from 'tap'
import { encodeTimeout, parseTimeout } from '../../../lib/grpc/protocol/timeout.ts'

t.test('encodes the finest unit in which the rounded-up value has eight digits', async (t) => {
  const table: [ms: number, text: string][] = [
    [0, '0n'],
    [-5, '0n'],
    [1e-6, '1n'],
    [0.5, '500000n'],
    [1, '1000000n'],
    [99.999999, '99999999n'],
    [100, '100000u'],
    [1000, '1000000u'],
    [99_999.999, '99999999u'],
    [100_000, '100000m'],
    [99_999_999, '99999999m'],
    [99_999_999.5, '100000S'],
    [99_999_999_001, '1666667M'],
    [100_000_000_000, '1666667M'],
    [3600e3 * 99_999_999, '99999999H'],
    [3600e3 * 1e9, '99999999H'],
    [Number.POSITIVE_INFINITY, '99999999H'],
  ]
  for (const [ms, text] of table) {
    t.equal(encodeTimeout(ms), text, `${ms} ms`)
    t.equal(encodeTimeout(ms), text, `${ms} ms, remembered`)
  }
})

t.test('never encodes a timeout that is shorter or needs more than eight digits', async (t) => {
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 3e14, noNaN: true }), (ms) => {
      const text = encodeTimeout(ms)
      const back = parseTimeout(text)
      return /^\d{1,8}[HMSmun]$/.test(text) && back !== undefined && back >= ms * (1 - 1e-12)
    }),
  )
  t.pass()
})

t.test('parses every unit', async (t) => {
  const table: [text: string, ms: number][] = [
    ['0n', 0],
    ['1n', 1e-6],
    ['1u', 1e-3],
    ['1m', 1],
    ['1S', 1000],
    ['1M', 60_000],
    ['1H', 3_600_000],
    ['00000010S', 10_000],
    ['99999999H', 99_999_999 * 3_600_000],
  ]
  for (const [text, ms] of table) t.equal(parseTimeout(text), ms, text)
})

t.test('refuses what is not one to eight digits and a unit', async (t) => {
  const malformed = ['', 'S', '1', '123456789S', '1X', '1s', '-1S', '+1S', '1e9S', '1.5S', ' 1S']
  for (const text of [...malformed, '1S ', '1 S', '0x1S', '١S', '1SS', '1\u0000S']) {
    t.equal(parseTimeout(text), undefined, JSON.stringify(text))
  }
})
