import fc from 'fast-check'
import t from 'tap'
import { ByteSink } from '../../lib/base/byte-sink.ts'

t.test('what is appended is kept when the memory grows', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), fc.nat(20), (parts, capacity) => {
      const sink = new ByteSink(capacity)
      for (const part of parts) sink.append(part)
      return sink.buf.subarray(0, sink.pos).equals(Buffer.concat(parts))
    }),
  )
  t.end()
})

t.test('a range may be appended', (t) => {
  const sink = new ByteSink()
  sink.append(Buffer.from('abcdef'), 2, 4)
  sink.append(Buffer.from('abcdef'), 4)
  sink.append(Buffer.from('abcdef'), 0, 1)
  sink.append(Buffer.from('abcdef'), 3, 3)
  t.equal(String(sink.buf.subarray(0, sink.pos)), 'cdefa')
  t.end()
})

t.test('reserve makes room, at least twofold, and only when there is none', (t) => {
  const sink = new ByteSink(16)
  const { buf } = sink
  sink.reserve(16)
  t.equal(sink.buf, buf)
  sink.pos = 10
  sink.reserve(7)
  t.equal(sink.buf.length, 32)
  sink.reserve(1000)
  t.equal(sink.buf.length, 1010)
  t.equal(sink.pos, 10)
  t.end()
})

t.test('detached memory is never written to again', (t) => {
  const sink = new ByteSink(4)
  sink.append(Buffer.from('mine'))
  const taken = sink.detach()
  t.equal(sink.pos, 0)
  sink.append(Buffer.from('theirs'))
  t.equal(String(taken), 'mine')
  t.equal(String(sink.detach()), 'theirs')
  t.equal(sink.detach().length, 0)
  t.end()
})
