// An etcd of one member in this process: keys with revisions and a history that can be compacted,
// watches, leases, users with tokens. What happens by time in etcd happens here when a spec says so.
import { Code, RpcError, Server, type ServerCallContext } from '../../lib/grpc/index.ts'
import {
  type KeyRange,
  type KeyValue,
  loadEtcdServices,
  type WatchEvent,
  type WatchResponse,
} from '../../lib/plugins/etcd/etcd-services.ts'
import { settle } from './fake-network.ts'

interface Watcher {
  readonly range: KeyRange
  readonly call: ServerCallContext<WatchResponse>
}

/** Waits for what comes over a socket: loops of the event loop, not time. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 500_000; turn++) {
    if (condition()) return
    await settle()
  }
  throw new Error(`never came: ${what}`)
}

/** See above. */
export class FakeEtcd {
  /** What was asked, a line each. */
  public readonly log: string[] = []
  public clusterId = 7n
  public revision = 1n
  /** With these, each call needs a token. */
  public user: { readonly name: string; readonly password: string } | undefined
  /** Fails each call but Authenticate. */
  public failure: RpcError | undefined
  /** Answers no call. */
  public isMute = false
  /** Forgets leases as soon as they are granted. */
  public dropsLeases = false
  public readonly leases: Map<bigint, Set<string>> = new Map()
  private store = new Map<string, KeyValue>()
  private history: WatchEvent[] = []
  private compacted = 0n
  private readonly watchers = new Set<Watcher>()
  private readonly tokens = new Set<string>()
  private granted = 0
  private server: Server | undefined
  private port = 0

  public get endpoint(): string {
    return `127.0.0.1:${this.port}`
  }

  public get watchCount(): number {
    return this.watchers.size
  }

  /** On the same port as before. */
  public async start(): Promise<this> {
    const { KV, Watch, Lease, Auth } = await loadEtcdServices()
    this.server = new Server({ permitPingWithoutStream: true, minPingIntervalMs: 1 })
    this.server.register(KV, {
      range: async (request, call) => {
        await this.admit('range', call)
        return { header: this.header, kvs: this.keysIn(request) }
      },
      put: async ({ key, value, lease }, call) => {
        await this.admit(`put ${text(key)}`, call)
        this.put(text(key), text(value), lease)
        return { header: this.header }
      },
    })
    this.server.register(Watch, {
      watch: async (requests, call) => {
        for await (const { createRequest } of requests) {
          if (createRequest === undefined) continue
          await this.admit(`watch from ${createRequest.startRevision}`, call)
          await this.beginWatch(createRequest, createRequest.startRevision, call)
        }
      },
    })
    this.server.register(Lease, {
      leaseGrant: async ({ ttl }, call) => {
        await this.admit(`grant ${ttl}`, call)
        const id = BigInt(100 + ++this.granted)
        if (!this.dropsLeases) this.leases.set(id, new Set())
        return { header: this.header, id, ttl: BigInt(ttl), error: '' }
      },
      leaseRevoke: async ({ id }, call) => {
        await this.admit(`revoke ${id}`, call)
        if (!this.leases.has(id)) throw leaseNotFound()
        this.expireLease(id)
        return { header: this.header }
      },
      leaseKeepAlive: async (requests, call) => {
        for await (const { id } of requests) {
          await this.admit(`keepAlive ${id}`, call)
          await call.send({ header: this.header, id, ttl: this.leases.has(id) ? 9n : 0n })
        }
      },
    })
    this.server.register(Auth, {
      authenticate: ({ name, password }) => {
        this.log.push(`authenticate ${name}`)
        if (this.user === undefined) {
          const message = 'etcdserver: authentication is not enabled'
          throw new RpcError(Code.FailedPrecondition, message)
        }
        if (name !== this.user.name || password !== this.user.password) {
          const message = 'etcdserver: authentication failed, invalid user ID or password'
          throw new RpcError(Code.InvalidArgument, message)
        }
        const token = `token-${this.log.length}`
        this.tokens.add(token)
        return { header: this.header, token }
      },
    })
    const { port } = await this.server.listen(`127.0.0.1:${this.port}`)
    this.port = port
    return this
  }

  public async stop(): Promise<void> {
    await this.server?.stop()
  }

  /** Each connection is lost; new ones are welcome. */
  public dropConnections(): void {
    for (const connection of this.server?.connections ?? []) connection.close()
  }

