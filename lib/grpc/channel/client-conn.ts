// A channel: a target, the connections to what it means, and the choice of one for each call.
// Does not know calls beyond that they want a transport. Source: grpc-go clientconn.go.
//
//   resolver -> CcResolverWrapper -> handleResolvedAddrs -> CcBalancerWrapper -> policy
//   policy -> newSubConn -> AcBalancerWrapper -> AddrConn -> transport
//   policy -> updateBalancerState -> PickerWrapper, ConnectivityStateManager
import { type BalancerState, ConnectivityState, failingPicker } from '../../balancer/index.ts'
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
  type ResolverOptions,
  type ResolverState,
} from '../../naming/index.ts'
import type { ConnectionOptions, Environment, Peer, TraceSink } from '../../transport/index.ts'
import type { Interceptor } from '../call/interceptor.ts'
import type { CallChannel, CallConfig, ConfigWaiter } from '../client/call-channel.ts'
import type { CallOptions } from '../client/call-options.ts'
import type { CallCredentials, ChannelCredentials } from '../client/credentials.ts'
import { type CallDefaults, MethodCaller } from '../client/invoke.ts'
import type { BidiCall } from '../client/stream-call.ts'
import { userAgent } from '../client/user-agent.ts'
import { type Logger, silentLogger } from '../observe/logger.ts'
import type { StatsHandler } from '../observe/stats.ts'
import { type Compressor, Compressors } from '../protocol/compression.ts'
import type { MethodDefinition } from '../protocol/method.ts'
import { Remembered } from '../protocol/remembered.ts'
import { parseResponseHead, type ResponseHead } from '../protocol/response-headers.ts'
import { AddrConn, type AddrConnEvents, type AddrConnLoad } from './addr-conn.ts'
import { channelAuthority } from './authority.ts'
import { CcBalancerWrapper } from './cc-balancer-wrapper.ts'
import { CcResolverWrapper } from './cc-resolver-wrapper.ts'
import {
  type ChannelTransport,
  type ConnectTransport,
  type KeepaliveOptions,
  socketConnector,
} from './channel-transport.ts'
import {
  ConnectivityStateManager,
  type StateListener,
  type WaitLimits,
} from './connectivity-state-manager.ts'
import { Connector, type HealthCheckOptions } from './connector.ts'
import { CurrentConfig, type ServiceConfigOptions } from './current-config.ts'
import { Idleness } from './idleness.ts'
import { type PendingPick, PickerWrapper } from './picker-wrapper.ts'
import { ProcessHold } from './process-hold.ts'
import { proxyChoice, throughProxy } from './proxied-target.ts'
import { ResolutionGate } from './resolution-gate.ts'

/** How a channel behaves. */
export interface ChannelOptions extends ServiceConfigOptions {
  /** Resolvers for this channel alone; they go before the registered ones. */
  readonly resolvers?: readonly ResolverBuilder[]
  /** The scheme of a target that has none. Default `dns`. */
  readonly defaultScheme?: string
  /** The `:authority` of calls, and the name that TLS checks. Default: the target's. */
  readonly authority?: string
  /** TLS or not, and what proves who calls. Default: insecure. */
  readonly credentials?: ChannelCredentials
  readonly keepalive?: KeepaliveOptions
  /** Has policies such as round_robin pass over servers that say they are unwell. Default: none. */
  readonly healthCheck?: HealthCheckOptions
  /** Between connection attempts, and between lookups that fail. */
  readonly backoff?: BackoffOptions
  /** The least time that a connection attempt is given, ms. Default 20,000. */
  readonly minConnectTimeoutMs?: number
  /** Connections to one address when the server allows too few streams on one. Default 1. */
  readonly maxConnectionsPerAddress?: number
  /** Silence after which a connection is pinged before a call takes it, ms; 0 for never. Default 5 min. */
  readonly probeAfterIdleMs?: number
  /**
   * `http://user:password@host:port`: connections to TCP addresses go through it. False: never through
   * any. Default: as https_proxy and no_proxy of the environment say; see `proxyFromEnvironment`.
   */
  readonly proxy?: string | false
  /** Time without a call after which connections are closed, ms; 0 for never. Default 30 min. */
  readonly idleTimeoutMs?: number
  /** Put before our own name in user-agent. */
  readonly userAgent?: string
  /** Around every call; the first is the outermost. */
  readonly interceptors?: readonly Interceptor[]
  /** Defaults for every call. */
  readonly callOptions?: CallOptions
  /** The encodings that are spoken. Default: gzip, deflate, br; `zstdCompressor()` makes another. */
  readonly compressors?: readonly Compressor[]
  readonly stats?: StatsHandler
  /** Hears of faults that no caller sees. Default: silent. */
  readonly logger?: Logger
  /** Windows, limits and deadlines of its connections. */
  readonly connection?: ConnectionOptions
  /** Looks at all octets of a connection; `() => traceFrames(console.log)` prints each frame. */
  readonly trace?: (peer: Peer) => TraceSink
}

