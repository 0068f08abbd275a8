import fc from 'fast-check'
import t from 'tap'
import { ByteSink } from '../../../lib/base/byte-sink.ts'
import { Code } from '../../../lib/base/status.ts'
import { bytesCodec, type Codec, jsonCodec } from '../../../lib/grpc/protocol/codec.ts'
import {
  appendMessage,
  decodeMessage,
  encodeMessage,
  MessageAssembler,
} from '../../../lib/grpc/protocol/message.ts'
import type { RpcError } from '../../../lib/grpc/protocol/rpc-error.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** Feeds `bytes` in pieces of `step` and logs what comes out. */
function assemble(bytes: Buffer, step: number, maxBytes = 1000) {
  const log: string[] = []
  const partial: number[] = []
  const assembler = new MessageAssembler(
    {
      onMessage(buf, start, end, compressed, owned) {
        log.push(`${compressed ? 'z' : ''}${buf.toString('hex', start, end)}`)
        if (!owned) return
        // Owned memory holds exactly this message: nothing else may see a change.
        buf.fill(0xee, start, end)
      },
      onPartial(missingBytes) {
        partial.push(missingBytes)
      },
    },
    maxBytes,
  )
  let fault: RpcError | undefined
  for (let at = 0; at < bytes.length && fault === undefined; at += step) {
    // Borrowed: the memory is refilled as soon as push returns.
    const chunk = Buffer.from(bytes.subarray(at, at + step))
    fault = assembler.push(chunk, 0, chunk.length)
    chunk.fill(0xdd)
  }
  return { assembler, fault, log, partial }
}

t.test('cuts messages however the octets are chunked', async (t) => {
  const bytes = hex('00 00000003 010203  01 00000000  00 00000001 ff  01 00000002 abcd')
  for (let step = 1; step <= bytes.length; step++) {
    const { assembler, fault, log } = assemble(bytes, step)
    t.equal(fault, undefined)
    t.same(log, ['010203', 'z', 'ff', 'zabcd'], `${step} octets at a time`)
    t.equal(assembler.end(), undefined)
    t.equal(assembler.pendingBytes, 0)
    t.equal(assembler.missingBytes, 0)
  }
})

t.test('delivers a message in place when it lies whole in its chunk', async (t) => {
  const bytes = hex('00 00000002 0102 00 00000001 03')
  const places: unknown[] = []
  const partial: number[] = []
  const assembler = new MessageAssembler(
    {
      onMessage: (buf, start, end, _compressed, owned) =>
        places.push([buf === bytes, start, end, owned]),
      onPartial: (missingBytes) => partial.push(missingBytes),
    },
    10,
  )
  // The second prefix comes apart from its body, which is still whole in one chunk.
  assembler.push(bytes, 0, 12)
  assembler.push(bytes, 12, 13)
  t.same(places, [
    [true, 5, 7, false],
    [true, 12, 13, false],
  ])
  t.same(partial, [1])
})

t.test('tells of a message that is not complete, once', async (t) => {
  const bytes = Buffer.concat([hex('00 0000000a'), Buffer.alloc(10, 1)])
  const { partial } = assemble(bytes, 6)
  t.same(partial, [9])
  const { assembler } = assemble(bytes.subarray(0, 8), 4)
  t.equal(assembler.missingBytes, 7)
  t.equal(assembler.pendingBytes, 8)
})

t.test('faults end the assembly and are known from the prefix alone', async (t) => {
  const table: [bytes: string, code: Code, message: RegExp, token: string][] = [
    ['02 00000001 00', Code.Internal, /flag 2/, 'message_flag_unknown'],
    ['ff 00000000', Code.Internal, /flag 255/, 'message_flag_unknown'],
    [
      '00 000003e9',
      Code.ResourceExhausted,
      /larger than max \(1001 vs. 1000\)/,
      'message_too_large_received',
    ],
    [
      '00 ffffffff 00',
      Code.ResourceExhausted,
      /\(4294967295 vs. 1000\)/,
      'message_too_large_received',
    ],
    ['01 80000000', Code.ResourceExhausted, /\(2147483648 vs/, 'message_too_large_received'],
  ]
  for (const [text, code, message, token] of table) {
    for (const step of [1, 3, 100]) {
      const { assembler, fault, log } = assemble(hex(text), step)
      t.match(fault, { code, rawMessage: message, token }, text)
      t.equal(assembler.push(hex('00 00000000'), 0, 5), undefined, 'the rest is ignored')
      t.equal(assembler.end(), undefined)
      t.same(log, [])
    }
  }
  t.equal(assemble(Buffer.concat([hex('00 000003e8'), Buffer.alloc(1000)]), 1).fault, undefined)
})

t.test('a stream that ends inside a message is a fault', async (t) => {
  const table: [bytes: string, want: RegExp][] = [
    ['00', /got 1 octets of it, want at least 5/],
    ['00 000000', /got 4 octets of it, want at least 5/],
    ['00 00000001', /got 5 octets of it, want 6/],
    ['00 00000003 0102', /got 7 octets of it, want 8/],
  ]
  for (const [text, message] of table) {
    const { assembler } = assemble(hex(text), 1)
    t.match(assembler.end(), {
      code: Code.Internal,
      rawMessage: message,
      token: 'message_truncated',
    })
    t.equal(assembler.pendingBytes, 0)
  }
})

t.test('a handler may stop the assembler', async (t) => {
  const bytes = hex('00 00000001 01  00 00000001 02  00 00000009 03')
  let count = 0
  const assembler: MessageAssembler = new MessageAssembler(
    {
      onMessage: () => {
        count++
        assembler.stop()
      },
      onPartial: () => {},
    },
    10,
  )
  t.equal(assembler.push(bytes, 0, bytes.length), undefined)
  t.equal(count, 1)
  const partial: MessageAssembler = new MessageAssembler(
    { onMessage: () => t.fail(), onPartial: () => partial.stop() },
    10,
  )
  partial.push(bytes, 12, bytes.length)
  t.equal(partial.pendingBytes, 0)
})

t.test("never allocates on a peer's word", async (t) => {
  const log: number[] = []
  const before = process.memoryUsage().arrayBuffers
  const assemblers = Array.from({ length: 100 }, () => {
    const assembler = new MessageAssembler(
      { onMessage: () => {}, onPartial: (missingBytes) => log.push(missingBytes) },
      0xffff_ffff,
    )
    assembler.push(hex('00 ffffffff 00'), 0, 6)
    return assembler
  })
  t.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024)
  t.equal(assemblers.length, log.length)
})

