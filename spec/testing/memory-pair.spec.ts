import fc from 'fast-check'
import t from 'tap'
import { FakeClock, type MemoryPair, memoryPair } from '../../lib/testing/index.ts'
import { WireRecorder } from '../support/wire-recorder.ts'

function started(pair: MemoryPair): { client: WireRecorder; server: WireRecorder } {
  const client = new WireRecorder()
  const server = new WireRecorder()
  pair.client.start(client)
  pair.server.start(server)
  return { client, server }
}

t.test('what one writes the other receives, both ways', (t) => {
  const pair = memoryPair()
  const { client, server } = started(pair)
  pair.client.write(Buffer.from('ping'))
  pair.server.write(Buffer.from('pong'))
  t.strictSame(client.log, [])
  t.equal(pair.drive(), 2)
  t.equal(server.text, 'ping')
  t.equal(client.text, 'pong')
  t.equal(pair.step(), false)
  t.end()
})

t.test('urgent flushes of both sides go first, in the order of asking', (t) => {
  const pair = memoryPair()
  const { client, server } = started(pair)
  const log: string[] = []
  client.hook = (kind) => log.push(`client ${kind}`)
  server.hook = (kind) => log.push(`server ${kind}`)
  pair.client.write(Buffer.from('x'))
  pair.client.requestFlush('later')
  pair.server.requestFlush('soon')
  pair.client.requestFlush('soon')
  pair.server.requestFlush('later')
  pair.drive()
  t.strictSame(log, ['server flush', 'client flush', 'server receive'])
  pair.server.requestFlush('later')
  pair.server.write(Buffer.from('y'))
  pair.drive()
  t.strictSame(log.slice(3), ['client receive', 'server flush'])
  t.end()
})

t.test('latency and rate of the line are kept in virtual time', (t) => {
  const pair = memoryPair(new FakeClock(), { latencyMs: 30, client: { bytesPerMs: 10 } })
  const { client, server } = started(pair)
  const log: string[] = []
  server.hook = (kind) => log.push(`${kind} at ${pair.clock.nowMs()}`)
  client.hook = (kind) => log.push(`client ${kind} at ${pair.clock.nowMs()}`)
  pair.clock.timer(31, () => log.push(`timer at ${pair.clock.nowMs()}`))
  pair.client.write(Buffer.alloc(100))
  pair.client.write(Buffer.alloc(100))
  pair.server.write(Buffer.from('x'))
  t.equal(pair.drive(), 0)
  pair.advance(30)
  t.strictSame(log, ['client receive at 30'])
  pair.advance(100)
  t.strictSame(log.slice(1), ['timer at 31', 'receive at 40', 'receive at 50'])
  t.equal(pair.clock.nowMs(), 130)
  t.end()
})

t.test('a reader that pauses fills the line, and empties it when it reads on', (t) => {
  const pair = memoryPair(new FakeClock(), { capacityBytes: 100 })
  const { client, server } = started(pair)
  pair.server.pauseReading()
  pair.client.write(Buffer.alloc(150))
  pair.drive()
  t.equal(pair.client.unsentBytes, 50)
  t.strictSame(server.log, [])
  pair.server.resumeReading()
  pair.drive()
  t.equal(server.received.length, 150)
  t.strictSame(client.log, ['writable'])
  t.end()
})

t.test('lent memory must stay as it was', (t) => {
  const pair = memoryPair(new FakeClock(), { client: { lend: true } })
  const { server } = started(pair)
  const bytes = Buffer.from('lent')
  t.equal(pair.client.write(bytes), false)
  pair.drive()
  t.equal(server.text, 'lent')
  pair.client.write(bytes)
  bytes.fill('x')
  t.throws(() => pair.drive(), /lent_bytes_changed/)
  t.end()
})

t.test('one closes, the other is told, answers and closes too', (t) => {
  const pair = memoryPair()
  const { client, server } = started(pair)
  pair.client.write(Buffer.from('last'))
  pair.client.close(1000)
  pair.drive()
  t.strictSame(server.log, ['receive', 'ended'])
  pair.server.write(Buffer.from('answer'))
  pair.server.close(1000)
  pair.drive()
  t.strictSame(client.log, ['closed'])
  t.strictSame(server.log, ['receive', 'ended', 'closed'])
  t.equal(client.text, '')
  t.equal(pair.clock.pending, 0)
  t.end()
})

t.test('who writes to a side that is gone is reset', (t) => {
  const pair = memoryPair()
  const { server } = started(pair)
  pair.client.close(0)
  pair.drive()
  t.strictSame(server.log, ['ended'])
  pair.server.write(Buffer.from('x'))
  pair.drive()
  t.strictSame(server.log, ['ended', 'closed'])
  t.match(server.error, { code: 'ECONNRESET' })
  t.end()
})

t.test('a cut loses what is under way and tells both', (t) => {
  const pair = memoryPair()
  const { client, server } = started(pair)
  pair.client.write(Buffer.from('lost'))
  pair.cut(new Error('the cable'))
  t.strictSame(client.log, [])
  pair.drive()
  for (const side of [client, server]) {
    t.strictSame(side.log, ['closed'])
    t.match(side.error, { message: 'the cable' })
  }
  t.end()
})

t.test('a flush that asks for a flush for ever is found', (t) => {
  const pair = memoryPair()
  const { client } = started(pair)
  client.hook = () => {
    client.log.length = 0
    pair.client.requestFlush('soon')
  }
  pair.client.requestFlush('soon')
  t.throws(() => pair.drive(), /pair_never_idle/)
  t.end()
})

t.test('any writes in any chunks arrive whole and in order', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(20))),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 0, max: 15 }),
      (writes, chunkBytes, latencyMs) => {
        const pair = memoryPair(new FakeClock(), { chunkBytes, latencyMs })
        const { client, server } = started(pair)
        const sent: { toServer: Buffer[]; toClient: Buffer[] } = { toServer: [], toClient: [] }
        for (const [isClients, bytes, waitMs] of writes) {
          const copy = Buffer.from(bytes)
          if (isClients) pair.client.write(copy)
          else pair.server.write(copy)
          sent[isClients ? 'toServer' : 'toClient'].push(copy)
          pair.advance(waitMs)
        }
        pair.advance(latencyMs)
        return (
          server.received.equals(Buffer.concat(sent.toServer)) &&
          client.received.equals(Buffer.concat(sent.toClient)) &&
          [...server.sizes, ...client.sizes].every((size) => size <= chunkBytes)
        )
      },
    ),
    { numRuns: 50 },
  )
  t.end()
})
