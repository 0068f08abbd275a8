// Watches one transport for an AddrConn. What was a task of its own in grpc-go is a listener here;
// it may hear of the end before the AddrConn has even been given the transport.
import type { Address } from '../../naming/index.ts'
import type { ChannelTransport, GoAwayInfo, TransportListener } from './channel-transport.ts'
import type { Connector } from './connector.ts'

/** Who owns the monitored transport. */
export interface TransportOwner {
  /** It takes no new streams. */
  transportGoingAway(monitor: TransportMonitor): void
  /** Streams may wait for the peer's limit. */
  transportQuotaChanged(monitor: TransportMonitor): void
  transportClosed(monitor: TransportMonitor): void
}

/** One per transport, and one per attempt to get one. */
export class TransportMonitor implements TransportListener {
  public readonly address: Address
  /** Set once it is ready. */
  public transport: ChannelTransport | undefined
  public goingAway = false
  public closed = false
  /** Since when it may be dead without our knowing, on the scale of the clock. See Liveness. */
  public doubtedSinceMs: number | undefined = undefined
  /** It is being asked whether it lives. */
  public isProbed = false
  private readonly connector: Connector
  private readonly keepaliveTimeMs: number
  private readonly owner: TransportOwner

  public constructor(address: Address, connector: Connector, owner: TransportOwner) {
    this.address = address
    this.connector = connector
    this.keepaliveTimeMs = connector.keepaliveTimeMs
    this.owner = owner
  }

  public onGoAway(info: GoAwayInfo): void {
    this.connector.handleGoAway(info, this.keepaliveTimeMs)
    this.goingAway = true
    this.transport?.closeGracefully()
    this.owner.transportGoingAway(this)
  }

  public onQuota(): void {
    if (this.transport !== undefined) this.owner.transportQuotaChanged(this)
  }

  public onClosed(): void {
    if (this.closed) return
    this.closed = true
    this.owner.transportClosed(this)
  }
}
