import fc from 'fast-check'
import t from 'tap'
import { MAX_WINDOW_BYTES } from '../../../lib/frame/index.ts'
import {
  ConnectionRecvWindow,
  RecvWindow,
  SendWindow,
} from '../../../lib/transport/stream/flow-control.ts'

/** The most that one frame has besides its data. */
const PADDING = 256

t.test('stream receive window', (t) => {
  t.test('takes exactly what it grants', (t) => {
    const window = new RecvWindow(100)
    t.ok(window.onData(60))
    t.ok(window.onData(40))
    t.notOk(window.onData(1))
    t.equal(window.heldBytes, 100, 'what was refused is not charged')
    t.ok(window.onData(0), 'an empty frame always fits')
    t.end()
  })

  t.test('gives credit back once a quarter has gathered', (t) => {
    const window = new RecvWindow(100)
    window.onData(100)
    t.equal(window.onRead(24), 0)
    t.equal(window.onRead(1), 25)
    t.equal(window.onRead(75), 75)
    t.equal(window.availableBytes, 100)
    t.end()
  })

  t.test('never gives back more than it holds', (t) => {
    const window = new RecvWindow(100)
    t.equal(window.onRead(50), 0)
    window.onData(30)
    t.equal(window.onRead(1000), 30)
    t.equal(window.availableBytes, 100)
    t.end()
  })

  t.test('gives padding back at once', (t) => {
    const window = new RecvWindow(100)
    window.onData(30)
    t.equal(window.onPadding(10), 10)
    t.equal(window.heldBytes, 20)
    t.equal(window.availableBytes, 80)
    t.end()
  })

  t.test('extends for a message larger than itself and padding of one frame, once', (t) => {
    const window = new RecvWindow(1000)
    window.onData(5)
    t.equal(window.maybeAdjust(10_005), 9005 + PADDING)
    t.equal(window.availableBytes, 10_000 + PADDING)
    t.equal(window.maybeAdjust(10_005), 0)
    t.ok(window.onData(10_000 + PADDING))
    t.notOk(window.onData(1))
    window.onPadding(PADDING)
    t.equal(window.onRead(10_005), 1000 - PADDING, 'the extension is not given back')
    t.equal(window.availableBytes, 1000)
    t.end()
  })

  t.test('extends nothing when the message fits, padded or not', (t) => {
    const window = new RecvWindow(1000)
    window.onData(50)
    t.equal(window.maybeAdjust(1000 - PADDING), 0)
    t.equal(window.maybeAdjust(20), 0, 'nor when all of it is here')
    t.end()
  })

  t.test('gives gathered credit back before it extends', (t) => {
    const window = new RecvWindow(1000)
    window.onData(200)
    t.equal(window.onRead(200), 0)
    t.equal(window.maybeAdjust(1000 - PADDING), 200)
    t.equal(window.availableBytes, 1000)
    t.end()
  })

  t.test('keeps the window of the peer below 2^31', (t) => {
    const window = new RecvWindow(65_535)
    window.maybeAdjust(MAX_WINDOW_BYTES)
    window.newLimit(16 * 1024 * 1024)
    t.ok(window.availableBytes <= MAX_WINDOW_BYTES)
    const largest = new RecvWindow(MAX_WINDOW_BYTES)
    largest.onData(1000)
    t.equal(largest.maybeAdjust(MAX_WINDOW_BYTES), 0)
    t.end()
  })

  t.test('follows SETTINGS up and down', (t) => {
    const window = new RecvWindow(100)
    window.onData(80)
    window.newLimit(200)
    t.equal(window.availableBytes, 120)
    window.newLimit(50)
    t.equal(window.availableBytes, -30)
    t.notOk(window.onData(1))
    t.ok(window.onData(0), 'an empty frame may end the stream all the same')
    t.equal(window.onRead(80), 80)
    t.equal(window.availableBytes, 50)
    t.end()
  })

  t.test('a window of nothing opens for who waits', (t) => {
    const window = new RecvWindow(0)
    t.notOk(window.onData(1))
    t.equal(window.maybeAdjust(5), 5 + PADDING)
    t.ok(window.onData(5))
    t.equal(window.onRead(5), 0)
    t.end()
  })
  t.end()
})

t.test('connection receive window', (t) => {
  t.test('starts at 65,535 whatever its target', (t) => {
    const window = new ConnectionRecvWindow()
    t.equal(window.availableBytes, 65_535)
    t.equal(window.newLimit(1_048_576), 983_041)
    t.equal(window.availableBytes, 1_048_576)
    t.equal(window.newLimit(65_535), 0, 'it is never lowered')
    t.equal(window.limitBytes, 1_048_576)
    t.end()
  })

  t.test('notices an overrun', (t) => {
    const window = new ConnectionRecvWindow()
    t.ok(window.onData(65_535))
    t.notOk(window.onData(1))
    t.end()
  })

  t.test('returns credit on receipt, a quarter at a time', (t) => {
    const window = new ConnectionRecvWindow()
    window.onData(16_382)
    t.equal(window.takeUpdate(), 0)
    window.onData(1)
    t.equal(window.takeUpdate(), 16_383)
    t.equal(window.takeUpdate(), 0)
    t.equal(window.availableBytes, 65_535)
    t.end()
  })

  t.test('can be made whole at any time', (t) => {
    const window = new ConnectionRecvWindow()
    window.onData(10)
    t.equal(window.flush(), 10)
    t.equal(window.flush(), 0)
    t.equal(window.availableBytes, 65_535)
    t.end()
  })
  t.end()
})

