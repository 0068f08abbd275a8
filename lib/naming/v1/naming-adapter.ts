// Lets a v1 resolver serve a channel of today: adds its changes up to states. Addresses of grpclb
// balancers are no servers and left out: there is no such policy here. One address is one server,
// whatever its metadata.
import { backoffMs } from '../../base/backoff.ts'
import type { Timer } from '../../base/clock.ts'
import { Code } from '../../base/status.ts'
import type {
  Address,
  Resolver,
  ResolverBuilder,
  ResolverClientConn,
  ResolverOptions,
} from '../resolver.ts'
import type { GrpclbMetadata, NamingResolver, NamingUpdate, Watcher } from './watcher.ts'

/**
 * A builder for `scheme` that asks `naming` for the target's endpoint. When a watcher ends by itself
 * the channel is told, keeps its addresses, and a new watcher is tried with backoff.
 */
export function resolverFromNaming(scheme: string, naming: NamingResolver): ResolverBuilder {
  return {
    scheme,
    build: ({ endpoint }, cc, options) => new WatchingResolver(naming, endpoint, cc, options),
  }
}

class WatchingResolver implements Resolver {
  private readonly naming: NamingResolver
  private readonly endpoint: string
  private readonly cc: ResolverClientConn
  private readonly options: ResolverOptions
  private watcher: Watcher
  private timer: Timer | undefined
  private failures = 0
  private closed = false

  public constructor(
    naming: NamingResolver,
    endpoint: string,
    cc: ResolverClientConn,
    options: ResolverOptions,
  ) {
    this.naming = naming
    this.endpoint = endpoint
    this.cc = cc
    this.options = options
    this.watcher = naming.resolve(endpoint)
    void this.watch()
  }

  /** A watcher watches; it cannot be hurried. */
  public resolveNow(): void {}

  public close(): void {
    this.closed = true
    this.timer?.cancel()
    this.watcher.close()
  }

  private async watch(): Promise<void> {
    const known = new Map<string, Address>()
    try {
      for (;;) {
        const updates = await this.watcher.next()
        if (this.closed) return
        this.failures = 0
        for (const update of updates) apply(update, known)
        this.cc.newAddress([...known.values()])
      }
    } catch (cause) {
      if (!this.closed) this.ended(cause)
    }
  }

  private ended(cause: unknown): void {
    const { clock, random, backoff } = this.options
    const message = `naming_watcher: watching "${this.endpoint}" ended: ${messageOf(cause)}`
    this.watcher.close()
    this.cc.reportError({ code: Code.Unavailable, message, cause })
    const waitMs = backoffMs(this.failures++, random, backoff)
    this.timer = clock.timer(waitMs, () => this.watchAgain(), false)
  }

  private watchAgain(): void {
    try {
      this.watcher = this.naming.resolve(this.endpoint)
      void this.watch()
    } catch (cause) {
      this.ended(cause)
    }
  }
}

function apply({ op, address, metadata }: NamingUpdate, known: Map<string, Address>): void {
  if (op === 'delete') known.delete(address)
  else if (!isGrpclb(metadata)) {
    known.set(address, metadata === undefined ? { address } : { address, metadata })
  }
}

function isGrpclb(metadata: unknown): boolean {
  return (metadata as GrpclbMetadata | undefined)?.addressType === 'grpclb'
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
