// The SubConn that a policy holds: a handle on an AddrConn of the channel, through which the picker
// wrapper finds the transport. Source: grpc-go acBalancerWrapper.
import {
  ConnectivityState,
  type LoadReport,
  type SubConn,
  type SubConnListener,
} from '../../balancer/index.ts'
import type { Address } from '../../naming/index.ts'
import type { AddrConn } from './addr-conn.ts'
import type { ChannelTransport } from './channel-transport.ts'

/** Has a callback of the policy run from the channel's queue, unless the policy is gone by then. */
export type ScheduleCallback = (callback: () => void) => void

/** Owns its AddrConn. */
export class AcBalancerWrapper implements SubConn {
  private readonly addrConn: AddrConn
  private readonly schedule: ScheduleCallback

  public constructor(addrConn: AddrConn, schedule: ScheduleCallback) {
    this.addrConn = addrConn
    this.schedule = schedule
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
    this.schedule(() => listener({ state: ConnectivityState.Ready }))
  }

  public watchLoad(_intervalMs: number, _listener: (report: LoadReport) => void): () => void {
    return ignore
  }

  /** The transport when READY. Hot: called per call. */
  public getReadyTransport(): ChannelTransport | undefined {
    return this.addrConn.getReadyTransport()
  }
}

function ignore(): void {}
