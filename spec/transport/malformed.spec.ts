// Malformed messages on the wire, RFC 9113 sections 8.1 to 8.5: each as a request to our server and,
// where it can be one, as a response to our client. None reaches a handler, all cost their stream
// alone, and the connection serves on.
import t from 'tap'
import { ClientBench, REQUEST, RESPONSE, ServerBench } from '../support/transport-bench.ts'

const PROTOCOL_ERROR = 'RST_STREAM stream=1 length=4 PROTOCOL_ERROR'

const METHOD = [':method', 'POST']
const SCHEME = [':scheme', 'http']
const PATH = [':path', '/s/m']
const AUTHORITY = [':authority', 'a']

/** Fields that no message may have. */
const badFields: readonly (readonly [name: string, value: string])[] = [
  ['', 'v'],
  ['Upper', 'v'],
  ['uppeR', 'v'],
  ['a b', 'v'],
  ['a:b', 'v'],
  [' a', 'v'],
  ...Array.from({ length: 0x21 }, (_, code) => [`a${String.fromCharCode(code)}`, 'v'] as const),
  ...[0x7f, 0x80, 0xa0, 0xc3, 0xff].map((code) => [`a${String.fromCharCode(code)}`, 'v'] as const),
  ...['\0', '\r', '\n', '\r\nx: y'].flatMap((bad) =>
    [`${bad}v`, `v${bad}`, `v${bad}v`].map((value) => ['x', value] as const),
  ),
  ...[' v', 'v ', '\tv', 'v\t', ' ', '\t'].map((value) => ['x', value] as const),
  ['connection', 'close'],
  ['connection', ''],
  ['proxy-connection', 'keep-alive'],
  ['keep-alive', 'timeout=5'],
  ['transfer-encoding', 'chunked'],
  ['upgrade', 'h2c'],
  ['te', 'gzip'],
  ['te', 'trailers, gzip'],
  [':unknown', 'v'],
  [':', 'v'],
  ['content-length', 'five'],
  ['content-length', '-1'],
  ['content-length', '+1'],
  ['content-length', '1.0'],
  ['content-length', '0x1'],
  ['content-length', ''],
  ['content-length', '1, 1'],
]

const badRequests: Record<string, readonly string[]> = {
  'no fields at all': [],
  'no :method': [...SCHEME, ...PATH, ...AUTHORITY],
  'no :scheme': [...METHOD, ...PATH, ...AUTHORITY],
  'no :path': [...METHOD, ...SCHEME, ...AUTHORITY],
  'an empty :path': [...METHOD, ...SCHEME, ':path', '', ...AUTHORITY],
  'a :path without /': [...METHOD, ...SCHEME, ':path', 's/m', ...AUTHORITY],
  'a :path that is a URL': [...METHOD, ...SCHEME, ':path', 'http://a/s/m', ...AUTHORITY],
  'a :path of * without OPTIONS': [...METHOD, ...SCHEME, ':path', '*', ...AUTHORITY],
  'a :path with a space': [...METHOD, ...SCHEME, ':path', '/s m', ...AUTHORITY],
  'a :method with a line break': [':method', 'GET\r\n', ...SCHEME, ...PATH, ...AUTHORITY],
  'an empty :method': [':method', '', ...SCHEME, ...PATH, ...AUTHORITY],
  'a :scheme that is none': [...METHOD, ':scheme', 'ht tp', ...PATH, ...AUTHORITY],
  'a pseudo-header after a field': [...METHOD, ...SCHEME, 'x', 'y', ...PATH, ...AUTHORITY],
  ':method twice': [...REQUEST, ...METHOD],
  ':scheme twice': [...REQUEST, ...SCHEME],
  ':path twice': [...REQUEST, ...PATH],
  ':authority twice': [...REQUEST, ...AUTHORITY],
  'a :status': [...REQUEST, ':status', '200'],
  ':protocol': [':method', 'CONNECT', ':protocol', 'websocket', ...SCHEME, ...PATH, ...AUTHORITY],
  'userinfo in :authority': [...METHOD, ...SCHEME, ...PATH, ':authority', 'user@a'],
  'an empty :authority': [...METHOD, ...SCHEME, ...PATH, ':authority', ''],
  'a Host that differs': [...REQUEST, 'host', 'b'],
  'Host twice': [...METHOD, ...SCHEME, ...PATH, 'host', 'a', 'host', 'b'],
  'CONNECT with :scheme': [':method', 'CONNECT', ...SCHEME, ...AUTHORITY],
  'CONNECT with :path': [':method', 'CONNECT', ...PATH, ...AUTHORITY],
  'CONNECT without :authority': [':method', 'CONNECT'],
  'two lengths': [...REQUEST, 'content-length', '1', 'content-length', '2'],
}

