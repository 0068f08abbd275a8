// Watches a name in DNS: the load balancers that SRV records announce, else the host's addresses, time
// and again. A lookup that finds no address changes nothing and is repeated with backoff: what was
// there is more likely to be right than nothing. Source: grpc-go naming dns_resolver.go.
import { backoffMs } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import { formatHostPort, type HostPort } from '../../base/ip-address.ts'
import type { Random } from '../../base/random.ts'
import type { DnsLookup } from '../dns-lookup.ts'
import { wait, withTimeLimit } from '../time-limit.ts'
import { Closing, type GrpclbMetadata, type NamingUpdate, type Watcher } from './watcher.ts'

/** What a watcher needs. */
export interface DnsWatcherOptions {
  readonly frequencyMs: number
  readonly lookup: DnsLookup
  readonly clock: Clock
  readonly random: Random
}

interface Known {
  readonly address: string
  readonly metadata?: GrpclbMetadata
}

/** An address with what it is; those that differ in either are two. */
type KnownSet = ReadonlyMap<string, Known>

const LOOKUP_TIMEOUT_MS = 30_000

/** See above. */
export class DnsWatcher implements Watcher {
  private readonly hostPort: HostPort
  private readonly options: DnsWatcherOptions
  private readonly closing = new Closing()
  private known: KnownSet = new Map()
  private nextLookupMs: number
  private failures = 0

  public constructor(hostPort: HostPort, options: DnsWatcherOptions) {
    this.hostPort = hostPort
    this.options = options
    this.nextLookupMs = options.clock.nowMs()
  }

  public async next(): Promise<readonly NamingUpdate[]> {
    const { clock } = this.options
    const { signal, closed } = this.closing
    for (;;) {
      const waitMs = this.nextLookupMs - clock.nowMs()
      if (waitMs > 0 && !signal.aborted) await wait(clock, waitMs, signal)
      if (signal.aborted) return closed
      const found = await this.lookUp()
      if (signal.aborted) return closed
      const updates = changes(this.known, found)
      this.known = found
      if (updates.length > 0) return updates
    }
  }

  public close(): void {
    this.closing.close()
  }

  /** What is there now; what was known when nothing can be found. */
  private async lookUp(): Promise<KnownSet> {
    const { clock, random, frequencyMs } = this.options
    const { signal } = this.closing
    let waitMs = frequencyMs
    let found = this.known
    try {
      found = await withTimeLimit(clock, LOOKUP_TIMEOUT_MS, signal, (it) => this.find(it))
      this.failures = 0
    } catch {
      waitMs = Math.min(frequencyMs, backoffMs(this.failures++, random))
    }
    this.nextLookupMs = clock.nowMs() + waitMs
    return found
  }

  private async find(signal: AbortSignal): Promise<KnownSet> {
    const balancers = await this.balancers(signal)
    const found = balancers ?? (await this.hosts(signal))
    if (found.length === 0) throw new Error('no balancer has an address')
    return new Map(found.map((it) => [`${it.address} ${it.metadata?.serverName ?? ''}`, it]))
  }

  /** Undefined when no balancer is announced; one without an address is left out. */
  private async balancers(signal: AbortSignal): Promise<Known[] | undefined> {
    const { lookup } = this.options
    const name = `_grpclb._tcp.${this.hostPort.host}`
    const records = await lookup.srv(name, signal).catch(() => undefined)
    if (records === undefined) return undefined
    const found = records.map(async ({ host, port }) => {
      const ips = await lookup.addresses(host, signal).catch(() => [])
      return ips.map((ip) => ({
        address: formatHostPort(ip, port),
        metadata: { addressType: 'grpclb', serverName: host } as const,
      }))
    })
    return (await Promise.all(found)).flat()
  }

  private async hosts(signal: AbortSignal): Promise<Known[]> {
    const { host, port } = this.hostPort
    const ips = await this.options.lookup.addresses(host, signal)
    return ips.map((ip) => ({ address: formatHostPort(ip, port) }))
  }
}

/** Deletions first, so that a user with room for a few addresses has it. */
function changes(before: KnownSet, now: KnownSet): NamingUpdate[] {
  const missing = ([key, it]: [string, Known], others: KnownSet, op: NamingUpdate['op']) =>
    others.has(key) ? [] : [{ op, ...it }]
  return [
    ...[...before].flatMap((entry) => missing(entry, now, 'delete')),
    ...[...now].flatMap((entry) => missing(entry, before, 'add')),
  ]
}
