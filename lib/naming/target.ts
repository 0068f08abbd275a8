// The text that names what a channel connects to, taken apart. Which schemes exist is the
// registry's business. Source: grpc/doc/naming.md, RFC 3986 section 3.

/** A target's parts. `dns://8.8.8.8/host:443` has all three. */
export interface Target {
  /** As the caller wrote it. */
  readonly text: string
  /** Lower case. */
  readonly scheme: string
  /** What stands between `//` and the next `/`; '' when there is none. */
  readonly authority: string
  /** What follows, with its leading slash if it had one: `unix:///a` has `/a`, `unix:a` has `a`. */
  readonly path: string
  /** The path without its leading slash. */
  readonly endpoint: string
}

const SCHEME_AND_REST = /^([a-zA-Z][a-zA-Z0-9+.-]*):(?:\/\/([^/]*))?(.*)$/s

/**
 * Splits a target. A text whose scheme `isKnown` refuses, or that has none, is read again as
 * `defaultScheme:///text`. Escapes (`%20`) in the path are decoded; malformed ones stay.
 */
export function parseTarget(
  text: string,
  isKnown: (scheme: string) => boolean,
  defaultScheme = 'dns',
): Target {
  const [, scheme = '', authority = '', path = ''] = SCHEME_AND_REST.exec(text) ?? []
  if (scheme !== '' && isKnown(scheme.toLowerCase())) {
    return makeTarget(text, scheme.toLowerCase(), authority, path)
  }
  return makeTarget(text, defaultScheme, '', `/${text}`)
}

function makeTarget(text: string, scheme: string, authority: string, rawPath: string): Target {
  const path = decodeEscapes(rawPath)
  return { text, scheme, authority, path, endpoint: path.startsWith('/') ? path.slice(1) : path }
}

function decodeEscapes(path: string): string {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch {
    return path // such as the zone in fe80::1%eth0
  }
}
