// Further connections to the address of a READY AddrConn, for servers that allow few streams at once:
// one is made while calls wait for the limit of those that are there, and given up when fewer would do.
// Source: the aim of gRFC A105.
//
//   calls wait --grow--> attempt --ready--> in use, takes over calls that wait --few calls--> drained
//                          `--failed--> backoff --> grow, if calls still wait
import { backoffMs } from '../../base/backoff.ts'
import type { Timer } from '../../base/clock.ts'
import type { Connector } from './connector.ts'
import type { TransportMonitor } from './transport-monitor.ts'

/** The AddrConn, as far as it takes part. */
export interface ExtraTransportsHost {
  /** The connection of the state READY. */
  readonly primary: TransportMonitor | undefined
  /** Connects once more to where the primary one is. */
  connectOnceMore(signal: AbortSignal): Promise<TransportMonitor>
  /** What is connected is to be owned from now on; it may have ended on the way. */
  adopt(monitor: TransportMonitor): void
}

const SHRINK_CHECK_MS = 60_000

/** Holds the connections beside the primary one; without one it is stopped. */
export class ExtraTransports {
  private readonly connector: Connector
  private readonly host: ExtraTransportsHost
  private readonly monitors: TransportMonitor[] = []
  private attempt: AbortController | undefined
  private backoffTimer: Timer | undefined
  private shrinkTimer: Timer | undefined
  private failures = 0
  /** The most streams at once, over all connections, since the last check. */
  private peakStreams = 0

  public constructor(connector: Connector, host: ExtraTransportsHost) {
    this.connector = connector
    this.host = host
  }

  public has(monitor: TransportMonitor): boolean {
    return this.monitors.includes(monitor)
  }

  /** The connection that can open most streams before one waits. */
  public leastLoaded(primary: TransportMonitor): TransportMonitor {
    if (this.monitors.length === 0) return primary
    let best = primary
    let most = primary.transport?.streamHeadroom ?? -Infinity
    let streams = streamsOf(primary)
    for (const monitor of this.monitors) {
      const { transport } = monitor
      if (transport?.canOpen !== true) continue
      streams += streamsOf(monitor)
      if (transport.streamHeadroom <= most) continue
      most = transport.streamHeadroom
      best = monitor
    }
    if (streams > this.peakStreams) this.peakStreams = streams
    return best
  }

  /** Connects once more if calls wait, and if that is allowed now. */
  public grow(): void {
    const isBusy = this.attempt !== undefined || this.backoffTimer !== undefined
    const isFull = this.monitors.length + 1 >= this.connector.maxConnectionsPerAddress
    if (isBusy || isFull || !this.hasWaiting()) return
    void this.connect()
  }

  /** Forgets a connection that takes no more calls. False when it is none of these. */
  public remove(monitor: TransportMonitor): boolean {
    const at = this.monitors.indexOf(monitor)
    if (at < 0) return false
    this.monitors.splice(at, 1)
    if (this.monitors.length === 0) this.stopShrinking()
    return true
  }

  /** The oldest one, to be the primary from now on. */
  public takeHeir(): TransportMonitor | undefined {
    const heir = this.monitors[0]
    if (heir !== undefined) this.remove(heir)
    return heir
  }

  /** Ends attempts and waits. The connections are handed over: they are nobody's afterwards. */
  public stop(): readonly TransportMonitor[] {
    this.attempt?.abort(new Error('the attempt was given up'))
    this.attempt = undefined
    this.backoffTimer?.cancel()
    this.backoffTimer = undefined
    this.failures = 0
    this.stopShrinking()
    return this.monitors.splice(0)
  }

  private async connect(): Promise<void> {
    const attempt = new AbortController()
    this.attempt = attempt
    const { clock, minConnectTimeoutMs } = this.connector
    const deadline = clock.timer(minConnectTimeoutMs, () => attempt.abort(timedOut()), false)
    const outcome = await this.host.connectOnceMore(attempt.signal).catch(ignore)
    deadline.cancel()
    if (attempt !== this.attempt) {
      outcome?.transport?.close('it came too late')
      return
    }
    this.attempt = undefined
    if (outcome === undefined) this.backOff()
    else this.add(outcome)
  }

  private add(monitor: TransportMonitor): void {
    this.failures = 0
    this.monitors.push(monitor)
    if (this.shrinkTimer === undefined) this.watchForLess()
    this.host.adopt(monitor)
    for (const { transport } of this.all()) {
      const headroom = monitor.transport?.streamHeadroom ?? 0
      const waiting = transport?.waitingStreams ?? 0
      // They pick once more, and find the connection with most room.
      if (waiting > 0 && headroom > 0) transport?.releaseWaiting(Math.min(waiting, headroom))
    }
    this.grow()
  }

  private backOff(): void {
    const { clock, random, backoff } = this.connector
    const again = (): void => {
      this.backoffTimer = undefined
      this.grow()
    }
    this.backoffTimer = clock.timer(backoffMs(this.failures++, random, backoff), again, false)
  }

  private hasWaiting(): boolean {
    return this.all().some(({ transport }) => (transport?.waitingStreams ?? 0) > 0)
  }

  private all(): readonly TransportMonitor[] {
    const { primary } = this.host
    return primary === undefined ? this.monitors : [primary, ...this.monitors]
  }

  // ── fewer again

  private watchForLess(): void {
    this.peakStreams = 0
    const check = (): void => {
      this.shrinkTimer = undefined
      this.shrink()
      if (this.monitors.length > 0) this.watchForLess()
    }
    this.shrinkTimer = this.connector.clock.timer(SHRINK_CHECK_MS, check, false)
  }

  /** Drains the extra with fewest streams when half of what the others can carry was enough. */
  private shrink(): void {
    const all = this.all()
    const now = all.reduce((sum, monitor) => sum + streamsOf(monitor), 0)
    const [least] = [...this.monitors].sort((a, b) => streamsOf(a) - streamsOf(b))
    if (least === undefined) return
    const capacity = all.reduce((sum, monitor) => sum + capacityOf(monitor), -capacityOf(least))
    if (Math.max(this.peakStreams, now) > capacity / 2) return
    this.remove(least)
    least.transport?.closeGracefully()
  }

  private stopShrinking(): void {
    this.shrinkTimer?.cancel()
    this.shrinkTimer = undefined
  }
}

function streamsOf({ transport }: TransportMonitor): number {
  return transport === undefined ? 0 : transport.openStreams + transport.waitingStreams
}

function capacityOf(monitor: TransportMonitor): number {
  return streamsOf(monitor) + (monitor.transport?.streamHeadroom ?? 0)
}

function timedOut(): Error {
  return new Error('connect_timeout: a further connection was not ready in time')
}

function ignore(): undefined {}
