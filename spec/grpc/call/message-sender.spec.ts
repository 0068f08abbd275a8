// The sending half alone: order over compression that takes its time, room, and another stream.
import t from 'tap'
import {
  MessageSender,
  putMessage,
  type SendingOptions,
} from '../../../lib/grpc/call/message-sender.ts'
import { type Codec, jsonCodec } from '../../../lib/grpc/protocol/codec.ts'
import type { Compressor } from '../../../lib/grpc/protocol/compression.ts'
import type { RpcError } from '../../../lib/grpc/protocol/rpc-error.ts'
import type { Stream } from '../../../lib/transport/index.ts'

/** Keeps what is put; `room` false says that the quota is used up. */
class FakeStream {
  public readonly messages: string[] = []
  public ended = false
  public closed = false
  public room = true

  public headers(fields: readonly string[]): void {
    this.messages.push(`headers ${fields.join(' ')}`)
  }

  public data(buf: Buffer, start: number, end: number, endStream: boolean): boolean {
    for (let at = start; at < end; ) {
      const length = buf.readUInt32BE(at + 1)
      const text = buf.toString('utf8', at + 5, at + 5 + length)
      this.messages.push(buf[at] === 1 ? `~${text}` : text)
      at += 5 + length
    }
    this.ended ||= endStream
    return this.room
  }

  public get asStream(): Stream {
    return this as unknown as Stream
  }
}

/** Compresses when it is told to. */
class SlowCompressor implements Compressor {
  public readonly name = 'slow'
  public readonly waiting: ((error?: Error) => void)[] = []

  public compress(bytes: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.waiting.push((error) => (error === undefined ? resolve(bytes) : reject(error)))
    })
  }

  public decompress(bytes: Buffer): Buffer {
    return bytes
  }
}

const codec: Codec<unknown> = jsonCodec()

function options(compressor?: Compressor): SendingOptions<unknown> {
  return { codec, maxMessageBytes: 1000, compressor, minCompressBytes: 0 }
}

