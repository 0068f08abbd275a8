// What one lookup of a DNS name is: addresses or services, and the service config beside them.
// When it is done is the polling resolver's business. Source: grpc/doc/naming.md, gRFC A2, RFC 2782.
import type { Clock } from '../base/clock.ts'
import { formatHostPort } from '../base/ip-address.ts'
import type { Random } from '../base/random.ts'
import { Code, type Status } from '../base/status.ts'
import { type DnsLookup, DnsLookupError, isNoSuchHost, worstOf } from './dns-lookup.ts'
import type { PolledSource } from './polling-resolver.ts'
import type { Endpoint, ResolverState } from './resolver.ts'
import { srvOrder } from './srv.ts'
import { withTimeLimit } from './time-limit.ts'
import {
  type ConfigClient,
  configName,
  type NamedConfig,
  selectServiceConfig,
} from './txt-service-config.ts'

/** What is looked up, and where. */
export interface DnsQuestion {
  readonly host: string
  /** The port of each address; undefined when SRV records of `host` are asked for, which say it. */
  readonly port: number | undefined
  /** For messages: the server that `lookup` asks. */
  readonly server: string | undefined
  readonly lookup: DnsLookup
  /** Who takes the service config; undefined when nobody does. */
  readonly configClient: ConfigClient | undefined
  readonly clock: Clock
  readonly random: Random
}

/** Addresses do not wait longer for their service config. */
const CONFIG_TIMEOUT_MS = 5_000

/** See {@link DnsQuestion}. */
export class DnsQuery implements PolledSource {
  private readonly question: DnsQuestion
  /** The last answer: it stands while none can be had. */
  private config: NamedConfig = {}

  public constructor(question: DnsQuestion) {
    this.question = question
  }

  public async state(signal: AbortSignal): Promise<ResolverState> {
    const { configClient, port } = this.question
    const [endpoints, config] = await Promise.all([
      port === undefined ? this.services(signal) : this.hosts(port, signal),
      configClient === undefined ? {} : this.namedConfig(configClient, signal),
    ])
    return { endpoints, ...config }
  }

  public failure(error: unknown): Status {
    const { host, port } = this.question
    const records = port === undefined ? 'SRV' : 'A and AAAA'
    const cause = error instanceof DnsLookupError ? error : this.lookupError(records, host, error)
    return { code: Code.Unavailable, message: cause.message, cause }
  }

  private async hosts(port: number, signal: AbortSignal): Promise<readonly Endpoint[]> {
    const { host, lookup } = this.question
    const ips = await lookup.addresses(host, signal)
    return ips.map((ip) => ({ addresses: [{ address: formatHostPort(ip, port) }] }))
  }

  /** An endpoint for each record whose host has addresses: it is one server, whichever is used. */
  private async services(signal: AbortSignal): Promise<readonly Endpoint[]> {
    const { host: name, lookup, random } = this.question
    const records = srvOrder(await lookup.srv(name, signal), random)
    const hosts = [...new Set(records.map(({ host }) => host))]
    const errors: DnsLookupError[] = []
    const found = new Map<string, readonly string[]>()
    const find = async (host: string): Promise<void> => {
      // RFC 2782: a target of "." says that the service is not offered.
      if (host === '' || host === '.') return
      try {
        found.set(host, await lookup.addresses(host, signal))
      } catch (error) {
        errors.push(this.lookupError('A and AAAA', host, error))
      }
    }
    await Promise.all(hosts.map(find))
    if (found.size === 0) {
      throw errors.length > 0 ? worstOf(errors) : new Error('the service is not offered')
    }
    return records.flatMap(({ host, port, priority, weight }) => {
      const addresses = found.get(host)?.map((ip) => ({ address: formatHostPort(ip, port) }))
      const attributes = { weight: Math.max(1, weight), priority }
      return addresses === undefined ? [] : [{ addresses, attributes }]
    })
  }

  /** Never rejects: what cannot be looked up now is what it was. */
  private async namedConfig(client: ConfigClient, signal: AbortSignal): Promise<NamedConfig> {
    const { host, lookup, clock } = this.question
    try {
      const records = await withTimeLimit(clock, CONFIG_TIMEOUT_MS, signal, (limited) =>
        lookup.txt(configName(host), limited),
      )
      this.config = selectServiceConfig(records, client)
    } catch (error) {
      if (isNoSuchHost((error as NodeJS.ErrnoException).code)) this.config = {}
    }
    return this.config
  }

  private lookupError(records: string, host: string, cause: unknown): DnsLookupError {
    return new DnsLookupError(records, host, this.question.server, cause)
  }
}
