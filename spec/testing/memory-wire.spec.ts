import t from 'tap'
import { FakeClock, MemoryWire, type MemoryWireOptions } from '../../lib/testing/index.ts'
import { WireRecorder } from '../support/wire-recorder.ts'

function scripted(options: MemoryWireOptions = {}): {
  wire: MemoryWire
  events: WireRecorder
  clock: FakeClock
} {
  const clock = new FakeClock()
  const wire = new MemoryWire(clock, options)
  const events = new WireRecorder()
  wire.start(events)
  return { wire, events, clock }
}

t.test('what is written is recorded, corked writes as one', (t) => {
  const { wire } = scripted()
  const bytes = Buffer.from('one')
  t.equal(wire.write(bytes), true)
  bytes.fill('x')
  wire.cork()
  wire.cork()
  wire.write(Buffer.from('two'))
  wire.uncork()
  wire.write(Buffer.from('three'))
  wire.uncork()
  wire.write(Buffer.alloc(0))
  t.strictSame(wire.sends.map(String), ['one', 'twothree'])
  t.equal(String(wire.sent), 'onetwothree')
  t.equal(String(wire.takeSent()), 'onetwothree')
  t.equal(wire.sent.length, 0)
  t.end()
})

t.test('recording can be off', (t) => {
  const { wire } = scripted({ record: false })
  wire.write(Buffer.from('one'))
  t.equal(wire.sends.length, 0)
  t.end()
})

t.test('a delivery is one receive, at an odd offset, and overwritten afterwards', (t) => {
  const wire = new MemoryWire()
  let kept: Buffer = Buffer.alloc(0)
  const seen: [string, number][] = []
  wire.start(
    Object.assign(new WireRecorder(), {
      receive(buf: Buffer, start: number, end: number) {
        kept = buf.subarray(start, end)
        seen.push([String(kept), start])
      },
    }),
  )
  wire.deliver(Buffer.from('hello'))
  t.strictSame(seen, [['hello', 3]])
  t.equal(kept.equals(Buffer.alloc(5, 0xdd)), true)
  t.end()
})

t.test('deliveries are cut to chunks, across their borders', (t) => {
  let size = 0
  const { wire, events } = scripted({ chunkBytes: () => (size += 1) })
  wire.pauseReading()
  wire.deliver(Buffer.from('abc'))
  wire.deliver(Buffer.from('defg'))
  t.strictSame(events.log, [])
  wire.resumeReading()
  wire.drive()
  t.equal(events.text, 'abcdefg')
  t.strictSame(events.sizes, [1, 2, 3, 1])

  const constant = scripted({ chunkBytes: 2 })
  constant.wire.deliver(Buffer.from('abcde'))
  t.strictSame(constant.events.sizes, [2, 2, 1])
  t.end()
})

t.test('a flush waits for step; soon goes first and serves a later too', (t) => {
  const { wire, events } = scripted()
  t.equal(wire.flushRequested, undefined)
  wire.requestFlush('later')
  t.equal(wire.flushRequested, 'later')
  wire.requestFlush('soon')
  t.equal(wire.flushRequested, 'soon')
  wire.requestFlush('later')
  t.strictSame(events.log, [])
  t.equal(wire.step(), true)
  t.strictSame(events.log, ['flush'])
  t.equal(wire.step(), false)
  wire.requestFlush('later')
  wire.drive()
  t.equal(events.count('flush'), 2)
  t.end()
})

t.test('deliveries come before a later flush and after a soon one', (t) => {
  const { wire, events } = scripted()
  wire.pauseReading()
  wire.deliver(Buffer.from('x'))
  wire.requestFlush('later')
  wire.resumeReading()
  wire.drive()
  t.strictSame(events.log, ['receive', 'flush'])
  wire.pauseReading()
  wire.deliver(Buffer.from('x'))
  wire.requestFlush('soon')
  wire.resumeReading()
  wire.drive()
  t.strictSame(events.log, ['receive', 'flush', 'flush', 'receive'])
  t.end()
})