  public put(key: string, value: string, lease = 0n): void {
    if (lease !== 0n) {
      const keys = this.leases.get(lease)
      if (keys === undefined) throw leaseNotFound()
      keys.add(key)
    }
    this.revision += 1n
    const kv = {
      key: Buffer.from(key),
      modRevision: this.revision,
      value: Buffer.from(value),
      lease,
    }
    this.store.set(key, kv)
    this.tell([{ type: 'PUT', kv }])
  }

  /** In one revision. */
  public delete(...keys: string[]): void {
    this.revision += 1n
    const events: WatchEvent[] = []
    for (const key of keys) {
      if (!this.store.delete(key)) continue
      const none = { value: new Uint8Array(), lease: 0n, modRevision: this.revision }
      events.push({ type: 'DELETE', kv: { ...none, key: Buffer.from(key) } })
    }
    this.tell(events)
  }

  /** Drops the history before `revision`. */
  public compact(revision: bigint = this.revision): void {
    this.compacted = revision
  }

  public expireLease(id: bigint): void {
    const keys = this.leases.get(id) ?? []
    this.leases.delete(id)
    this.delete(...keys)
  }

  /** All leases, as when their time is up while nobody can keep them alive. */
  public expireLeases(): void {
    for (const id of this.leases.keys()) this.expireLease(id)
  }

  public expireTokens(): void {
    this.tokens.clear()
  }

  /** Another cluster stands at this address. */
  public replace(): void {
    this.clusterId += 1n
    this.revision = 1n
    this.compacted = 0n
    this.store = new Map()
    this.history = []
    this.leases.clear()
  }

  public notifyProgress(): void {
    for (const watcher of this.watchers) void watcher.call.send(this.response({}))
  }

  public cancelWatches(cancel: Partial<WatchResponse>): void {
    for (const watcher of this.watchers) {
      void watcher.call.send(this.response({ canceled: true, ...cancel }))
    }
    this.watchers.clear()
  }

  public keys(): string[] {
    return [...this.store.keys()].sort()
  }

  private get header(): { clusterId: bigint; revision: bigint } {
    return { clusterId: this.clusterId, revision: this.revision }
  }

  private async admit(line: string, { metadata, signal }: ServerCallContext<never>): Promise<void> {
    this.log.push(line)
    if (this.isMute) await new Promise((resolve) => signal.addEventListener('abort', resolve))
    if (this.failure !== undefined) throw this.failure
    if (this.user !== undefined && !this.tokens.has(String(metadata.get('token')))) {
      throw new RpcError(Code.Unauthenticated, 'etcdserver: invalid auth token')
    }
  }

  private keysIn({ key, rangeEnd }: KeyRange): KeyValue[] {
    const isWithin = (kv: KeyValue): boolean =>
      Buffer.compare(kv.key, key) >= 0 && Buffer.compare(kv.key, rangeEnd) < 0
    return [...this.store.values()].filter(isWithin)
  }

  private async beginWatch(
    range: KeyRange,
    from: bigint,
    call: ServerCallContext<WatchResponse>,
  ): Promise<void> {
    await call.send(this.response({ created: true }))
    if (from < this.compacted) {
      await call.send(this.response({ canceled: true, compactRevision: this.compacted }))
      return
    }
    const watcher = { range, call }
    this.watchers.add(watcher)
    call.signal.addEventListener('abort', () => this.watchers.delete(watcher))
    this.tellOne(
      watcher,
      this.history.filter(({ kv }) => kv!.modRevision >= from),
    )
  }

  private tell(events: WatchEvent[]): void {
    this.history.push(...events)
    for (const watcher of this.watchers) this.tellOne(watcher, events)
  }

  private tellOne({ range, call }: Watcher, events: readonly WatchEvent[]): void {
    const { key, rangeEnd } = range
    const within = events.filter(
      ({ kv }) => Buffer.compare(kv!.key, key) >= 0 && Buffer.compare(kv!.key, rangeEnd) < 0,
    )
    if (within.length > 0) void call.send(this.response({ events: within }))
  }

  private response(parts: Partial<WatchResponse>): WatchResponse {
    return {
      header: this.header,
      watchId: 0n,
      created: false,
      canceled: false,
      compactRevision: 0n,
      cancelReason: '',
      events: [],
      ...parts,
    }
  }
}

function leaseNotFound(): RpcError {
  return new RpcError(Code.NotFound, 'etcdserver: requested lease not found')
}

function text(octets: Uint8Array): string {
  return Buffer.from(octets).toString()
}
