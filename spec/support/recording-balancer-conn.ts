// A channel, as a policy sees it, that keeps what it is told; its SubConns are moved by the spec.
import type {
  Balancer,
  BalancerClientConn,
  BalancerState,
  ConnectivityState,
  LoadReport,
  PickResult,
  SubConn,
  SubConnListener,
} from '../../lib/balancer/index.ts'
import type { Status } from '../../lib/base/status.ts'
import type { Address } from '../../lib/naming/index.ts'

/** A SubConn that does nothing but log, and is moved by its spec. */
export class RecordingSubConn implements SubConn {
  public addresses: string[]
  public healthListener: SubConnListener | undefined
  public loadListener: ((report: LoadReport) => void) | undefined
  private readonly log: string[]
  private readonly listener: SubConnListener

  public constructor(addresses: readonly Address[], log: string[], listener: SubConnListener) {
    this.addresses = addresses.map(({ address }) => address)
    this.log = log
    this.listener = listener
  }

  /** Tells the policy of a state. */
  public move(state: ConnectivityState, error?: Status): void {
    this.listener(error === undefined ? { state } : { state, error })
  }

  public connect(): void {
    this.log.push(`connect ${this.addresses}`)
  }

  public updateAddresses(addresses: readonly Address[]): void {
    this.addresses = addresses.map(({ address }) => address)
    this.log.push(`updateAddresses ${this.addresses}`)
  }

  public shutdown(): void {
    this.log.push(`shutdown ${this.addresses}`)
  }

  public watchHealth(listener: SubConnListener): void {
    this.healthListener = listener
  }

  public watchLoad(intervalMs: number, listener: (report: LoadReport) => void): () => void {
    this.log.push(`watchLoad ${intervalMs}`)
    this.loadListener = listener
    return () => {
      this.loadListener = undefined
    }
  }
}

/** Every call is a line; a state comes with what its picker answers. */
export class RecordingBalancerConn implements BalancerClientConn {
  public readonly target: string
  public readonly log: string[] = []
  public readonly subConns: RecordingSubConn[] = []
  public latest: BalancerState | undefined
  /** Hears of its SubConns. */
  public policy: Balancer | undefined

  public constructor(target = 'spec:target') {
    this.target = target
  }

  public newSubConn(addresses: readonly Address[], listener?: SubConnListener): SubConn {
    const toPolicy: SubConnListener = (change) => {
      this.policy?.handleSubConnStateChange(subConn, change)
    }
    const subConn: RecordingSubConn = new RecordingSubConn(
      addresses,
      this.log,
      listener ?? toPolicy,
    )
    this.subConns.push(subConn)
    this.log.push(`newSubConn ${subConn.addresses}`)
    return subConn
  }

  public removeSubConn(subConn: SubConn): void {
    subConn.shutdown()
  }

  public updateBalancerState(state: BalancerState): void {
    this.latest = state
    this.log.push(state.state)
  }

  public resolveNow(): void {
    this.log.push('resolveNow')
  }

  /** What the newest picker says to a call. */
  public pick(headers: Readonly<Record<string, string>> = {}): PickResult | undefined {
    return this.latest?.picker.pick({
      path: '/spec.Service/Method',
      waitForReady: false,
      header: (name) => headers[name],
    })
  }

  /** The lines since the last time. */
  public takeLog(): string[] {
    return this.log.splice(0)
  }
}