/** What a channel carries now. */
export interface ChannelLoad {
  /** Calls that wait for a connection. */
  readonly waitingCalls: number
  /** One for each connection, or group of connections to one address, that its policy has. */
  readonly subConns: readonly AddrConnLoad[]
}

/** What a channel is built upon. */
export interface ChannelDependencies {
  /** Default: real sockets. */
  readonly connect?: ConnectTransport
  readonly clock?: Clock
  readonly random?: Random
  /** Default: that of the process if sockets are real, else empty. */
  readonly environment?: Environment
}

const DEFAULT_IDLE_TIMEOUT_MS = 30 * 60 * 1000

/** See above. Idle, without any I/O, until the first call or {@link ClientConn.connect}. */
export class ClientConn implements CallChannel {
  /** As the user wrote it. */
  public readonly target: string
  public readonly authority: string
  public readonly clock: Clock
  public readonly random: Random
  /** Whether its connections use TLS. */
  public readonly secure: boolean
  public readonly callCredentials: CallCredentials | undefined
  public readonly stats: StatsHandler | undefined
  public readonly compressors: Compressors
  public readonly responseHeads: Remembered<ResponseHead> = new Remembered(parseResponseHead)
  /** What calls go by; absent while idle and until the first resolution. */
  public callConfig: CallConfig | undefined
  private readonly callDefaults: CallDefaults
  private readonly logger: Logger
  private readonly resolvable: ResolvableTarget
  private readonly config: CurrentConfig
  private readonly resolverOptions: ResolverOptions
  private readonly serializer: Serializer = new Serializer()
  private readonly connector: Connector
  private readonly states: ConnectivityStateManager
  private readonly pickerWrapper: PickerWrapper
  private readonly gate: ResolutionGate
  private readonly idleness: Idleness
  private readonly addrConns = new Set<AddrConn>()
  private readonly addrConnEvents: AddrConnEvents = {
    stateChanged: ({ error }) => {
      if (error !== undefined) this.states.noteFailure(error)
    },
    resolveNow: () => this.resolverWrapper?.resolveNow(),
    usable: () => this.pickerWrapper.pickAgain(),
    gone: (gone) => this.addrConns.delete(gone),
  }
  /** Absent while idle. */
  private resolverWrapper: CcResolverWrapper | undefined
  /** Absent while idle and until the first resolution. */
  private balancerWrapper: CcBalancerWrapper | undefined

  /** Throws when the target, the policy or the service config means nothing. */
  public constructor(
    target: string,
    options: ChannelOptions = {},
    dependencies: ChannelDependencies = {},
  ) {
    const { clock = systemClock, random = systemRandom } = dependencies
    const connect =
      dependencies.connect ?? socketConnector(clock, options.connection ?? {}, options.trace)
    const { environment = dependencies.connect === undefined ? process.env : {} } = dependencies
    const proxies = proxyChoice(options.proxy, environment)
    const { idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS } = options
    const hold = new ProcessHold(clock)
    this.target = target
    const resolvable = findResolver(target, options.resolvers, options.defaultScheme)
    this.resolvable = throughProxy(resolvable, proxies)
    this.authority = channelAuthority(this.resolvable, options.authority)
    this.config = new CurrentConfig(options)
    this.connector = new Connector({
      ...options,
      authority: this.authority,
      connect,
      clock,
      random,
    })
    this.resolverOptions = {
      clock,
      random,
      backoff: this.connector.backoff,
      disableServiceConfig: options.disableServiceConfig ?? false,
    }
    this.states = new ConnectivityStateManager(clock, hold)
    this.pickerWrapper = new PickerWrapper(this.serializer, hold)
    this.gate = new ResolutionGate(hold)
    this.idleness = new Idleness(clock, idleTimeoutMs, () => this.enterIdle())
    this.clock = clock
    this.random = random
    this.secure = options.credentials?.tls !== undefined
    this.callCredentials = options.credentials?.call
    this.stats = options.stats
    this.compressors = new Compressors(options.compressors)
    this.logger = options.logger ?? silentLogger
    this.callDefaults = {
      userAgent: userAgent(options.userAgent),
      interceptors: options.interceptors ?? [],
      options: options.callOptions ?? {},
    }
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

  /** Ends the waits between connection attempts, whose next failures count as the first. */
  public resetConnectBackoff(): void {
    for (const addrConn of this.addrConns) addrConn.resetConnectBackoff()
  }

  /** What it carries now: for diagnostics. */
  public load(): ChannelLoad {
    return {
      waitingCalls: this.gate.waitingCalls + this.pickerWrapper.parkedCalls,
      subConns: [...this.addrConns].map(({ load }) => load),
    }
  }

  /** One request, one response. Rejects with RpcError. */
  public invoke<Req, Res>(
    method: MethodDefinition<Req, Res>,
    request: Req,
    options?: CallOptions,
  ): Promise<Res> {
    return this.caller(method).unary(request, options)
  }

  /** A call of any kind as a stream: requests by `send` and `end`, responses by a loop over it. */
  public newStream<Req, Res>(
    method: MethodDefinition<Req, Res>,
    options?: CallOptions,
  ): BidiCall<Req, Res> {
    return this.caller(method).stream(options)
  }

  /** What calls one method; clients keep one for each. `defaults` go before the channel's. */
  public caller<Req, Res>(
    method: MethodDefinition<Req, Res>,
    defaults?: CallOptions,
  ): MethodCaller<Req, Res> {
    const { callDefaults } = this
    const options =
      defaults === undefined ? callDefaults.options : { ...callDefaults.options, ...defaults }
    return new MethodCaller(this, { ...callDefaults, options }, method)
  }

  /** Tells the logger of a fault that no caller sees. */
  public reportFault(where: string, error: unknown): void {
    this.logger.error(`${where} failed`, error)
  }

  /** Tells `call` of the config once the target is resolved. As {@link ClientConn.pick}. */
  public awaitConfig(call: ConfigWaiter): void {
    this.gate.wait(call)
    if (this.resolverWrapper === undefined) this.exitIdle()
  }

  /** Forgets a call that waits for the config. */
  public cancelConfig(call: ConfigWaiter): void {
    this.gate.cancel(call)
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
    if (this.idleness.callStarted()) this.connector.liveness.look()
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
    // Calls from now on fail where they pick.
    this.openGate()
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
      this.resolverOptions,
    )
    this.resolverWrapper.start(this.resolvable)
  }

