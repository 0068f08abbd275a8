// `priority_experimental`: all calls take the first child of a list that can serve them. A child has ten
// seconds to connect before the next one is started beside it; one that is not needed any more is kept
// for a quarter of an hour. Which endpoints are whose is in their paths. Source: gRFC A56, grpc-go
// priority.
//
//   started ─▶ CONNECTING, on probation ─READY or IDLE─▶ in use; those after it are retired
//              └─ TRANSIENT_FAILURE, or 10 s ─▶ the next one is looked at
//   retired ─needed again─▶ as it is by then; ─15 min─▶ closed
import type { Timer } from '../base/clock.ts'
import { ConfigError, type ConfigFields, wrong } from '../base/config-fields.ts'
import { Code, type Status } from '../base/status.ts'
import type { Endpoint, ResolverState } from '../naming/index.ts'
import type {
  Balancer,
  BalancerBuilder,
  BalancerClientConn,
  BalancerOptions,
  BalancerState,
  LbConfig,
} from './balancer.ts'
import { ConnectivityState } from './connectivity.ts'
import { deriveConn } from './derived-conn.ts'
import { groupByChild } from './hierarchical-path.ts'
import { NamedChild } from './named-child.ts'
import { failingPicker } from './picker.ts'

/** Config of `priority_experimental`. */
export interface PriorityConfig {
  /** By name; each has a priority. */
  readonly children: ReadonlyMap<string, PriorityChildConfig>
  /** Names of children, the first one to be used first. */
  readonly priorities: readonly string[]
}

/** A child. */
export interface PriorityChildConfig {
  /** Required. In JSON: `config`. */
  readonly childPolicy: LbConfig
  /** Whether its failures are no reason to resolve the name again. Default false. */
  readonly ignoreReresolutionRequests: boolean
}

/** Policy `priority_experimental`. */
export const priority: BalancerBuilder<PriorityConfig> = {
  name: 'priority_experimental',
  build: (cc, options) => new Priority(cc, options),
  parseConfig(fields, parseChild) {
    const childOf = (child: ConfigFields): PriorityChildConfig => ({
      childPolicy: parseChild(child, 'config'),
      ignoreReresolutionRequests: child.boolean('ignoreReresolutionRequests') ?? false,
    })
    const children = fields.map('children', childOf) ?? new Map<string, PriorityChildConfig>()
    const priorities = fields.list('priorities', (name, path) => {
      if (typeof name === 'string' && children.has(name)) return name
      throw wrong(path, name, 'the name of a child')
    })
    checkPriorities(fields, [...children.keys()], priorities ?? [])
    return { children, priorities: priorities ?? [] }
  },
}

function checkPriorities(
  fields: ConfigFields,
  children: readonly string[],
  priorities: readonly string[],
): void {
  const path = fields.pathOf('priorities')
  for (const name of children) {
    const count = priorities.filter((listed) => listed === name).length
    if (count !== 1) throw new ConfigError(`${path}: got ${name} ${count} times, want it once`)
  }
}

const FAILOVER_MS = 10_000
const RETENTION_MS = 15 * 60_000

const { Ready, Connecting, Idle, TransientFailure } = ConnectivityState

const NO_PRIORITY: BalancerState = {
  state: TransientFailure,
  picker: failingPicker({ code: Code.Unavailable, message: 'no priority is configured' }),
}

/** A child that was started. */
class PriorityChild extends NamedChild {
  /** What it was before its latest state. */
  public seen: ConnectivityState = Connecting
  /** Runs while it may still be waited for. */
  public failover: Timer | undefined
  /** Runs while it is retired. */
  public retention: Timer | undefined

  /** Whether those after it need not be looked at. */
  public get isChosen(): boolean {
    const { state } = this.latest
    return state === Ready || state === Idle || this.failover !== undefined
  }

  public endFailover(): void {
    this.failover?.cancel()
    this.failover = undefined
  }

  public override close(): void {
    this.endFailover()
    this.retention?.cancel()
    super.close()
  }
}

