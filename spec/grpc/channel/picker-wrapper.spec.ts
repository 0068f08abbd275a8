import t from 'tap'
import {
  failingPicker,
  fixedPicker,
  type Picker,
  type PickOutcome,
  type PickResult,
  type SubConn,
  WAITING_PICKER,
} from '../../../lib/balancer/index.ts'
import { Serializer } from '../../../lib/base/serializer.ts'
import { Code, codeName, type Status } from '../../../lib/base/status.ts'
import type { ChannelTransport } from '../../../lib/grpc/channel/channel-transport.ts'
import { type PendingPick, PickerWrapper } from '../../../lib/grpc/channel/picker-wrapper.ts'
import { ProcessHold } from '../../../lib/grpc/channel/process-hold.ts'
import { FakeClock } from '../../../lib/testing/index.ts'
import { FakeCall } from '../../support/fake-call.ts'
import { FakeTransport, settle } from '../../support/fake-network.ts'

const DOWN: Status = { code: Code.Unavailable, message: 'could not connect: a:1: refused' }

function transport(): FakeTransport {
  return new FakeTransport('a:1', { onGoAway() {}, onQuota() {}, onClosed() {} })
}

/** A picker for a SubConn that has `ready`, or nothing, to give. */
function readyPicker(ready: ChannelTransport | undefined, extra: object = {}): Picker {
  const subConn = { getReadyTransport: () => ready } as unknown as SubConn
  return fixedPicker({ kind: 'ready', subConn, ...extra })
}

class Bench {
  public readonly clock = new FakeClock()
  public readonly wrapper = new PickerWrapper(new Serializer(), new ProcessHold(this.clock))

  public static with(picker: Picker): Bench {
    const bench = new Bench()
    bench.wrapper.updatePicker(picker)
    return bench
  }
}

t.test('READY: the transport is there at once', async (t) => {
  const ready = transport()
  const { wrapper, clock } = Bench.with(readyPicker(ready))
  const call = new FakeCall()
  t.equal(wrapper.pick(call), ready)
  t.strictSame(call.log, [])
  t.equal(clock.pending, 0)
})

t.test('a call fails fast, and no other waits with it', async (t) => {
  const { wrapper, clock } = Bench.with(failingPicker(DOWN))
  const call = new FakeCall()
  t.equal(wrapper.pick(call), undefined)
  t.strictSame(call.log, [`UNAVAILABLE: ${DOWN.message}`])
  t.equal(clock.pending, 0)
})

t.test('before the first resolution every call waits', async (t) => {
  const { wrapper } = new Bench()
  const call = new FakeCall()
  wrapper.pick(call)
  await settle()
  t.strictSame(call.log, [])
  wrapper.updatePicker(failingPicker(DOWN))
  await settle()
  t.strictSame(call.log, [`UNAVAILABLE: ${DOWN.message}`])
})

const WAITS: readonly (readonly [name: string, picker: Picker, waitForReady: boolean])[] = [
  ['a picker that says wait', WAITING_PICKER, false],
  ['a SubConn that is not READY any more', readyPicker(undefined), false],
  ['a failure, for a call that waits for ready', failingPicker(DOWN), true],
]

for (const [name, picker, waitForReady] of WAITS) {
  t.test(`${name}: the call waits for the next picker`, async (t) => {
    const { wrapper, clock } = Bench.with(picker)
    const call = new FakeCall({ waitForReady })
    t.equal(wrapper.pick(call), undefined)
    wrapper.updatePicker(picker)
    await settle()
    t.strictSame(call.log, [], 'the same answer again')
    t.equal(clock.pending, 1, 'the process is kept running')
    const ready = transport()
    wrapper.updatePicker(readyPicker(ready))
    t.strictSame(call.log, [], 'never inside the policy that publishes the picker')
    await settle()
    t.strictSame(call.log, ['a:1'])
    t.equal(clock.pending, 0)
  })
}

t.test('what kept a call waiting is there for its deadline', async (t) => {
  const { wrapper } = Bench.with(failingPicker(DOWN))
  const call = new FakeCall({ waitForReady: true })
  wrapper.pick(call)
  wrapper.updatePicker(WAITING_PICKER)
  await settle()
  t.equal(call.latestFailure, DOWN)
})

t.test('a drop ends even a call that waits for ready', async (t) => {
  const status = { code: Code.PermissionDenied, message: 'not you' }
  const { wrapper } = Bench.with(fixedPicker({ kind: 'drop', status }))
  const call = new FakeCall({ waitForReady: true })
  wrapper.pick(call)
  t.strictSame(call.log, ['PERMISSION_DENIED: not you, dropped'])
})

