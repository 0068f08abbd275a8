// How fast header blocks are decoded and encoded, against hpack.js on the same lists.
//
// hpack.js is a stream. It is called below its stream's bookkeeping (`_write`), and told not to index
// what changes with each call: the figures are kind to it. One list alone shows what ours gains by
// remembering blocks; lists in turn, more of them than it remembers, show it without that.
import hpack from 'hpack.js'
import { defaultIndexing, HpackDecoder, HpackEncoder, Indexing } from '../../lib/hpack/index.ts'
import type { BenchOptions } from '../report/result.ts'
import { type BenchResult, type Candidate, measure } from './measure.ts'

type Fields = readonly string[]
type PeerFields = { name: string; value: string; incremental: boolean; neverIndex: boolean }[]

const OPS = 400
const TABLE = { table: { maxSize: 4096 } }
const buf = Buffer.alloc(16_384)
const nothing = (): void => {}

const requestTo = (path: string): string[] => [
  ...[':method', 'POST', ':scheme', 'http', ':path', path],
  ...[':authority', '127.0.0.1:50051', 'content-type', 'application/grpc'],
  ...['user-agent', 'framewright/0.1.0', 'te', 'trailers'],
  ...['grpc-accept-encoding', 'identity,deflate,gzip'],
]

const WARM = requestTo('/routeguide.RouteGuide/GetFeature')

/** Deterministic hex digits that differ from call to call. */
const hexOf = (i: number): string =>
  Math.imul(i + 1, 0x9e37_79b1)
    .toString(16)
    .replace('-', 'f')

const extrasOf = (i: number): string[] => [
  ...['x-request-id', `7f3b9c2e-41d8-4b6a-9e07-${hexOf(i).padStart(12, '0')}`],
  ...['grpc-timeout', `${99_000_000 + i}u`],
]

const browserRequest = (i: number): string[] => [
  ...[':method', 'GET', ':scheme', 'https', ':authority', 'www.example.com'],
  ...[':path', `/search/results?q=${hexOf(i)}&page=2`],
  ...['user-agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'],
  ...['accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'],
  ...['accept-language', 'en-US,en;q=0.5', 'accept-encoding', 'gzip, deflate, br'],
  ...['referer', 'https://www.example.com/', 'dnt', '1', 'upgrade-insecure-requests', '1'],
  ...['cookie', `session=${hexOf(i)}${hexOf(i + 1)}; theme=dark; consent=all`],
  ...['cache-control', 'max-age=0', 'te', 'trailers'],
]

/** One kind of traffic: lists that a connection sends in turn, over and over. */
interface Traffic {
  readonly name: string
  readonly first: Fields
  readonly lists: readonly Fields[]
}

const listsOf = (count: number, make: (i: number) => string[]): string[][] =>
  Array.from({ length: count }, (_, i) => make(i))

const TRAFFIC: readonly Traffic[] = [
  { name: '8 warm fields', first: WARM, lists: [WARM] },
  {
    name: '8 warm fields, 40 methods in turn',
    first: requestTo('/'),
    lists: listsOf(40, (i) => requestTo(`/routeguide.RouteGuide/GetFeature${i}`)),
  },
  {
    name: '8 warm fields, id and timeout',
    first: [...WARM, ...extrasOf(-1)],
    lists: listsOf(OPS, (i) => [...WARM, ...extrasOf(i)]),
  },
  {
    name: '14 fields of a browser',
    first: browserRequest(-1),
    lists: listsOf(OPS, browserRequest),
  },
]

/** Encodes a list as a block of its own. */
function encodeBlock(encoder: HpackEncoder, fields: Fields): Buffer {
  const end = encoder.encode(fields, buf, encoder.begin(buf, 0))
  return Buffer.from(buf.subarray(0, end))
}

