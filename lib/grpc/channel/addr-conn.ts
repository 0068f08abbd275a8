// One connection to one of a list of addresses, kept through its attempts and losses; or several to
// the same one, as an option allows. Does not choose when to connect: a policy does, through its SubConn. Source: grpc-go clientconn.go
// addrConn, grpc/doc/connection-backoff.md.
//
//   IDLE --connect--> CONNECTING --an address answers--> READY --GOAWAY, closed--> IDLE
//                      ^     `--none does--> TRANSIENT_FAILURE --backoff over--> IDLE
//                      `- other addresses
//
// The retry loop around the address loop is closed by the policy's next `connect`.
import { ConnectivityState, type SubConnState } from '../../balancer/index.ts'
import { backoffMs } from '../../base/backoff.ts'
import type { Timer } from '../../base/clock.ts'
import { Code, type Status } from '../../base/status.ts'
import { type Address, sameAddress } from '../../naming/index.ts'
import type { ChannelTransport } from './channel-transport.ts'
import type { Connector } from './connector.ts'
import { ExtraTransports, type ExtraTransportsHost } from './extra-transports.ts'
import { TransportMonitor, type TransportOwner } from './transport-monitor.ts'

/** What the AddrConns of a channel tell it: one object for all of them. */
export interface AddrConnEvents {
  stateChanged(change: SubConnState): void
  /** The addresses may be out of date. */
  resolveNow(): void
  /** Calls that were given no transport in READY may be given one now. */
  usable(): void
  /** Torn down, and its last transport is closed. Told once per `tearDown` at most. */
  gone(addrConn: AddrConn): void
}

/** The SubConn of an AddrConn, as far as it hears of it. */
export interface AddrConnWatcher {
  /** After the channel. */
  stateChanged(change: SubConnState): void
  /** {@link AddrConn.transport} is another one, or none any more. */
  transportChanged(transport: ChannelTransport | undefined): void
}

/** How much an AddrConn carries now. */
export interface AddrConnLoad {
  /** The address that it is connected to, or else the first that it would try. */
  readonly address: string | undefined
  readonly state: ConnectivityState
  /** Those that are open, also when they only finish their calls. */
  readonly connections: number
  /** Calls that the server works on. */
  readonly openStreams: number
  /** Calls that wait until the server allows another stream. */
  readonly waitingStreams: number
}

/** How long a connection that is in doubt has for the ACK of a PING. */
const PROBE_TIMEOUT_MS = 2000

const NO_ADDRESSES: Status = {
  code: Code.Unavailable,
  message: 'there is no address to connect to',
}

const NO_TRANSPORTS: readonly TransportMonitor[] = []

/** See above. Its transports are those of the state READY and any number that finish their streams. */
export class AddrConn implements TransportOwner, ExtraTransportsHost {
  public readonly connector: Connector
  public watcher: AddrConnWatcher | undefined = undefined
  private readonly events: AddrConnEvents
  private addresses: readonly Address[]
  private state: ConnectivityState = ConnectivityState.Idle
  private ready: TransportMonitor | undefined
  /** Absent until calls wait for a server's limit. */
  private extras: ExtraTransports | undefined
  /** Every transport that is not closed, `ready` and the extras among them. Replaced, never changed. */
  private open: readonly TransportMonitor[] = NO_TRANSPORTS
  /** The attempt that is running; another one, or none, makes it void. */
  private attempt: AbortController | undefined
  private backoffTimer: Timer | undefined
  private failures = 0

  public constructor(addresses: readonly Address[], connector: Connector, events: AddrConnEvents) {
    this.addresses = addresses
    this.connector = connector
    this.events = events
  }

  /** Starts an attempt when IDLE; otherwise does nothing. */
  public connect(): void {
    if (this.state === ConnectivityState.Idle) void this.resetTransport()
  }

  /** The transport when READY, whether or not it takes calls. */
  public get transport(): ChannelTransport | undefined {
    return this.ready?.transport
  }

  public get primary(): TransportMonitor | undefined {
    return this.ready
  }

  public get load(): AddrConnLoad {
    const transports = this.open.map(({ transport }) => transport)
    return {
      address: (this.ready?.address ?? this.addresses[0])?.address,
      state: this.state,
      connections: this.open.length,
      openStreams: transports.reduce((sum, each) => sum + (each?.openStreams ?? 0), 0),
      waitingStreams: transports.reduce((sum, each) => sum + (each?.waitingStreams ?? 0), 0),
    }
  }

  /**
   * A transport for a call when READY. Undefined while it is in doubt whether that lives; `usable`
   * comes then. Hot: called per call.
   */
  public getReadyTransport(): ChannelTransport | undefined {
    const { ready, extras } = this
    if (ready?.transport?.canOpen !== true) return undefined
    const monitor = extras === undefined ? ready : extras.leastLoaded(ready)
    if (this.connector.liveness.trusts(monitor)) return monitor.transport
    this.probe(monitor)
    return undefined
  }

