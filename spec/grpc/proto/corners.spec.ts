import t from 'tap'
import { ByteSink } from '../../../lib/base/byte-sink.ts'
import { loadProto } from '../../../lib/grpc/index.ts'
import type { Codec } from '../../../lib/grpc/protocol/codec.ts'

async function codecOf(name: string, text: string, options = {}): Promise<Codec<unknown>> {
  const { messages } = await loadProto({ text, name: 'corners.proto' }, options)
  return messages[name] as Codec<unknown>
}

function decode(codec: Codec<unknown>, hex: string): unknown {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
  return codec.decode(bytes, 0, bytes.length, true)
}

const MAPS = `syntax = "proto3";
message Maps { map<string, int64> counts = 1; map<string, bytes> blobs = 2; }`

t.test('a map entry without a value has the zero of its type, in the form asked for', async (t) => {
  // counts: { a: absent, b: 5 }, blobs: { a: absent }
  const octets = '0a 03 0a 01 61  0a 05 0a 01 62 10 05  12 03 0a 01 61'
  const plain = decode(await codecOf('Maps', MAPS), octets)
  t.strictSame(plain, { counts: { a: 0n, b: 5n }, blobs: { a: Buffer.alloc(0) } })
  for (const [longs, counts] of [
    ['number', { a: 0, b: 5 }],
    ['string', { a: '0', b: '5' }],
  ] as const) {
    const codec = await codecOf('Maps', MAPS, { longs })
    t.strictSame((decode(codec, octets) as { counts: unknown }).counts, counts, longs)
  }
})

t.test('a declared default of bytes is its octets, also where they look like base64', async (t) => {
  const text = `syntax = "proto2";
    message Old { optional bytes key = 1 [default = "abcd"]; optional bytes none = 2; }`
  const { key, none } = decode(await codecOf('Old', text), '') as { key: Buffer; none: Buffer }
  t.equal(String(key), 'abcd')
  t.equal(none, undefined)
})

t.test('the fields of google.protobuf.Any have the case of all others', async (t) => {
  const text = `syntax = "proto3"; import "google/protobuf/any.proto";
    message Box { google.protobuf.Any any = 1; }`
  for (const [options, value] of [
    [{}, { any: { typeUrl: 'a/b', value: Buffer.of(1) } }],
    [{ keepCase: true }, { any: { type_url: 'a/b', value: Buffer.of(1) } }],
  ] as const) {
    const codec = await codecOf('Box', text, options)
    const sink = new ByteSink()
    codec.encode(value, sink)
    const octets = sink.detach()
    t.equal(octets.toString('hex'), '0a080a03612f62120101')
    t.strictSame(codec.decode(octets, 0, octets.length, true), value)
  }
})
