// Random header lists for codecs that must understand each other: what connections carry, and what
// nobody would send but HPACK allows.
import { type Random, seededRandom } from '../../../lib/base/random.ts'

/** A list, and which of its fields must never be indexed. */
export interface HeaderList {
  /** name, value, name, value…; a character is an octet. */
  readonly fields: readonly string[]
  /** Indices of names. */
  readonly neverIndexed: readonly number[]
}

/** What happens to one connection, in order. */
export type HpackStep = HeaderList | { readonly tableBytes: number }

const NAMES = [
  ...[':method', ':path', ':scheme', ':authority', ':status', 'content-type', 'te', 'user-agent'],
  ...['grpc-timeout', 'grpc-status', 'grpc-message', 'grpc-encoding', 'x-trace-bin', 'cookie'],
  ...['accept-encoding', 'www-authenticate', 'constructor', '__proto__', 'toString'],
]
const VALUES = [
  ...['GET', 'POST', '/', '/index.html', '/pkg.Service/Method', 'https', '200', '404', '0', ''],
  ...['application/grpc', 'trailers', 'gzip, deflate', '1S', 'a'.repeat(300)],
]
const TABLE_SIZES = [0, 31, 64, 100, 1000, 4096, 16_384]
const MAX_FIELDS = 12
const MAX_NAME_CHARS = 20
const MAX_VALUE_CHARS = 200
const RESIZE_SHARE = 0.05
const SENSITIVE_SHARE = 0.1

/** The steps of one connection, with `lists` lists among them; the same for the same seed. */
export function hpackSteps(seed: number, lists: number): HpackStep[] {
  const random = seededRandom(seed)
  const steps: HpackStep[] = []
  for (let i = 0; i < lists; i++) {
    if (random() < RESIZE_SHARE) steps.push({ tableBytes: oneOf(TABLE_SIZES, random) })
    steps.push(randomList(random))
  }
  return steps
}

function randomList(random: Random): HeaderList {
  const fields: string[] = []
  const neverIndexed: number[] = []
  for (let count = Math.ceil(random() * MAX_FIELDS); count > 0; count--) {
    if (random() < SENSITIVE_SHARE) neverIndexed.push(fields.length)
    const isUsual = random() < 0.7
    const name = isUsual ? oneOf(NAMES, random) : text(1 + random() * MAX_NAME_CHARS, random)
    const value = isUsual ? oneOf(VALUES, random) : text(random() * MAX_VALUE_CHARS, random)
    fields.push(name, value)
  }
  return { fields, neverIndexed }
}

function text(length: number, random: Random): string {
  const octets = Buffer.alloc(Math.floor(length))
  for (let i = 0; i < octets.length; i++) octets[i] = Math.floor(random() * 256)
  return octets.toString('latin1')
}

function oneOf<T>(all: readonly T[], random: Random): T {
  return all[Math.floor(random() * all.length)]!
}
