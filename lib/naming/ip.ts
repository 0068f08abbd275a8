// `ipv4:address[:port][,address[:port]…]` and `ipv6:[address]:port…`: literal addresses, port 443
// unless given. Source: grpc/doc/naming.md.
import { formatHostPort, ipVersion, parseHostPort } from '../base/ip-address.ts'
import type { ResolverBuilder } from './resolver.ts'
import { SETTLED_RESOLVER } from './static.ts'
import type { Target } from './target.ts'

const DEFAULT_PORT = 443

/** Scheme `ipv4`. */
export const ipv4Resolver: ResolverBuilder = ipResolver('ipv4', 4)

/** Scheme `ipv6`. */
export const ipv6Resolver: ResolverBuilder = ipResolver('ipv6', 6)

function ipResolver(scheme: string, version: 4 | 6): ResolverBuilder {
  return {
    scheme,
    build(target, cc) {
      if (target.authority !== '') {
        throw new Error(`ip_target_authority: got ${target.text}, want ${scheme}:address:port`)
      }
      const parts = target.endpoint.split(',')
      cc.newAddress(parts.map((part) => ({ address: parseIp(part, version, target) })))
      return SETTLED_RESOLVER
    },
    defaultAuthority: (target) => target.endpoint.split(',', 1).join(''),
  }
}

function parseIp(text: string, version: 4 | 6, target: Target): string {
  const parsed = parseHostPort(text, DEFAULT_PORT)
  if (parsed === undefined || ipVersion(parsed.host) !== version) {
    throw new Error(`ip_target_address: got "${text}" in ${target.text}, want an IPv${version}`)
  }
  return formatHostPort(parsed.host, parsed.port)
}
