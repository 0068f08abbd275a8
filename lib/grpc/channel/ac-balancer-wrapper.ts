// The SubConn that a policy holds: a handle on an AddrConn of the channel, through which the picker
// wrapper finds the transport. Source: grpc-go acBalancerWrapper.
import type { SubConn } from '../../balancer/index.ts'
import type { Address } from '../../naming/index.ts'
import type { AddrConn } from './addr-conn.ts'
import type { ChannelTransport } from './channel-transport.ts'

/** Owns its AddrConn. */
export class AcBalancerWrapper implements SubConn {
  private readonly addrConn: AddrConn

  public constructor(addrConn: AddrConn) {
    this.addrConn = addrConn
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

  /** The transport when READY. Hot: called per call. */
  public getReadyTransport(): ChannelTransport | undefined {
    return this.addrConn.getReadyTransport()
  }
}
