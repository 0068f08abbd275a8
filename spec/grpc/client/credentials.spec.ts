// Call credentials: metadata of each call, and what becomes of one that cannot have it.
import t from 'tap'
import { type CallCredentials, credentials } from '../../../lib/grpc/client/credentials.ts'
import { RpcError } from '../../../lib/grpc/protocol/rpc-error.ts'
import type { ServerCallContext } from '../../../lib/grpc/server/handlers.ts'
import { EchoBench, type Note } from '../../support/echo-service.ts'
import { collect } from '../../support/rpc-bench.ts'

function bearer(token: string | (() => Promise<string>)): CallCredentials {
  return {
    allowInsecure: true,
    metadata: async () => ({
      authorization: `Bearer ${typeof token === 'string' ? token : await token()}`,
    }),
  }
}

const echoTokens = {
  unary: (_request: Note, call: ServerCallContext): Note => ({
    text: call.metadata.getAll('authorization').join(' + '),
  }),
}

t.test('of the call, of the channel, and both', async (t) => {
  const own = { credentials: bearer('call') }
  const plain = new EchoBench(echoTokens)
  t.strictSame(await plain.run(plain.client.unary({}, own)), { text: 'Bearer call' })
  t.strictSame(await plain.run(plain.client.unary({})), { text: '' })
  await plain.assertQuiet(t)

  const channel = credentials.combine(credentials.insecure(), bearer('channel'))
  const bench = new EchoBench(echoTokens, { channel: { credentials: channel } })
  t.strictSame(await bench.run(bench.client.unary({})), { text: 'Bearer channel' })
  t.strictSame(await bench.run(bench.client.unary({}, own)), {
    text: 'Bearer channel + Bearer call',
  })
  await bench.assertQuiet(t)

  const two = credentials.combine(channel, bearer('second'))
  const both = new EchoBench(echoTokens, { channel: { credentials: two } })
  t.strictSame(await both.run(both.client.unary({})), { text: 'Bearer channel + Bearer second' })
  await both.assertQuiet(t)
})

t.test('they know what they are for, and may answer at once', async (t) => {
  const contexts: unknown[] = []
  const bench = new EchoBench(echoTokens)
  const own: CallCredentials = {
    allowInsecure: true,
    metadata(context) {
      contexts.push(context)
      return { authorization: 'now' }
    },
  }
  t.strictSame(await bench.run(bench.client.unary({}, { credentials: own })), { text: 'now' })
  t.strictSame(contexts, [
    { path: '/spec.Echo/Unary', serviceUrl: `https://${bench.conn.authority}/spec.Echo` },
  ])
  await bench.assertQuiet(t)
})

t.test('on a channel that anyone can read: UNAUTHENTICATED, and they are not asked', async (t) => {
  let asked = 0
  const own: CallCredentials = {
    metadata() {
      asked++
      return {}
    },
  }
  const bench = new EchoBench()
  t.match(await bench.error(bench.client.unary({}, { credentials: own })), { code: 16 })
  t.match(await bench.error(collect(bench, bench.client.chat({ credentials: own }))), { code: 16 })
  t.equal(asked, 0)
  t.equal(bench.pairs.length, 0)
  await bench.assertQuiet(t)
})

t.test('credentials that fail', async (t) => {
  const rows: [unknown, object][] = [
    [new Error('vault is down'), { code: 16, message: /vault is down/ }],
    ['text', { code: 16 }],
    [new RpcError(7, 'not you'), { code: 7, rawMessage: 'not you' }],
    [new RpcError(14, 'later'), { code: 14 }],
    [new RpcError(5, 'no key'), { code: 13, message: /illegal status code/ }],
    [Symbol('key'), { code: 16, message: /Symbol\(key\)/ }],
    [Object.create(null), { code: 16, message: /something that has no text/ }],
    [undefined, { code: 16, message: /undefined/ }],
  ]
  const bench = new EchoBench()
  for (const [thrown, expected] of rows) {
    for (const later of [false, true]) {
      const own: CallCredentials = {
        allowInsecure: true,
        metadata() {
          if (later) return Promise.reject(thrown)
          throw thrown
        },
      }
      const name = `${RpcError.from(thrown).message} ${later ? 'later' : 'at once'}`
      const error = await bench.error(bench.client.unary({}, { credentials: own }))
      t.match(error, expected, name)
      t.ok(error instanceof RpcError, name)
    }
  }
  for (const bad of [{ te: 'x' }, null, 5, Object.assign(Object.create(null), { a: Symbol() })]) {
    const own: CallCredentials = { allowInsecure: true, metadata: () => bad as never }
    t.match(await bench.error(bench.client.unary({}, { credentials: own })), { code: 16 })
  }
  await bench.assertQuiet(t)
})

t.test('a call that ends while it waits for them', async (t) => {
  let give: (token: string) => void = () => {}
  const slow = bearer(
    () =>
      new Promise((resolve) => {
        give = resolve
      }),
  )
  const bench = new EchoBench()
  const failed = bench.error(bench.client.unary({}, { credentials: slow, timeoutMs: 100 }))
  await bench.advance(100)
  t.match(await failed, { code: 4, message: /waiting for its credentials/ })
  give('too late')
  await bench.settle()
  t.equal(bench.pairs.length, 0)

  const chat = bench.client.chat({ credentials: slow })
  chat.cancel()
  t.match(await bench.error(collect(bench, chat)), { code: 1 })
  give('too late')
  await bench.assertQuiet(t)
})

t.test('requests that were sent meanwhile follow', async (t) => {
  let give: (token: string) => void = () => {}
  const slow = bearer(
    () =>
      new Promise((resolve) => {
        give = resolve
      }),
  )
  const bench = new EchoBench()
  const call = bench.client.sum([{ n: 1 }, { n: 2 }], { credentials: slow })
  await bench.settle()
  give('token')
  t.strictSame(await bench.run(call), { n: 3 })
  await bench.assertQuiet(t)
})
