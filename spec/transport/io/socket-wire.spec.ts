import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { createServer as createTlsServer, type TLSSocket, connect as tlsConnect } from 'node:tls'
import t, { type Test } from 'tap'
import { systemClock } from '../../../lib/base/clock.ts'
import { FakeClock } from '../../../lib/testing/index.ts'
import { SocketWire } from '../../../lib/transport/io/socket-wire.ts'
import { serverIdentity } from '../../support/certs.ts'
import { WireRecorder } from '../../support/wire-recorder.ts'

interface Pair {
  readonly wire: SocketWire
  readonly events: WireRecorder
  readonly clock: FakeClock
  readonly peer: Socket
}

/** A wire over an accepted TCP socket, and the plain socket at the other end. */
async function tcpPair(t: Test, isStarted = true): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true })
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const peer = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const socket = await accepted
  server.close()
  return pairOf(t, socket, peer, isStarted)
}

async function tlsPair(t: Test): Promise<Pair> {
  const server = createTlsServer({ ...serverIdentity, allowHalfOpen: true })
  const secured = new Promise<TLSSocket>((resolve) => server.once('secureConnection', resolve))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const peer = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  const socket = await secured
  server.close()
  return pairOf(t, socket, peer, true)
}

function pairOf(t: Test, socket: Duplex, peer: Socket, isStarted: boolean): Pair {
  const clock = new FakeClock()
  const wire = new SocketWire(socket, clock)
  const events = new WireRecorder()
  if (isStarted) wire.start(events)
  t.teardown(() => {
    wire.close(0)
    peer.destroy()
  })
  return { wire, events, clock, peer }
}

/** What `socket` has read, from now on. */
function reader(socket: Duplex): { bytes: () => number; until: (bytes: number) => Promise<void> } {
  let bytes = 0
  let wake = (): void => {}
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    wake()
  })
  return {
    bytes: () => bytes,
    until: (least) =>
      new Promise((resolve) => {
        wake = () => bytes >= least && resolve()
        wake()
      }),
  }
}

function once(socket: Duplex, event: string): Promise<unknown> {
  return new Promise((resolve) => socket.once(event, resolve))
}

const MEBIBYTE = Buffer.alloc(1024 * 1024, 'm')

/** Writes until the kernel takes no more; returns how many octets that were. */
function fillKernel(wire: SocketWire): number {
  const filling = Buffer.alloc(1024 * 1024, 'f')
  let bytes = filling.length
  while (wire.write(filling)) bytes += filling.length
  return bytes
}

t.test('octets go both ways and in order', async (t) => {
  const { wire, events, peer } = await tcpPair(t)
  const atPeer: Buffer[] = []
  peer.on('data', (chunk: Buffer) => atPeer.push(chunk))
  peer.write('ping')
  await events.until((seen) => seen.text === 'ping')
  wire.write(Buffer.from('po'))
  wire.write(Buffer.from('ng'))
  while (Buffer.concat(atPeer).toString() !== 'pong') await once(peer, 'data')
  t.equal(wire.unsentBytes, 0)
})

t.test('memory that the kernel took over TCP may be reused at once', async (t) => {
  const { wire, events, peer } = await tcpPair(t)
  const seen = new WireRecorder()
  peer.on('data', (chunk: Buffer) => seen.receive(chunk, 0, chunk.length))
  peer.write('go')
  await events.until((recorder) => recorder.text === 'go')
  const slab = Buffer.alloc(16 * 1024, 'a')
  t.equal(wire.write(slab), true)
  slab.fill('b')
  await seen.until((recorder) => recorder.received.length === slab.length)
  t.equal(seen.received.includes('b'), false)
})

t.test('a socket that takes no more is lent large writes and copies small ones', async (t) => {
  const { wire, events, peer } = await tcpPair(t)
  peer.pause()
  const filledBytes = fillKernel(wire)
  const blockedBytes = wire.unsentBytes
  t.ok(blockedBytes > 0, 'the write that was refused counts')
  const small = Buffer.alloc(8 * 1024, 's')
  t.equal(wire.write(small), true)
  small.fill('x')
  t.equal(wire.write(Buffer.alloc(8 * 1024 + 1, 'L')), false)
  t.equal(wire.unsentBytes, blockedBytes + 16 * 1024 + 1)

  let tail: Buffer = Buffer.alloc(0)
  let bytes = 0
  peer.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    tail = Buffer.concat([tail, chunk]).subarray(-(16 * 1024 + 1))
  })
  peer.resume()
  await events.until((seen) => seen.log.includes('writable'))
  t.equal(wire.unsentBytes, 0)
  while (bytes < filledBytes + 16 * 1024 + 1) await once(peer, 'data')
  t.equal(tail.subarray(0, 8 * 1024).equals(Buffer.alloc(8 * 1024, 's')), true)
  t.equal(events.count('writable'), 1)
})

