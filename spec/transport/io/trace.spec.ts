import t from 'tap'
import { FakeClock, MemoryWire, memoryPair } from '../../../lib/testing/index.ts'
import { type TraceFramesOptions, traceFrames, traceWire } from '../../../lib/transport/io/trace.ts'
import { WireRecorder } from '../../support/wire-recorder.ts'

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const SETTINGS = hex('000006 04 00 00000000 0003 00000064')
const ACK = hex('000000 04 01 00000000')

/** A HEADERS frame with END_HEADERS on stream 1 around `block`. */
function headers(block: Buffer): Buffer {
  const head = hex('000000 01 04 00000001')
  head.writeUIntBE(block.length, 0, 3)
  return Buffer.concat([head, block])
}

/** A literal field with a new name; `first` says which kind (RFC 7541 6.2). */
function literal(first: number, name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.from([first, name.length]),
    Buffer.from(name, 'latin1'),
    Buffer.from([value.length]),
    Buffer.from(value, 'latin1'),
  ])
}
const INDEXED_NEXT = 0x40
const PLAIN = 0x00
const NEVER = 0x10

function linesOf(octets: Buffer[], options: TraceFramesOptions = {}): string[] {
  const lines: string[] = []
  const sink = traceFrames((line) => lines.push(line), { clock: new FakeClock(), ...options })
  for (const bytes of octets) sink('in', bytes)
  return lines.map((line) => line.replace('+0.0ms < ', ''))
}

t.test('a traced wire is the same wire', (t) => {
  const seen: string[] = []
  const wire = new MemoryWire(new FakeClock(), { capacityBytes: 3 })
  const traced = traceWire(wire, (direction, bytes) => seen.push(`${direction} ${bytes}`))
  const events = new WireRecorder()
  wire.start(traced.tap(events))
  traced.wire.cork()
  t.equal(traced.wire.write(Buffer.from('one')), false)
  traced.wire.uncork()
  t.equal(traced.wire.write(Buffer.from('two')), true)
  t.equal(String(wire.sent), 'onetwo')
  t.equal(traced.wire.unsentBytes, 3)
  traced.wire.requestFlush('soon')
  wire.take()
  wire.drive()
  traced.wire.pauseReading()
  wire.deliver(Buffer.from('in'))
  t.equal(events.text, '')
  traced.wire.resumeReading()
  wire.drive()
  wire.deliverEnd()
  traced.wire.close(5)
  wire.drive()
  t.strictSame(events.log, ['flush', 'writable', 'receive', 'ended', 'closed'])
  t.equal(events.text, 'in')
  t.strictSame(seen, ['out one', 'out two', 'in in'])

  const failing = new MemoryWire()
  const told = new WireRecorder()
  failing.start(traceWire(failing, () => {}).tap(told))
  failing.fail(new Error('why'))
  failing.drive()
  t.match(told.error, { message: 'why' })
  t.end()
})

t.test('a sink that throws harms nobody and is left in peace', (t) => {
  const wire = new MemoryWire()
  let calls = 0
  const traced = traceWire(wire, () => {
    calls += 1
    throw new Error('full disk')
  })
  const events = new WireRecorder()
  wire.start(traced.tap(events))
  traced.wire.write(Buffer.from('x'))
  wire.deliver(Buffer.from('y'))
  t.equal(String(wire.sent), 'x')
  t.equal(events.text, 'y')
  t.equal(calls, 1)
  t.end()
})

