// Where etcd is and how it is spoken to; the same for the resolver and the registration.
import type { BackoffOptions } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { ChannelCredentials, ChannelOptions, Logger } from '../../grpc/index.ts'

/** How to reach etcd. */
export interface EtcdOptions {
  /** `host:port`, `[v6]:port` or `unix:path` of members of one cluster; tried in this order. */
  readonly endpoints?: readonly string[]
  /** `credentials.tls({ ca })`, with `cert` and `key` for mTLS. Default: no TLS. */
  readonly credentials?: ChannelCredentials
  /** For an etcd with authentication. A fresh token is asked for with each connection. */
  readonly user?: { readonly name: string; readonly password: string }
  /** How long etcd may take for an answer, ms. Default 5,000. */
  readonly callTimeoutMs?: number
  /** Finds a member that has gone silent. Default: PING after 10 s, 5 s for its ACK. */
  readonly keepalive?: ChannelOptions['keepalive']
  /** Between tries, once each endpoint has failed. Default: that of the channel. */
  readonly backoff?: BackoffOptions
  /** Hears of values that name no address. Default: silent. */
  readonly logger?: Logger
}

/** What sessions with etcd are built upon. */
export interface EtcdEnvironment {
  readonly clock: Clock
  readonly random: Random
}

/** Throws unless there is an endpoint. */
export function checkedEndpoints(
  endpoints: readonly string[] | undefined,
  where: string,
): readonly string[] {
  const wrong = endpoints?.find((endpoint) => endpoint === '' || endpoint.includes('//'))
  if (endpoints === undefined || endpoints.length === 0 || wrong !== undefined) {
    const got = wrong === undefined ? 'none' : `"${wrong}"`
    throw new Error(`etcd_endpoints: got ${got} for ${where}, want host:port of etcd`)
  }
  return endpoints
}