t.test('TLS copies up to 8 KiB and lends above', async (t) => {
  const { wire, peer } = await tlsPair(t)
  const seen = new WireRecorder()
  peer.on('data', (chunk: Buffer) => seen.receive(chunk, 0, chunk.length))
  const small = Buffer.alloc(8 * 1024, 's')
  t.equal(wire.write(small), true)
  small.fill('x')
  t.equal(wire.write(Buffer.alloc(8 * 1024 + 1, 'L')), false)
  await seen.until((recorder) => recorder.received.length === 16 * 1024 + 1)
  t.equal(seen.text, 's'.repeat(8 * 1024) + 'L'.repeat(8 * 1024 + 1))
})

t.test('a Duplex that is no socket is treated like TLS', async (t) => {
  const written: Buffer[] = []
  const duplex = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      written.push(chunk)
      setImmediate(done)
    },
  })
  const events = new WireRecorder()
  const wire = new SocketWire(duplex, new FakeClock())
  wire.start(events)
  const small = Buffer.from('small')
  t.equal(wire.write(small), true)
  small.fill('x')
  t.equal(wire.write(Buffer.alloc(9000, 'L')), false)
  duplex.push('hello')
  duplex.push(null)
  await events.until((seen) => seen.log.includes('ended'))
  t.equal(events.text, 'hello')
  wire.close(1000)
  await events.done()
  t.equal(Buffer.concat(written).toString(), `small${'L'.repeat(9000)}`)
  t.strictSame(events.log, ['receive', 'ended', 'closed'])
})

t.test('corked writes leave as one', async (t) => {
  const written: number[] = []
  const duplex = new Duplex({
    read() {},
    writev(chunks, done) {
      written.push(chunks.length)
      done()
    },
    write(_chunk, _encoding, done) {
      written.push(1)
      done()
    },
  })
  const wire = new SocketWire(duplex, new FakeClock())
  wire.cork()
  wire.write(Buffer.from('a'))
  wire.write(Buffer.from('b'))
  wire.write(Buffer.alloc(10_000))
  wire.uncork()
  t.strictSame(written, [3])
  wire.close(0)
})

t.test('an empty write is nothing', async (t) => {
  const { wire } = await tcpPair(t)
  t.equal(wire.write(Buffer.alloc(0)), true)
  t.equal(wire.unsentBytes, 0)
})

t.test('reading pauses and resumes', async (t) => {
  const { wire, events, peer } = await tcpPair(t)
  peer.write('one')
  await events.until((seen) => seen.text === 'one')
  wire.pauseReading()
  wire.pauseReading()
  await new Promise((resolve) => peer.write('two', resolve))
  await roundTrip(t)
  t.equal(events.text, 'one', 'nothing comes while paused')
  wire.resumeReading()
  await events.until((seen) => seen.text === 'onetwo')
})

/** Two turns of some other socket: what was under way before has arrived. */
async function roundTrip(t: Test): Promise<void> {
  const { events, wire, peer } = await tcpPair(t)
  peer.write('x')
  await events.until((seen) => seen.text === 'x')
  wire.write(Buffer.from('y'))
  await once(peer, 'data')
}

t.test('pausing within receive holds the rest back', async (t) => {
  const { wire, events, peer } = await tcpPair(t)
  events.hook = (kind) => kind === 'receive' && wire.pauseReading()
  await new Promise((resolve) => peer.write(MEBIBYTE.subarray(0, 300_000), resolve))
  await roundTrip(t)
  t.equal(events.sizes.length, 1)
  events.hook = () => {}
  wire.resumeReading()
  await events.until((seen) => seen.received.length === 300_000)
})

t.test('after the peer ended we may still send', async (t) => {
  const { wire, events, peer } = await tcpPair(t)
  const seen = reader(peer)
  peer.end('last words')
  await events.until((recorder) => recorder.log.includes('ended'))
  t.equal(events.text, 'last words')
  wire.write(Buffer.from('answer'))
  await seen.until(6)
  wire.close(1000)
  await events.done()
  t.equal(events.error, undefined)
  t.strictSame(events.log, ['receive', 'ended', 'closed'])
})

t.test('what comes before start is kept for it', async (t) => {
  const { wire, peer } = await tcpPair(t, false)
  peer.end('early')
  await roundTrip(t)
  const events = new WireRecorder()
  wire.start(events)
  t.strictSame(events.log, [], 'start itself tells nothing')
  await events.until((seen) => seen.log.includes('ended'))
  t.equal(events.text, 'early')
})

t.test('a socket that broke before start is told to the one who starts', async (t) => {
  const { wire, peer } = await tcpPair(t, false)
  const socket = (wire as unknown as { socket: Socket }).socket
  const isClosed = once(socket, 'close')
  socket.resume()
  peer.resetAndDestroy()
  await isClosed
  const events = new WireRecorder()
  wire.start(events)
  await events.done()
  t.match(events.error, { code: 'ECONNRESET' })
  t.strictSame(events.log, ['closed'])
})

t.test('a flush asked for before start comes after it', async (t) => {
  const { wire } = await tcpPair(t, false)
  wire.requestFlush('soon')
  await roundTrip(t)
  const events = new WireRecorder()
  wire.start(events)
  await events.until((seen) => seen.log.includes('flush'))
  t.equal(events.count('flush'), 1)
})

