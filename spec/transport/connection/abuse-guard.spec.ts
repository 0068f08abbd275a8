import t from 'tap'
import {
  AbuseGuard,
  GLITCH_TOKENS,
  type GlitchReason,
} from '../../../lib/transport/connection/abuse-guard.ts'
import { WindowUpdatePolicy } from '../../../lib/transport/connection/window-update-policy.ts'

const limits = { glitchBurst: 1000, glitchesPerSecond: 33 }

/** How many charges at the time given pass, at most `most`. */
const passing = (guard: AbuseGuard, nowMs: number, most = 10_000): number => {
  let count = 0
  while (count < most && guard.charge('settings', nowMs)) count += 1
  return count
}

t.test('the abuse guard', (t) => {
  t.test('lets a burst pass and not one more', (t) => {
    t.equal(passing(new AbuseGuard(limits, 0), 0), 1000)
    t.end()
  })

  t.test('counts all kinds in one budget', (t) => {
    const guard = new AbuseGuard(limits, 0)
    const reasons = Object.keys(GLITCH_TOKENS) as GlitchReason[]
    let passed = 0
    while (guard.charge(reasons[passed % reasons.length]!, 0)) passed += 1
    t.equal(passed, 1000)
    for (const reason of reasons) t.notOk(guard.charge(reason, 0), reason)
    t.end()
  })

  t.test('refills by time', (t) => {
    const guard = new AbuseGuard(limits, 5000)
    passing(guard, 5000)
    t.equal(passing(guard, 6000), 33)
    t.equal(passing(guard, 16_000), 330)
    t.equal(passing(guard, 1_000_000), 1000, 'never beyond the burst')
    t.end()
  })

  t.test('keeps fractions between charges', (t) => {
    const guard = new AbuseGuard({ glitchBurst: 10, glitchesPerSecond: 125 }, 0)
    let passed = passing(guard, 0)
    for (let nowMs = 3; nowMs <= 3000; nowMs += 3) passed += passing(guard, nowMs)
    t.equal(passed, 10 + 375)
    t.end()
  })

  t.test('refills with half of the streams that ended well, when that is more', (t) => {
    const guard = new AbuseGuard(limits, 0)
    passing(guard, 0)
    for (let i = 0; i < 400; i++) guard.streamEndedWell()
    t.equal(passing(guard, 1000), 200)
    for (let i = 0; i < 40; i++) guard.streamEndedWell()
    t.equal(passing(guard, 2000), 33)
    t.equal(passing(guard, 2000), 0, 'a stream counts once')
    t.end()
  })

  t.test('an honest client that cancels a third of its calls is never closed', (t) => {
    const guard = new AbuseGuard(limits, 0)
    let refused = 0
    for (let call = 0; call < 100_000; call++) {
      if (call % 3 !== 0) guard.streamEndedWell()
      else if (!guard.charge('earlyReset', call / 100)) refused += 1
    }
    t.equal(refused, 0)
    t.end()
  })

  t.test('a client that only resets is closed soon', (t) => {
    const guard = new AbuseGuard(limits, 0)
    let resets = 0
    while (guard.charge('earlyReset', resets * 0.05)) resets += 1
    t.ok(resets < 1100, `${resets} resets`)
    t.end()
  })

  t.test('can say what it charged', (t) => {
    const guard = new AbuseGuard(limits, 0)
    t.equal(guard.describe(), '')
    guard.charge('settings', 0)
    guard.charge('fault', 0)
    guard.charge('settings', 0)
    t.equal(guard.describe(), 'settings 2, fault 1')
    t.end()
  })

  t.test('has a token of its own for each kind', (t) => {
    const tokens = Object.values(GLITCH_TOKENS)
    t.equal(new Set(tokens).size, tokens.length)
    for (const token of tokens) t.match(token, /^too_many_[a-z_]+$/)
    t.end()
  })
  t.end()
})

t.test('the window update policy', (t) => {
  t.test('allows two updates per DATA frame and per KiB in it, and one per stream', (t) => {
    const policy = new WindowUpdatePolicy()
    t.equal(policy.received(1_000_000, false), undefined, 'the connection is enlarged at its start')
    t.equal(policy.received(1, false), 'excessWindowUpdate')
    policy.streamOpened()
    t.equal(policy.received(1, false), undefined)
    t.equal(policy.received(1, false), 'excessWindowUpdate')
    for (const [bytes, allowed] of [
      [0, 2],
      [1023, 2],
      [1024, 4],
      [16_384, 34],
    ] as const) {
      policy.dataSent(bytes)
      for (let i = 0; i < allowed; i++) t.equal(policy.received(1, false), undefined)
      t.equal(policy.received(1, false), 'excessWindowUpdate', `beyond ${allowed} for ${bytes}`)
    }
    t.end()
  })

  t.test('charges a tiny update only for what waited for it', (t) => {
    const policy = new WindowUpdatePolicy()
    for (let i = 0; i < 10; i++) policy.dataSent(100)
    t.equal(policy.received(1023, true), 'tinyWindowUpdate')
    t.equal(policy.received(1024, true), undefined)
    t.equal(policy.received(1, false), undefined)
    t.end()
  })

  t.test('charges one thing at a time', (t) => {
    const policy = new WindowUpdatePolicy()
    policy.received(1, false)
    t.equal(policy.received(1, true), 'tinyWindowUpdate')
    t.end()
  })

  t.test('does not save up without end', (t) => {
    const policy = new WindowUpdatePolicy()
    for (let i = 0; i < 2 ** 20; i++) policy.dataSent(16_384)
    let passed = 0
    while (passed < 2 ** 21 && policy.received(5000, false) === undefined) passed += 1
    t.ok(passed >= 2 ** 20 && passed < 2 ** 20 + 40, `${passed} updates passed`)
    t.end()
  })

  t.test('a peer that updates stream and connection for each frame is honest', (t) => {
    const policy = new WindowUpdatePolicy()
    policy.streamOpened()
    let charged = 0
    for (let frame = 0; frame < 1000; frame++) {
      policy.dataSent(100)
      if (policy.received(100, false) !== undefined) charged += 1
      if (policy.received(100, false) !== undefined) charged += 1
    }
    t.equal(charged, 0)
    t.end()
  })

  t.test('a peer that reads frames in pieces and gives credit for each is honest', (t) => {
    const policy = new WindowUpdatePolicy()
    policy.streamOpened()
    let charged = 0
    // HAProxy 2.6: the pieces are what its buffer takes, and the stream often waits for them.
    const pieces = [16_320, 64, 15_056, 1_264, 64]
    for (let i = 0; i < 10_000; i++) {
      policy.dataSent(16_384)
      policy.dataSent(16_384)
      for (const piece of pieces) {
        if (policy.received(piece, true) !== undefined) charged += 1
        if (policy.received(piece, false) !== undefined) charged += 1
      }
    }
    t.equal(charged, 0)
    t.end()
  })

  t.test('a peer that drips credit is charged, though it gave much at first', (t) => {
    const policy = new WindowUpdatePolicy()
    for (let i = 0; i < 100; i++) policy.received(65_535, false)
    let passed = 0
    for (let i = 0; i < 1000; i++) {
      policy.dataSent(1)
      if (policy.received(1, true) === undefined) passed += 1
    }
    t.ok(passed <= 100, `${passed} passed`)
    t.end()
  })
  t.end()
})
