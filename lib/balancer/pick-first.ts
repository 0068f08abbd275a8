// `pick_first`: all calls take one connection, the first that can be made. Each address has a SubConn
// of its own, and a slow one is overtaken by the next (happy eyeballs). Knows no weights beyond the
// order of the list. Source: gRFC A62 (sticky failure), A61 (happy eyeballs), A113; grpc-go pickfirst.
//
//   first pass:  connect [i] ─250 ms or failure─▶ connect [i+1] … ─all failed─▶ TRANSIENT_FAILURE
//   after it:    each SubConn connects again when its own backoff is over
//   READY:       the others are shut down; when it is lost: IDLE, and the next call begins a pass
import type { Timer } from '../base/clock.ts'
import type { ConfigFields } from '../base/config-fields.ts'
import { Code, type Status } from '../base/status.ts'
import { type Address, type ResolverState, sameAddress } from '../naming/index.ts'
import { AddressList, connectOrder, shuffled } from './address-list.ts'
import type { Balancer, BalancerBuilder, BalancerClientConn, BalancerOptions } from './balancer.ts'
import { ConnectivityState } from './connectivity.ts'
import { failingPicker, fixedPicker, type Picker, WAITING_PICKER } from './picker.ts'
import type { SubConn, SubConnState } from './sub-conn.ts'

/** Config of `pick_first`. */
export interface PickFirstConfig {
  /** Tries the endpoints in an order of chance, by their weights. Default false. */
  readonly shuffleAddressList: boolean
}

/** Policy `pick_first`. */
export const pickFirst: BalancerBuilder<PickFirstConfig | undefined> = {
  name: 'pick_first',
  build: (cc, options) => new PickFirst(cc, options),
  parseConfig: (fields: ConfigFields) => ({
    shuffleAddressList: fields.boolean('shuffleAddressList') ?? false,
  }),
}

/** How long an address has before the next one is tried beside it (RFC 8305 section 5). */
const CONNECTION_ATTEMPT_DELAY_MS = 250

const NO_ADDRESSES: Status = {
  code: Code.Unavailable,
  message: 'the name resolver produced no addresses',
}

const NO_CONNECTION: Status = { code: Code.Unavailable, message: 'no connection could be made' }

const { Idle, Connecting, Ready, TransientFailure, Shutdown } = ConnectivityState

/** The SubConn of an address. */
interface Entry {
  readonly address: Address
  readonly subConn: SubConn
  state: ConnectivityState
  lastError: Status | undefined
  failedInFirstPass: boolean
}

class PickFirst implements Balancer<PickFirstConfig | undefined> {
  private readonly cc: BalancerClientConn
  private readonly options: BalancerOptions
  private readonly list: AddressList = new AddressList()
  /** One for each text of an address. A list: below other policies it is a list of one as a rule. */
  private entries: Entry[] = []
  private state: ConnectivityState = Connecting
  private isFirstPass = false
  /** Failures since the last picker, after the first pass. */
  private failures = 0
  private attemptTimer: Timer | undefined
  private hasPublished = false

  public constructor(cc: BalancerClientConn, options: BalancerOptions) {
    this.cc = cc
    this.options = options
  }

  public handleResolvedAddrs(
    resolved: ResolverState,
    config: PickFirstConfig | undefined,
  ): boolean {
    const { endpoints } = resolved
    const ordered =
      config?.shuffleAddressList === true ? shuffled(endpoints, this.options.random) : endpoints
    const addresses = connectOrder(ordered)
    const isFirst = this.list.length === 0
    const selected = this.selected()
    this.attemptTimer?.cancel()
    this.list.replace(addresses)
    if (addresses.length === 0) {
      this.shutDownAll()
      this.fail(NO_ADDRESSES)
      return false
    }
    if (selected !== undefined && this.list.seek(selected.address)) return true
    this.keepOnly(addresses)
    // Calls that fail go on failing until there is a connection (A62), unless for want of addresses.
    if (isFirst || selected !== undefined || this.state === Connecting) {
      this.publish(Connecting, WAITING_PICKER)
      this.startFirstPass()
    } else if (this.state === TransientFailure) this.startFirstPass()
    return true
  }

  public resolverError(status: Status): void {
    if (this.list.length === 0 || this.state === TransientFailure) this.fail(status)
  }

  public handleSubConnStateChange(subConn: SubConn, change: SubConnState): void {
    // One that was given up is not found: what becomes of it does not matter.
    const known = this.entries.find((entry) => entry.subConn === subConn)
    if (known !== undefined) this.changed(known, change)
  }

  public exitIdle(): void {
    const isIdle = this.state === Idle && !this.isFirstPass
    if (isIdle && this.list.length > 0) this.startFirstPass()
  }

  public close(): void {
    this.attemptTimer?.cancel()
  }

  // ── one pass over the list

  private startFirstPass(): void {
    this.isFirstPass = true
    this.failures = 0
    for (const entry of this.entries) entry.failedInFirstPass = false
    this.list.reset()
    this.connectCurrent()
  }

  /** Connects to the current address, or to the first after it that is not known to be down. */
  private connectCurrent(): void {
    let lastError: Status | undefined
    for (let address = this.list.current; address !== undefined; address = this.list.current) {
      const entry = this.entryOf(address) ?? this.newEntry(address)
      if (entry.state !== TransientFailure) {
        if (entry.state === Idle) entry.subConn.connect()
        this.scheduleNext()
        return
      }
      // It failed in a pass before and still waits.
      entry.failedInFirstPass = true
      lastError = entry.lastError
      this.list.advance()
    }
    this.endFirstPass(lastError)
  }

