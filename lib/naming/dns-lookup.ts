// The only user of node:dns: the records of a name by this machine's means or from a given server.
// No caching, no retries of its own, no rate limits.
import { promises as dns } from 'node:dns'

/** Where a service is offered. RFC 2782. */
export interface SrvRecord {
  readonly host: string
  readonly port: number
  /** Lower is to be tried first. */
  readonly priority: number
  /** Share of the traffic among those of one priority. */
  readonly weight: number
}

/**
 * Looks names up for a DNS resolver. What fails rejects with an error whose `code` is node:dns's, such
 * as `ENOTFOUND`; an aborted lookup may settle in either way.
 */
export interface DnsLookup {
  /** The IP addresses of `host` in the order to try them, at least one. */
  addresses(host: string, signal: AbortSignal): Promise<readonly string[]>
  /** The SRV records of `name`, in no order. */
  srv(name: string, signal: AbortSignal): Promise<readonly SrvRecord[]>
  /** The TXT records of `name`, each with its strings joined. */
  txt(name: string, signal: AbortSignal): Promise<readonly string[]>
}

/** A lookup that failed, as `cause` of the status that a channel is told. */
export class DnsLookupError extends Error {
  public override readonly name: string = 'DnsLookupError'
  /** The record types that were asked for. */
  public readonly records: string
  public readonly host: string
  /** The DNS server, `ip:port`; undefined for this machine's own. */
  public readonly server: string | undefined
  /** node:dns's, such as `ENOTFOUND` or `ESERVFAIL`; undefined for silence. */
  public readonly code: string | undefined

  public constructor(records: string, host: string, server: string | undefined, cause: unknown) {
    const { code, message } = cause as NodeJS.ErrnoException
    const at = server === undefined ? '' : ` at ${server}`
    const reason = isNoSuchHost(code) ? `no such host (${code})` : message
    super(`dns_lookup: ${records} of "${host}"${at}: ${reason}`, { cause })
    this.records = records
    this.host = host
    this.server = server
    this.code = code
  }
}

/** Addresses as this machine's programs see them (getaddrinfo), so that /etc/hosts counts. */
export const systemDnsLookup: DnsLookup = {
  ...recordLookup(),
  async addresses(host) {
    const found = await dns.lookup(host, { all: true, verbatim: true })
    return found.map(({ address }) => address)
  },
}

/** Asks one DNS server, `ip` or `ip:port` with brackets around IPv6. Throws when it is neither. */
export function serverDnsLookup(server: string): DnsLookup {
  new dns.Resolver().setServers([server])
  return recordLookup(server)
}

/** Asks for records, of the system's servers unless one is given. */
function recordLookup(server?: string): DnsLookup {
  // One for all that is given up together: a service may have many hosts.
  const resolvers = new WeakMap<AbortSignal, dns.Resolver>()
  const resolverFor = (signal: AbortSignal): dns.Resolver => {
    const known = resolvers.get(signal)
    if (known !== undefined) return known
    const resolver = new dns.Resolver()
    if (server !== undefined) resolver.setServers([server])
    resolvers.set(signal, resolver)
    signal.addEventListener('abort', () => resolver.cancel(), { once: true })
    return resolver
  }
  return {
    async addresses(host, signal) {
      const resolver = resolverFor(signal)
      // IPv4 first: nothing here knows whether the machine has a route for IPv6.
      const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
      const addresses = answers.flatMap((a) => (a.status === 'fulfilled' ? a.value : []))
      if (addresses.length > 0) return addresses
      throw worstOf(answers.flatMap((a) => (a.status === 'rejected' ? [a.reason] : [])))
    },
    async srv(name, signal) {
      const records = await resolverFor(signal).resolveSrv(name)
      return records.map(({ name: host, port, priority, weight }) => ({
        host,
        port,
        priority,
        weight,
      }))
    },
    async txt(name, signal) {
      const records = await resolverFor(signal).resolveTxt(name)
      return records.map((strings) => strings.join(''))
    },
  }
}

/** Of several failures the one that says most: a server's more than that there is no such record. */
export function worstOf(errors: readonly NodeJS.ErrnoException[]): Error {
  return errors.find(({ code }) => !isNoSuchHost(code)) ?? errors[0] ?? new Error('empty answer')
}

/** Whether a node:dns error code says that the name, or a record for it, does not exist. */
export function isNoSuchHost(code: string | undefined): boolean {
  return code === 'ENOTFOUND' || code === 'ENODATA'
}
