// A server's own entry in etcd: a key under a lease that is kept alive for as long as the server
// wants to be found. Knows nothing of the server but its address.
//
//   registering ─▶ LeaseGrant, Put ─▶ registered ─▶ LeaseKeepAlive each third of the TTL
//        ▲                                 │
//        `── the lease is gone, or its time is up and etcd cannot be asked ──┘      close ─▶ LeaseRevoke
//
// Source: etcd clientv3 lease.go, its naming/endpoints.
import { type Clock, systemClock, type Timer } from '../../base/clock.ts'
import { pause } from '../../base/pause.ts'
import { type Random, systemRandom } from '../../base/random.ts'
import { Code, type Status } from '../../base/status.ts'
import { RpcError } from '../../grpc/index.ts'
import { decodeEndpoint, encodeEndpoint } from './endpoint-value.ts'
import { checkedEndpoints, type EtcdEnvironment, type EtcdOptions } from './etcd-options.ts'
import { type EtcdSession, withSession } from './etcd-session.ts'
import { etcdStatus, SessionLoop } from './session-loop.ts'

/** What is registered, where, and who hears of it. */
export interface RegistrationOptions extends EtcdOptions {
  readonly endpoints: readonly string[]
  /** `service/name` for clients of `etcd:///service/name`. */
  readonly service: string
  /** Where clients reach the server: `host:port`, `[v6]:port` or `unix:path`. */
  readonly address: string
  /** The address's `metadata` at clients: anything that JSON has. */
  readonly metadata?: unknown
  /** How long the entry outlives a server that died, s. Default 10; etcd has a minimum of about 2. */
  readonly ttlSeconds?: number
  readonly onState?: (state: RegistrationState) => void
  /** Each endpoint has failed in a row; the registration goes on trying. */
  readonly onError?: (status: Status) => void
}

/**
 * `registering`: clients do not find the server, as far as is known. `registered`: they do; etcd has
 * confirmed the lease within its time to live. `closed`: the owner has ended it.
 */
export type RegistrationState = 'registering' | 'registered' | 'closed'

/** For specs and simulations. */
export interface RegistrationDependencies {
  readonly clock?: Clock
  readonly random?: Random
}

interface Lease {
  readonly id: bigint
  readonly ttlMs: number
  /** The key stands under it. */
  isUsed: boolean
  /** etcd has kept it alive once. */
  isConfirmed: boolean
}

const DEFAULT_TTL_SECONDS = 10

/** See above. Begins at once; throws when the options make no sense. */
export class Registration {
  private readonly options: RegistrationOptions
  private readonly endpoints: readonly string[]
  private readonly environment: EtcdEnvironment
  private readonly sessions: SessionLoop
  private readonly key: Buffer
  private readonly value: Buffer
  private readonly waiting = new Set<(error?: RpcError) => void>()
  private current: RegistrationState = 'registering'
  /** What etcd may still hold; outlives sessions. */
  private lease: Lease | undefined
  private expiry: Timer | undefined
  private closing: Promise<void> | undefined

  public constructor(options: RegistrationOptions, dependencies: RegistrationDependencies = {}) {
    const { service, address, metadata, ttlSeconds = DEFAULT_TTL_SECONDS } = options
    if (service === '' || service.endsWith('/')) {
      throw new Error(`etcd_service: got "${service}", want a name without a slash at its end`)
    }
    if (decodeEndpoint(address) === undefined) {
      throw new Error(`etcd_address: got "${address}", want host:port or unix:path`)
    }
    if (!(ttlSeconds >= 1)) throw new Error(`etcd_ttl: got ${ttlSeconds} s, want 1 or more`)
    const { clock = systemClock, random = systemRandom } = dependencies
    this.options = options
    this.endpoints = checkedEndpoints(options.endpoints, service)
    this.environment = { clock, random }
    this.key = Buffer.from(`${service}/${address}`)
    this.value = Buffer.from(encodeEndpoint(address, metadata))
    this.sessions = new SessionLoop(this.endpoints, options, this.environment, {
      // Like a listening server: until it is closed.
      holdsProcess: true,
      useSession: (session, worked) => this.keepRegistered(session, worked),
      sessionsFailed: (status) => options.onError?.(status),
    })
  }

  public get state(): RegistrationState {
    return this.current
  }

