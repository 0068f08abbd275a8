// Waiting longer after each failure. Source: grpc/doc/connection-backoff.md, grpc-go internal/backoff.
import type { Random } from './random.ts'

/** How the wait grows with each failure in a row. */
export interface BackoffOptions {
  /** The first wait, ms. Default 1,000. */
  readonly baseMs?: number
  /** What each further wait is multiplied by. Default 1.6. */
  readonly multiplier?: number
  /** Share of the wait that chance adds or takes, 0 to 1. Default 0.2. */
  readonly jitter?: number
  /** No wait is longer than this before jitter, ms. Default 120,000. */
  readonly maxMs?: number
}

/** The wait before try `failures + 1`, ms. Exactly `baseMs` after the first failure, as in grpc-go. */
export function backoffMs(failures: number, random: Random, options: BackoffOptions = {}): number {
  const { baseMs = 1000, multiplier = 1.6, jitter = 0.2, maxMs = 120_000 } = options
  if (failures === 0) return baseMs
  const grown = Math.min(baseMs * multiplier ** failures, maxMs)
  return Math.max(0, grown * (1 + jitter * (2 * random() - 1)))
}
