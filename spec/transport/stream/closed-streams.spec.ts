import t from 'tap'
import { ClosedStreams } from '../../../lib/transport/stream/closed-streams.ts'
import { StreamState } from '../../../lib/transport/stream/stream-state.ts'

const { ClosedByEnd, ClosedByPeerReset, ClosedByLocalReset, ClosedForgotten } = StreamState

t.test('a new memory knows no stream', (t) => {
  const closed = new ClosedStreams()
  t.equal(closed.stateOf(1), ClosedForgotten)
  closed.note(3, ClosedByEnd)
  t.equal(closed.stateOf(1), ClosedForgotten)
  t.end()
})

t.test('it tells how a stream closed', (t) => {
  const closed = new ClosedStreams()
  closed.note(1, ClosedByEnd)
  closed.note(3, ClosedByPeerReset)
  closed.note(5, ClosedByLocalReset)
  closed.note(2 ** 31 - 1, ClosedByPeerReset)
  closed.note(2 ** 31 - 3, ClosedByEnd)
  t.equal(closed.stateOf(1), ClosedByEnd)
  t.equal(closed.stateOf(3), ClosedByPeerReset)
  t.equal(closed.stateOf(5), ClosedByLocalReset)
  t.equal(closed.stateOf(2 ** 31 - 1), ClosedByPeerReset)
  t.equal(closed.stateOf(2 ** 31 - 3), ClosedByEnd)
  t.end()
})

t.test('a later reset of ours wins', (t) => {
  const closed = new ClosedStreams()
  closed.note(1, ClosedByPeerReset)
  closed.note(1, ClosedByLocalReset)
  t.equal(closed.stateOf(1), ClosedByLocalReset)
  t.end()
})

t.test('it remembers the last 16 ends and resets of the peer', (t) => {
  const closed = new ClosedStreams()
  for (let id = 1; id <= 17; id++) closed.note(id, id % 2 === 0 ? ClosedByEnd : ClosedByPeerReset)
  t.equal(closed.stateOf(1), ClosedForgotten)
  for (let id = 2; id <= 17; id++) {
    t.equal(closed.stateOf(id), id % 2 === 0 ? ClosedByEnd : ClosedByPeerReset, `stream ${id}`)
  }
  t.end()
})

t.test('it remembers the last 256 resets of ours, whatever else closes', (t) => {
  const closed = new ClosedStreams()
  for (let id = 1; id <= 257; id++) closed.note(id, ClosedByLocalReset)
  for (let id = 258; id < 1258; id++) closed.note(id, ClosedByEnd)
  t.equal(closed.stateOf(1), ClosedForgotten)
  t.equal(closed.stateOf(2), ClosedByLocalReset)
  t.equal(closed.stateOf(257), ClosedByLocalReset)
  t.equal(closed.stateOf(1257), ClosedByEnd)
  t.end()
})
