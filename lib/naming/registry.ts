// Which scheme is resolved by whom: the built-in resolvers and those that programs add.
import { dnsResolver } from './dns.ts'
import { ipv4Resolver, ipv6Resolver } from './ip.ts'
import { passthroughResolver } from './passthrough.ts'
import type { ResolverBuilder } from './resolver.ts'
import { parseTarget, type Target } from './target.ts'
import { unixAbstractResolver, unixResolver } from './unix.ts'

const builders = new Map<string, ResolverBuilder>(
  [
    dnsResolver,
    passthroughResolver,
    ipv4Resolver,
    ipv6Resolver,
    unixResolver,
    unixAbstractResolver,
  ].map((builder) => [builder.scheme, builder]),
)

/** Makes a scheme known to every channel made afterwards; replaces what the scheme had. */
export function registerResolver(builder: ResolverBuilder): void {
  builders.set(builder.scheme.toLowerCase(), builder)
}

/** The process-wide resolver of a scheme. */
export function getResolver(scheme: string): ResolverBuilder | undefined {
  return builders.get(scheme.toLowerCase())
}

/** A target and who resolves it. */
export interface ResolvableTarget {
  readonly target: Target
  readonly builder: ResolverBuilder
}

/**
 * Finds the resolver of a target's text; `own` are looked at before the registry. Throws when not
 * even `defaultScheme` is known.
 */
export function findResolver(
  text: string,
  own: readonly ResolverBuilder[] = [],
  defaultScheme = 'dns',
): ResolvableTarget {
  const find = (scheme: string): ResolverBuilder | undefined =>
    own.find((builder) => builder.scheme.toLowerCase() === scheme) ?? getResolver(scheme)
  const isKnown = (scheme: string): boolean => find(scheme) !== undefined
  const target = parseTarget(text, isKnown, defaultScheme.toLowerCase())
  const builder = find(target.scheme)
  if (builder === undefined) {
    throw new Error(`resolver_unknown: got scheme "${target.scheme}" for ${text}, want a known one`)
  }
  return { target, builder }
}
