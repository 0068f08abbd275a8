// Chooses the watcher for `host[:port]`: a literal address or a name of DNS. Source: grpc-go naming.
import { type Clock, systemClock } from '../../base/clock.ts'
import { type HostPort, ipVersion, parseHostPort } from '../../base/ip-address.ts'
import { type Random, systemRandom } from '../../base/random.ts'
import { type DnsLookup, systemDnsLookup } from '../dns-lookup.ts'
import { DnsWatcher } from './dns-watcher.ts'
import { IpWatcher } from './ip-watcher.ts'
import type { NamingResolver } from './watcher.ts'

/** Knobs of {@link createDnsNaming}. */
export interface DnsNamingOptions {
  /** The time from one lookup to the next, ms. Default 30 min. */
  readonly frequencyMs?: number
  /** Default: node:dns. */
  readonly lookup?: DnsLookup
  readonly clock?: Clock
  readonly random?: Random
}

const DEFAULT_FREQUENCY_MS = 30 * 60 * 1000
const DEFAULT_PORT = 443

/**
 * A v1 resolver of `host`, `host:port`, `:port` (localhost), literal addresses with or without port.
 * The port is 443 unless given.
 */
export function createDnsNaming(options: DnsNamingOptions = {}): NamingResolver {
  const {
    frequencyMs = DEFAULT_FREQUENCY_MS,
    lookup = systemDnsLookup,
    clock = systemClock,
    random = systemRandom,
  } = options
  return {
    resolve(target) {
      const hostPort = parse(target)
      if (ipVersion(hostPort.host) !== 0) return new IpWatcher(hostPort)
      return new DnsWatcher(hostPort, { frequencyMs, lookup, clock, random })
    },
  }
}

function parse(target: string): HostPort {
  const parsed = parseHostPort(target, DEFAULT_PORT)
  if (parsed === undefined) {
    throw new Error(`naming_target: got ${JSON.stringify(target)}, want host, host:port or :port`)
  }
  return parsed
}
