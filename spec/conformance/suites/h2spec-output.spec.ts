// Reading what h2spec and h2specd print.
import t from 'tap'
import { readH2specOutput } from './h2spec-output.ts'

const TREE = `Hypertext Transfer Protocol Version 2 (HTTP/2)
  5. Streams and Multiplexing
    5.1. Stream States
        1: idle\r      ✔ 1: idle
        2: closed\r      × 2: closed
        -> The endpoint MUST answer.
           Expected: GOAWAY Frame
             Actual: Timeout
        3: skipped\r      3: skipped

HPACK: Header Compression for HTTP/2
  2. Compression
      1: Sends 3. of it\r    ✔ 1: Sends 3. of it

Failures: 

    × 2: closed

Finished in 1.0 seconds
`

t.test('cases have ids, titles and reasons', async (t) => {
  t.strictSame(readH2specOutput(`${TREE}4 tests, 2 passed, 1 skipped, 1 failed\n`), [
    { id: 'http2/5.1/1', title: 'idle', passed: true, reason: '' },
    {
      id: 'http2/5.1/2',
      title: 'closed',
      passed: false,
      reason: '-> The endpoint MUST answer.\nExpected: GOAWAY Frame\nActual: Timeout\n',
    },
    { id: 'http2/5.1/3', title: 'skipped', passed: false, reason: '' },
    { id: 'hpack/2/1', title: 'Sends 3. of it', passed: true, reason: '' },
  ])
})

t.test('an output without a sum, or with another one, is refused', async (t) => {
  t.throws(() => readH2specOutput(TREE), /^no sum in the output/)
  const wrong = ['5 tests, 3 passed, 1 skipped, 1 failed', '4 tests, 4 passed, 0 skipped, 0 failed']
  for (const sum of wrong)
    t.throws(() => readH2specOutput(`${TREE}${sum}\n`), /^the sum is \d tests/)
})
