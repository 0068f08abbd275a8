import t from 'tap'
import { ConnectivityState } from '../../../lib/balancer/index.ts'
import { Code } from '../../../lib/base/status.ts'
import { ConnectivityStateManager } from '../../../lib/grpc/channel/connectivity-state-manager.ts'
import { ProcessHold } from '../../../lib/grpc/channel/process-hold.ts'
import { FakeClock } from '../../../lib/testing/index.ts'
import { settle } from '../../support/fake-network.ts'

const { Idle, Connecting, Ready, TransientFailure, Shutdown } = ConnectivityState

class Bench {
  public readonly clock = new FakeClock()
  public readonly states = new ConnectivityStateManager(this.clock, new ProcessHold(this.clock))
}

t.test('it starts IDLE, and SHUTDOWN is final', async (t) => {
  const { states } = new Bench()
  t.equal(states.state, Idle)
  states.update(Shutdown)
  states.update(Ready)
  t.equal(states.state, Shutdown)
})

t.test('listeners hear of every change once, in order, later', async (t) => {
  const { states } = new Bench()
  const heard: string[] = []
  states.listen((state) => heard.push(state))
  for (const state of [Connecting, Connecting, TransientFailure, Ready]) states.update(state)
  t.strictSame(heard, [])
  await settle()
  t.strictSame(heard, [Connecting, TransientFailure, Ready])
})

t.test('a listener that has been taken away hears nothing, not even what is due', async (t) => {
  const { states } = new Bench()
  const heard: string[] = []
  const stop = states.listen((state) => heard.push(state))
  states.update(Connecting)
  stop()
  await settle()
  t.strictSame(heard, [])
})

t.test('a wait for a change ends with the change', async (t) => {
  const { states, clock } = new Bench()
  await states.changeFrom(Ready)
  let done = false
  const waiting = states.changeFrom(Idle).then(() => {
    done = true
  })
  await settle()
  t.equal(done, false)
  t.equal(clock.pending, 1, 'the process is kept running')
  states.update(Connecting)
  states.update(Idle)
  await waiting
  t.equal(clock.pending, 0)
})

t.test('a wait ends with its time', async (t) => {
  const { states, clock } = new Bench()
  const waiting = states.changeFrom(Idle, { timeoutMs: 500 })
  clock.advance(500)
  await t.rejects(waiting, { code: Code.DeadlineExceeded })
  t.equal(clock.pending, 0)
})

t.test('a wait ends with its signal', async (t) => {
  const { states, clock } = new Bench()
  const abort = new AbortController()
  const waiting = states.changeFrom(Idle, { signal: abort.signal, timeoutMs: 500 })
  const reason = new Error('enough')
  abort.abort(reason)
  await t.rejects(waiting, { code: Code.Cancelled, cause: reason })
  await t.rejects(states.changeFrom(Idle, { signal: abort.signal }), { code: Code.Cancelled })
  t.equal(clock.pending, 0)
})

t.test('untilReady connects whenever IDLE and waits failures out', async (t) => {
  const { states, clock } = new Bench()
  let connects = 0
  const waiting = states.untilReady(() => {
    connects += 1
    states.update(Connecting)
  }, {})
  await settle()
  for (const state of [TransientFailure, Connecting, Idle]) {
    states.update(state)
    await settle()
  }
  t.equal(connects, 2)
  states.update(Ready)
  await waiting
  t.equal(clock.pending, 0)
})

t.test('untilReady has one deadline over all states, and tells the latest failure', async (t) => {
  const { states, clock } = new Bench()
  const waiting = states.untilReady(() => states.update(Connecting), { timeoutMs: 1000 })
  await settle()
  clock.advance(600)
  const cause = new Error('refused')
  states.noteFailure({ code: Code.Unavailable, message: 'could not connect: a:1: refused', cause })
  states.update(TransientFailure)
  await settle()
  clock.advance(400)
  await t.rejects(waiting, {
    code: Code.DeadlineExceeded,
    rawMessage:
      'the channel is still TRANSIENT_FAILURE; latest failure: could not connect: a:1: refused',
    cause,
  })
})

t.test('untilReady ends when the channel is closed', async (t) => {
  const { states } = new Bench()
  const waiting = states.untilReady(() => states.update(Connecting), {})
  await settle()
  states.update(Shutdown)
  await t.rejects(waiting, { code: Code.Cancelled, rawMessage: 'the channel is closed' })
  await t.rejects(
    states.untilReady(() => {}, {}),
    { code: Code.Cancelled },
  )
})

t.test('a failure before the last connection is not told', async (t) => {
  const { states, clock } = new Bench()
  states.noteFailure({ code: Code.Unavailable, message: 'long ago' })
  states.update(Ready)
  states.update(Idle)
  const waiting = states.changeFrom(Idle, { timeoutMs: 1 })
  clock.advance(1)
  await t.rejects(waiting, { message: /: the channel is still IDLE$/ })
})