  private scheduleNext(): void {
    this.attemptTimer?.cancel()
    if (!this.list.hasNext) return
    const next = (): void => {
      if (this.list.advance()) this.connectCurrent()
    }
    this.attemptTimer = this.options.clock.timer(CONNECTION_ATTEMPT_DELAY_MS, next, false)
  }

  /** Once every address has failed: calls fail, and each SubConn goes on by itself. */
  private endFirstPass(lastError: Status | undefined): void {
    const { entries } = this
    if (this.list.hasNext || entries.length < this.list.length) return
    if (!entries.every(({ failedInFirstPass }) => failedInFirstPass)) return
    this.isFirstPass = false
    this.fail(lastError)
    this.cc.resolveNow()
    for (const { state, subConn } of entries) if (state === Idle) subConn.connect()
  }

  // ── SubConns

  private entryOf({ address }: Address): Entry | undefined {
    return this.entries.find((entry) => entry.address.address === address)
  }

  private newEntry(address: Address): Entry {
    const entry: Entry = {
      address,
      subConn: this.cc.newSubConn([address]),
      state: Idle,
      lastError: undefined,
      failedInFirstPass: false,
    }
    // A list that grows by push has room for seventeen.
    if (this.entries.length === 0) this.entries = [entry]
    else this.entries.push(entry)
    return entry
  }

  private changed(entry: Entry, change: SubConnState): void {
    const previous = entry.state
    entry.state = change.state
    if (change.state === Shutdown) this.entries = this.entries.filter((other) => other !== entry)
    else if (change.state === Ready) this.select(entry)
    else if (previous === Ready || (previous === Connecting && change.state === Idle))
      this.lost(entry)
    else if (this.isFirstPass) this.changedInFirstPass(entry, change)
    else this.changedAfterFirstPass(entry, change)
  }

  private changedInFirstPass(entry: Entry, { state, error }: SubConnState): void {
    if (state === Connecting) {
      if (this.state !== TransientFailure) this.publish(Connecting, WAITING_PICKER)
      return
    }
    if (state !== TransientFailure) return
    entry.lastError = error
    entry.failedInFirstPass = true
    if (this.list.current?.address !== entry.address.address) this.endFirstPass(error)
    else {
      this.attemptTimer?.cancel()
      if (this.list.advance()) this.connectCurrent()
      else this.endFirstPass(error)
    }
  }

  private changedAfterFirstPass(entry: Entry, { state, error }: SubConnState): void {
    if (state === Idle) entry.subConn.connect()
    if (state !== TransientFailure) return
    entry.lastError = error
    this.failures = (this.failures + 1) % this.entries.length
    if (this.failures > 0) return
    this.fail(error)
    this.cc.resolveNow()
  }

  private selected(): Entry | undefined {
    return this.entries.find(({ state }) => state === Ready)
  }

  private select(entry: Entry): void {
    this.attemptTimer?.cancel()
    this.isFirstPass = false
    this.list.seek(entry.address)
    this.keepOnly([entry.address])
    const { subConn } = entry
    const picker = fixedPicker({ kind: 'ready', subConn })
    if (this.options.checksHealth !== true) this.publish(Ready, picker)
    else {
      subConn.watchHealth((health) => {
        if (entry.state === Ready) this.healthChanged(health, picker)
      })
    }
  }

  private healthChanged({ state, error }: SubConnState, picker: Picker): void {
    if (state === Ready) this.publish(state, picker)
    else if (state === TransientFailure) this.fail(error)
    else this.publish(Connecting, WAITING_PICKER)
  }

  private lost(entry: Entry): void {
    this.attemptTimer?.cancel()
    this.keepOnly([entry.address])
    this.list.reset()
    this.isFirstPass = false
    this.publish(Idle, { pick: (info) => this.leaveIdle(info) })
  }

  /** The first call after a lost connection makes the next one. */
  private leaveIdle(info: Parameters<Picker['pick']>[0]): ReturnType<Picker['pick']> {
    this.exitIdle()
    return WAITING_PICKER.pick(info)
  }

  /** Shuts down what has none of these addresses. */
  private keepOnly(addresses: readonly Address[]): void {
    const kept = new Map(addresses.map((address) => [address.address, address]))
    const isKept = ({ address }: Entry): boolean => {
      const listed = kept.get(address.address)
      return listed !== undefined && sameAddress(listed, address)
    }
    const gone = this.entries.filter((entry) => !isKept(entry))
    this.entries = this.entries.filter(isKept)
    for (const { subConn } of gone) subConn.shutdown()
  }

  private shutDownAll(): void {
    this.attemptTimer?.cancel()
    this.keepOnly([])
  }

  // ── what calls get

  private fail(status: Status = NO_CONNECTION): void {
    this.publish(TransientFailure, failingPicker(status))
  }

  private publish(state: ConnectivityState, picker: Picker): void {
    // The state of a pass is told once; failures and connections each time, with what is new of them.
    if (state === this.state && state === Connecting && this.hasPublished) return
    this.hasPublished = true
    this.state = state
    this.cc.updateBalancerState({ state, picker })
  }
}
