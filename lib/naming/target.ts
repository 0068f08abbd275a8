// The text that names what a channel connects to, taken apart. Which schemes exist is the
// registry's business. Source: grpc/doc/naming.md, RFC 3986 section 3.

/** A target's parts. `dns://8.8.8.8/host:443` has a scheme, an authority and a path. */
export interface Target {
  /** As the caller wrote it. */
  readonly text: string
  /** Lower case. */
  readonly scheme: string
  /** What stands between `//` and the path; '' when there is none. */
  readonly authority: string
  /** What follows, with its leading slash if it had one: `unix:///a` has `/a`, `unix:a` has `a`. */
  readonly path: string
  /** The path without its leading slash. */
  readonly endpoint: string
  /** What follows a `?`, not decoded; '' when there is none. Resolvers here do not look at it. */
  readonly query: string
}

const SCHEME_AND_REST = /^([a-zA-Z][a-zA-Z0-9+.-]*):(.*)$/s
const AUTHORITY_PATH_QUERY = /^(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?/s

/**
 * Splits a target. A text whose scheme `isKnown` refuses, or that has none, is read again as
 * `defaultScheme:///text`. Escapes (`%20`) in authority and path are decoded; malformed ones stay.
 * A fragment (`#…`) is dropped.
 */
export function parseTarget(
  text: string,
  isKnown: (scheme: string) => boolean,
  defaultScheme = 'dns',
): Target {
  const [, scheme = '', rest = ''] = SCHEME_AND_REST.exec(text) ?? []
  if (scheme !== '' && isKnown(scheme.toLowerCase())) {
    return makeTarget(text, scheme.toLowerCase(), rest)
  }
  return makeTarget(text, defaultScheme, `///${text}`)
}

function makeTarget(text: string, scheme: string, rest: string): Target {
  const [, authority = '', rawPath = '', query = ''] = AUTHORITY_PATH_QUERY.exec(rest) ?? []
  const path = decodeEscapes(rawPath)
  const endpoint = path.startsWith('/') ? path.slice(1) : path
  return { text, scheme, authority: decodeEscapes(authority), path, endpoint, query }
}

function decodeEscapes(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text // such as the zone in fe80::1%eth0
  }
}
