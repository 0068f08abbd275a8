// Huffman coding of strings, RFC 7541 section 5.2 and appendix B.
//
// Decoding is a state machine over half octets: the states are the 256 inner nodes of the code
// tree. The shortest code has 5 bits, so a half octet completes at most one symbol.
import { HpackError } from './errors.ts'
import { CODE_BITS, CODES, EOS } from './huffman-codes.ts'

const STATES = 256
const SHORTEST_CODE_BITS = 5

// A step: next state << 4 in bits 4 to 11, the symbol from bit 16, and these flags. Negative: EOS.
const EMITS = 1
const MAY_END = 2
const STATE_MASK = 0xff0
const SYMBOL_SHIFT = 16
const FAILS = -1

/** Index: state << 4 | half octet. */
const STEPS: Int32Array = buildSteps(buildTree())

/** Children of node n at 2n and 2n + 1: another node, or ~symbol. Node 0 is the root. */
function buildTree(): Int16Array {
  const children = new Int16Array(STATES * 2)
  let nodes = 1
  for (let symbol = 0; symbol <= EOS; symbol++) {
    let slot = 0
    for (let bit = CODE_BITS[symbol]! - 1; bit >= 0; bit--) {
      slot += (CODES[symbol]! >> bit) & 1
      if (bit === 0) children[slot] = ~symbol
      else {
        if (children[slot] === 0) children[slot] = nodes++
        slot = 2 * children[slot]!
      }
    }
  }
  return children
}

function buildSteps(children: Int16Array): Int32Array {
  const mayEnd = paddingStates(children)
  const steps = new Int32Array(STATES << 4)
  for (let index = 0; index < steps.length; index++) {
    steps[index] = stepOf(children, mayEnd, index >> 4, index & 0xf)
  }
  return steps
}

function stepOf(
  children: Int16Array,
  mayEnd: ReadonlySet<number>,
  state: number,
  half: number,
): number {
  let emitted = 0
  for (let bit = 3; bit >= 0; bit--) {
    const child = children[2 * state + ((half >> bit) & 1)]!
    if (~child === EOS) return FAILS
    if (child < 0) emitted = (~child << SYMBOL_SHIFT) | EMITS
    state = Math.max(child, 0)
  }
  return emitted | (state << 4) | (mayEnd.has(state) ? MAY_END : 0)
}

/** The states in which a string may end: up to 7 bits of EOS, all ones, after a symbol. */
function paddingStates(children: Int16Array): ReadonlySet<number> {
  const states = new Set<number>()
  for (let state = 0; states.size < 8; state = children[2 * state + 1]!) states.add(state)
  return states
}

/** The most octets that `octets` octets of Huffman code can decode to. */
export function maxDecodedOctets(octets: number): number {
  return Math.floor((octets * 8) / SHORTEST_CODE_BITS)
}

/**
 * Decodes `buf[start, end)` to the start of `out`, which must hold `maxDecodedOctets(end - start)`
 * and one octet more; returns the number of octets. Throws {@link HpackError} for a string that
 * contains EOS or is not padded with fewer than 8 bits of it.
 */
export function decodeHuffman(buf: Buffer, start: number, end: number, out: Buffer): number {
  let length = 0
  let step = MAY_END
  for (let pos = start; pos < end; pos++) {
    const octet = buf[pos]!
    const first = STEPS[(step & STATE_MASK) | (octet >> 4)]!
    out[length] = first >> SYMBOL_SHIFT
    length += first & EMITS
    step = STEPS[(first & STATE_MASK) | (octet & 0xf)]!
    out[length] = step >> SYMBOL_SHIFT
    length += step & EMITS
    // "A Huffman-encoded string literal containing the EOS symbol MUST be treated as a decoding
    // error."
    if ((first | step) < 0) throw new HpackError('huffman_eos', 'a string contains the symbol EOS')
  }
  // "A padding strictly longer than 7 bits MUST be treated as a decoding error. A padding not
  // corresponding to the most significant bits of the code for the EOS symbol MUST be …"
  if ((step & MAY_END) === 0) {
    throw new HpackError('huffman_padding', 'a string must end with at most 7 bits, all ones')
  }
  return length
}

const MAX_PACKED_BITS = 24

/** code << 5 | bits of an octet's code; 0 where the code is too long for that. */
const PACKED_CODES: Int32Array = packCodes()

function packCodes(): Int32Array {
  const packed = new Int32Array(EOS)
  for (let octet = 0; octet < EOS; octet++) {
    const bits = CODE_BITS[octet]!
    if (bits <= MAX_PACKED_BITS) packed[octet] = (CODES[octet]! << 5) | bits
  }
  return packed
}

/**
 * Writes the Huffman code of a latin1 string from `pos` on, if it ends before `limit`; returns the
 * position after it, else -1. Octets before `limit` are clobbered either way.
 */
export function encodeHuffman(text: string, buf: Buffer, pos: number, limit: number): number {
  let pending = 0 // its low `bits` bits are not written yet: at most 7, and 24 of a new code
  let bits = 0
  for (let i = 0; i < text.length; i++) {
    const octet = text.charCodeAt(i) & 0xff
    let packed = PACKED_CODES[octet]!
    if (packed === 0) {
      if (pos + 2 > limit) return -1
      const code = CODES[octet]!
      pending = (pending << 16) | (code >>> (CODE_BITS[octet]! - 16))
      buf[pos++] = pending >>> (bits + 8)
      buf[pos++] = pending >>> bits
      const left = CODE_BITS[octet]! - 16
      packed = ((code & ((1 << left) - 1)) << 5) | left
    }
    const width = packed & 0x1f
    pending = (pending << width) | (packed >>> 5)
    bits += width
    while (bits >= 8) {
      if (pos === limit) return -1
      bits -= 8
      buf[pos++] = pending >>> bits
    }
  }
  if (bits > 0 && pos < limit) buf[pos++] = (pending << (8 - bits)) | (0xff >> bits)
  return pos < limit ? pos : -1
}
