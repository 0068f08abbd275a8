// What turns a target into addresses, and what it tells the channel. Interfaces only.
// Source: grpc/doc/naming.md, grpc-go resolver.
import type { BackoffOptions } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { Status } from '../base/status.ts'
import type { Target } from './target.ts'

/** Where a connection can go. Immutable. */
export interface Address {
  /** `host:port`, `[v6]:port`, `unix:path` or `unix-abstract:name`. */
  readonly address: string
  /** Name for TLS and `:authority`, where it is not the channel's. */
  readonly serverName?: string
  /** What the connection needs to know; part of the address's identity. */
  readonly attributes?: Readonly<Record<string, unknown>>
  /** What a policy needs to know. */
  readonly metadata?: unknown
}

/** One server, reachable at any of its addresses. */
export interface Endpoint {
  readonly addresses: readonly Address[]
  readonly attributes?: Readonly<Record<string, unknown>>
}

/** All that a resolver knows at present; never a change to what it said before. */
export interface ResolverState {
  readonly endpoints: readonly Endpoint[]
  /** The service config that came with the names, as parsed JSON. grpc/doc/service_config.md. */
  readonly serviceConfig?: unknown
  /**
   * Why there is no `serviceConfig` although the names came with one. The channel keeps the last one
   * that was good; without any, and without a default, its calls fail with this. gRFC A21.
   */
  readonly serviceConfigError?: Status
  readonly attributes?: Readonly<Record<string, unknown>>
}

/**
 * The channel as a resolver sees it. Any method may be called at any time, also inside
 * {@link ResolverBuilder.build}; none calls back. After `close` all of them do nothing.
 */
export interface ResolverClientConn {
  /** The newest state; it replaces one that the channel has not taken yet. */
  updateState(state: ResolverState): void
  /** {@link ResolverClientConn.updateState} for a plain list, an endpoint each. */
  newAddress(addresses: readonly Address[]): void
  /** Resolving failed; the resolver goes on trying by itself. */
  reportError(status: Status): void
}

/** A name being watched. */
export interface Resolver {
  /** A hint that the addresses may be out of date. May be ignored, and must be rate-limited. */
  resolveNow(): void
  /** Stops. Nothing is told afterwards. */
  close(): void
}

/** What the channel lends a resolver. */
export interface ResolverOptions {
  readonly clock: Clock
  readonly random: Random
  /** The channel's connect backoff, for failures in a row. */
  readonly backoff?: BackoffOptions
  /** The channel does not take service configs from its names: none need be looked up. */
  readonly disableServiceConfig?: boolean
}

/** Makes the resolvers of one scheme. */
export interface ResolverBuilder {
  /** Lower case. */
  readonly scheme: string
  /** Starts resolving. Throws an Error when the target makes no sense; the calls then fail with it. */
  build(target: Target, cc: ResolverClientConn, options: ResolverOptions): Resolver
  /** The `:authority` of calls; without it the target's endpoint. */
  defaultAuthority?(target: Target): string
}

/** An endpoint for each address. */
export function endpointsOf(addresses: readonly Address[]): readonly Endpoint[] {
  return addresses.map((address) => ({ addresses: [address] }))
}

/** The addresses of all endpoints in order, each once. */
export function addressesOf(endpoints: readonly Endpoint[]): readonly Address[] {
  const unique: Address[] = []
  /** Few lists are longer than one: an address has one meaning as a rule. */
  const byText = new Map<string, Address[]>()
  for (const { addresses } of endpoints) {
    for (const address of addresses) {
      const known = byText.get(address.address)
      if (known === undefined) byText.set(address.address, [address])
      else if (known.some((one) => sameAddress(one, address))) continue
      else known.push(address)
      unique.push(address)
    }
  }
  return unique
}

/** Whether a connection to `a` is one to `b`. */
export function sameAddress(a: Address, b: Address): boolean {
  return (
    a.address === b.address &&
    a.serverName === b.serverName &&
    a.metadata === b.metadata &&
    sameAttributes(a.attributes, b.attributes)
  )
}

function sameAttributes(a: Address['attributes'] = {}, b: Address['attributes'] = {}): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Object.is(a[key], b[key]))
}
