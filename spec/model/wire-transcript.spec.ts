// What one unary call looks like on the wire, frame by frame, in both directions.
import t from 'tap'
import { traceFrames } from '../../lib/transport/index.ts'
import { EchoBench } from '../support/echo-service.ts'

/** The frames of everything that was sent, one line each. */
function transcript(sent: Buffer): string[] {
  const lines: string[] = []
  const print = (line: string): void => {
    lines.push(line.replace(/^\+\S+ > /, ''))
  }
  traceFrames(print, { previewBytes: 32 })('out', sent)
  return lines
}

const CLIENT: readonly string[] = [
  'SETTINGS stream=0 length=12 ENABLE_PUSH=0 MAX_HEADER_LIST_SIZE=16384',
  'WINDOW_UPDATE stream=0 length=4 +983041',
  'SETTINGS stream=0 length=0 flags=ACK',
  `HEADERS stream=1 length=131 flags=END_HEADERS block=131 {:method: POST, :scheme: http, :path: /spec.Echo/Unary, :authority: spec.example, content-type: application/grpc+json, user-agent: grpc-node-framewright/0.1.0, te: trailers, grpc-accept-encoding: identity,gzip,deflate,br, grpc-timeout: 1000000u}`,
  'DATA stream=1 length=18 flags=END_STREAM data=18 ".....{.text.:.hi.}"',
]

const SERVER: readonly string[] = [
  'SETTINGS stream=0 length=12 MAX_CONCURRENT_STREAMS=100 MAX_HEADER_LIST_SIZE=16384',
  'WINDOW_UPDATE stream=0 length=4 +983041',
  'SETTINGS stream=0 length=0 flags=ACK',
  'HEADERS stream=1 length=19 flags=END_HEADERS block=19 {:status: 200, content-type: application/grpc+json}',
  'DATA stream=1 length=18 data=18 ".....{.text.:.hi.}"',
  'HEADERS stream=1 length=12 flags=END_STREAM|END_HEADERS block=12 {grpc-status: 0}',
]

t.test('SETTINGS; HEADERS, DATA; HEADERS 200, DATA, HEADERS grpc-status', async (t) => {
  const bench = new EchoBench({}, { channel: { authority: 'spec.example' } })
  await bench.run(bench.client.unary({ text: 'hi' }, { timeoutMs: 1000 }))
  await bench.settle()
  const { client, server } = bench.pairs[0] ?? t.fail('no connection')
  t.equal(client.sent.toString('latin1', 0, 24), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  t.strictSame(transcript(client.sent), CLIENT)
  t.strictSame(transcript(server.sent), SERVER)
  await bench.assertQuiet(t)
})

t.test('the second call of a method costs a few octets of headers', async (t) => {
  const bench = new EchoBench()
  await bench.run(bench.client.unary({ text: 'hi' }))
  const { client, server } = bench.pairs[0] ?? t.fail('no connection')
  client.takeSent()
  server.takeSent()
  await bench.run(bench.client.unary({ text: 'hi' }))
  const lengths = (lines: string[]): string[] =>
    lines.map((line) => line.replace(/ stream=.* length=(\d+).*/, ' $1'))
  t.match(lengths(transcript(client.takeSent())), [/^HEADERS 1?\d$/, /^DATA 18$/])
  t.match(lengths(transcript(server.takeSent())), [
    /^HEADERS [1-4]$/,
    /^DATA 18$/,
    /^HEADERS [1-4]$/,
  ])
  await bench.assertQuiet(t)
})
