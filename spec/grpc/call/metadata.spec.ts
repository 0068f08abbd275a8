// Metadata in both directions, and what of it the caller and the handler hear when.
import t from 'tap'
import { Metadata } from '../../../lib/grpc/protocol/metadata.ts'
import { RpcError } from '../../../lib/grpc/protocol/rpc-error.ts'
import { EchoBench } from '../../support/echo-service.ts'
import { collect } from '../../support/rpc-bench.ts'

const OCTETS = Buffer.from([0, 1, 254, 255])

t.test('a request carries names of several values, and octets', async (t) => {
  let seen: [string, string | Buffer][] = []
  const bench = new EchoBench({
    unary(request, call) {
      seen = [...call.metadata]
      return request
    },
  })
  const metadata = { 'X-One': ['a', 'b'], 'two-bin': OCTETS }
  await bench.run(bench.client.unary({}, { metadata }))
  const own = seen.filter(([name]) => /^(x-one|two-bin)$/.test(name))
  t.strictSame(own, [
    ['x-one', 'a'],
    ['x-one', 'b'],
    ['two-bin', OCTETS],
  ])
  const names = new Set(seen.map(([name]) => name))
  t.ok(names.has('user-agent') && names.has('content-type') && names.has(':authority'))
  for (const hidden of ['te', 'grpc-timeout', 'grpc-encoding', 'grpc-accept-encoding', ':path']) {
    t.notOk(names.has(hidden), `${hidden} is the protocol's`)
  }
  await bench.assertQuiet(t)
})

t.test('names and values that may not be sent fail the call before anything is', async (t) => {
  const bench = new EchoBench()
  const bad: Record<string, string | Uint8Array>[] = [
    { 'grpc-status': '0' },
    { ':path': '/x' },
    { te: 'x' },
    { 'content-type': 'x' },
    { 'user-agent': 'x' },
    { 'sp ace': 'x' },
    { x: 'a\r\nb: c' },
    { x: 'é' },
    { x: ' outer' },
    { 'x-bin': 'text' },
    { x: OCTETS },
  ]
  for (const metadata of bad) {
    const name = JSON.stringify(metadata)
    t.match(await bench.error(bench.client.unary({}, { metadata })), { code: 13 }, name)
    const chat = bench.client.chat({ metadata })
    t.match(await bench.error(collect(bench, chat)), { code: 13 }, `${name} of a stream`)
  }
  t.equal(bench.pairs.length, 0, 'nobody has connected')
  await bench.assertQuiet(t)
})

t.test(
  'more metadata than peers take is RESOURCE_EXHAUSTED, before anything is sent',
  async (t) => {
    const bench = new EchoBench()
    const metadata = { x: 'y'.repeat(9000) }
    t.match(await bench.error(bench.client.unary({}, { metadata })), { code: 8 })
    await bench.assertQuiet(t)
  },
)

t.test('a response carries headers and trailers, for calls of every kind', async (t) => {
  const bench = new EchoBench({
    unary(request, call) {
      call.headers.set('h', 'unary')
      call.trailers.set('t-bin', OCTETS)
      return request
    },
    async *list(_request, call) {
      call.sendHeaders({ h: 'list' })
      yield {}
      call.trailers.set('t', 'late')
    },
  })
  const heard: string[] = []
  const options = {
    onHeaders: (headers: Metadata) => heard.push(`headers ${headers.get('h')}`),
    onTrailers: (trailers: Metadata) =>
      heard.push(`trailers ${trailers.get('t') ?? trailers.get('t-bin')?.toString('hex')}`),
  }
  await bench.run(bench.client.unary({}, options))
  t.strictSame(heard.splice(0), ['headers unary', 'trailers 0001feff'])

  const call = bench.client.list({}, options)
  t.equal((await bench.run(call.headers)).get('h'), 'list')
  await collect(bench, call)
  t.equal((await bench.run(call.trailers)).get('t'), 'late')
  t.strictSame(heard, ['headers list', 'trailers late'])
  await bench.assertQuiet(t)
})

