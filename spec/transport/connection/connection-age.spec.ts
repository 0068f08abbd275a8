import t from 'tap'
import { FakeClock } from '../../../lib/testing/fake-clock.ts'
import {
  ConnectionAge,
  type ConnectionAgeOptions,
} from '../../../lib/transport/connection/connection-age.ts'

class Rig {
  public readonly clock: FakeClock = new FakeClock()
  public readonly age: ConnectionAge
  public readonly log: string[] = []

  public constructor(options: ConnectionAgeOptions, random = 0.5) {
    this.age = new ConnectionAge(this.clock, () => random, options, {
      drain: (reason) => this.log.push(`${reason} at ${this.clock.nowMs()}`),
      forceClose: () => this.log.push(`force at ${this.clock.nowMs()}`),
    })
    this.age.start()
  }
}

t.test('without options nothing is armed', (t) => {
  const rig = new Rig({})
  rig.age.streamOpened()
  rig.age.becameIdle()
  t.equal(rig.clock.pending, 0)
  t.end()
})

t.test('a connection that never had a stream is drained', (t) => {
  const rig = new Rig({ maxConnectionIdleMs: 1000 })
  rig.clock.advance(999)
  t.same(rig.log, [])
  rig.clock.advance(1)
  t.same(rig.log, ['max_idle at 1000'])
  t.equal(rig.clock.pending, 0)
  t.end()
})

t.test('the idle time counts from the last stream on', (t) => {
  const rig = new Rig({ maxConnectionIdleMs: 1000 })
  rig.clock.advance(500)
  rig.age.streamOpened()
  rig.clock.advance(5000)
  t.same(rig.log, [], 'a busy connection is not idle')
  t.equal(rig.clock.pending, 0, 'and has no timer to wake it')
  rig.age.becameIdle()
  rig.clock.advance(999)
  t.same(rig.log, [])
  rig.clock.advance(1)
  t.same(rig.log, ['max_idle at 6500'])
  t.end()
})

t.test('streams that come and go share one timer', (t) => {
  const rig = new Rig({ maxConnectionIdleMs: 1000 })
  for (let i = 0; i < 100; i++) {
    rig.age.streamOpened()
    rig.age.becameIdle()
    rig.clock.advance(7)
    t.equal(rig.clock.pending, 1)
  }
  rig.clock.advance(992)
  t.same(rig.log, [])
  rig.clock.advance(1)
  t.same(rig.log, ['max_idle at 1693'])
  t.end()
})

for (const [random, dueMs] of [
  [0, 9000],
  [0.25, 9500],
  [0.5, 10_000],
  [0.75, 10_500],
] as const) {
  t.test(`an age of 10 s becomes ${dueMs} ms by a chance of ${random}`, (t) => {
    const rig = new Rig({ maxConnectionAgeMs: 10_000 }, random)
    rig.age.streamOpened()
    rig.clock.advance(20_000)
    t.same(rig.log, [`max_age at ${dueMs}`])
    t.equal(rig.clock.pending, 0)
    t.end()
  })
}

t.test('after the grace it is closed by force, whatever drained it', (t) => {
  const old = new Rig({ maxConnectionAgeMs: 10_000, maxConnectionAgeGraceMs: 500 })
  old.age.streamOpened()
  old.clock.advance(100_000)
  t.same(old.log, ['max_age at 10000', 'force at 10500'])
  const idle = new Rig({ maxConnectionIdleMs: 1000, maxConnectionAgeGraceMs: 500 })
  idle.clock.advance(100_000)
  t.same(idle.log, ['max_idle at 1000', 'force at 1500'])
  t.end()
})

t.test('it drains once', (t) => {
  const rig = new Rig({
    maxConnectionIdleMs: 1000,
    maxConnectionAgeMs: 1500,
    maxConnectionAgeGraceMs: 1000,
  })
  rig.clock.advance(1000)
  rig.age.streamOpened()
  rig.age.becameIdle()
  rig.clock.advance(100_000)
  t.same(rig.log, ['max_idle at 1000', 'force at 2000'])
  t.end()
})

t.test('stopped, it is quiet for good', (t) => {
  const rig = new Rig({
    maxConnectionIdleMs: 10,
    maxConnectionAgeMs: 10,
    maxConnectionAgeGraceMs: 1,
  })
  rig.age.stop()
  rig.age.becameIdle()
  t.equal(rig.clock.pending, 0)
  const draining = new Rig({ maxConnectionIdleMs: 10, maxConnectionAgeGraceMs: 10 })
  draining.clock.advance(10)
  draining.age.stop()
  t.equal(draining.clock.pending, 0)
  t.end()
})