t.test('a wire has one connection', async (t) => {
  const { wire } = await tcpPair(t)
  t.throws(() => wire.start(new WireRecorder()), /wire_started_twice/)
})

t.test('closing', async (t) => {
  t.test('sends what was written, half-closes, and waits for the peer', async (t) => {
    const { wire, events, clock, peer } = await tcpPair(t)
    const seen = reader(peer)
    wire.write(MEBIBYTE)
    wire.close(1000)
    await once(peer, 'end')
    t.equal(seen.bytes(), MEBIBYTE.length)
    t.equal(clock.pending, 1, 'the grace runs')
    peer.end('discarded')
    await events.done()
    t.equal(events.text, '')
    t.equal(events.error, undefined)
    t.equal(clock.pending, 0)
  })

  t.test('ends after the grace with a peer that does not close', async (t) => {
    const { wire, events, clock, peer } = await tcpPair(t)
    peer.resume()
    wire.close(1000)
    await once(peer, 'end')
    clock.advance(999)
    t.strictSame(events.log, [])
    clock.advance(1)
    await events.done()
    t.equal(clock.pending, 0)
  })

  t.test('ends when a peer sends on and on', async (t) => {
    const { wire, events, clock, peer } = await tcpPair(t)
    peer.on('error', () => {})
    peer.resume()
    wire.close(1000)
    const send = (error?: Error | null): void => {
      if (!error && !peer.destroyed) peer.write(MEBIBYTE, send)
    }
    send()
    await events.done()
    t.equal(events.text, '')
    t.equal(clock.nowMs(), 0)
    t.equal(clock.pending, 0)
  })

  t.test('with no grace destroys at once, also while a grace runs', async (t) => {
    for (const first of [[], [1000]]) {
      const { wire, events, clock } = await tcpPair(t)
      for (const graceMs of first) wire.close(graceMs)
      wire.close(0)
      t.strictSame(events.log, [], 'never within the call')
      await events.done()
      t.equal(clock.pending, 0)
    }
  })

  t.test('reads although reading was paused', async (t) => {
    const { wire, events, peer } = await tcpPair(t)
    wire.pauseReading()
    wire.close(1000)
    peer.end('unread')
    await events.done()
    t.equal(events.text, '')
  })

  t.test('is final: nothing but closed comes, and calls do no harm', async (t) => {
    const { wire, events, peer } = await tcpPair(t)
    peer.resume()
    wire.requestFlush('soon')
    wire.close(1000)
    peer.write('ignored')
    t.equal(wire.write(Buffer.from('ignored')), true)
    wire.resumeReading()
    peer.end()
    await events.done()
    wire.close(0)
    wire.close(5)
    wire.pauseReading()
    wire.write(Buffer.from('ignored'))
    wire.requestFlush('later')
    await roundTrip(t)
    t.strictSame(events.log, ['closed'])
  })
})

t.test('a reset is closed with its error, once, also when more errors follow', async (t) => {
  const { wire, events, peer } = await tcpPair(t)
  peer.resetAndDestroy()
  await events.done()
  t.match(events.error, { code: 'ECONNRESET' })
  const { socket } = wire as unknown as { socket: Socket }
  socket.emit('error', new Error('late'))
  t.equal(events.count('closed'), 1)
  t.match(events.error, { code: 'ECONNRESET' })
})

t.test('a write to a peer that is gone ends in closed, not in an uncaught error', async (t) => {
  const { wire, events, peer } = await tcpPair(t)
  wire.pauseReading()
  peer.resetAndDestroy()
  await once(peer, 'close')
  await roundTrip(t)
  wire.write(Buffer.from('x'))
  wire.write(Buffer.from('y'))
  await events.done()
  t.type(events.error, Error)
})

t.test('a fault of the connection closes its wire and nothing else', async (t) => {
  for (const kind of ['receive', 'flush'] as const) {
    const { wire, events, peer } = await tcpPair(t)
    const other = await tcpPair(t)
    events.hook = (event) => {
      if (event === kind) throw new Error(`fault in ${kind}`)
    }
    peer.write('x')
    wire.requestFlush('soon')
    other.wire.requestFlush('soon')
    await events.done()
    t.match(events.error, { message: `fault in ${kind}` })
    await other.events.until((seen) => seen.log.includes('flush'))
  }
})

t.test('holding the process can be given up and taken back', async (t) => {
  const { wire } = await tcpPair(t)
  const { socket } = wire as unknown as { socket: { _handle: { hasRef(): boolean } } }
  wire.unref()
  t.equal(socket._handle.hasRef(), false)
  wire.ref()
  t.equal(socket._handle.hasRef(), true)
})

t.test('the grace of a real clock does not hold the process', async (t) => {
  const { peer } = await tcpPair(t)
  t.equal(process.getActiveResourcesInfo().includes('Timeout'), false)
  const wire = new SocketWire(peer, systemClock)
  wire.start(new WireRecorder())
  wire.close(60_000)
  t.equal(process.getActiveResourcesInfo().includes('Timeout'), false)
  wire.close(0)
})
