// Gives calls the addresses of a v1 resolver in turn, first those that have a connection.
// Source: grpc-go balancer.go roundRobin (2018). What has a connection is remembered apart from what
// the resolver lists, so that an address which goes and comes back between two lists keeps it.
import { Code } from '../../base/status.ts'
import {
  type Address,
  type NamingResolver,
  type NamingUpdate,
  sameAddress,
  type Watcher,
} from '../../naming/index.ts'
import {
  type AddressLease,
  type BalancerV1,
  BalancerV1Error,
  type BalancerV1GetOptions,
  type Down,
} from './balancer.ts'
import { LatestValue } from './latest-value.ts'

/** See above. */
export class RoundRobinV1 implements BalancerV1 {
  private readonly naming: NamingResolver | undefined
  private readonly lists = new LatestValue<readonly Address[]>()
  private watcher: Watcher | undefined
  /** Why the watcher ended by itself: what is known holds, and nothing new comes. */
  private watchError: unknown
  private addresses: readonly Address[] = []
  private connected: readonly Address[] = []
  /** Where the next scan begins. */
  private next = 0
  private readonly blocked = new Set<() => void>()
  private closed = false

  /** Without `naming` the target is the only address. */
  public constructor(naming?: NamingResolver) {
    this.naming = naming
  }

  public start(target: string): void {
    if (this.closed) throw closing()
    if (this.naming === undefined) this.addresses = [{ address: target }]
    else {
      this.watcher = this.naming.resolve(target)
      void this.watch(this.watcher)
    }
  }

  public up(address: Address): Down | undefined {
    if (includes(this.connected, address)) return undefined
    this.connected = [...this.connected, address]
    this.wake()
    return () => {
      this.connected = without(this.connected, address)
    }
  }

  public async get({ waitForReady, signal }: BalancerV1GetOptions): Promise<AddressLease> {
    for (;;) {
      if (this.closed) throw closing()
      const address = this.nextConnected() ?? (waitForReady ? undefined : this.nextListed())
      if (address !== undefined) return { address }
      await this.untilWoken(signal)
    }
  }

  public notify(): AsyncIterable<readonly Address[]> | undefined {
    return this.naming === undefined ? undefined : this.lists
  }

  public close(): void {
    if (this.closed) throw new Error('balancer_closed: got a second close: balancer is closed')
    this.closed = true
    this.watcher?.close()
    this.lists.end()
    this.wake()
  }

  // ── names

  private async watch(watcher: Watcher): Promise<void> {
    try {
      for (;;) {
        const updates = await watcher.next()
        if (this.closed) return
        this.addresses = updates.reduce(updated, this.addresses)
        this.lists.put(this.addresses)
        // What is new to the list may have its connection already.
        this.wake()
      }
    } catch (error) {
      this.watchError = error
    }
  }

  // ── turns

  private nextConnected(): Address | undefined {
    const { addresses, connected } = this
    for (let step = 0; step < addresses.length; step++) {
      const at = (this.next + step) % addresses.length
      const address = addresses[at]!
      if (!includes(connected, address)) continue
      this.next = (at + 1) % addresses.length
      return address
    }
    return undefined
  }

  /** For calls that do not wait: whatever its turn is, connected or not. */
  private nextListed(): Address {
    const { addresses } = this
    const address = addresses[this.next % addresses.length]
    if (address === undefined) throw noAddress(this.watchError)
    this.next = (this.next + 1) % addresses.length
    return address
  }

  private untilWoken(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const wake = (): void => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      const abort = (): void => {
        this.blocked.delete(wake)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.blocked.add(wake)
    })
  }

  /** Those who wait look again. */
  private wake(): void {
    const woken = [...this.blocked]
    this.blocked.clear()
    for (const wake of woken) wake()
  }
}

function closing(): BalancerV1Error {
  return new BalancerV1Error({ code: Code.Cancelled, message: 'the balancer is closing' })
}

function noAddress(cause: unknown): BalancerV1Error {
  const message = 'there is no address available'
  return new BalancerV1Error({ code: Code.Unavailable, message, cause })
}

function updated(list: readonly Address[], update: NamingUpdate): readonly Address[] {
  const { op, address, metadata } = update
  const changed = metadata === undefined ? { address } : { address, metadata }
  if (op === 'delete') return without(list, changed)
  return includes(list, changed) ? list : [...list, changed]
}

function includes(list: readonly Address[], address: Address): boolean {
  return list.some((listed) => sameAddress(listed, address))
}

function without(list: readonly Address[], address: Address): readonly Address[] {
  return list.filter((listed) => !sameAddress(listed, address))
}
