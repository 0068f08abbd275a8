import t from 'tap'
import { BdpEstimator } from '../../../lib/transport/connection/bdp-estimator.ts'

const START = 65_535
const LIMIT = 16 * 1024 * 1024

/** Takes one sample of `bytes` that lasts `roundTripMs`. */
const sample = (bdp: BdpEstimator, bytes: number, roundTripMs: number, atMs = 0): number => {
  if (!bdp.add(bytes)) return -1
  bdp.pingSent(atMs)
  return bdp.pingAcked(atMs + roundTripMs)
}

t.test('a sample starts only once some data has arrived', (t) => {
  const bdp = new BdpEstimator(START)
  t.notOk(bdp.add(16_382))
  t.ok(bdp.add(1))
  t.notOk(bdp.add(100_000), 'one at a time')
  bdp.pingSent(0)
  bdp.pingAcked(1000)
  t.notOk(bdp.add(1), 'and counts anew after it')
  t.end()
})

t.test('what has to arrive before a sample grows with the window, as a small part of it', (t) => {
  // biome-ignore format: a table
  const rows = [
    // window, octets before a sample
    [1024, 256], [16_384, 4096], [65_535, 16_383], [131_070, 16_384], [262_144, 16_384],
    [1_048_576, 65_536],
  ] as const
  for (const [windowBytes, least] of rows) {
    t.notOk(new BdpEstimator(windowBytes).add(least - 1), `${windowBytes}`)
    t.ok(new BdpEstimator(windowBytes).add(least))
  }
  t.end()
})

t.test('ten thousand calls of 100 octets cost fewer than 100 pings', (t) => {
  const bdp = new BdpEstimator(START)
  let pings = 0
  for (let call = 0; call < 10_000; call++) {
    if (!bdp.add(100)) continue
    pings += 1
    bdp.pingSent(call)
    bdp.pingAcked(call + 0.1)
  }
  t.ok(pings > 0 && pings < 100, `${pings} pings`)
  t.end()
})

t.test('a sample near the window doubles what it measured', (t) => {
  const bdp = new BdpEstimator(START)
  t.equal(sample(bdp, 60_000, 50), 120_000)
  t.equal(sample(bdp, 110_000, 50), 220_000)
  t.end()
})

t.test('what arrives until the ACK belongs to the sample', (t) => {
  const bdp = new BdpEstimator(START)
  bdp.add(20_000)
  bdp.add(15_000)
  bdp.pingSent(0)
  bdp.add(15_000)
  t.equal(bdp.pingAcked(10), 100_000)
  t.end()
})

t.test('a sample far below the window changes nothing', (t) => {
  const bdp = new BdpEstimator(START)
  t.equal(sample(bdp, 43_254, 50), 86_508, 'just at two thirds')
  t.equal(sample(bdp, 57_000, 50), 0, 'just below')
  t.end()
})

t.test('nor does one that is slower than another before it', (t) => {
  const bdp = new BdpEstimator(START)
  t.equal(sample(bdp, 60_000, 10), 120_000)
  t.equal(sample(bdp, 110_000, 100), 0)
  t.end()
})

t.test('the window grows to 16 MiB and no further, and then costs no ping', (t) => {
  const bdp = new BdpEstimator(START)
  let window = START
  for (let i = 0; i < 20 && window < LIMIT; i++) window = sample(bdp, window, 10)
  t.equal(window, LIMIT)
  t.notOk(bdp.add(LIMIT))
  t.equal(new BdpEstimator(LIMIT + 1).add(LIMIT), false)
  t.end()
})

t.test('answers to other pings, or before ours left, are nothing', (t) => {
  const bdp = new BdpEstimator(START)
  t.equal(bdp.pingAcked(1), 0)
  bdp.pingSent(1)
  t.equal(bdp.pingAcked(2), 0, 'a ping that was not wanted')
  bdp.add(60_000)
  t.equal(bdp.pingAcked(3), 0, 'an answer before the ping')
  bdp.pingSent(3)
  t.equal(bdp.pingAcked(4), 120_000)
  t.equal(bdp.pingAcked(5), 0, 'a second answer')
  t.end()
})

t.test('a round trip of no time is measured all the same', (t) => {
  const bdp = new BdpEstimator(START)
  t.equal(sample(bdp, 60_000, 0), 120_000)
  t.equal(sample(bdp, 120_000, 0), 240_000)
  t.end()
})

t.test('the mean of the first round trips gives way to the latest', (t) => {
  const bdp = new BdpEstimator(1_000_000)
  t.equal(sample(bdp, 300_000, 100), 0)
  for (let i = 0; i < 8; i++) t.equal(sample(bdp, 300_000, 100), 0)
  t.equal(sample(bdp, 700_000, 200), 1_400_000, 'weighs 0.9 from the tenth on')
  t.end()
})

// A path of fixed bandwidth and delay, a sender with data without end that a window holds back.
t.test('on a long fat path the window comes to hold what the path holds', (t) => {
  for (const [megabytesPerSecond, roundTripMs] of [
    [10, 100],
    [100, 50],
    [1, 200],
  ] as const) {
    const pathBytes = megabytesPerSecond * 1000 * roundTripMs
    const bdp = new BdpEstimator(START)
    let window = START
    for (let nowMs = 0; nowMs < 100 * roundTripMs; nowMs += roundTripMs) {
      // In one round trip a window arrives, or what the path carries.
      let left = Math.min(window, pathBytes)
      let wanted = false
      for (; left > 0; left -= 16_384) wanted = bdp.add(Math.min(left, 16_384)) || wanted
      if (!wanted) continue
      bdp.pingSent(nowMs)
      const grown = bdp.pingAcked(nowMs + roundTripMs)
      if (grown !== 0) {
        t.ok(grown > window, 'a window never shrinks')
        window = grown
      }
    }
    t.ok(window >= pathBytes, `${window} of ${pathBytes}`)
    t.ok(window <= 3 * pathBytes, `${window} of ${pathBytes}`)
  }
  t.end()
})
