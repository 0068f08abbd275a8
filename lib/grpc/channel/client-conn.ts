// A channel: a target, the connections to what it means, and the choice of one for each call.
// Does not know calls beyond that they want a transport. Source: grpc-go clientconn.go.
//
//   resolver -> CcResolverWrapper -> handleResolvedAddrs -> CcBalancerWrapper -> policy
//   policy -> newSubConn -> AcBalancerWrapper -> AddrConn -> transport
//   policy -> updateBalancerState -> PickerWrapper, ConnectivityStateManager
import {
  type BalancerBuilder,
  type BalancerState,
  ConnectivityState,
  getBalancer,
  type SubConnState,
} from '../../balancer/index.ts'
import type { BackoffOptions } from '../../base/backoff.ts'
import { type Clock, systemClock } from '../../base/clock.ts'
import { type Random, systemRandom } from '../../base/random.ts'
import { Serializer } from '../../base/serializer.ts'
import type { Status } from '../../base/status.ts'
import {
  type Address,
  findResolver,
  type ResolvableTarget,
  type ResolverBuilder,
  type ResolverState,
} from '../../naming/index.ts'
import { AddrConn } from './addr-conn.ts'
import { channelAuthority } from './authority.ts'
import { CcBalancerWrapper } from './cc-balancer-wrapper.ts'
import { CcResolverWrapper } from './cc-resolver-wrapper.ts'
import type {
  ChannelTransport,
  ConnectTransport,
  KeepaliveOptions,
} from './client-transport-contract.ts'
import {
  ConnectivityStateManager,
  type StateListener,
  type WaitLimits,
} from './connectivity-state-manager.ts'
import { Connector } from './connector.ts'
import { Idleness } from './idleness.ts'
import { type PendingPick, PickerWrapper } from './picker-wrapper.ts'
import { ProcessHold } from './process-hold.ts'

/** How a channel behaves. */
export interface ChannelOptions {
  /** Resolvers for this channel alone; they go before the registered ones. */
  readonly resolvers?: readonly ResolverBuilder[]
  /** The scheme of a target that has none. Default `dns`. */
  readonly defaultScheme?: string
  /** The load-balancing policy, by its registered name or itself. Default `pick_first`. */
  readonly balancer?: string | BalancerBuilder
  /** The `:authority` of calls, and the name that TLS checks. Default: the target's. */
  readonly authority?: string
  /** Handed to the connector as it is. */
  readonly credentials?: unknown
  readonly keepalive?: KeepaliveOptions
  /** Between connection attempts, and between lookups that fail. */
  readonly backoff?: BackoffOptions
  /** The least time that a connection attempt is given, ms. Default 20,000. */
  readonly minConnectTimeoutMs?: number
  /** Time without a call after which connections are closed, ms; 0 for never. Default 30 min. */
  readonly idleTimeoutMs?: number
}

/** What a channel is built upon. */
export interface ChannelDependencies {
  readonly connect: ConnectTransport
  readonly clock?: Clock
  readonly random?: Random
}

const DEFAULT_IDLE_TIMEOUT_MS = 30 * 60 * 1000
const DEFAULT_BALANCER = 'pick_first'

/** See above. Idle, without any I/O, until the first call or {@link ClientConn.connect}. */
export class ClientConn {
  /** As the user wrote it. */
  public readonly target: string
  public readonly authority: string
  private readonly resolvable: ResolvableTarget
  private readonly balancerBuilder: BalancerBuilder
  private readonly serializer: Serializer = new Serializer()
  private readonly connector: Connector
  private readonly states: ConnectivityStateManager
  private readonly pickerWrapper: PickerWrapper
  private readonly idleness: Idleness
  private readonly addrConns = new Set<AddrConn>()
  /** Absent while idle. */
  private resolverWrapper: CcResolverWrapper | undefined
  /** Absent while idle and until the first resolution. */
  private balancerWrapper: CcBalancerWrapper | undefined

  /** Throws when the target or the policy means nothing. */
  public constructor(target: string, options: ChannelOptions, dependencies: ChannelDependencies) {
    const { connect, clock = systemClock, random = systemRandom } = dependencies
    const { idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS } = options
    const hold = new ProcessHold(clock)
    this.target = target
    this.resolvable = findResolver(target, options.resolvers, options.defaultScheme)
    this.authority = channelAuthority(this.resolvable, options.authority)
    this.balancerBuilder = findBalancer(options.balancer)
    this.connector = new Connector({
      ...options,
      authority: this.authority,
      connect,
      clock,
      random,
    })
    this.states = new ConnectivityStateManager(clock, hold)
    this.pickerWrapper = new PickerWrapper(this.serializer, hold)
    this.idleness = new Idleness(clock, idleTimeoutMs, () => this.enterIdle())
  }