  private enterIdle(): void {
    this.dropWrappers()
    this.callConfig = undefined
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
    const { config } = this
    const refusal = config.take(state)
    if (refusal !== undefined) this.logger.warn('a service config was refused', refusal)
    if (refusal !== undefined && !config.isUsable) this.failBy(refusal)
    this.connector.configuredHealthService = config.healthServiceName
    const taken = config.isUsable && this.balancer().handleResolvedAddrs(state, config.lbConfig)
    this.openGate()
    return taken && refusal === undefined
  }

  /** gRFC A21: without any good config there is no policy to ask. */
  private failBy(refusal: Status): void {
    this.states.noteFailure(refusal)
    this.updateBalancerState({
      state: ConnectivityState.TransientFailure,
      picker: failingPicker(refusal),
    })
  }

  private openGate(): void {
    this.callConfig = this.config.calls
    this.gate.open(this.callConfig)
  }

  private handleResolverError(status: Status): void {
    this.states.noteFailure(status)
    this.balancer().resolverError(status, this.config.lbConfig)
    this.openGate()
  }

  /** The policy is made at the first resolution, which may say which one it is to be. */
  private balancer(): CcBalancerWrapper {
    this.balancerWrapper ??= new CcBalancerWrapper(
      {
        target: this.target,
        newAddrConn: (addresses) => this.newAddrConn(addresses),
        updateBalancerState: (balancerState) => this.updateBalancerState(balancerState),
        resolveNow: () => this.resolverWrapper?.resolveNow(),
      },
      this.serializer,
      this.connector,
    )
    return this.balancerWrapper
  }

  private newAddrConn(addresses: readonly Address[]): AddrConn {
    const addrConn = new AddrConn(addresses, this.connector, this.addrConnEvents)
    this.addrConns.add(addrConn)
    return addrConn
  }

  private updateBalancerState({ state, picker }: BalancerState): void {
    this.pickerWrapper.updatePicker(picker)
    this.states.update(state)
  }
}

/** How {@link dial} goes about it. */
export interface DialOptions extends ChannelOptions {
  /** Resolves only when the channel is READY. */
  readonly block?: boolean
  /** For `block`: how long that may take, ms. Default: for ever. */
  readonly blockTimeoutMs?: number
}

/**
 * A channel to `target`, such as `dns:///host:port`, `host:port` or `unix:/path`. It connects with
 * its first call; with `block` the result is a promise of a channel that is READY.
 */
export function dial(target: string, options: DialOptions & { block: true }): Promise<ClientConn>
export function dial(target: string, options?: DialOptions): ClientConn
export function dial(target: string, options: DialOptions = {}): ClientConn | Promise<ClientConn> {
  const conn = new ClientConn(target, options)
  if (options.block !== true) return conn
  const { blockTimeoutMs } = options
  const limits = blockTimeoutMs === undefined ? {} : { timeoutMs: blockTimeoutMs }
  return conn.waitForReady(limits).then(
    () => conn,
    (error) => {
      conn.close()
      throw error
    },
  )
}
