// What the gRPC layer costs around the transport: messages against plain protobufjs, and the header
// sections, metadata and timeouts of a call.
import protobuf from 'protobufjs'
import { ByteSink } from '../../lib/base/byte-sink.ts'
import { MessageCodecs } from '../../lib/grpc/proto/message-codec.ts'
import type { Codec } from '../../lib/grpc/protocol/codec.ts'
import { decodeMessage, encodeMessage, MessageAssembler } from '../../lib/grpc/protocol/message.ts'
import { Metadata } from '../../lib/grpc/protocol/metadata.ts'
import { Remembered } from '../../lib/grpc/protocol/remembered.ts'
import {
  extraRequestFields,
  parseRequestHead,
  RequestTemplate,
} from '../../lib/grpc/protocol/request-headers.ts'
import {
  parseEnding,
  parseResponseHead,
  trailerFields,
} from '../../lib/grpc/protocol/response-headers.ts'
import type { BenchOptions } from '../report/result.ts'
import { type BenchResult, type Candidate, measure } from './measure.ts'

const OPS = 512
const VARIANTS = 64

const PROTO = `syntax = "proto3";
message Point { int32 latitude = 1; int32 longitude = 2; }
message Rectangle { Point lo = 1; Point hi = 2; }
message Record { string id = 1; string name = 2; int64 stamp = 3; bool ok = 4; double value = 5; }
message Payload { bytes body = 1; }`

type Value = Record<string, unknown>

/** Distinct values of each type, so that no branch is always the same. */
const VALUES: Record<string, (i: number) => Value> = {
  Point: (i) => ({ latitude: 407_838_351 + i, longitude: -746_143_763 - i }),
  Rectangle: (i) => ({ lo: VALUES['Point']?.(i), hi: VALUES['Point']?.(i + 1) }),
  Record: (i) => ({
    id: `0123456789abcde${i % 10}`,
    name: 'Jane',
    stamp: 1_700_000_000_000n + BigInt(i),
    ok: true,
    value: i + 0.5,
  }),
  Payload: (i) => ({ body: Buffer.alloc(100, i) }),
}

/** Runs `once` for each operation, with a running number. */
function repeat(name: string, once: (i: number) => number): Candidate {
  return {
    name,
    ops: OPS,
    run: () => {
      let kept = 0
      for (let i = 0; i < OPS; i++) kept ^= once(i % VARIANTS)
      return kept
    },
  }
}

function benchType(name: string, type: protobuf.Type, options: BenchOptions): BenchResult[] {
  const codec: Codec<Value> = new MessageCodecs().of(type)
  const values = Array.from({ length: VARIANTS }, (_, i) => VALUES[name]?.(i) ?? {})
  // protobufjs has Long for 64-bit integers: made before, so that only encoding is compared.
  const theirs = values.map((value) =>
    type.fromObject(
      typeof value['stamp'] === 'bigint' ? { ...value, stamp: `${value['stamp']}` } : value,
    ),
  )
  const sink = new ByteSink(4096)
  const encoded = values.map((value) => {
    sink.pos = 0
    codec.encode(value, sink)
    return Buffer.from(sink.buf.subarray(0, sink.pos))
  })
  return [
    ...measure(
      `encode ${name}, ${encoded[0]?.length} B`,
      [
        repeat('framewright, with prefix', (i) => {
          sink.pos = 0
          return encodeMessage(codec, values[i] as Value, sink)
        }),
        repeat('protobufjs', (i) => type.encode(theirs[i] as protobuf.Message).finish().length),
      ],
      options,
    ),
    ...measure(
      `decode ${name}, ${encoded[0]?.length} B`,
      [
        repeat('framewright', (i) => {
          const bytes = encoded[i] as Buffer
          return decodeMessage(codec, bytes, 0, bytes.length, false) === undefined ? 1 : 0
        }),
        repeat('protobufjs', (i) => (type.decode(encoded[i] as Buffer) === undefined ? 1 : 0)),
      ],
      options,
    ),
  ]
}

function benchAssembler(options: BenchOptions): BenchResult[] {
  const sink = new ByteSink()
  for (let i = 0; i < OPS; i++) {
    sink.reserve(105)
    sink.buf.fill(0, sink.pos, sink.pos + 105)
    sink.buf[sink.pos + 4] = 100
    sink.pos += 105
  }
  const bytes = sink.detach()
  const assembler = new MessageAssembler({ onMessage: () => {}, onPartial: () => {} }, 4096)
  const inChunksOf = (chunkBytes: number): Candidate => ({
    name: `chunks of ${chunkBytes}`,
    ops: OPS,
    run: () => {
      for (let at = 0; at < bytes.length; at += chunkBytes) {
        assembler.push(bytes, at, Math.min(bytes.length, at + chunkBytes))
      }
      return assembler.pendingBytes
    },
  })
  return measure('assemble 100 B', [inChunksOf(105 * 64), inChunksOf(105), inChunksOf(64)], options)
}

function benchHeads(options: BenchOptions): BenchResult[] {
  const template = new RequestTemplate({
    scheme: 'http',
    path: '/routeguide.RouteGuide/GetFeature',
    authority: 'localhost:50051',
    userAgent: 'framewright/0.1.0',
    acceptEncoding: 'identity,gzip,deflate,br',
  })
  const metadata = Metadata.from({
    'x-request-id': '0123456789abcdef',
    'x-trace-bin': Buffer.alloc(16),
  })
  const extras = (timeoutMs: number): readonly string[] =>
    extraRequestFields({ timeoutMs, metadata }) ?? []
  const requests = Array.from({ length: VARIANTS }, (_, i) => [
    ...template.fields,
    ...extras(1000 + i),
  ])
  const remembered = new Remembered(parseRequestHead)
  const head = parseResponseHead([':status', '200', 'content-type', 'application/grpc'])
  const ok = { code: 0, message: '' }
  return [
    ...measure(
      'request fields',
      [
        repeat('nothing of its own', () => extraRequestFields({})?.length ?? 0),
        repeat('timeout and metadata', (i) => extras(500 + i).length),
      ],
      options,
    ),
    ...measure(
      'request head',
      [
        repeat('remembered', () => remembered.of(template.fields).path.length),
        repeat('plain', () => parseRequestHead(template.fields).path.length),
        repeat('timeout and metadata', (i) => parseRequestHead(requests[i] ?? []).path.length),
      ],
      options,
    ),
    ...measure(
      'response',
      [
        repeat('trailers, ok', () => trailerFields(ok, undefined, undefined).length),
        repeat('ending, ok', () => parseEnding(['grpc-status', '0'], head).code),
      ],
      options,
    ),
    ...measure(
      'metadata',
      [
        repeat('received, not asked', (i) =>
          Metadata.fromFields(requests[i] ?? []) === metadata ? 1 : 0,
        ),
        repeat(
          'received, one get',
          (i) => Metadata.fromFields(requests[i] ?? []).get('x-request-id')?.length ?? 0,
        ),
        repeat('made of a record', (i) => Metadata.from({ 'x-request-id': `id-${i}` }).size),
      ],
      options,
    ),
  ]
}

/** Measures the gRPC layer: nanoseconds a message, a header section, a value of metadata. */
export function run(options: BenchOptions): BenchResult[] {
  const { root } = protobuf.parse(PROTO)
  root.resolveAll()
  return [
    ...Object.keys(VALUES).flatMap((name) => benchType(name, root.lookupType(name), options)),
    ...benchAssembler(options),
    ...benchHeads(options),
  ]
}