const fail = {
  onSendFault(error: RpcError): never {
    throw error
  },
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

t.test(
  'without a stream messages wait, encoded; with one they go out, and the end behind',
  async (t) => {
    const sender = new MessageSender(options(), fail, undefined, undefined, 100)
    const note = { n: 1 }
    t.equal(sender.write(note), false)
    note.n = 2
    const waited = sender.writable()
    sender.write(note)
    sender.end()
    const stream = new FakeStream()
    sender.attach(stream.asStream)
    await waited
    t.strictSame(stream.messages, ['{"n":1}', '{"n":2}'])
    t.equal(stream.ended, true)
  },
)

t.test('another stream gets all of it again, until it is committed or too much', async (t) => {
  const sender = new MessageSender(options(), fail, undefined, undefined, 100)
  sender.write('a')
  const streams = [new FakeStream(), new FakeStream(), new FakeStream()] as const
  sender.attach(streams[0].asStream)
  sender.write('b')
  sender.detach(streams[0].asStream)
  t.equal(sender.replayable, true)
  t.equal(sender.write('c'), false)
  sender.attach(streams[1].asStream)
  sender.end()
  t.strictSame(streams[0].messages, ['"a"', '"b"'])
  t.strictSame(streams[1].messages, ['"a"', '"b"', '"c"'])
  sender.detach(streams[1].asStream)
  sender.attach(streams[2].asStream)
  t.equal(streams[2].ended, true)
  sender.commit()
  t.equal(sender.replayable, false)

  const large = new MessageSender(options(), fail, undefined, undefined, 100)
  large.attach(new FakeStream().asStream)
  large.write('x'.repeat(60))
  t.equal(large.replayable, true)
  large.write('x'.repeat(60))
  t.equal(large.replayable, false)
})

t.test('several streams: each gets all, the slowest holds up nobody, one may leave', async (t) => {
  let lost = 0
  const owner = { ...fail, onReplayLost: () => lost++ }
  const sender = new MessageSender(options(), owner, undefined, undefined, 100)
  const [first, second, third] = [new FakeStream(), new FakeStream(), new FakeStream()] as const
  sender.attach(first.asStream)
  sender.write('a')
  sender.attach(second.asStream)
  first.room = false
  t.equal(sender.write('b'), true)
  second.room = false
  t.equal(sender.write('c'), false)
  const waited = sender.writable()
  sender.detach(second.asStream)
  await waited
  sender.end()
  second.room = true
  sender.attach(third.asStream)
  t.strictSame(first.messages, ['"a"', '"b"', '"c"'])
  t.strictSame(second.messages, ['"a"', '"b"', '"c"'])
  t.strictSame(third.messages, ['"a"', '"b"', '"c"'])
  t.strictSame([first.ended, second.ended, third.ended], [true, false, true])
  sender.detach(first.asStream)
  sender.detach(third.asStream)
  sender.attach(second.asStream)
  t.equal(second.ended, true)
  t.equal(lost, 0)
  sender.write('x'.repeat(100))
  t.equal(lost, 1, 'too much to keep is told once')
  sender.write('y')
  t.equal(lost, 1)
})

t.test('the end behind a compression that takes its time comes on every stream', async (t) => {
  const slow = new SlowCompressor()
  const sender = new MessageSender(options(slow), fail, undefined, undefined, 100)
  const [first, second] = [new FakeStream(), new FakeStream()] as const
  sender.attach(first.asStream)
  sender.write('a')
  sender.end()
  sender.attach(second.asStream)
  t.strictSame([first.ended, second.ended], [false, false])
  slow.waiting[0]?.()
  await tick()
  t.strictSame([first.messages, second.messages], [['~"a"'], ['~"a"']])
  t.strictSame([first.ended, second.ended], [true, true])
})

t.test('a lower limit holds for what was taken before it, too', (t) => {
  const sender = new MessageSender(options(), fail, undefined, undefined, 100)
  sender.write('abcd')
  sender.configure({ ...options(), maxMessageBytes: 6 })
  t.throws(() => sender.configure({ ...options(), maxMessageBytes: 5 }), /larger than max \(6 vs/)
  t.throws(() => sender.write('abcd'), /larger than max/)
  t.end()
})

t.test('compression that takes its time keeps the order, whoever is done first', async (t) => {
  const slow = new SlowCompressor()
  const stream = new FakeStream()
  const sender = new MessageSender(options(slow), fail, undefined, stream.asStream)
  t.equal(sender.write('a'), false)
  t.equal(sender.write('b'), false)
  t.equal(sender.write('c', { compress: false }), false, 'it waits behind those before')
  let ended = false
  sender.afterAll(() => {
    ended = true
  })
  const writable = sender.writable()
  slow.waiting[1]?.()
  await tick()
  t.strictSame(stream.messages, [])
  slow.waiting[0]?.()
  await writable
  t.strictSame(stream.messages, ['~"a"', '~"b"', '"c"'])
  t.equal(ended, true)
  t.equal(sender.write('d', { compress: false }), true, 'nothing is under way any more')
})

t.test('compression that fails is told once, unless the call is over', async (t) => {
  for (const over of [false, true]) {
    const slow = new SlowCompressor()
    const faults: string[] = []
    const stream = new FakeStream()
    const sender = new MessageSender(
      options(slow),
      { onSendFault: (error) => faults.push(error.message) },
      undefined,
      stream.asStream,
    )
    sender.write('a')
    sender.write('b')
    if (over) sender.stop()
    slow.waiting[1]?.(new Error('no'))
    await tick()
    slow.waiting[0]?.()
    await tick()
    if (over) t.strictSame([stream.messages, faults], [[], []])
    else t.match([stream.messages, faults], [['~"a"'], [/no/]])
  }
})

t.test('no room: false, and writable waits for onWritable or the end', async (t) => {
  for (const end of ['onWritable', 'stop'] as const) {
    const stream = new FakeStream()
    const sender = new MessageSender(options(), fail, undefined, stream.asStream)
    t.equal(sender.write(1), true)
    await sender.writable()
    stream.room = false
    t.equal(sender.write(2), false)
    let woken = false
    const waited = sender.writable().then(() => {
      woken = true
    })
    await tick()
    t.equal(woken, false)
    sender[end]()
    await waited
    t.strictSame(stream.messages, ['1', '2'], 'it was taken all the same')
  }
  const closed = new FakeStream()
  closed.closed = true
  closed.room = false
  const sender = new MessageSender(options(), fail, undefined, closed.asStream)
  t.equal(sender.write(1), false)
  await sender.writable()
})

t.test('after stop nothing is put', async (t) => {
  const stream = new FakeStream()
  const sender = new MessageSender(options(), fail, undefined, stream.asStream)
  sender.stop()
  t.equal(sender.write(1), false)
  await sender.writable()
  t.strictSame(stream.messages, [])
})

t.test('a message that cannot be encoded throws, and the next one goes', (t) => {
  const stream = new FakeStream()
  const sender = new MessageSender(options(), fail, undefined, stream.asStream)
  t.throws(() => sender.write(undefined), /marshaling/)
  t.throws(() => sender.write('x'.repeat(1000)), /larger than max/)
  sender.write('y')
  t.throws(() => putMessage(stream.asStream, codec, undefined, 9, true, undefined, ['h']), /marsh/)
  t.strictSame(stream.messages, ['"y"'], 'no headers without their message')
  putMessage(stream.asStream, codec, 1, 9, true, undefined, ['h'])
  t.strictSame(stream.messages, ['"y"', 'headers h', '1'])
  t.end()
})

t.test('a codec that sends while it encodes gets memory of its own', (t) => {
  const inner = new FakeStream()
  const outer = new FakeStream()
  const nested: Codec<unknown> = {
    ...codec,
    encode(message, out) {
      codec.encode(message, out)
      putMessage(inner.asStream, codec, 'inner', 99, false)
      codec.encode('+', out)
    },
  }
  putMessage(outer.asStream, nested, 'outer', 99, false)
  t.strictSame([outer.messages, inner.messages], [['"outer""+"'], ['"inner"']])
  t.end()
})
