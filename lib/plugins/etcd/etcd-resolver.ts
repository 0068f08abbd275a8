// `etcd:///service/name` and `etcd://host:port,host:port/service/name`: the servers that stand under
// the keys `service/name/…` of etcd, an endpoint each, as they come and go. The keys and values are
// those of etcd's own naming packages. While etcd cannot be asked the servers known so far stay.
import type { Status } from '../../base/status.ts'
import type {
  Resolver,
  ResolverBuilder,
  ResolverClientConn,
  ResolverOptions,
  Target,
} from '../../naming/index.ts'
import { EndpointWatch } from './endpoint-watch.ts'
import { checkedEndpoints, type EtcdOptions } from './etcd-options.ts'
import { SessionLoop } from './session-loop.ts'

/**
 * A builder for scheme `etcd`, for the channel option `resolvers` or `registerResolver`. Endpoints of
 * etcd in a target go before those of `options`; with neither the target makes no sense.
 */
export function createEtcdResolver(options: EtcdOptions = {}): ResolverBuilder {
  return {
    scheme: 'etcd',
    build(target, cc, resolverOptions) {
      const service = serviceOf(target)
      const named = target.authority === '' ? options.endpoints : target.authority.split(',')
      const endpoints = checkedEndpoints(named, target.text)
      return new EtcdResolver(service, endpoints, options, cc, resolverOptions)
    },
  }
}

function serviceOf({ endpoint, text }: Target): string {
  const service = endpoint.replace(/\/+$/, '')
  if (service !== '') return service
  throw new Error(`etcd_target: got ${text}, want etcd:///service or etcd://host:port/service`)
}

class EtcdResolver implements Resolver {
  private readonly cc: ResolverClientConn
  private readonly watch: EndpointWatch
  private readonly sessions: SessionLoop
  /** The channel holds what is known, and has heard of no error since. */
  private isTold = false

  public constructor(
    service: string,
    endpoints: readonly string[],
    options: EtcdOptions,
    cc: ResolverClientConn,
    { clock, random, backoff }: ResolverOptions,
  ) {
    this.cc = cc
    this.watch = new EndpointWatch(`${service}/`, options.logger, (isChanged) =>
      this.synced(isChanged),
    )
    const sessionOptions = backoff === undefined ? options : { backoff, ...options }
    this.sessions = new SessionLoop(
      endpoints,
      sessionOptions,
      { clock, random },
      {
        // The channel does, while calls wait for it.
        holdsProcess: false,
        useSession: (session, worked) => this.watch.follow(session, worked),
        sessionsFailed: (status) => this.failed(status),
      },
    )
  }

  /** Not needed: etcd tells of each change, and lost sessions are taken up anyway. */
  public resolveNow(): void {}

  public close(): void {
    this.sessions.close()
  }

  private failed(status: Status): void {
    this.isTold = false
    this.cc.reportError(status)
  }

  private synced(isChanged: boolean): void {
    if (this.isTold && !isChanged) return
    this.isTold = true
    this.cc.updateState({ endpoints: this.watch.endpoints })
  }
}
