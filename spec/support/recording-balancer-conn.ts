// A channel, as a policy sees it, that keeps what it is told; its SubConns are moved by the spec.
import type {
  BalancerClientConn,
  BalancerState,
  PickResult,
  SubConn,
} from '../../lib/balancer/index.ts'
import type { Address } from '../../lib/naming/index.ts'

/** A SubConn that does nothing but log. */
export class RecordingSubConn implements SubConn {
  public addresses: string[]
  private readonly log: string[]

  public constructor(addresses: readonly Address[], log: string[]) {
    this.addresses = addresses.map(({ address }) => address)
    this.log = log
  }

  public connect(): void {
    this.log.push('connect')
  }

  public updateAddresses(addresses: readonly Address[]): void {
    this.addresses = addresses.map(({ address }) => address)
    this.log.push(`updateAddresses ${this.addresses}`)
  }

  public shutdown(): void {
    this.log.push('shutdown')
  }
}

/** Every call is a line; a state comes with what its picker answers. */
export class RecordingBalancerConn implements BalancerClientConn {
  public readonly target = 'spec:target'
  public readonly log: string[] = []
  public readonly subConns: RecordingSubConn[] = []
  public latest: BalancerState | undefined

  public newSubConn(addresses: readonly Address[]): SubConn {
    const subConn = new RecordingSubConn(addresses, this.log)
    this.subConns.push(subConn)
    this.log.push(`newSubConn ${subConn.addresses}`)
    return subConn
  }

  public removeSubConn(_subConn: SubConn): void {
    this.log.push('removeSubConn')
  }

  public updateBalancerState(state: BalancerState): void {
    this.latest = state
    this.log.push(state.state)
  }

  public resolveNow(): void {
    this.log.push('resolveNow')
  }

  /** What the newest picker says to a call. */
  public pick(): PickResult | undefined {
    return this.latest?.picker.pick({ path: '/spec.Service/Method' })
  }

  /** The lines since the last time. */
  public takeLog(): string[] {
    return this.log.splice(0)
  }
}
