// Which fields an encoder puts into its table: a policy, not part of the format.

/** How a field is written that neither table holds (RFC 7541 section 6.2). */
export const Indexing = {
  /** Inserted into the table. */
  Incremental: 'incremental',
  /** Inserted if the name has no entry yet or its newest one was used: a name whose values never
   * come back (ids, trace contexts) takes one entry and does not push the others out. */
  Adaptive: 'adaptive',
  /** Not inserted. */
  Without: 'without',
  /** Not inserted here or by any intermediary: for secrets (RFC 7541 7.1.3). */
  Never: 'never',
} as const
export type Indexing = (typeof Indexing)[keyof typeof Indexing]

const MAX_INDEXED_VALUE_BYTES = 256

/** Secrets that a shared table would let others guess, and names whose values hardly recur. */
const BY_NAME: ReadonlyMap<string, Indexing> = new Map<string, Indexing>([
  ['authorization', Indexing.Never],
  ['proxy-authorization', Indexing.Never],
  ['cookie', Indexing.Never],
  ['set-cookie', Indexing.Never],
  ['content-length', Indexing.Without],
  ['grpc-message', Indexing.Without],
  ['grpc-timeout', Indexing.Without],
])

/**
 * The default policy: never for secrets; without for values that hardly recur (some names, `-bin`
 * values, paths with a query) or that are over 256 octets; adaptive for all others.
 */
export function defaultIndexing(name: string, value: string): Indexing {
  const byName = BY_NAME.get(name)
  if (byName !== undefined) return byName
  if (value.length > MAX_INDEXED_VALUE_BYTES || name.endsWith('-bin')) return Indexing.Without
  if (name === ':path' && value.includes('?')) return Indexing.Without
  return Indexing.Adaptive
}
