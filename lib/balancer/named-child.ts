// One of several children that a policy's config names; it may become another policy without a gap.
import type { Status } from '../base/status.ts'
import type { ResolverState } from '../naming/index.ts'
import type { BalancerClientConn, BalancerOptions, BalancerState, LbConfig } from './balancer.ts'
import { ConnectivityState } from './connectivity.ts'
import { deriveConn } from './derived-conn.ts'
import { GracefulSwitch } from './graceful-switch.ts'
import { WAITING_PICKER } from './picker.ts'

const { Connecting, TransientFailure } = ConnectivityState

/** See above. */
export class NamedChild {
  public readonly name: string
  /** CONNECTING before the first word. A child that fails goes on failing until it does better. */
  public latest: BalancerState = { state: Connecting, picker: WAITING_PICKER }
  private readonly policies: GracefulSwitch

  /** `onUpdate` is called when `latest` is another, also while the child is being called. */
  public constructor(
    name: string,
    cc: BalancerClientConn,
    options: BalancerOptions,
    onUpdate: () => void,
  ) {
    this.name = name
    const conn = deriveConn(cc, {
      updateBalancerState: (state) => {
        if (this.latest.state === TransientFailure && state.state === Connecting) return
        this.latest = state
        onUpdate()
      },
    })
    this.policies = new GracefulSwitch(conn, options)
  }

  public handleResolvedAddrs(resolved: ResolverState, lbConfig: LbConfig): void {
    this.policies.handleResolvedAddrs(resolved, lbConfig)
  }

  public resolverError(status: Status): void {
    this.policies.resolverError(status)
  }

  public exitIdle(): void {
    this.policies.exitIdle()
  }

  /** Nothing is told afterwards. */
  public close(): void {
    this.policies.close()
  }
}
