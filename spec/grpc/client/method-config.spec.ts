// What a service config says of a method, and what the caller says: which one holds.
import t from 'tap'
import type { ServiceConfig } from '../../../lib/grpc/channel/service-config.ts'
import type { CallOptions } from '../../../lib/grpc/client/call-options.ts'
import { ManualResolver } from '../../../lib/naming/index.ts'
import { EchoBench } from '../../support/echo-service.ts'
import type { RpcBenchOptions } from '../../support/rpc-bench.ts'

const ADDRESSES = [{ addresses: [{ address: 'bench:1' }] }]

/** The config of the unary method alone. */
function configured(fields: object): RpcBenchOptions {
  const name = [{ service: 'spec.Echo', method: 'Unary' }]
  return { channel: { serviceConfig: { methodConfig: [{ name, ...fields }] } } }
}

const HANG = { unary: () => new Promise<never>(() => {}) }

t.test('the sooner of the timeouts counts, and the server is told of it', async (t) => {
  const deadlines: (number | undefined)[] = []
  const bench = new EchoBench(
    {
      unary: (_, { deadline }) => {
        deadlines.push(deadline && deadline.getTime() - bench.clock.wallMs())
        return new Promise<never>(() => {})
      },
    },
    configured({ timeout: '0.5s' }),
  )
  const rows: [CallOptions | undefined, number][] = [
    [undefined, 500],
    [{ timeoutMs: 100 }, 100],
    [{ timeoutMs: 900 }, 500],
    [{ signal: new AbortController().signal }, 500],
  ]
  for (const [options, ms] of rows) {
    const failed = bench.error(bench.client.unary({}, options))
    await bench.advance(ms + 64)
    t.match(await failed, { code: 4, message: new RegExp(`after ${ms} ms`) }, `${ms} ms`)
    t.equal(deadlines.at(-1), ms)
  }
  const other = bench.client.sum()
  await bench.advance(1000)
  other.end()
  t.match(await bench.run(other.response), {}, 'other methods have no timeout')
  await bench.assertQuiet(t)
})

t.test('a timeout of nothing ends a call before it begins', async (t) => {
  const bench = new EchoBench({}, configured({ timeout: '0s' }))
  t.match(await bench.error(bench.client.unary({})), { code: 4, attempts: 0 })
  await bench.assertQuiet(t)
})

t.test('wait-for-ready by config, unless the caller has a will of his own', async (t) => {
  let up = false
  const bench = new EchoBench(
    {},
    {
      ...configured({ waitForReady: true }),
      refuse: () => (up ? undefined : new Error('connection refused')),
    },
  )
  const patient = bench.client.unary({ n: 1 })
  t.match(await bench.error(bench.client.unary({}, { waitForReady: false })), { code: 14 })
  t.match(await bench.error(bench.client.sum([])), { code: 14 }, 'another method')
  up = true
  patient.catch(() => {})
  await bench.advance(5000)
  t.strictSame(await bench.run(patient), { n: 1 })
  await bench.assertQuiet(t)
})

t.test('the smaller of the size limits counts', async (t) => {
  const text = 'x'.repeat(100)
  const bench = new EchoBench(
    { unary: ({ n = 0 }) => ({ text: 'y'.repeat(n) }) },
    configured({ maxRequestMessageBytes: 50, maxResponseMessageBytes: '60' }),
  )
  const { client } = bench
  const rows: [() => Promise<unknown>, RegExp | undefined][] = [
    [() => client.unary({ text }), /to send message larger than max \(111 vs. 50\)/],
    [() => client.unary({ text }, { maxSendMessageBytes: 40 }), /\(111 vs. 40\)/],
    [() => client.unary({ text }, { maxSendMessageBytes: 200 }), /\(111 vs. 50\)/],
    [() => client.unary({ n: 100 }), /received message larger than max \(111 vs. 60\)/],
    [() => client.unary({ n: 100 }, { maxRecvMessageBytes: 30 }), /\(111 vs. 30\)/],
    [() => client.unary({ n: 40 }), undefined],
  ]
  for (const [call, message] of rows) {
    if (message === undefined) await bench.run(call())
    else t.match(await bench.error(call()), { code: 8, message })
  }
  await bench.assertQuiet(t)

  const larger = new EchoBench({}, configured({ maxResponseMessageBytes: 8_000_000 }))
  const huge = { text: 'x'.repeat(5_000_000) }
  t.match(await larger.error(larger.client.sum([huge])), { code: 8 }, 'the default is 4 MiB')
  await larger.assertQuiet(t)
})

t.test('a call that begins before the first resolution goes by its config', async (t) => {
  const names = new ManualResolver('bench')
  const bench = new EchoBench(HANG, { channel: { resolvers: [names], idleTimeoutMs: 1000 } })
  const serviceConfig = {
    methodConfig: [{ name: [{}], timeout: '0.2s', maxRequestMessageBytes: 20 }],
  } satisfies ServiceConfig
  const unary = bench.error(bench.client.unary({}))
  const late = bench.error(bench.client.unary({}, { timeoutMs: 100 }))
  const sum = bench.client.sum()
  const sent = [sum.send({ n: 1 }), sum.send({ text: 'x'.repeat(30) })]
  for (const each of sent) each.catch(() => {})
  await bench.advance(150)
  t.match(await late, { code: 4, message: /still waiting for its target to be resolved/ })
  names.updateState({ endpoints: ADDRESSES, serviceConfig })
  t.match(await bench.error(sum.response), { code: 8, message: /\(41 vs. 20\)/ })
  await bench.advance(250)
  t.match(await unary, { code: 4, message: /after 200 ms/ }, 'counted from the resolution')
  await bench.assertQuiet(t)
})

t.test('another config holds for the calls that begin after it', async (t) => {
  const names = new ManualResolver('bench')
  const bench = new EchoBench(HANG, { channel: { resolvers: [names] } })
  const resolve = (timeout: string): void => {
    const serviceConfig = { methodConfig: [{ name: [{}], timeout }] }
    names.updateState({ endpoints: ADDRESSES, serviceConfig })
  }
  resolve('1s')
  await bench.settle()
  const first = bench.error(bench.client.unary({}))
  await bench.settle()
  resolve('2s')
  await bench.settle()
  const second = bench.error(bench.client.unary({}))
  await bench.advance(3000)
  t.match(await first, { code: 4, message: /after 1000 ms/ })
  t.match(await second, { code: 4, message: /after 2000 ms/ })
  await bench.assertQuiet(t)
})
