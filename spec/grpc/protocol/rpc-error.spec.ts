import t from 'tap'
import { Code } from '../../../lib/base/status.ts'
import { Metadata } from '../../../lib/grpc/protocol/metadata.ts'
import { RpcError } from '../../../lib/grpc/protocol/rpc-error.ts'
import { TransportClosed } from '../../../lib/transport/index.ts'

t.test('reads as the name of the code and the message', async (t) => {
  const cause = new Error('disk')
  const metadata = Metadata.from({ a: 'b' })
  const error = new RpcError(Code.NotFound, 'no feature', { cause, metadata, attempts: 2 })
  t.equal(error.message, 'NOT_FOUND: no feature')
  t.equal(String(error), 'RpcError: NOT_FOUND: no feature')
  t.match(error, { code: 5, codeName: 'NOT_FOUND', rawMessage: 'no feature', attempts: 2 })
  t.equal(error.cause, cause)
  t.equal(error.metadata, metadata)
  t.same(error.details, [])
  t.same(error.toStatus(), { code: 5, message: 'no feature', cause })
})

t.test('keeps codes without a name, and says the name alone without a message', async (t) => {
  t.equal(new RpcError(77).message, 'CODE_77')
  t.equal(new RpcError(Code.Aborted).message, 'ABORTED')
  t.notOk('cause' in new RpcError(Code.Aborted))
  t.equal(new RpcError(Code.Aborted).metadata.size, 0)
})

t.test('is made of a status', async (t) => {
  const cause = new Error('why')
  const error = RpcError.fromStatus(
    { code: Code.Unavailable, message: 'gone', cause },
    { peer: '1.2.3.4:5', method: '/s/M' },
  )
  t.match(error, { code: 14, rawMessage: 'gone', cause, peer: '1.2.3.4:5', method: '/s/M' })
})

t.test('is made of anything thrown', async (t) => {
  const original = new RpcError(Code.DataLoss, 'x')
  t.equal(RpcError.from(original), original)
  const table: [thrown: unknown, code: Code, message: string | RegExp][] = [
    [AbortSignal.abort().reason, Code.Cancelled, /abort/],
    [new DOMException('late', 'TimeoutError'), Code.DeadlineExceeded, 'late'],
    [new TransportClosed('a:1', 'reset'), Code.Unavailable, 'a:1: reset'],
    [new TypeError('no such thing'), Code.Unknown, 'no such thing'],
    ['text', Code.Unknown, 'text'],
    [undefined, Code.Unknown, 'undefined'],
    [null, Code.Unknown, 'null'],
  ]
  for (const [thrown, code, message] of table) {
    const error = RpcError.from(thrown)
    t.match(error, { code, rawMessage: message }, String(thrown))
    t.equal(error.cause, thrown)
  }
})

t.test('takes code and token of metadata that cannot be sent', async (t) => {
  try {
    new Metadata().set('no good', 'x')
    t.fail('accepted')
  } catch (thrown) {
    t.match(RpcError.from(thrown), { code: Code.Internal, token: 'metadata_name_invalid' })
  }
})
