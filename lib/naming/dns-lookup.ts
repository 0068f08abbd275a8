// The only user of node:dns: the addresses of a host by this machine's means or by a given server.
// No caching, no retries of its own, no rate limits.
import { promises as dns } from 'node:dns'

/** Looks names up for a DNS resolver. */
export interface DnsLookup {
  /**
   * The IP addresses of `host` in the order to try them, at least one. Rejects with an error whose
   * `code` is node:dns's, such as `ENOTFOUND`. An aborted lookup may settle in either way.
   */
  addresses(host: string, signal: AbortSignal): Promise<readonly string[]>
}

/** What this machine's programs see (getaddrinfo), so that /etc/hosts counts. */
export const systemDnsLookup: DnsLookup = {
  async addresses(host) {
    const found = await dns.lookup(host, { all: true, verbatim: true })
    return found.map(({ address }) => address)
  },
}

/** Asks one DNS server, `ip` or `ip:port` with brackets around IPv6. Throws when it is neither. */
export function serverDnsLookup(server: string): DnsLookup {
  new dns.Resolver().setServers([server])
  return {
    async addresses(host, signal) {
      const resolver = new dns.Resolver()
      resolver.setServers([server])
      signal.addEventListener('abort', () => resolver.cancel(), { once: true })
      // IPv4 first: nothing here knows whether the machine has a route for IPv6.
      const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
      const addresses = answers.flatMap((a) => (a.status === 'fulfilled' ? a.value : []))
      if (addresses.length > 0) return addresses
      throw worstOf(answers.flatMap((a) => (a.status === 'rejected' ? [a.reason] : [])))
    },
  }
}

/** A failure of the server says more than that it has no such record. */
function worstOf(errors: readonly NodeJS.ErrnoException[]): Error {
  return errors.find(({ code }) => !isNoSuchHost(code)) ?? errors[0] ?? new Error('empty answer')
}

/** Whether a node:dns error code says that the name, or a record for it, does not exist. */
export function isNoSuchHost(code: string | undefined): boolean {
  return code === 'ENOTFOUND' || code === 'ENODATA'
}
