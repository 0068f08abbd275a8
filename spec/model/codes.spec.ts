// Status codes from a handler to its caller: all that have a name, and those that have none.
import t from 'tap'
import { Code, codeFromName, codeName } from '../../lib/base/status.ts'
import { RpcError } from '../../lib/grpc/protocol/rpc-error.ts'
import { EchoBench } from '../support/echo-service.ts'

t.test('every code arrives under its number and name', async (t) => {
  const bench = new EchoBench({
    unary({ n = 0 }) {
      throw new RpcError(n, `code ${n}`)
    },
  })
  for (const code of Object.values(Code)) {
    if (code === Code.Ok) continue
    const error = await bench.error(bench.client.unary({ n: code }))
    t.match(error, { code, codeName: codeName(code), rawMessage: `code ${code}` })
    t.equal(error.message, `${codeName(code)}: code ${code}`)
    t.equal(codeFromName(error.codeName), code)
  }
  t.equal(Object.keys(Code).length, 17)
  await bench.assertQuiet(t)
})

t.test('a number without a name is kept', async (t) => {
  const bench = new EchoBench({
    unary({ n = 0 }) {
      throw new RpcError(n)
    },
  })
  for (const n of [17, 99, 2 ** 31 - 1]) {
    t.match(await bench.error(bench.client.unary({ n })), { code: n, codeName: `CODE_${n}` })
  }
  await bench.assertQuiet(t)
})

t.test('numbers that are no code: UNKNOWN', async (t) => {
  const bench = new EchoBench({
    unary({ n = 0 }) {
      throw new RpcError(n)
    },
  })
  for (const n of [-1, 1.5, 2 ** 31, 1e30]) {
    t.match(await bench.error(bench.client.unary({ n })), { code: 2 }, String(n))
  }
  await bench.assertQuiet(t)
})