class Priority implements Balancer<PriorityConfig> {
  private readonly cc: BalancerClientConn
  private readonly options: BalancerOptions
  private readonly children = new Map<string, PriorityChild>()
  private config: PriorityConfig = { children: new Map(), priorities: [] }
  private resolved: ResolverState = { endpoints: [] }
  private groups = new Map<string, Endpoint[]>()
  private published: BalancerState | undefined
  /** While children are called, whose updates are then looked at together. */
  private isHolding = false

  public constructor(cc: BalancerClientConn, options: BalancerOptions) {
    this.cc = cc
    this.options = options
  }

  public handleResolvedAddrs(resolved: ResolverState, config: PriorityConfig): boolean {
    this.config = config
    this.resolved = resolved
    this.groups = groupByChild(resolved.endpoints)
    this.isHolding = true
    for (const child of this.children.values()) {
      if (config.children.has(child.name)) this.update(child)
      else this.retire(child)
    }
    this.isHolding = false
    this.choose()
    return this.groups.size > 0
  }

  public resolverError(status: Status): void {
    for (const child of this.children.values()) child.resolverError(status)
    if (this.children.size === 0) {
      this.publish({ state: TransientFailure, picker: failingPicker(status) })
    }
  }

  public handleSubConnStateChange(): void {}

  public exitIdle(): void {
    for (const child of this.children.values()) if (child.retention === undefined) child.exitIdle()
  }

  public close(): void {
    this.isHolding = true
    for (const child of this.children.values()) child.close()
    this.children.clear()
  }

  // ── which child

  private choose(): void {
    if (this.isHolding) return
    const { priorities } = this.config
    for (const [i, name] of priorities.entries()) {
      const child = this.children.get(name) ?? this.start(name)
      this.recall(child)
      const isLast = i + 1 === priorities.length
      if (!child.isChosen && !isLast) continue
      for (const lower of priorities.slice(i + 1)) this.retire(this.children.get(lower))
      this.publish(child.latest)
      return
    }
    this.publish(NO_PRIORITY)
  }

  private publish(state: BalancerState): void {
    if (state === this.published) return
    this.published = state
    this.cc.updateBalancerState(state)
  }

  private updated(child: PriorityChild): void {
    const { state } = child.latest
    if (state !== Connecting) child.endFailover()
    else if (child.seen !== Connecting && child.retention === undefined) this.beginFailover(child)
    child.seen = state
    this.choose()
  }

  // ── a child's life

  private start(name: string): PriorityChild {
    const conn = deriveConn(this.cc, {
      resolveNow: () => {
        const { ignoreReresolutionRequests } = this.config.children.get(name) ?? {}
        if (ignoreReresolutionRequests !== true) this.cc.resolveNow()
      },
    })
    const child = new PriorityChild(name, conn, this.options, () => this.updated(child))
    this.children.set(name, child)
    this.beginFailover(child)
    this.isHolding = true
    this.update(child)
    this.isHolding = false
    return child
  }

  private update(child: PriorityChild): void {
    const endpoints = this.groups.get(child.name) ?? []
    const { childPolicy } = this.config.children.get(child.name)!
    child.handleResolvedAddrs({ ...this.resolved, endpoints }, childPolicy)
  }

  private beginFailover(child: PriorityChild): void {
    const expired = (): void => {
      child.failover = undefined
      this.choose()
    }
    child.failover ??= this.options.clock.timer(FAILOVER_MS, expired, false)
  }

  private retire(child: PriorityChild | undefined): void {
    if (child === undefined || child.retention !== undefined) return
    const expired = (): void => {
      this.children.delete(child.name)
      child.close()
    }
    child.endFailover()
    child.retention = this.options.clock.timer(RETENTION_MS, expired, false)
  }

  /** Ends a child's retirement; it gets its time again. */
  private recall(child: PriorityChild): void {
    if (child.retention === undefined) return
    child.retention.cancel()
    child.retention = undefined
    if (child.latest.state === Connecting) this.beginFailover(child)
  }
}
