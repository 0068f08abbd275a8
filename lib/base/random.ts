// The only source of chance in lib/: jitter, shuffles and sampling take a `Random`, so that specs
// can hand in a seeded one.

/** Gives a number in [0, 1). */
export type Random = () => number

/** The machine's own chance. */
export const systemRandom: Random = Math.random

/** A repeatable sequence for a seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
