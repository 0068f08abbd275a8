// Runs a v1 balancer as a policy of today: its lists make and remove SubConns, what becomes of them
// calls `up` and down, and each pick is a `get`. The addresses come from the v1 balancer; the first
// word of the channel's resolver only starts the reading of its lists.
// Source: grpc-go balancer_v1_wrapper.go (2018).
import { Code, type Status } from '../../base/status.ts'
import { type Address, sameAddress } from '../../naming/index.ts'
import { aggregateState } from '../aggregate.ts'
import type { Balancer, BalancerBuilder, BalancerClientConn, BalancerOptions } from '../balancer.ts'
import { ConnectivityState } from '../connectivity.ts'
import type { PickInfo, PickResult } from '../picker.ts'
import type { SubConn, SubConnState } from '../sub-conn.ts'
import { type AddressLease, type BalancerV1, BalancerV1Error, type Down } from './balancer.ts'

/** A policy `name` that runs v1 balancers, one of `make` for each time that a channel leaves IDLE. */
export function balancerFromV1(name: string, make: () => BalancerV1): BalancerBuilder<undefined> {
  return { name, build: (cc, options) => new BalancerWrapper(make(), cc, options) }
}

const { Idle, Ready, TransientFailure, Shutdown } = ConnectivityState

const WAIT: PickResult = { kind: 'wait' }

const NO_CONNECTION: PickResult = {
  kind: 'fail',
  status: { code: Code.Unavailable, message: 'there is no connection available' },
}

/** A SubConn, kept until it is SHUTDOWN. */
interface Entry {
  /** What the v1 balancer calls it. */
  address: Address
  readonly subConn: SubConn
  state: ConnectivityState
  /** While READY, if the v1 balancer wants to know of the end. */
  down: Down | undefined
}

class BalancerWrapper implements Balancer<undefined> {
  private readonly v1: BalancerV1
  private readonly cc: BalancerClientConn
  private readonly targetEndpoint: string
  /** Those of the newest list. */
  private listed: readonly Entry[] = []
  private readonly entries = new Map<SubConn, Entry>()
  private watching = false
  private closed = false
  /** Set when the v1 balancer's lists ended with an error. */
  private failure: Status | undefined

  public constructor(v1: BalancerV1, cc: BalancerClientConn, options: BalancerOptions) {
    this.v1 = v1
    this.cc = cc
    this.targetEndpoint = cc.target.replace(/^[^:/]+:\/\/\//, '')
    v1.start(this.targetEndpoint, options)
    this.publish(Idle)
  }

  public handleResolvedAddrs(): boolean {
    this.release()
    return true
  }

  /** The v1 balancer does without the channel's resolver. */
  public resolverError(): void {
    this.release()
  }

  public handleSubConnStateChange(subConn: SubConn, { state, error }: SubConnState): void {
    const entry = this.entries.get(subConn)
    if (entry === undefined) return
    const wasReady = entry.state === Ready
    entry.state = state
    if (state === Idle) subConn.connect()
    if (state === Shutdown) this.entries.delete(subConn)
    if (wasReady && state !== Ready) this.tellDown(entry, error)
    if (!wasReady && state === Ready) this.tellUp(entry)
    this.publish(this.aggregate())
  }

  /** What is IDLE is connected at once. */
  public exitIdle(): void {}

  public close(): void {
    this.closed = true
    this.v1.close()
  }

  // ── lists

  private release(): void {
    if (this.watching) return
    this.watching = true
    this.watch().catch((cause) => this.fail(cause))
  }

  private async watch(): Promise<void> {
    const lists = this.v1.notify()
    if (lists === undefined) {
      this.takeList([{ address: this.targetEndpoint }])
      return
    }
    for await (const list of lists) {
      if (this.closed) return
      this.takeList(list)
    }
  }

  private takeList(list: readonly Address[]): void {
    if (this.v1.sharesConnection === true) this.share(list)
    else this.spread(list)
  }

  /** A SubConn for each address. */
  private spread(list: readonly Address[]): void {
    const before = this.listed
    const kept = before.filter(({ address }) => list.some((it) => sameAddress(it, address)))
    this.listed = kept
    for (const entry of before) if (!kept.includes(entry)) this.cc.removeSubConn(entry.subConn)
    for (const address of list) {
      if (find(this.listed, address) === undefined) this.add(address, [address])
    }
  }

  /** One SubConn for all, known by the first. */
  private share(list: readonly Address[]): void {
    const [first] = list
    const [entry] = this.listed
    if (first === undefined) this.spread([])
    else if (entry === undefined) this.add(first, list)
    else {
      entry.subConn.updateAddresses(list)
      this.rename(entry, first)
    }
  }

  private add(address: Address, addresses: readonly Address[]): void {
    const subConn = this.cc.newSubConn(addresses)
    const entry = { address, subConn, state: Idle, down: undefined }
    this.entries.set(subConn, entry)
    this.listed = [...this.listed, entry]
    subConn.connect()
  }

  /** The v1 balancer knows the connection of `entry` by another address from now on. */
  private rename(entry: Entry, address: Address): void {
    if (sameAddress(entry.address, address)) return
    const isReady = entry.state === Ready
    if (isReady) this.tellDown(entry)
    entry.address = address
    if (isReady) this.tellUp(entry)
  }

  private tellUp(entry: Entry): void {
    entry.down = this.v1.up(entry.address)
  }

  private tellDown(entry: Entry, cause?: Status): void {
    const { down } = entry
    entry.down = undefined
    const message = 'connection is closing'
    down?.(new BalancerV1Error({ code: Code.Unavailable, message, cause }))
  }

  // ── what calls get

  private async get(waitForReady: boolean, signal: AbortSignal): Promise<PickResult> {
    let lease: AddressLease
    try {
      lease = await this.v1.get({ waitForReady, signal })
    } catch (thrown) {
      // A policy that comes after this one is to be asked, if any does.
      if (this.closed) return WAIT
      return { kind: waitForReady ? 'drop' : 'fail', status: statusOf(thrown) }
    }
    const { address, put } = lease
    const entry = this.v1.sharesConnection === true ? this.listed[0] : find(this.listed, address)
    if (!this.closed && entry?.state === Ready) {
      return { kind: 'ready', subConn: entry.subConn, onDone: () => put?.() }
    }
    put?.()
    return this.closed ? WAIT : NO_CONNECTION
  }

  private pick({ waitForReady }: PickInfo): PickResult {
    if (this.failure !== undefined) return { kind: 'drop', status: this.failure }
    return { kind: 'later', answer: (signal) => this.get(waitForReady, signal) }
  }

  /** Each time a picker of its own: it is by that that calls know of the news. */
  private publish(state: ConnectivityState): void {
    this.cc.updateBalancerState({ state, picker: { pick: (info) => this.pick(info) } })
  }

  private aggregate(): ConnectivityState {
    return aggregateState([...this.entries.values()].map(({ state }) => state))
  }

  private fail(cause: unknown): void {
    const message = `balancer_v1_threw: ${String(cause)}`
    this.failure = { code: Code.Internal, message, cause }
    this.publish(TransientFailure)
  }
}

function find(entries: readonly Entry[], address: Address): Entry | undefined {
  return entries.find((entry) => sameAddress(entry.address, address))
}

function statusOf(thrown: unknown): Status {
  if (hasStatus(thrown)) return thrown.toStatus()
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return { code: Code.Unknown, message, cause: thrown }
}

function hasStatus(thrown: unknown): thrown is { toStatus(): Status } {
  return thrown instanceof Error && 'toStatus' in thrown && typeof thrown.toStatus === 'function'
}