t.test('codes that only a server may give become INTERNAL, gRFC A54', async (t) => {
  for (const kind of ['fail', 'drop'] as const) {
    for (const code of [Code.InvalidArgument, Code.NotFound, Code.DataLoss, Code.Unavailable]) {
      const { wrapper } = Bench.with(fixedPicker({ kind, status: { code, message: 'x' } }))
      const call = new FakeCall()
      wrapper.pick(call)
      const expected = code === Code.Unavailable ? 'UNAVAILABLE' : 'INTERNAL'
      t.match(call.log, [new RegExp(`^${expected}`)], `${kind} ${codeName(code)}`)
    }
  }
})

t.test('a picker that throws fails the call, not the caller', async (t) => {
  const { wrapper } = Bench.with({
    pick() {
      throw new Error('a bug')
    },
  })
  const call = new FakeCall()
  wrapper.pick(call)
  t.strictSame(call.log, ['INTERNAL: picker_threw: Error: a bug, dropped'])
})

t.test('onDone goes to the call, and is called here when the call never starts', async (t) => {
  const outcomes: PickOutcome[] = []
  const onDone = (outcome: PickOutcome): unknown => outcomes.push(outcome)
  const { wrapper } = Bench.with(readyPicker(transport(), { onDone }))
  const call = new FakeCall()
  wrapper.pick(call)
  t.equal(call.onPickDone, onDone)
  t.strictSame(outcomes, [])

  wrapper.updatePicker(readyPicker(undefined, { onDone }))
  wrapper.pick(new FakeCall())
  t.match(outcomes, [{ status: { code: Code.Unavailable }, bytesSent: false }])

  wrapper.updatePicker(readyPicker(transport()))
  wrapper.pick(call)
  t.equal(call.onPickDone, undefined, 'that of an earlier try is gone')
})

t.test('a picker that makes the policy publish the next one is not waited for', async (t) => {
  const ready = transport()
  const bench = new Bench()
  bench.wrapper.updatePicker({
    pick(): PickResult {
      bench.wrapper.updatePicker(readyPicker(ready))
      return { kind: 'wait' }
    },
  })
  t.equal(bench.wrapper.pick(new FakeCall()), ready)
})

t.test('a cancelled call hears nothing', async (t) => {
  const { wrapper, clock } = new Bench()
  const call = new FakeCall()
  wrapper.pick(call)
  wrapper.cancel(call)
  wrapper.cancel(call)
  t.equal(clock.pending, 0)
  wrapper.updatePicker(readyPicker(transport()))
  await settle()
  t.strictSame(call.log, [])
})

t.test('parked calls go in the order they came, and may cancel each other', async (t) => {
  const { wrapper, clock } = new Bench()
  const order: string[] = []
  const calls = ['first', 'second', 'third'].map((name) => {
    const call: PendingPick = {
      path: name,
      header: () => undefined,
      waitForReady: false,
      onPickDone: undefined,
      latestFailure: undefined,
      onPickFailed() {},
      onTransport() {
        order.push(name)
        const second = calls[1]
        if (name === 'first' && second !== undefined) wrapper.cancel(second)
      },
    }
    return call
  })
  for (const call of calls) wrapper.pick(call)
  wrapper.updatePicker(readyPicker(transport()))
  await settle()
  t.strictSame(order, ['first', 'third'])
  t.equal(clock.pending, 0)
})

/** A picker whose answers the spec gives, in order. */
class AnsweringPicker implements Picker {
  public readonly signals: AbortSignal[] = []
  public asked = 0
  private readonly answers: ((answer: PickResult) => void)[] = []

  public pick(): PickResult {
    this.asked += 1
    return {
      kind: 'later',
      answer: (signal) => {
        this.signals.push(signal)
        return new Promise((resolve) => {
          this.answers.push(resolve)
        })
      },
    }
  }

  public async answer(result: PickResult): Promise<void> {
    this.answers.shift()?.(result)
    await settle()
  }
}

const LATER: readonly (readonly [name: string, answer: PickResult, log: string[]])[] = [
  ['a connection', readyPicker(transport()).pick(new FakeCall()), ['a:1']],
  ['a failure', { kind: 'fail', status: DOWN }, [`UNAVAILABLE: ${DOWN.message}`]],
  ['a drop', { kind: 'drop', status: DOWN }, [`UNAVAILABLE: ${DOWN.message}, dropped`]],
]

