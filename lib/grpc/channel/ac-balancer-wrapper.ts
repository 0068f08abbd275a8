// The SubConn that a policy holds: a handle on an AddrConn of the channel, through which the picker
// wrapper finds the transport, and what its server says of its health and load.
// Source: grpc-go acBalancerWrapper.
import {
  ConnectivityState,
  type LoadReport,
  type SubConn,
  type SubConnListener,
  type SubConnState,
} from '../../balancer/index.ts'
import type { Address } from '../../naming/index.ts'
import type { AddrConn, AddrConnWatcher } from './addr-conn.ts'
import type { ChannelTransport } from './channel-transport.ts'
import { HealthWatch } from './health-watch.ts'
import { LoadWatch } from './load-watch.ts'

/** Has a callback of the policy run from the channel's queue, unless the policy is gone by then. */
export type ScheduleCallback = (callback: () => void) => void

/** Owns its AddrConn. */
export class AcBalancerWrapper implements SubConn, AddrConnWatcher {
  private readonly addrConn: AddrConn
  private readonly schedule: ScheduleCallback
  private readonly listener: SubConnListener
  private health: HealthWatch | undefined
  private load: LoadWatch | undefined

  public constructor(addrConn: AddrConn, schedule: ScheduleCallback, listener: SubConnListener) {
    this.addrConn = addrConn
    this.schedule = schedule
    this.listener = listener
    addrConn.watcher = this
  }

  public connect(): void {
    this.addrConn.connect()
  }

  public updateAddresses(addresses: readonly Address[]): void {
    this.addrConn.updateAddresses(addresses)
  }

  public shutdown(): void {
    this.addrConn.tearDown('its policy shut it down', true)
  }

  public watchHealth(listener: SubConnListener): void {
    const tell = (change: SubConnState): void => this.schedule(() => listener(change))
    const { connector, transport } = this.addrConn
    this.health?.stop()
    this.health = undefined
    if (connector.healthServiceName === undefined) {
      tell({ state: ConnectivityState.Ready })
      return
    }
    // One that is no longer READY says so soon; with its next connection it is asked for anew.
    if (transport === undefined) return
    this.health = new HealthWatch(connector, connector.healthServiceName, tell)
    this.health.use(transport)
  }

  public watchLoad(intervalMs: number, listener: (report: LoadReport) => void): () => void {
    if (this.load === undefined) {
      this.load = new LoadWatch(this.addrConn.connector)
      this.load.use(this.addrConn.transport)
    }
    let isOver = false
    const tell = (report: LoadReport): void => {
      if (!isOver) listener(report)
    }
    const end = this.load.add(intervalMs, (report) => this.schedule(() => tell(report)))
    return () => {
      isOver = true
      end()
    }
  }

  /** The transport when READY. Hot: called per call. */
  public getReadyTransport(): ChannelTransport | undefined {
    return this.addrConn.getReadyTransport()
  }

  // ── AddrConnWatcher

  public stateChanged(change: SubConnState): void {
    this.schedule(() => this.listener(change))
  }

  public transportChanged(transport: ChannelTransport | undefined): void {
    this.load?.use(transport)
    if (transport !== undefined) this.health?.use(transport)
    else {
      this.health?.stop()
      this.health = undefined
    }
  }
}
