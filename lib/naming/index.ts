export { createDnsResolver, type DnsResolverOptions, dnsResolver } from './dns.ts'
export { type DnsLookup, DnsLookupError, type SrvRecord } from './dns-lookup.ts'
export { ipv4Resolver, ipv6Resolver } from './ip.ts'
export { ManualResolver, type ManualResolverEvents } from './manual.ts'
export { passthroughResolver } from './passthrough.ts'
export type { PollingOptions } from './polling-resolver.ts'
export { findResolver, getResolver, type ResolvableTarget, registerResolver } from './registry.ts'
export {
  type Address,
  addressesOf,
  type Endpoint,
  endpointsOf,
  type Resolver,
  type ResolverBuilder,
  type ResolverClientConn,
  type ResolverOptions,
  type ResolverState,
  sameAddress,
} from './resolver.ts'
export { staticResolver } from './static.ts'
export { parseTarget, type Target } from './target.ts'
export { unixAbstractResolver, unixResolver } from './unix.ts'
export { createDnsNaming, type DnsNamingOptions } from './v1/dns-naming.ts'
export { resolverFromNaming } from './v1/naming-adapter.ts'
export type {
  GrpclbMetadata,
  NamingResolver,
  NamingUpdate,
  Watcher,
} from './v1/watcher.ts'