t.test('gathers any messages in any chunks', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 5 }),
      (messages, steps) => {
        const sink = new ByteSink(1)
        for (const message of messages) encodeMessage(bytesCodec, message, sink)
        const got: string[] = []
        const assembler = new MessageAssembler(
          {
            onMessage: (buf, start, end) => got.push(buf.toString('hex', start, end)),
            onPartial: () => {},
          },
          3000,
        )
        for (let at = 0, i = 0; at < sink.pos; i++) {
          const end = Math.min(sink.pos, at + steps[i % steps.length]!)
          if (assembler.push(sink.buf, at, end) !== undefined) return false
          at = end
        }
        const want = messages.map((message) => Buffer.from(message).toString('hex'))
        return assembler.end() === undefined && got.join() === want.join()
      },
    ),
    { numRuns: 200 },
  )
  t.pass()
})

t.test('encodes behind what the sink holds', async (t) => {
  const sink = new ByteSink(4)
  sink.append(hex('aa'))
  t.equal(encodeMessage(bytesCodec, hex('0102'), sink), 2)
  t.equal(encodeMessage(jsonCodec<unknown>(), { a: 'é' }, sink), 10)
  appendMessage(hex('0304'), true, sink)
  t.equal(
    sink.buf.toString('hex', 0, sink.pos),
    `aa 00 00000002 0102 00 0000000a ${Buffer.from('{"a":"é"}').toString('hex')} 01 00000002 0304`.replaceAll(
      ' ',
      '',
    ),
  )
})

t.test('a refused message leaves the sink as it was', async (t) => {
  const bad: Codec<number> = {
    encode(_message, out) {
      out.append(hex('0102'))
      throw new TypeError('field x: got 1')
    },
    decode: () => {
      throw new RangeError('index out of range')
    },
  }
  const sink = new ByteSink(4)
  sink.append(hex('aa'))
  t.throws(() => encodeMessage(bad, 1, sink), {
    code: Code.Internal,
    message: 'INTERNAL: error while marshaling: field x: got 1',
    token: 'message_encode_failed',
  })
  t.throws(() => encodeMessage(bytesCodec, hex('010203'), sink, 2), {
    code: Code.ResourceExhausted,
    message: 'RESOURCE_EXHAUSTED: trying to send message larger than max (3 vs. 2)',
  })
  t.throws(() => appendMessage(hex('010203'), true, sink, 2), { code: Code.ResourceExhausted })
  t.throws(() => encodeMessage(jsonCodec<unknown>(), undefined, sink), { code: Code.Internal })
  t.throws(() => encodeMessage(jsonCodec<unknown>(), 5n, sink), { code: Code.Internal })
  t.equal(sink.pos, 1)
  t.throws(() => decodeMessage(bad, sink.buf, 0, 1, false), {
    code: Code.Internal,
    token: 'message_decode_failed',
    message: /index out of range/,
  })
  t.throws(() => decodeMessage(jsonCodec(), Buffer.from('{'), 0, 1, false), { code: Code.Internal })
})

t.test('raw octets are copied unless they are owned', async (t) => {
  const buf = hex('010203')
  const copied = decodeMessage(bytesCodec, buf, 1, 3, false)
  const kept = decodeMessage(bytesCodec, buf, 1, 3, true)
  buf.fill(9)
  t.same([...copied], [2, 3])
  t.same([...kept], [9, 9])
  t.same(decodeMessage(jsonCodec(), Buffer.from(' {"a":1} '), 1, 8, false), { a: 1 })
})
