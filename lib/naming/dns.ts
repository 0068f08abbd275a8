// `dns:[//server/]host[:port]`: the A and AAAA addresses of a host, an endpoint each, port 443 unless
// given; or, if asked to, the servers of `_service._proto.domain`; with the service config that DNS
// holds for the name. The time to live of records is not used: getaddrinfo and SRV answers do not
// have it here, caches on the way count it down anyhow, and what moves a channel to look again is a
// lost connection; where that is too late, `refreshIntervalMs` is the knob.
// Source: grpc/doc/naming.md, gRFC A2, grpc-go internal/resolver/dns.
import { hostname as systemHostname } from 'node:os'
import { formatHostPort, type HostPort, ipVersion, parseHostPort } from '../base/ip-address.ts'
import type { Random } from '../base/random.ts'
import { type DnsLookup, serverDnsLookup, systemDnsLookup } from './dns-lookup.ts'
import { DnsQuery } from './dns-query.ts'
import { type PollingOptions, PollingResolver } from './polling-resolver.ts'
import type { ResolverBuilder } from './resolver.ts'
import { isServiceName, serviceDomain } from './srv.ts'
import { SETTLED_RESOLVER } from './static.ts'
import type { Target } from './target.ts'
import type { ConfigClient } from './txt-service-config.ts'

/** Knobs of {@link createDnsResolver}. */
export interface DnsResolverOptions extends PollingOptions {
  /**
   * Looks up SRV records for targets of the form `dns:///_service._proto.domain`, which have no port.
   * Each record is an endpoint with all addresses of its host and the attributes `weight` (1 or more)
   * and `priority`, in the order of RFC 2782. `:authority` is the domain. Other targets are as ever.
   * Default: false.
   */
  readonly srv?: boolean
  /**
   * Takes the service config from the TXT record `_grpc_config.host` (gRFC A2); a choice for the
   * client language `node` or `typescript` is for us. Not asked for `localhost`. Default: true.
   */
  readonly serviceConfig?: boolean
  /** This machine's name, for choices that name hosts. Default: the system's. */
  readonly hostname?: string
  /** Looks names up; `server` is the target's authority if it has one. Default: node:dns. */
  readonly lookup?: (server: string | undefined) => DnsLookup
}

const DEFAULT_PORT = 443
const DNS_PORT = 53

/**
 * A builder for scheme `dns`; give it to the channel option `resolvers` or to `registerResolver` to
 * change the knobs.
 */
export function createDnsResolver(options: DnsResolverOptions = {}): ResolverBuilder {
  const { lookup = nodeLookup, srv = false, serviceConfig = true } = options
  const builder: ResolverBuilder = {
    scheme: 'dns',
    build(target, cc, { disableServiceConfig = false, ...resolverOptions }) {
      const { host, port } = srv ? serviceOrHost(target) : parseEndpoint(target)
      if (port !== undefined && ipVersion(host) !== 0) {
        cc.newAddress([{ address: formatHostPort(host, port) }])
        return SETTLED_RESOLVER
      }
      const { clock, random } = resolverOptions
      const server = target.authority === '' ? undefined : target.authority
      const takesConfig = serviceConfig && !disableServiceConfig && !isLocalhost(host)
      const query = new DnsQuery({
        host,
        port,
        server,
        lookup: lookup(server),
        configClient: takesConfig ? configClient(random, options.hostname) : undefined,
        clock,
        random,
      })
      return new PollingResolver(query, cc, resolverOptions, options)
    },
  }
  return srv ? { ...builder, defaultAuthority: ({ endpoint }) => serviceDomain(endpoint) } : builder
}

/** Scheme `dns`. */
export const dnsResolver: ResolverBuilder = createDnsResolver()

function parseEndpoint(target: Target): HostPort {
  const parsed = parseHostPort(target.endpoint, DEFAULT_PORT)
  if (parsed === undefined) {
    throw new Error(`dns_target: got ${target.text}, want host, host:port or dns://server/host`)
  }
  return parsed
}

/** A service has no port: its records say it. */
function serviceOrHost(target: Target): { host: string; port: number | undefined } {
  if (!isServiceName(target.endpoint)) return parseEndpoint(target)
  if (target.endpoint.includes(':')) {
    throw new Error(`dns_srv_port: got ${target.text}, want _service._proto.domain without a port`)
  }
  return { host: target.endpoint, port: undefined }
}

/** A client stays at its place among all for the life of the resolver. */
function configClient(random: Random, hostname: string = systemHostname()): ConfigClient {
  return { hostname, percentile: random() * 100 }
}

/** RFC 6761 section 6.3: such names never reach a DNS server. */
function isLocalhost(host: string): boolean {
  return /^(.*\.)?localhost\.?$/i.test(host)
}

function nodeLookup(server: string | undefined): DnsLookup {
  if (server === undefined) return systemDnsLookup
  const parsed = parseHostPort(server, DNS_PORT)
  if (parsed === undefined || ipVersion(parsed.host) === 0) {
    throw new Error(
      `dns_server: got authority "${server}", want an IP address with or without port`,
    )
  }
  return serverDnsLookup(formatHostPort(parsed.host, parsed.port))
}