  /** Resolves when the server is registered, also anew. Rejects with CANCELLED once closed. */
  public registered(): Promise<void> {
    if (this.current === 'registered') return Promise.resolve()
    if (this.current === 'closed') return Promise.reject(closedError())
    return new Promise((resolve, reject) => {
      this.waiting.add((error) => (error === undefined ? resolve() : reject(error)))
    })
  }

  /**
   * Takes the entry out: do it before the server stops. Resolves when etcd has revoked the lease; with
   * no endpoint to be reached `onError` hears of it, and the entry goes with its lease. Idempotent.
   */
  public close(): Promise<void> {
    this.closing ??= this.end()
    return this.closing
  }

  public async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Until the session fails. */
  private async keepRegistered(session: EtcdSession, worked: () => void): Promise<never> {
    const { clock } = this.environment
    const call = session.openKeepAlive()
    const responses = call[Symbol.asyncIterator]()
    const ended = new AbortController()
    void call.trailers.then(() => ended.abort())
    for (;;) {
      const lease = await this.register(session)
      const sentMs = clock.nowMs()
      void call.send({ id: lease.id })
      const { ttl } = await session.answer(call, responses)
      if (ttl > 0n) {
        worked()
        this.confirmed(lease, sentMs)
        await pause(clock, lease.ttlMs / 3, ended.signal, false)
      } else this.leaseLost(lease)
    }
  }

  /** Has the key stand under a lease, whatever an earlier session left. */
  private async register({ kv, leases }: EtcdSession): Promise<Lease> {
    this.lease ??= await this.grant(leases)
    const { lease, key, value } = this
    if (lease.isUsed) return lease
    try {
      await kv.put({ key, value, lease: lease.id })
    } catch (error) {
      // It ended before it was used.
      if (RpcError.from(error).code === Code.NotFound) this.lease = undefined
      throw error
    }
    lease.isUsed = true
    return lease
  }

  private async grant(leases: EtcdSession['leases']): Promise<Lease> {
    const { ttlSeconds = DEFAULT_TTL_SECONDS } = this.options
    const { id, ttl, error } = await leases.leaseGrant({ ttl: Math.ceil(ttlSeconds), id: 0n })
    if (error !== '') throw new RpcError(Code.Unavailable, error, { token: 'etcd_lease_refused' })
    return { id, ttlMs: Number(ttl) * 1000, isUsed: false, isConfirmed: false }
  }

  private confirmed(lease: Lease, sentMs: number): void {
    const { clock } = this.environment
    const leftMs = lease.ttlMs - (clock.nowMs() - sentMs)
    lease.isConfirmed = true
    this.expiry?.cancel()
    this.expiry = clock.timer(leftMs, () => this.become('registering'), false)
    this.become('registered')
  }

  /** Expired or revoked, and with it the key. */
  private leaseLost({ isConfirmed }: Lease): void {
    this.lease = undefined
    this.expiry?.cancel()
    this.become('registering')
    if (isConfirmed) return
    throw new RpcError(Code.Unavailable, 'etcd does not keep a lease that it granted', {
      token: 'etcd_lease_dropped',
    })
  }

  private async end(): Promise<void> {
    this.sessions.close()
    this.expiry?.cancel()
    this.become('closed')
    const { lease } = this
    if (lease !== undefined) await this.revoke(lease)
  }

  /** At the first endpoint that does it. */
  private async revoke({ id }: Lease): Promise<void> {
    const { options, environment } = this
    const { signal } = new AbortController()
    let status: Status | undefined
    for (const endpoint of this.endpoints) {
      try {
        await withSession(endpoint, options, environment, signal, ({ leases }) =>
          leases.leaseRevoke({ id }),
        )
        return
      } catch (error) {
        if (RpcError.from(error).code === Code.NotFound) return
        status = etcdStatus(endpoint, error)
      }
    }
    if (status !== undefined) this.options.onError?.(status)
  }

  private become(state: RegistrationState): void {
    if (this.current === state || this.current === 'closed') return
    this.current = state
    this.options.onState?.(state)
    if (state === 'registering') return
    const error = state === 'closed' ? closedError() : undefined
    for (const settle of this.waiting) settle(error)
    this.waiting.clear()
  }
}

function closedError(): RpcError {
  return new RpcError(Code.Cancelled, 'the registration was closed', {
    token: 'registration_closed',
  })
}
