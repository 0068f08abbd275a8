// A decoded field section, and how its size is counted.

/**
 * A field section (RFC 9113 section 8.2) as it was decoded. Immutable; equal blocks may share one
 * object, so what is derived from a block can be remembered by its identity.
 */
export interface HeaderBlock {
  /** name, value, name, value…; each character is one octet (latin1). */
  readonly fields: readonly string[]
  /** Octets of the encoded block. */
  readonly wireBytes: number
  /** Sum of name + value + 32 over all fields (RFC 9113 section 10.5.1), materialised or not. */
  readonly listBytes: number
  /** Indices into `fields` of the names whose field was a never-indexed literal (RFC 7541 6.2.3). */
  readonly neverIndexed?: readonly number[] | undefined
  /** A limit that the list broke: `fields` stops there, the table state is right all the same. */
  readonly exceeded?: 'listBytes' | 'fields' | undefined
}

/** What each field costs beyond its name and value, RFC 9113 section 10.5.1 and RFC 7541 4.1. */
export const FIELD_OVERHEAD_BYTES = 32

/** The size of a field list as RFC 9113 section 10.5.1 counts it. */
export function listBytes(fields: readonly string[]): number {
  let bytes = (fields.length >> 1) * FIELD_OVERHEAD_BYTES
  for (let i = 0; i < fields.length; i++) bytes += fields[i]!.length
  return bytes
}