for (const [name, answer, log] of LATER) {
  t.test(`an answer may come later: ${name}`, async (t) => {
    const picker = new AnsweringPicker()
    const { wrapper, clock } = Bench.with(picker)
    const call = new FakeCall()
    t.equal(wrapper.pick(call), undefined)
    t.equal(clock.pending, 1, 'the process is kept running')
    wrapper.updatePicker(failingPicker(DOWN))
    await settle()
    t.strictSame(call.log, [], 'newer pickers are not asked')
    await picker.answer(answer)
    t.strictSame(call.log, log)
    t.notOk(picker.signals[0]?.aborted)
    t.equal(clock.pending, 0)
  })
}

t.test('an answer that came to waiting is followed by the next picker', async (t) => {
  for (const answer of [{ kind: 'wait' }, { kind: 'fail', status: DOWN }] as const) {
    const picker = new AnsweringPicker()
    const { wrapper } = Bench.with(picker)
    const before = new FakeCall({ waitForReady: true })
    const meanwhile = new FakeCall({ waitForReady: true })
    wrapper.pick(before)
    wrapper.pick(meanwhile)
    await picker.answer(answer)
    t.strictSame(before.log, [])
    wrapper.updatePicker(readyPicker(transport()))
    await settle()
    t.strictSame(before.log, ['a:1'], 'one that comes after it')
    t.strictSame(meanwhile.log, [])
    await picker.answer(answer)
    t.strictSame(meanwhile.log, ['a:1'], 'one that came before it')
  }
})

t.test('the end of a call, or of the channel, ends the wait for its answer', async (t) => {
  for (const end of ['cancel', 'close'] as const) {
    const picker = new AnsweringPicker()
    const { wrapper, clock } = Bench.with(picker)
    const outcomes: PickOutcome[] = []
    const call = new FakeCall()
    wrapper.pick(call)
    if (end === 'cancel') wrapper.cancel(call)
    else wrapper.close()
    t.ok(picker.signals[0]?.aborted)
    t.equal(clock.pending, 0)
    const onDone = (outcome: PickOutcome): unknown => outcomes.push(outcome)
    await picker.answer(readyPicker(transport(), { onDone }).pick(call))
    t.strictSame(call.log, end === 'cancel' ? [] : ['CANCELLED: the channel is closed'])
    t.match(outcomes, [{ bytesSent: false }], 'a late answer is given back')
  }
})

t.test('an answer that rejects fails the call', async (t) => {
  const answer = (): Promise<PickResult> => Promise.reject(new Error('a bug'))
  const { wrapper } = Bench.with(fixedPicker({ kind: 'later', answer }))
  const call = new FakeCall({ waitForReady: true })
  wrapper.pick(call)
  await settle()
  t.strictSame(call.log, ['INTERNAL: picker_threw: Error: a bug, dropped'])
})

t.test('an idle channel has no picker: calls wait', async (t) => {
  const { wrapper } = Bench.with(failingPicker(DOWN))
  wrapper.updatePicker(undefined)
  const call = new FakeCall()
  wrapper.pick(call)
  await settle()
  t.strictSame(call.log, [])
})

t.test('close: parked and later calls are CANCELLED, pickers are ignored', async (t) => {
  const { wrapper, clock } = new Bench()
  const parked = new FakeCall({ waitForReady: true })
  wrapper.pick(parked)
  wrapper.close()
  wrapper.updatePicker(readyPicker(transport()))
  const late = new FakeCall({ waitForReady: true })
  t.equal(wrapper.pick(late), undefined)
  await settle()
  for (const call of [parked, late]) t.strictSame(call.log, ['CANCELLED: the channel is closed'])
  t.equal(clock.pending, 0)
})

t.test('a call that closes the channel from its callback ends the others once', async (t) => {
  const { wrapper } = new Bench()
  const first = new FakeCall()
  const second = new FakeCall()
  first.onTransport = () => wrapper.close()
  wrapper.pick(first)
  wrapper.pick(second)
  wrapper.updatePicker(readyPicker(transport()))
  await settle()
  t.strictSame(second.log, ['CANCELLED: the channel is closed'])
})

t.test('the process is kept running for as long as anything waits, however long', async (t) => {
  const clock = new FakeClock()
  const hold = new ProcessHold(clock)
  hold.acquire()
  hold.acquire()
  clock.advance(2 ** 32)
  hold.release()
  t.equal(clock.pending, 1)
  hold.release()
  t.equal(clock.pending, 0)
})