t.test('headers come before the first message when the handler says so', async (t) => {
  let go: () => void = () => {}
  const bench = new EchoBench({
    async sum(_requests, call) {
      call.sendHeaders({ early: 'yes' })
      await new Promise<void>((resolve) => {
        go = resolve
      })
      return { n: 1 }
    },
  })
  const call = bench.client.sum()
  t.equal((await bench.run(call.headers)).get('early'), 'yes')
  go()
  call.end()
  t.strictSame(await bench.run(call.response), { n: 1 })
  await bench.assertQuiet(t)
})

t.test('headers that were set go out also with an error; it carries the trailers', async (t) => {
  const bench = new EchoBench({
    unary(_request, call) {
      call.headers.set('h', '1')
      call.trailers.set('t', '2')
      throw new RpcError(5, 'gone', { metadata: Metadata.from({ own: '3' }) })
    },
  })
  let headers: Metadata | undefined
  const error = await bench.error(
    bench.client.unary({}, { onHeaders: (received) => (headers = received) }),
  )
  t.equal(headers?.get('h'), '1')
  t.equal(error.metadata.get('t'), '2')
  t.equal(error.metadata.get('own'), '3')
  await bench.assertQuiet(t)
})

t.test(
  'without headers a failure is trailers alone: no headers are heard, promises are told',
  async (t) => {
    const bench = new EchoBench({
      list(_request, call) {
        call.trailers.set('why', 'because')
        throw new RpcError(5)
      },
    })
    let heard = 0
    const call = bench.client.list({}, { onHeaders: () => heard++ })
    t.match(await bench.error(collect(bench, call)), { code: 5 })
    t.equal(heard, 0)
    t.match(await bench.error(call.headers), { code: 5 })
    t.equal((await bench.run(call.trailers)).get('why'), 'because')
    await bench.assertQuiet(t)
  },
)

t.test(
  'an error of one server passed on by another leaves the protocol fields behind',
  async (t) => {
    const far = new EchoBench({
      unary(_request, call) {
        call.trailers.set('far', 'yes')
        throw new RpcError(9, 'far')
      },
    })
    const farError = await far.error(far.client.unary({}))
    const bench = new EchoBench({
      unary() {
        throw farError
      },
    })
    const error = await bench.error(bench.client.unary({}))
    t.match(error, { code: 9, rawMessage: 'far' })
    t.equal(error.metadata.get('far'), 'yes')
    t.equal(error.metadata.getAll('content-type').length, 1)
    await far.assertQuiet(t)
    await bench.assertQuiet(t)
  },
)

t.test('metadata that a handler may not send throws where it is set', async (t) => {
  const bench = new EchoBench({
    unary(request, call) {
      t.throws(() => call.headers.set('grpc-status', '0'), /metadata name "grpc-status"/)
      t.throws(() => call.sendHeaders({ x: 'é' }), /metadata value of "x"/)
      return request
    },
  })
  t.strictSame(await bench.run(bench.client.unary({ n: 1 })), { n: 1 })
  await bench.assertQuiet(t)
})

t.test('metadata of a response over the limit costs the client no status', async (t) => {
  const big = 'y'.repeat(9000)
  const bench = new EchoBench({
    unary(request, call) {
      call.headers.set('big', big)
      return request
    },
    sum: async (_requests, call) => {
      call.trailers.set('big', big)
      return {}
    },
    list(_request, call) {
      call.trailers.set('big', big)
      throw new RpcError(7, 'no')
    },
  })
  t.match(await bench.error(bench.client.unary({})), { code: 8 })
  t.match(await bench.error(bench.client.sum([])), { code: 8 })
  t.match(await bench.error(collect(bench, bench.client.list({}))), { code: 7 })
  await bench.assertQuiet(t)
})

t.test('a listener that throws is reported and changes nothing', async (t) => {
  const faults: string[] = []
  const bench = new EchoBench(
    {},
    { channel: { logger: { error: (message) => faults.push(message), warn() {} } } },
  )
  const fail = (): never => {
    throw new Error('listener')
  }
  const options = { onHeaders: fail, onTrailers: fail }
  t.strictSame(await bench.run(bench.client.unary({ n: 1 }, options)), { n: 1 })
  t.equal(faults.length, 2)
  await bench.assertQuiet(t)
})
