// XXH64, the hash that rings and subsets are made with everywhere in gRPC: all clients must agree. In
// halves of 32 bits, as BigInt takes four times as long.
// Source: xxHash specification, section "XXH64 algorithm description".

/** 64 bits, as two unsigned halves. */
export interface Hash64 {
  readonly hi: number
  readonly lo: number
}

/** 64 bits that change. The halves are int32. */
class Word {
  public hi = 0
  public lo = 0

  public set(hi: number, lo: number): this {
    this.hi = hi
    this.lo = lo
    return this
  }

  public add(hi: number, lo: number): this {
    const sum = (this.lo >>> 0) + (lo >>> 0)
    this.hi = (this.hi + hi + (sum > 0xffff_ffff ? 1 : 0)) | 0
    this.lo = sum | 0
    return this
  }

  public xor(hi: number, lo: number): this {
    this.hi ^= hi
    this.lo ^= lo
    return this
  }

  /** By the schoolbook, in digits of 16 bits. */
  public multiply(hi: number, lo: number): this {
    const a0 = this.lo & 0xffff
    const a1 = this.lo >>> 16
    const b0 = lo & 0xffff
    const b1 = lo >>> 16
    const low = a0 * b0
    const left = a1 * b0
    const right = a0 * b1
    const middle = (low >>> 16) + (left & 0xffff) + (right & 0xffff)
    const carried = a1 * b1 + (left >>> 16) + (right >>> 16) + (middle >>> 16)
    this.hi = (carried + Math.imul(this.hi, lo) + Math.imul(this.lo, hi)) | 0
    this.lo = (middle << 16) | (low & 0xffff)
    return this
  }

  /** To the left, by 1 to 31 bits. */
  public rotate(bits: number): this {
    const { hi, lo } = this
    return this.set((hi << bits) | (lo >>> (32 - bits)), (lo << bits) | (hi >>> (32 - bits)))
  }

  /** Itself xor itself shifted to the right, by 1 to 32 bits. */
  public fold(bits: number): this {
    const { hi, lo } = this
    if (bits === 32) return this.xor(0, hi)
    if (bits > 32) return this.xor(0, hi >>> (bits - 32))
    return this.xor(hi >>> bits, (lo >>> bits) | (hi << (32 - bits)))
  }

  public plus(prime: Prime): this {
    return this.add(prime[0], prime[1])
  }

  public times(prime: Prime): this {
    return this.multiply(prime[0], prime[1])
  }

  /** Takes in eight octets. */
  public round(hi: number, lo: number): this {
    lane.set(hi, lo).times(P2)
    return this.add(lane.hi, lane.lo).rotate(31).times(P1)
  }

  /** Takes in eight octets at the end. */
  public mix(hi: number, lo: number): this {
    rounded.set(0, 0).round(hi, lo)
    return this.xor(rounded.hi, rounded.lo)
  }
}

type Prime = readonly [hi: number, lo: number]

const P1: Prime = [0x9e3779b1, 0x85ebca87]
const P2: Prime = [0xc2b2ae3d, 0x27d4eb4f]
const P3: Prime = [0x165667b1, 0x9e3779f9]
const P4: Prime = [0x85ebca77, 0xc2b2ae63]
const P5: Prime = [0x27d4eb2f, 0x165667c5]

// Scratch of one hash; nothing here is called while another hash is under way.
const lane = new Word()
const rounded = new Word()
const hash = new Word()
const accumulators = [new Word(), new Word(), new Word(), new Word()] as const

const STRIPE_OCTETS = 32
const NO_SEED: Hash64 = { hi: 0, lo: 0 }

/** The hash of a text in UTF-8. */
export function xxHash64(text: string, seed: Hash64 = NO_SEED): Hash64 {
  const octets = Buffer.from(text)
  const { length } = octets
  let at = 0
  if (length < STRIPE_OCTETS) hash.set(seed.hi, seed.lo).plus(P5)
  else at = takeStripes(octets, seed)
  hash.add(0, length)
  for (; at + 8 <= length; at += 8) {
    hash.mix(octets.readInt32LE(at + 4), octets.readInt32LE(at))
    hash.rotate(27).times(P1).plus(P4)
  }
  if (at + 4 <= length) {
    lane.set(0, octets.readInt32LE(at)).times(P1)
    hash.xor(lane.hi, lane.lo).rotate(23).times(P2).plus(P3)
    at += 4
  }
  for (; at < length; at++) {
    lane.set(0, octets[at]!).times(P5)
    hash.xor(lane.hi, lane.lo).rotate(11).times(P1)
  }
  hash.fold(33).times(P2).fold(29).times(P3).fold(32)
  return { hi: hash.hi >>> 0, lo: hash.lo >>> 0 }
}

/** The upper 53 bits, which a number holds exactly: hashes in the same order. */
export function upper53({ hi, lo }: Hash64): number {
  return hi * 2 ** 21 + (lo >>> 11)
}

/** Takes in all whole stripes of a long text; returns where they end. */
function takeStripes(octets: Buffer, { hi, lo }: Hash64): number {
  const [first, second, third, fourth] = accumulators
  first.set(hi, lo).plus(P1).plus(P2)
  second.set(hi, lo).plus(P2)
  third.set(hi, lo)
  fourth.set(~P1[0], ~P1[1]).add(0, 1).add(hi, lo)
  let at = 0
  for (; at + STRIPE_OCTETS <= octets.length; at += STRIPE_OCTETS) {
    for (const [i, accumulator] of accumulators.entries()) {
      accumulator.round(octets.readInt32LE(at + 8 * i + 4), octets.readInt32LE(at + 8 * i))
    }
  }
  hash.set(0, 0)
  for (const [i, bits] of [1, 7, 12, 18].entries()) {
    const { hi: accumulatedHi, lo: accumulatedLo } = accumulators[i]!
    lane.set(accumulatedHi, accumulatedLo).rotate(bits)
    hash.add(lane.hi, lane.lo)
  }
  for (const accumulator of accumulators) {
    hash.mix(accumulator.hi, accumulator.lo).times(P1).plus(P4)
  }
  return at
}
