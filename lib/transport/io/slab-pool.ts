// The memory that flushes are encoded into, shared by all connections of the process: a connection
// takes a slab to flush and gives it back, so an idle one holds none.
import type { Slabs } from './wire.ts'

/** Size of a slab, octets. */
export const SLAB_BYTES: number = 64 * 1024

// More than a few are never in use at once: flushes are synchronous, and a slab whose octets the
// kernel did not take is not given back.
const MAX_KEPT = 4

const kept: Buffer[] = []

/** An *owned* slab of {@link SLAB_BYTES} octets with undefined content. */
export function takeSlab(): Buffer {
  return kept.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES)
}

/** Takes a slab back. Only its sole owner may give it; anything that is not a slab is ignored. */
export function giveSlab(slab: Buffer): void {
  if (slab.length === SLAB_BYTES && kept.length < MAX_KEPT) kept.push(slab)
}

/** How many slabs wait to be taken; for specs and diagnosis. */
export function keptSlabs(): number {
  return kept.length
}

/** The pool as connections are handed it. */
export const slabPool: Slabs = { take: takeSlab, give: giveSlab, slabBytes: SLAB_BYTES }