  /** Whether the channel could carry a call now. */
  public getState(): ConnectivityState {
    return this.states.state
  }

  /** Resolves once the state is, or has been, another than `source`. */
  public waitForStateChange(source: ConnectivityState, limits?: WaitLimits): Promise<void> {
    return this.states.changeFrom(source, limits)
  }

  /** Calls `listener` with every new state from now on. Returns what ends it. */
  public onStateChange(listener: StateListener): () => void {
    return this.states.listen(listener)
  }

  /** Leaves IDLE: resolves the target if need be and connects. */
  public connect(): void {
    if (this.resolverWrapper === undefined) this.exitIdle()
    else this.balancerWrapper?.exitIdle()
  }

  /**
   * Connects and resolves when READY; failures are waited out. Rejects with an RpcError:
   * DEADLINE_EXCEEDED with what failed last, or CANCELLED when aborted or closed.
   */
  public waitForReady(limits: WaitLimits = {}): Promise<void> {
    return this.states.untilReady(() => this.connect(), limits)
  }

  /**
   * The transport for a try of a call, if there is one now; otherwise `call` hears. Hot. Between
   * `callStarted` and `callEnded` only.
   */
  public pick(call: PendingPick): ChannelTransport | undefined {
    if (this.resolverWrapper === undefined) this.exitIdle()
    return this.pickerWrapper.pick(call)
  }

  /** Forgets a call that waits for its transport. */
  public cancelPick(call: PendingPick): void {
    this.pickerWrapper.cancel(call)
  }

  /** A call has begun: the channel does not become idle. */
  public callStarted(): void {
    this.idleness.callStarted()
  }

  /** A call of {@link ClientConn.callStarted} is over. */
  public callEnded(): void {
    this.idleness.callEnded()
  }

  /**
   * Ends everything at once: calls that wait fail with CANCELLED, open ones with their connection.
   * Idempotent.
   */
  public close(): void {
    this.states.update(ConnectivityState.Shutdown)
    this.pickerWrapper.close()
    this.idleness.stop()
    this.dropWrappers()
    for (const addrConn of this.addrConns) addrConn.tearDown('the channel was closed', false)
  }

  public async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  private exitIdle(): void {
    if (this.getState() === ConnectivityState.Shutdown) return
    this.idleness.start()
    this.states.update(ConnectivityState.Connecting)
    this.resolverWrapper = new CcResolverWrapper(
      {
        handleResolvedAddrs: (state) => this.handleResolvedAddrs(state),
        handleResolverError: (status) => this.handleResolverError(status),
      },
      this.serializer,
      this.connector,
    )
    this.resolverWrapper.start(this.resolvable)
  }

  private enterIdle(): void {
    this.dropWrappers()
    this.pickerWrapper.updatePicker(undefined)
    this.states.update(ConnectivityState.Idle)
  }

  private dropWrappers(): void {
    this.resolverWrapper?.close()
    this.balancerWrapper?.close()
    this.resolverWrapper = undefined
    this.balancerWrapper = undefined
  }

  private handleResolvedAddrs(state: ResolverState): boolean {
    return this.balancer().handleResolvedAddrs(state)
  }

  private handleResolverError(status: Status): void {
    this.states.noteFailure(status)
    this.balancer().resolverError(status)
  }

  /** The policy is made at the first resolution, which may say which one it is to be. */
  private balancer(): CcBalancerWrapper {
    this.balancerWrapper ??= new CcBalancerWrapper(
      {
        target: this.target,
        newAddrConn: (addresses, onState) => this.newAddrConn(addresses, onState),
        updateBalancerState: (balancerState) => this.updateBalancerState(balancerState),
        resolveNow: () => this.resolverWrapper?.resolveNow(),
      },
      this.serializer,
      this.balancerBuilder,
      this.connector,
    )
    return this.balancerWrapper
  }

  private newAddrConn(
    addresses: readonly Address[],
    onState: (change: SubConnState) => void,
  ): AddrConn {
    const addrConn = new AddrConn(addresses, this.connector, {
      stateChanged: (change) => {
        if (change.error !== undefined) this.states.noteFailure(change.error)
        onState(change)
      },
      resolveNow: () => this.resolverWrapper?.resolveNow(),
      gone: (gone) => this.addrConns.delete(gone),
    })
    this.addrConns.add(addrConn)
    return addrConn
  }

  private updateBalancerState({ state, picker }: BalancerState): void {
    this.pickerWrapper.updatePicker(picker)
    this.states.update(state)
  }
}

function findBalancer(balancer: string | BalancerBuilder = DEFAULT_BALANCER): BalancerBuilder {
  const builder = typeof balancer === 'string' ? getBalancer(balancer) : balancer
  if (builder === undefined) {
    throw new Error(`balancer_unknown: got "${String(balancer)}", want a registered policy`)
  }
  return builder
}
