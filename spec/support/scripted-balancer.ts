// A policy that logs its calls and leaves what to do to the spec.
import type {
  Balancer,
  BalancerBuilder,
  BalancerClientConn,
  SubConn,
  SubConnState,
} from '../../lib/balancer/index.ts'
import type { Status } from '../../lib/base/status.ts'
import { addressesOf, type ResolverState } from '../../lib/naming/index.ts'

/** What a spec may have done inside a callback. */
export interface Script {
  onResolved?: (cc: BalancerClientConn, resolved: ResolverState) => boolean
  onStateChange?: (cc: BalancerClientConn, subConn: SubConn, change: SubConnState) => void
  onExitIdle?: (cc: BalancerClientConn) => void
  onClose?: (cc: BalancerClientConn) => void
}

/** Builder and, once built, policy in one; for one channel. */
export class ScriptedBalancer implements BalancerBuilder, Balancer {
  public readonly name: string = 'scripted'
  public readonly log: string[] = []
  public script: Script
  /** Callbacks that began inside another one. */
  public nested = 0
  private depth = 0
  private conn: BalancerClientConn | undefined

  public constructor(script: Script = {}) {
    this.script = script
  }

  public get cc(): BalancerClientConn {
    if (this.conn === undefined) throw new Error('the policy has not been built')
    return this.conn
  }

  public build(cc: BalancerClientConn): Balancer {
    this.conn = cc
    this.log.push('build')
    return this
  }

  public handleResolvedAddrs(resolved: ResolverState): boolean {
    const addresses = addressesOf(resolved.endpoints).map(({ address }) => address)
    return this.run(
      `resolved ${addresses}`,
      () => this.script.onResolved?.(this.cc, resolved) ?? true,
    )
  }

  public resolverError(status: Status): void {
    this.run(`error ${status.message}`, () => {})
  }

  public handleSubConnStateChange(subConn: SubConn, change: SubConnState): void {
    this.run(change.state, () => this.script.onStateChange?.(this.cc, subConn, change))
  }

  public exitIdle(): void {
    this.run('exitIdle', () => this.script.onExitIdle?.(this.cc))
  }

  public close(): void {
    this.run('close', () => this.script.onClose?.(this.cc))
  }

  /** The lines since the last time. */
  public takeLog(): string[] {
    return this.log.splice(0)
  }

  private run<T>(line: string, body: () => T): T {
    if (this.depth > 0) this.nested += 1
    this.depth += 1
    this.log.push(line)
    try {
      return body()
    } finally {
      this.depth -= 1
    }
  }
}