  /**
   * Replaces the addresses. READY stays if its address is still listed; otherwise, and when
   * CONNECTING, an attempt starts anew. New addresses end a backoff, which was the old ones'.
   */
  public updateAddresses(addresses: readonly Address[]): void {
    const previous = this.addresses
    this.addresses = addresses
    if (sameAddresses(previous, addresses)) return
    switch (this.state) {
      case ConnectivityState.TransientFailure:
        if (!addresses.every((address) => includes(previous, address))) this.resetConnectBackoff()
        break
      case ConnectivityState.Ready:
        if (this.ready === undefined || !includes(addresses, this.ready.address)) this.restart()
        break
      case ConnectivityState.Connecting:
        this.restart()
    }
  }

  /** Ends a wait between attempts, and makes the next one the first. */
  public resetConnectBackoff(): void {
    this.failures = 0
    if (this.backoffTimer !== undefined) this.endBackoff()
  }

  /**
   * The end: SHUTDOWN. Gracefully, the open transports finish their streams first. A second call
   * can close what the first let finish.
   */
  public tearDown(reason: string, graceful: boolean): void {
    this.stop()
    this.updateState({ state: ConnectivityState.Shutdown })
    if (this.open.length === 0) this.events.gone(this)
    // Closing replaces the list.
    for (const { transport } of this.open) {
      if (graceful) transport?.closeGracefully()
      else transport?.close(reason)
    }
  }

  public transportGoingAway(monitor: TransportMonitor): void {
    this.connector.liveness.unwatch(monitor)
    if (monitor === this.ready) this.loseReady()
    else this.extras?.remove(monitor)
  }

  public transportClosed(monitor: TransportMonitor): void {
    if (!this.open.includes(monitor)) return
    this.open = this.open.filter((other) => other !== monitor)
    this.transportGoingAway(monitor)
    if (this.state === ConnectivityState.Shutdown && this.open.length === 0) this.events.gone(this)
  }

  public transportQuotaChanged(monitor: TransportMonitor): void {
    if (monitor !== this.ready && this.extras?.has(monitor) !== true) return
    if (this.connector.maxConnectionsPerAddress === 1) return
    this.extras ??= new ExtraTransports(this.connector, this)
    this.extras.grow()
  }

  // ── ExtraTransportsHost

  public connectOnceMore(signal: AbortSignal): Promise<TransportMonitor> {
    const { clock, minConnectTimeoutMs } = this.connector
    const { address } = this.ready as TransportMonitor
    return this.createTransport(address, clock.nowMs() + minConnectTimeoutMs, signal)
  }

  public adopt(monitor: TransportMonitor): void {
    this.own(monitor)
    this.catchUp(monitor)
  }

  // ── attempts

  /** One pass over the addresses under one deadline, then READY, or a backoff and IDLE. */
  private async resetTransport(): Promise<void> {
    const { clock, random, backoff, minConnectTimeoutMs } = this.connector
    const backoffForMs = backoffMs(this.failures, random, backoff)
    const timeoutMs = Math.max(minConnectTimeoutMs, backoffForMs)
    const startMs = clock.nowMs()
    const attempt = new AbortController()
    this.attempt = attempt
    this.updateState({ state: ConnectivityState.Connecting })
    const deadline = clock.timer(timeoutMs, () => attempt.abort(timedOut(timeoutMs)), false)
    const outcome = await this.tryAllAddresses(startMs + timeoutMs, attempt.signal)
    deadline.cancel()
    if (attempt !== this.attempt) {
      if (outcome instanceof TransportMonitor) outcome.transport?.close('it came too late')
      return
    }
    this.attempt = undefined
    if (outcome instanceof TransportMonitor) this.becomeReady(outcome)
    // From the attempt's start, by connection-backoff.md; grpc-go counts from its end.
    else this.backOff(startMs + backoffForMs, outcome)
  }

