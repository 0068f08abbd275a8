// Properties of HPACK as a whole: what our encoder writes, hpack.js and our decoder read.
import fc from 'fast-check'
import t from 'tap'
import { HpackDecoder, HpackEncoder, HpackError, Indexing } from '../../lib/hpack/index.ts'
import { decodeBlock, encodeBlock, OracleDecoder } from '../hpack/support.ts'

const latin1 = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.nat(255).map((octet) => String.fromCharCode(octet)), maxLength })

const NAMES = [
  ...[':method', ':path', ':status', 'content-type', 'accept-encoding', 'www-authenticate', 'te'],
  ...['authorization', 'set-cookie', 'grpc-timeout', 'grpc-status', 'x-bin', 'constructor'],
  ...['__proto__', 'toString', 'hasOwnProperty', ''],
]
const VALUES = ['GET', 'POST', '/', '/s/M', '200', 'gzip, deflate', '', '0', 'trailers', '1S']

const name = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...NAMES) }, latin1(20))
const value = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...VALUES) },
  { weight: 2, arbitrary: latin1(40) },
  latin1(600),
)
const list = fc.array(fc.tuple(name, value), { maxLength: 12 }).map((fields) => fields.flat())
const tableBytes = fc.oneof(
  fc.constantFrom(0, 31, 32, 33, 64, 100, 4095, 4096, 4097, 65_536, 2 ** 32 - 1),
  fc.nat(5000),
)

interface Send {
  readonly fields: readonly string[]
  /** Of each field: whether it must be never-indexed. */
  readonly marks: readonly boolean[]
  readonly times: number
}

const send: fc.Arbitrary<Send> = fc.record({
  fields: list,
  marks: fc.oneof(fc.constant([]), fc.array(fc.boolean(), { maxLength: 12 })),
  times: fc.integer({ min: 1, max: 4 }),
})
const resize = fc.array(tableBytes, { minLength: 1, maxLength: 3 })
const steps = fc.array(fc.oneof({ weight: 4, arbitrary: send }, resize), { maxLength: 12 })

const encoderOptions = fc.record({
  maxTableBytes: fc.oneof(fc.constant(4096), fc.nat(5000), fc.constant(65_536)),
  huffman: fc.boolean(),
  rememberLists: fc.boolean(),
})
const policies = fc.constantFrom(undefined, ...Object.values(Indexing))

const markedIndices = ({ fields, marks }: Send): number[] =>
  marks.flatMap((mark, i) => (mark && 2 * i < fields.length ? [2 * i] : []))

t.test('any lists, table sizes and changes of them: both decoders read what was sent', async () => {
  fc.assert(
    fc.property(encoderOptions, policies, steps, (options, policy, steps) => {
      const encoder = new HpackEncoder(policy ? { ...options, indexing: () => policy } : options)
      const decoder = new HpackDecoder({ maxListBytes: 1e9, maxFields: 1e9 })
      const oracle = new OracleDecoder(2 ** 32)
      for (const step of steps) {
        if ('fields' in step) sendAndCheck(step, encoder, decoder, oracle)
        else for (const bytes of step) resizeBoth(bytes, encoder, decoder)
      }
    }),
    { numRuns: 300 },
  )
})

function resizeBoth(bytes: number, encoder: HpackEncoder, decoder: HpackDecoder): void {
  encoder.setPeerMaxTableBytes(bytes)
  decoder.setMaxTableBytes(bytes)
}

function sendAndCheck(
  step: Send,
  encoder: HpackEncoder,
  decoder: HpackDecoder,
  oracle: OracleDecoder,
): void {
  const marked = markedIndices(step)
  for (let time = 0; time < step.times; time++) {
    const block = encodeBlock(encoder, step.fields, marked.length > 0 ? marked : undefined)
    const { fields, neverIndexed = [] } = decodeBlock(decoder, block)
    same(fields, step.fields, 'our decoder')
    same(oracle.decode(block), step.fields, 'hpack.js')
    const missed = marked.filter((index) => !neverIndexed.includes(index))
    same(missed, [], 'fields that should have been never-indexed')
    same(decoder.tableBytes, encoder.tableBytes, 'table sizes')
  }
}

function same(got: unknown, wanted: unknown, what: string): void {
  const [gotText, wantedText] = [got, wanted].map((value) => JSON.stringify(value))
  if (gotText !== wantedText) throw new Error(`${what}: got ${gotText}, want ${wantedText}`)
}

t.test('limits cut the list and change nothing else', async () => {
  const limits = fc.record({ maxListBytes: fc.nat(2000), maxFields: fc.nat(12) })
  fc.assert(
    fc.property(limits, policies, fc.array(list, { maxLength: 8 }), (limits, policy, lists) => {
      const encoder = new HpackEncoder(policy ? { indexing: () => policy } : {})
      const limited = new HpackDecoder(limits)
      const roomy = new HpackDecoder({ maxListBytes: 1e9, maxFields: 1e9 })
      for (const fields of [...lists, ...lists]) {
        const block = encodeBlock(encoder, fields)
        const part = decodeBlock(limited, block)
        const whole = decodeBlock(roomy, block)
        same(whole.fields, fields, 'roomy')
        same(part.fields, fields.slice(0, part.fields.length), 'limited')
        same(part.listBytes, whole.listBytes, 'listBytes')
        same(limited.tableBytes, roomy.tableBytes, 'table')
        const isCut = part.fields.length < fields.length
        same(part.exceeded !== undefined, isCut, 'exceeded')
      }
    }),
    { numRuns: 300 },
  )
})

/** Decodes until the first error, which must be of the right kind, and stick. */
function decodeAll(decoder: HpackDecoder, blocks: readonly Uint8Array[]): void {
  let failure: unknown
  for (const block of blocks) {
    try {
      decodeBlock(decoder, Buffer.from(block))
      if (failure !== undefined) throw new Error('decoded a block after an error')
    } catch (error) {
      if (!(error instanceof HpackError)) throw error
      failure ??= error
      if (error !== failure) throw new Error('another error than the first')
    }
  }
}

t.test('random octets throw nothing but HpackError, and the first one sticks', async () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 10 }), (blocks) =>
      decodeAll(new HpackDecoder(), blocks),
    ),
    { numRuns: 3000 },
  )
})

t.test('damaged blocks throw nothing but HpackError', async () => {
  const damage = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(fc.array(list, { minLength: 1, maxLength: 6 }), damage, (lists, damage) => {
      const encoder = new HpackEncoder()
      const blocks = lists.map((fields) => encodeBlock(encoder, fields))
      const last = blocks.at(-1)!
      for (const [at, octet] of damage) if (at < last.length) last[at] = octet
      decodeAll(new HpackDecoder(), [...blocks, ...blocks])
    }),
    { numRuns: 1000 },
  )
})