t.test('a full line counts what it did not take, and says when it has', (t) => {
  const { wire, events } = scripted({ capacityBytes: 10 })
  wire.write(Buffer.alloc(10))
  t.equal(wire.unsentBytes, 0)
  wire.write(Buffer.alloc(7))
  t.equal(wire.unsentBytes, 7)
  wire.take(5)
  t.equal(wire.unsentBytes, 2)
  wire.drive()
  t.strictSame(events.log, [])
  wire.take()
  t.equal(wire.unsentBytes, 0)
  wire.drive()
  t.strictSame(events.log, ['writable'])
  wire.write(Buffer.alloc(10))
  wire.take()
  wire.drive()
  t.strictSame(events.log, ['writable'], 'only after it was full')
  t.end()
})

t.test('the end of the far side comes after what it sent', (t) => {
  const { wire, events } = scripted()
  wire.pauseReading()
  wire.deliver(Buffer.from('last'))
  wire.deliverEnd()
  wire.resumeReading()
  wire.drive()
  t.strictSame(events.log, ['receive', 'ended'])
  t.end()
})

t.test('closing', (t) => {
  t.test('waits for the far side and discards what it sends', (t) => {
    const { wire, events, clock } = scripted()
    wire.requestFlush('soon')
    wire.close(1000)
    t.equal(wire.state, 'closing')
    t.equal(wire.write(Buffer.from('x')), true)
    t.equal(wire.sent.length, 0)
    wire.deliver(Buffer.from('ignored'))
    wire.drive()
    t.strictSame(events.log, [])
    t.equal(clock.pending, 1)
    wire.deliverEnd()
    t.equal(wire.state, 'gone')
    t.equal(wire.listenerCount, 1)
    wire.drive()
    t.strictSame(events.log, ['closed'])
    t.equal(wire.listenerCount, 0)
    t.equal(clock.pending, 0)
    t.end()
  })
  t.test('ends with its grace', (t) => {
    const { wire, events, clock } = scripted()
    wire.close(1000)
    wire.close(5)
    clock.advance(999)
    t.equal(wire.step(), false)
    clock.advance(1)
    wire.drive()
    t.strictSame(events.log, ['closed'])
    t.equal(events.error, undefined)
    t.end()
  })
  t.test('ends at once with no grace, or when the far side had ended', (t) => {
    const abrupt = scripted()
    abrupt.wire.close(1000)
    abrupt.wire.close(0)
    t.strictSame(abrupt.events.log, [], 'never within the call')
    abrupt.wire.drive()
    t.strictSame(abrupt.events.log, ['closed'])
    t.equal(abrupt.clock.pending, 0)

    const answering = scripted()
    answering.wire.deliverEnd()
    answering.wire.close(1000)
    answering.wire.drive()
    t.strictSame(answering.events.log, ['ended', 'closed'])
    t.equal(answering.clock.pending, 0)
    t.end()
  })
  t.end()
})

t.test('a failure is closed with its error, the last event', (t) => {
  const { wire, events } = scripted({ capacityBytes: 1 })
  wire.write(Buffer.alloc(5))
  wire.take()
  wire.requestFlush('soon')
  wire.fail(new Error('gone'))
  wire.fail(new Error('again'))
  wire.close(10)
  wire.deliver(Buffer.from('late'))
  wire.deliverEnd()
  wire.drive()
  t.strictSame(events.log, ['closed'])
  t.match(events.error, { message: 'gone' })
  wire.requestFlush('soon')
  t.equal(wire.step(), false)

  const other = scripted()
  other.wire.fail()
  other.wire.drive()
  t.match(other.events.error, { code: 'ECONNRESET' })
  t.end()
})

t.test('nothing comes before start', (t) => {
  const wire = new MemoryWire()
  t.equal(wire.listenerCount, 0)
  wire.requestFlush('soon')
  wire.deliver(Buffer.from('early'))
  t.equal(wire.step(), false)
  const events = new WireRecorder()
  wire.start(events)
  t.equal(wire.listenerCount, 1)
  wire.drive()
  t.strictSame(events.log, ['flush', 'receive'])
  t.end()
})