const badResponses: Record<string, readonly string[]> = {
  'no :status': ['x', 'y'],
  'no fields at all': [],
  ':status 099': [':status', '099'],
  ':status 1000': [':status', '1000'],
  ':status 2xx': [':status', '2xx'],
  ':status empty': [':status', ''],
  ':status +20': [':status', '+20'],
  ':status 101': [':status', '101'],
  ':status twice': [...RESPONSE, ...RESPONSE],
  ':status after a field': ['x', 'y', ...RESPONSE],
  'a :method': [...RESPONSE, ...METHOD],
  'a :path': [...RESPONSE, ...PATH],
  'two lengths': [...RESPONSE, 'content-length', '1', 'content-length', '2'],
}

const show = (fields: readonly string[]): string => JSON.stringify(fields)

function servesOn(bench: ServerBench): boolean {
  const before = bench.served.length
  const { peer } = bench
  peer.send(peer.headers(99, REQUEST, { endStream: true }))
  bench.last.stream.headers(RESPONSE, true)
  peer.expect(/^HEADERS stream=99 .*\{:status: 200\}/)
  bench.assertQuiet()
  bench.finish()
  return bench.served.length === before + 1
}

function callsOn(bench: ClientBench): boolean {
  const call = bench.open(true)
  bench.peer.send(bench.peer.headers(3, RESPONSE, { endStream: true }))
  bench.assertQuiet()
  bench.finish()
  return call.closedBy?.by === 'end'
}

t.test('a malformed request never reaches a handler and costs its stream alone', (t) => {
  const rows = [
    ...badFields.map(([name, value]): [string, readonly string[]] => {
      return [show([name, value]), [...REQUEST, name, value]]
    }),
    ...Object.entries(badRequests),
  ]
  for (const [name, fields] of rows) {
    for (const endStream of [true, false]) {
      const bench = ServerBench.ready()
      bench.peer.send(bench.peer.headers(1, fields, { endStream }))
      bench.peer.expect(PROTOCOL_ERROR)
      t.equal(bench.served.length, 0, name)
      t.ok(servesOn(bench))
    }
  }
  t.end()
})

t.test('a malformed response never reaches the caller and costs its stream alone', (t) => {
  const rows = [
    ...badFields.map(([name, value]): [string, readonly string[]] => {
      return [show([name, value]), [...RESPONSE, name, value]]
    }),
    ...Object.entries(badResponses),
  ]
  for (const [name, fields] of rows) {
    for (const endStream of [true, false]) {
      const bench = ClientBench.ready()
      const call = bench.open(true)
      bench.peer.take()
      bench.peer.send(bench.peer.headers(1, fields, { endStream }))
      bench.peer.expect(PROTOCOL_ERROR)
      t.match(call.log, [/^closed by=reset local PROTOCOL_ERROR \w+$/], name)
      t.equal(call.log.length, 1)
      t.ok(callsOn(bench))
    }
  }
  t.end()
})