  /** The first transport that is ready, or why the last address failed. */
  private async tryAllAddresses(
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<TransportMonitor | Status> {
    let failure = NO_ADDRESSES
    for (const address of this.addresses) {
      try {
        return await this.createTransport(address, deadlineMs, signal)
      } catch (cause) {
        failure = connectFailed(address, cause, this.failures + 1)
      }
      if (signal.aborted) break
    }
    return failure
  }

  private async createTransport(
    address: Address,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<TransportMonitor> {
    const monitor = new TransportMonitor(address, this.connector, this)
    const connecting = this.connector.connect(address, deadlineMs, monitor, signal)
    const transport = await unlessAborted(connecting, signal)
    if (monitor.goingAway || monitor.closed) {
      transport.close('it was going away before its first call')
      throw new Error('the server ended the connection at once')
    }
    monitor.transport = transport
    return monitor
  }

  private becomeReady(monitor: TransportMonitor): void {
    this.failures = 0
    this.own(monitor)
    this.setReady(monitor)
    this.updateState({ state: ConnectivityState.Ready })
    this.catchUp(monitor)
  }

  private own(monitor: TransportMonitor): void {
    // It has one element as a rule; a list that grows by push has room for seventeen.
    this.open = [...this.open, monitor]
    this.connector.liveness.watch(monitor)
  }

  /** It may have ended while its promise was on the way here. */
  private catchUp(monitor: TransportMonitor): void {
    if (monitor.closed) this.transportClosed(monitor)
    else if (monitor.goingAway) this.transportGoingAway(monitor)
  }

  private loseReady(): void {
    const heir = this.extras?.takeHeir()
    this.setReady(heir)
    this.events.resolveNow()
    if (heir !== undefined) return
    this.extras?.stop()
    this.updateState({ state: ConnectivityState.Idle })
  }

  private backOff(untilMs: number, error: Status): void {
    const { clock } = this.connector
    const restMs = Math.max(0, untilMs - clock.nowMs())
    this.failures += 1
    this.backoffTimer = clock.timer(restMs, () => this.endBackoff(), false)
    this.events.resolveNow()
    this.updateState({ state: ConnectivityState.TransientFailure, error })
  }

  private endBackoff(): void {
    this.backoffTimer?.cancel()
    this.backoffTimer = undefined
    this.updateState({ state: ConnectivityState.Idle })
  }

  private restart(): void {
    const previous = this.ready
    const extras = this.extras?.stop() ?? []
    this.stop()
    for (const monitor of [previous, ...extras]) monitor?.transport?.closeGracefully()
    if (this.addresses.length > 0) void this.resetTransport()
    else this.updateState({ state: ConnectivityState.Idle })
  }

  private stop(): void {
    this.attempt?.abort(new Error('the attempt was given up'))
    this.attempt = undefined
    this.backoffTimer?.cancel()
    this.backoffTimer = undefined
    this.extras?.stop()
    this.setReady(undefined)
  }

  private setReady(monitor: TransportMonitor | undefined): void {
    if (monitor === this.ready) return
    this.ready = monitor
    this.watcher?.transportChanged(this.transport)
  }

  /** Asks whether it lives before calls take it. Whoever does not answer soon carries no more calls. */
  private probe(monitor: TransportMonitor): void {
    const { transport } = monitor
    if (monitor.isProbed || transport === undefined) return
    monitor.isProbed = true
    const decided = (): void => {
      timer.cancel()
      if (!monitor.isProbed) return
      monitor.isProbed = false
      this.events.usable()
    }
    const silent = (): void => {
      this.transportGoingAway(monitor)
      // Calls that are open have their own limits; the answer may only be late.
      if (transport.openStreams > 0) transport.closeGracefully()
      else transport.close(`probe_timeout: no answer to a PING within ${PROBE_TIMEOUT_MS} ms`)
      decided()
    }
    const timer = this.connector.clock.timer(PROBE_TIMEOUT_MS, silent, false)
    const alive = (): void => {
      monitor.doubtedSinceMs = undefined
      decided()
    }
    transport.ping().then(alive, decided)
  }

  private updateState(change: SubConnState): void {
    if (change.state === this.state) return
    this.state = change.state
    this.events.stateChanged(change)
    this.watcher?.stateChanged(change)
  }
}

function sameAddresses(a: readonly Address[], b: readonly Address[]): boolean {
  return a.length === b.length && a.every((address, at) => sameAddress(address, b[at] as Address))
}

function includes(list: readonly Address[], address: Address): boolean {
  return list.some((listed) => sameAddress(listed, address))
}

function timedOut(timeoutMs: number): Error {
  return new Error(`connect_timeout: no address was ready within ${timeoutMs} ms`)
}

function connectFailed({ address }: Address, cause: unknown, attempt: number): Status {
  const { message, code } = cause as NodeJS.ErrnoException
  const reason = message || code || String(cause)
  const text = reason.startsWith(address) ? reason : `${address}: ${reason}`
  const count = attempt === 1 ? '' : ` (attempt ${attempt})`
  return { code: Code.Unavailable, message: `could not connect: ${text}${count}`, cause }
}

/** Settles as `connecting` does, or rejects when `signal` is aborted; what comes later is closed. */
function unlessAborted(
  connecting: Promise<ChannelTransport>,
  signal: AbortSignal,
): Promise<ChannelTransport> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason)
      connecting.then((late) => late.close('it came too late'), ignore)
    }
    const settled = (): void => signal.removeEventListener('abort', abort)
    signal.addEventListener('abort', abort)
    connecting.then(resolve, reject).then(settled)
  })
}

function ignore(): void {}
