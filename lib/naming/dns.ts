// `dns:[//server/]host[:port]`: the A and AAAA addresses of a host, an endpoint each, port 443
// unless given. Looks up at the start and when asked by resolveNow; it does not poll.
// Does not: SRV, TXT. Source: grpc/doc/naming.md, grpc-go internal/resolver/dns.
//
//   resolving --ok--> settled --resolveNow--> (30 s after the last success) --> resolving
//       `--failed--> reported, connect backoff --> resolving
import { backoffMs } from '../base/backoff.ts'
import type { Timer } from '../base/clock.ts'
import { formatHostPort, type HostPort, ipVersion, parseHostPort } from '../base/ip-address.ts'
import { Code, type Status } from '../base/status.ts'
import { type DnsLookup, isNoSuchHost, serverDnsLookup, systemDnsLookup } from './dns-lookup.ts'
import type { Resolver, ResolverBuilder, ResolverClientConn, ResolverOptions } from './resolver.ts'
import { SETTLED_RESOLVER } from './static.ts'
import type { Target } from './target.ts'

/** Knobs of {@link createDnsResolver}. */
export interface DnsResolverOptions {
  /** The least time between a success and the next lookup, ms. Default 30,000. */
  readonly minIntervalMs?: number
  /** How long a lookup may take, ms. Default 30,000. */
  readonly lookupTimeoutMs?: number
  /** Looks names up; `server` is the target's authority if it has one. Default: node:dns. */
  readonly lookup?: (server: string | undefined) => DnsLookup
}

const DEFAULT_PORT = 443
const DEFAULT_MIN_INTERVAL_MS = 30_000
const DEFAULT_LOOKUP_TIMEOUT_MS = 30_000

/** A builder for scheme `dns`; give it to the channel option `resolvers` to change the knobs. */
export function createDnsResolver(options: DnsResolverOptions = {}): ResolverBuilder {
  const { lookup = nodeLookup } = options
  return {
    scheme: 'dns',
    build(target, cc, resolverOptions) {
      const hostPort = parseEndpoint(target)
      if (ipVersion(hostPort.host) !== 0) {
        cc.newAddress([{ address: formatHostPort(hostPort.host, hostPort.port) }])
        return SETTLED_RESOLVER
      }
      const server = target.authority === '' ? undefined : target.authority
      return new DnsResolver(hostPort, lookup(server), cc, resolverOptions, options)
    },
  }
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

function nodeLookup(server: string | undefined): DnsLookup {
  if (server === undefined) return systemDnsLookup
  const parsed = parseHostPort(server, 53)
  if (parsed === undefined || ipVersion(parsed.host) === 0) {
    throw new Error(
      `dns_server: got authority "${server}", want an IP address with or without port`,
    )
  }
  return serverDnsLookup(formatHostPort(parsed.host, parsed.port))
}

class DnsResolver implements Resolver {
  private readonly hostPort: HostPort
  private readonly lookup: DnsLookup
  private readonly cc: ResolverClientConn
  private readonly options: ResolverOptions
  private readonly minIntervalMs: number
  private readonly lookupTimeoutMs: number
  /** Present while a lookup runs. */
  private running: AbortController | undefined
  /** The lookup's time limit while one runs; otherwise what starts the next one, if anything. */
  private timer: Timer | undefined
  private failures = 0
  private nextAllowedMs = 0
  private wanted = false
  private closed = false

  public constructor(
    hostPort: HostPort,
    lookup: DnsLookup,
    cc: ResolverClientConn,
    options: ResolverOptions,
    knobs: DnsResolverOptions,
  ) {
    this.hostPort = hostPort
    this.lookup = lookup
    this.cc = cc
    this.options = options
    this.minIntervalMs = knobs.minIntervalMs ?? DEFAULT_MIN_INTERVAL_MS
    this.lookupTimeoutMs = knobs.lookupTimeoutMs ?? DEFAULT_LOOKUP_TIMEOUT_MS
    void this.resolve()
  }

  /** Remembered while a lookup runs or the next one is already due. */
  public resolveNow(): void {
    this.wanted = true
    if (this.running === undefined && this.timer === undefined) this.resolveWhenAllowed()
  }

  public close(): void {
    this.closed = true
    this.timer?.cancel()
    this.running?.abort()
  }

  private resolveWhenAllowed(): void {
    const waitMs = this.nextAllowedMs - this.options.clock.nowMs()
    if (waitMs <= 0) void this.resolve()
    else this.timer = this.options.clock.timer(waitMs, () => void this.resolve(), false)
  }

  private async resolve(): Promise<void> {
    const running = new AbortController()
    this.running = running
    this.wanted = false
    try {
      const addresses = await this.lookupInTime(running)
      if (!this.closed) this.succeeded(addresses)
    } catch (error) {
      if (!this.closed) this.failed(error)
    }
  }

  /** A lookup that does not answer is given up, whether or not it notices the abort. */
  private lookupInTime(running: AbortController): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      this.timer = this.options.clock.timer(
        this.lookupTimeoutMs,
        () => {
          reject(new Error(`no answer within ${this.lookupTimeoutMs} ms`))
          running.abort()
        },
        false,
      )
      this.lookup.addresses(this.hostPort.host, running.signal).then(resolve, reject)
    })
  }

  private succeeded(addresses: readonly string[]): void {
    this.lookupEnded()
    this.failures = 0
    this.nextAllowedMs = this.options.clock.nowMs() + this.minIntervalMs
    this.cc.newAddress(addresses.map((ip) => ({ address: formatHostPort(ip, this.hostPort.port) })))
    if (this.wanted) this.resolveWhenAllowed()
  }

  private failed(error: unknown): void {
    this.lookupEnded()
    const { clock, random, backoff } = this.options
    this.nextAllowedMs = clock.nowMs() + backoffMs(this.failures++, random, backoff)
    this.cc.reportError(lookupFailed(this.hostPort.host, error))
    this.resolveWhenAllowed()
  }

  private lookupEnded(): void {
    this.timer?.cancel()
    this.timer = undefined
    this.running = undefined
  }
}

function lookupFailed(host: string, error: unknown): Status {
  const { code, message } = error as NodeJS.ErrnoException
  const reason = isNoSuchHost(code) ? `no such host (${code})` : message
  return { code: Code.Unavailable, message: `dns: looking up "${host}": ${reason}`, cause: error }
}