t.test('malformed trailers are told as a reset, in both roles', (t) => {
  const rows = [
    ...badFields.filter(([name]) => name !== 'content-length'),
    [':path', '/'],
    [':status', '200'],
  ] as const
  for (const [name, value] of rows) {
    const server = ServerBench.ready()
    server.peer.send(server.peer.headers(1, REQUEST))
    server.peer.send(server.peer.headers(1, [name, value], { endStream: true }))
    server.peer.expect(PROTOCOL_ERROR)
    t.match(server.last.log, ['request /s/m', /^closed by=reset local PROTOCOL_ERROR/])
    t.equal(server.last.log.length, 2, show([name, value]))
    t.ok(servesOn(server))
    const client = ClientBench.ready()
    const call = client.open(true)
    client.peer.take()
    client.peer.send(client.peer.headers(1, RESPONSE))
    client.peer.send(client.peer.headers(1, [name, value], { endStream: true }))
    client.peer.expect(PROTOCOL_ERROR)
    t.match(call.log, ['headers :status 200', /^closed by=reset local PROTOCOL_ERROR/])
    t.equal(call.log.length, 2)
    t.ok(callsOn(client))
  }
  t.end()
})

t.test('an informational response that ends its stream', (t) => {
  for (const status of ['100', '103', '199']) {
    const bench = ClientBench.ready()
    const call = bench.open(true)
    bench.peer.take()
    bench.peer.send(bench.peer.headers(1, [':status', status], { endStream: true }))
    bench.peer.expect(PROTOCOL_ERROR)
    t.strictSame(call.log, ['closed by=reset local PROTOCOL_ERROR informational_with_end_stream'])
    t.ok(callsOn(bench))
  }
  t.end()
})

t.test('content that differs from its content-length', (t) => {
  // biome-ignore format: a table
  const rows: readonly (readonly [length: string, frames: readonly string[], trailers: boolean])[] = [
    ['5', ['four'], false],
    ['5', ['four'], true],
    ['5', ['four', '22'], false],
    ['5', ['sixsix'], false],
    ['0', ['1'], false],
    ['5', [''], false],
    ['5', [], true],
  ]
  for (const [length, frames, trailers] of rows) {
    const name = `${length}: ${show(frames)}${trailers ? ' and trailers' : ''}`
    for (const bench of [ServerBench.ready(), ClientBench.ready()]) {
      const { peer } = bench
      const call = bench instanceof ClientBench ? bench.open(true) : undefined
      const opening = bench instanceof ClientBench ? RESPONSE : REQUEST
      peer.send(peer.headers(1, [...opening, 'content-length', length]))
      peer.take()
      for (const [i, data] of frames.entries()) {
        peer.send(peer.data(1, data, { endStream: !trailers && i === frames.length - 1 }))
      }
      if (trailers) peer.send(peer.headers(1, ['x', 'y'], { endStream: true }))
      peer.expect(PROTOCOL_ERROR)
      const log = call?.log ?? (bench as ServerBench).last.log
      t.match(log.at(-1), /^closed by=reset local PROTOCOL_ERROR content_length_/, name)
      t.notOk(log.includes('end'))
      t.ok(bench instanceof ClientBench ? callsOn(bench) : servesOn(bench))
    }
  }
  t.test('with END_STREAM on the headers', (t) => {
    const server = ServerBench.ready()
    server.peer.send(
      server.peer.headers(1, [...REQUEST, 'content-length', '1'], { endStream: true }),
    )
    server.peer.expect(PROTOCOL_ERROR)
    t.equal(server.served.length, 0)
    t.ok(servesOn(server))
    const client = ClientBench.ready()
    const call = client.open(true)
    client.peer.send(
      client.peer.headers(1, [...RESPONSE, 'content-length', '1'], { endStream: true }),
    )
    t.strictSame(call.log, ['closed by=reset local PROTOCOL_ERROR content_length_short'])
    client.peer.take()
    t.ok(callsOn(client))
    t.end()
  })
  t.end()
})

t.test('the same length twice, and padding, are no difference', (t) => {
  const bench = ServerBench.ready()
  const { peer } = bench
  peer.send(
    peer.headers(1, [...REQUEST, 'content-length', '4', 'content-length', '4']),
    peer.data(1, 'four', { padLength: 100, endStream: true }),
  )
  t.strictSame(bench.last.log, ['request /s/m', 'data 4', 'end'])
  bench.last.stream.headers(RESPONSE, true)
  peer.take()
  t.ok(servesOn(bench))
  t.end()
})