t.test('frames of both directions are lines with their time', (t) => {
  const pair = memoryPair(new FakeClock(), { latencyMs: 10 })
  const lines: string[] = []
  const traced = traceWire(
    pair.client,
    traceFrames((line) => lines.push(line), { clock: pair.clock }),
  )
  pair.client.start(traced.tap(new WireRecorder()))
  const server = new WireRecorder()
  pair.server.start(server)
  traced.wire.write(Buffer.concat([PREFACE, SETTINGS]))
  traced.wire.write(headers(hex('82 84')))
  pair.advance(10)
  pair.server.write(SETTINGS.subarray(0, 10))
  pair.server.write(SETTINGS.subarray(10))
  pair.server.write(headers(hex('88')))
  pair.advance(10.25)
  traced.wire.write(ACK)
  t.strictSame(lines, [
    '+0.0ms > SETTINGS stream=0 length=6 MAX_CONCURRENT_STREAMS=100',
    '+0.0ms > HEADERS stream=1 length=2 flags=END_HEADERS block=2 {:method: GET, :path: /}',
    '+20.0ms < SETTINGS stream=0 length=6 MAX_CONCURRENT_STREAMS=100',
    '+20.0ms < HEADERS stream=1 length=1 flags=END_HEADERS block=1 {:status: 200}',
    '+20.3ms > SETTINGS stream=0 length=0 flags=ACK',
  ])
  t.equal(server.received.length, 24 + 15 + 11)
  t.end()
})

t.test('both HPACK tables are followed, whatever their size', (t) => {
  const grow = hex('3f e1ff03')
  const [, inserted, again] = linesOf([
    SETTINGS,
    headers(Buffer.concat([grow, literal(INDEXED_NEXT, 'x-id', 'seven')])),
    headers(hex('be')),
  ])
  t.match(inserted, /\{x-id: seven\}$/)
  t.match(again, /\{x-id: seven\}$/)
  t.end()
})

t.test('secrets are hidden unless asked for', (t) => {
  const block = Buffer.concat([
    literal(PLAIN, 'authorization', 'Bearer a'),
    literal(PLAIN, 'proxy-authorization', 'Basic b'),
    literal(PLAIN, 'cookie', 'c=1'),
    literal(PLAIN, 'set-cookie', 'd=1'),
    literal(NEVER, 'x-token', 'e'),
    literal(PLAIN, 'x-open', 'f'),
  ])
  const [, hidden] = linesOf([SETTINGS, headers(block)])
  t.equal(
    hidden?.slice(hidden.indexOf('{')),
    '{authorization: <hidden>, proxy-authorization: <hidden>, cookie: <hidden>, ' +
      'set-cookie: <hidden>, x-token: <hidden>, x-open: f}',
  )
  const [, shown] = linesOf([SETTINGS, headers(block)], { showSensitive: true })
  t.match(shown, /authorization: Bearer a, .*cookie: c=1, .*x-token: e, x-open: f\}$/)
  t.end()
})

t.test('payloads are shown only on request', (t) => {
  const data = hex('000006 00 01 00000001 736563726574')
  t.notMatch(linesOf([SETTINGS, data])[1], /secret/)
  t.match(linesOf([SETTINGS, data], { previewBytes: 3 })[1], /"sec"…/)
  t.end()
})

t.test('a peer cannot write into the log', (t) => {
  const [, line] = linesOf([
    SETTINGS,
    headers(literal(PLAIN, 'x\ny', 'a\r\n+0.0ms > forged\x1b[31m\x9b\\')),
  ])
  t.match(line, /\{x\\x0ay: a\\x0d\\x0a\+0\.0ms > forged\\x1b\[31m\\x9b\\x5c\}$/)
  t.end()
})

t.test('long values and lists are cut', (t) => {
  const long = Buffer.concat([hex('00 01 78 7f 8108'), Buffer.alloc(1152, 'v')])
  t.match(linesOf([SETTINGS, headers(long)])[1], /\{x: v{256}…\}$/)
  const many = Buffer.concat(Array.from({ length: 101 }, () => hex('82')))
  t.match(linesOf([SETTINGS, headers(many)])[1], /(:method: GET, ){100}…\}$/)
  t.end()
})

t.test('what cannot be decoded is said, and the trace goes on', (t) => {
  const lines = linesOf([SETTINGS, headers(hex('80')), SETTINGS])
  t.match(lines[1], /undecodable \(/)
  t.match(lines[2], /^SETTINGS/)
  t.end()
})