t.test('send window', (t) => {
  t.test('may reach 2^31-1 and not more', (t) => {
    const window = new SendWindow(65_535)
    t.ok(window.add(MAX_WINDOW_BYTES - 65_535))
    t.notOk(window.add(1))
    t.equal(window.available, MAX_WINDOW_BYTES, 'what was refused is not counted')
    window.take(10)
    t.ok(window.add(10))
    t.end()
  })
  t.end()
})

// A sender that obeys its windows, one stream of messages to a reader that takes whole messages.
class Peer {
  public readonly stream: SendWindow
  public readonly connection: SendWindow = new SendWindow(65_535)
  public readonly recvStream: RecvWindow
  public readonly recvConnection: ConnectionRecvWindow = new ConnectionRecvWindow()

  public constructor(limitBytes: number) {
    this.stream = new SendWindow(limitBytes)
    this.recvStream = new RecvWindow(limitBytes)
  }

  public get room(): number {
    return Math.min(this.stream.available, this.connection.available)
  }

  /** Sends one frame that fits; false when the receiver calls it too much. */
  public send(dataBytes: number, paddingBytes: number): boolean {
    const flowBytes = dataBytes + paddingBytes
    this.stream.take(flowBytes)
    this.connection.take(flowBytes)
    if (!this.recvConnection.onData(flowBytes) || !this.recvStream.onData(flowBytes)) return false
    if (paddingBytes > 0) this.stream.add(this.recvStream.onPadding(paddingBytes))
    this.connection.add(this.recvConnection.takeUpdate())
    return true
  }

  public read(bytes: number): void {
    this.stream.add(this.recvStream.onRead(bytes))
  }

  public expect(bytes: number): void {
    this.stream.add(this.recvStream.maybeAdjust(bytes))
  }

  /** Both sides agree on every window. */
  public agrees(): boolean {
    return (
      this.stream.available === this.recvStream.availableBytes &&
      this.connection.available === this.recvConnection.availableBytes
    )
  }
}

const limits = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 41, max: 70_000 }))
const frames = fc.record({ most: fc.integer({ min: 1, max: 20_000 }), padding: fc.nat(PADDING) })

t.test('messages of any size arrive through any window, split and padded anyhow', (t) => {
  const messages = fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(limits, messages, fc.infiniteStream(frames), (limit, sizes, shapes) => {
      const peer = new Peer(limit)
      for (const size of sizes) {
        peer.expect(size)
        for (let left = size, idle = 0; left > 0; ) {
          const { most, padding } = shapes.next().value
          const data = Math.min(left, most, peer.room - padding) // it insists on its padding
          if (data <= 0) {
            idle += 1
            if (idle > 1) return false // nobody will open the window again: a deadlock
            continue
          }
          idle = 0
          if (!peer.send(data, padding)) return false
          left -= data
        }
        if (peer.recvStream.heldBytes !== size) return false
        peer.read(size)
        if (!peer.agrees()) return false
      }
      const due = limit - peer.recvStream.availableBytes
      return peer.recvStream.heldBytes === 0 && due >= -PADDING && due <= limit >> 2
    }),
    { numRuns: 300 },
  )
  t.end()
})

t.test('a sender that obeys is never accused, whatever the reader does', (t) => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('send'), n: fc.integer({ min: 0, max: 30_000 }) }),
    fc.record({ do: fc.constant('read'), n: fc.nat(30_000) }),
    fc.record({ do: fc.constant('expect'), n: fc.nat(200_000) }),
    fc.record({ do: fc.constant('limit'), n: fc.nat(1_000_000) }),
    fc.record({ do: fc.constant('grow'), n: fc.nat(1_000_000) }),
  )
  fc.assert(
    fc.property(limits, fc.array(step, { maxLength: 60 }), (initial, steps) => {
      const peer = new Peer(initial)
      let limit = initial
      for (const { do: action, n } of steps) {
        if (action === 'send') {
          const room = Math.max(0, Math.min(n, peer.room))
          const padding = Math.min(room, n % 257)
          if (!peer.send(room - padding, padding)) return false
        } else if (action === 'read') peer.read(n)
        else if (action === 'expect') peer.expect(n)
        else if (action === 'limit') {
          peer.recvStream.newLimit(n)
          peer.stream.available += n - limit
          limit = n
        } else peer.connection.add(peer.recvConnection.newLimit(n))
        if (!peer.agrees()) return false
      }
      peer.read(peer.recvStream.heldBytes)
      return peer.agrees() && peer.recvStream.heldBytes === 0
    }),
    { numRuns: 500 },
  )
  t.end()
})

t.test('a reader that takes nothing does not starve the connection', (t) => {
  const sizes = fc.array(fc.integer({ min: 1, max: 16_384 }), { minLength: 50, maxLength: 100 })
  fc.assert(
    fc.property(sizes, (frames) => {
      const connection = new ConnectionRecvWindow()
      const sender = new SendWindow(65_535)
      for (const bytes of frames) {
        if (sender.available < bytes) return false
        sender.take(bytes)
        if (!connection.onData(bytes)) return false // streams may come, be full, and go
        sender.add(connection.takeUpdate())
      }
      return sender.available > 65_535 * 0.75 - 1
    }),
  )
  t.end()
})