/** Blocks that move no table, and those that bring a decoder to where they are right. */
function blocksOf({ first, lists }: Traffic): { opening: Buffer[]; blocks: Buffer[] } {
  const encoder = new HpackEncoder()
  const opening = [first, first, ...lists, ...lists].map((fields) => encodeBlock(encoder, fields))
  for (let bytes = -1; bytes !== encoder.tableBytes; ) {
    bytes = encoder.tableBytes
    for (const fields of lists) opening.push(encodeBlock(encoder, fields))
  }
  return { opening, blocks: lists.map((fields) => encodeBlock(encoder, fields)) }
}

function decodeCandidates(traffic: Traffic): Candidate[] {
  const { opening, blocks } = blocksOf(traffic)
  const peer = hpack.decompressor.create(TABLE)
  const decoder = new HpackDecoder()
  const peerDecode = (block: Buffer): number => {
    peer._write(block, null, nothing)
    peer.execute()
    let octets = 0
    for (let field = peer.read(); field; field = peer.read()) octets += field.value.length
    return octets
  }
  for (const block of opening) {
    peerDecode(block)
    decoder.decode(block, 0, block.length)
  }
  return [
    inTurn('hpack.js', blocks, peerDecode),
    inTurn('ours', blocks, (block) => decoder.decode(block, 0, block.length).listBytes),
  ]
}

function encodeCandidates({ name, first, lists }: Traffic): Candidate[] {
  const peer = hpack.compressor.create(TABLE)
  const peerEncode = (fields: PeerFields): number => {
    peer._write(fields, null, nothing)
    return peer.read()!.length
  }
  const plain = new HpackEncoder()
  const remembering = new HpackEncoder({ rememberLists: true })
  const encodeWith =
    (encoder: HpackEncoder) =>
    (fields: Fields): number =>
      encoder.encode(fields, buf, encoder.begin(buf, 0))
  peerEncode(peerFields(first))
  encodeWith(plain)(first)
  encodeWith(remembering)(first)
  const candidates = [
    inTurn('hpack.js', lists.map(peerFields), peerEncode),
    inTurn('ours', lists, encodeWith(plain)),
  ]
  if (lists.length === 1) {
    candidates.push(inTurn('ours, list remembered', lists, encodeWith(remembering)))
  }
  if (name.endsWith('id and timeout')) {
    const encodeExtras = (extras: Fields): number =>
      remembering.encode(extras, buf, encodeWith(remembering)(WARM))
    candidates.push(inTurn('ours, 8 fields remembered', listsOf(OPS, extrasOf), encodeExtras))
  }
  return candidates
}

/** A list as hpack.js takes it, with the indexing that ours would choose. */
function peerFields(fields: Fields): PeerFields {
  const taken: PeerFields = []
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    const value = fields[i + 1]!
    const indexing = defaultIndexing(name, value)
    const incremental = indexing === Indexing.Adaptive && name !== 'x-request-id'
    taken.push({ name, value, incremental, neverIndex: indexing === Indexing.Never })
  }
  return taken
}

/** Works through the items in turn. */
function inTurn<T>(name: string, items: readonly T[], work: (item: T) => number): Candidate {
  let next = 0
  return {
    name,
    ops: OPS,
    run: () => {
      let sum = 0
      for (let i = 0; i < OPS; i++) {
        sum = (sum + work(items[next]!)) | 0
        next = next + 1 === items.length ? 0 : next + 1
      }
      return sum
    },
  }
}

const WARM_UP_RUNS = 20

/**
 * Measures the hpack room: nanoseconds a block. All traffic runs first, as it would in a process
 * that serves calls: code compiled for one kind alone would look faster than it is.
 */
export function run(options: BenchOptions): BenchResult[] {
  const benches = TRAFFIC.flatMap((traffic) => [
    { bench: `hpack decode, ${traffic.name}`, candidates: decodeCandidates(traffic) },
    { bench: `hpack encode, ${traffic.name}`, candidates: encodeCandidates(traffic) },
  ])
  for (let i = 0; i < WARM_UP_RUNS; i++) {
    for (const { candidates } of benches) for (const candidate of candidates) candidate.run()
  }
  return benches.flatMap(({ bench, candidates }) => measure(bench, candidates, options))
}
