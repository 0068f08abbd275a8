// An endpoint as outlier detection sees it: how its calls end, whether it is ejected, and its SubConns,
// which then look unhealthy. Their connections stay, and calls under way go on. Decides nothing.
// Source: gRFC A50, with A61 for ejection by health; grpc-go outlierdetection.
import { Code } from '../base/status.ts'
import type { Address } from '../naming/index.ts'
import { ConnectivityState } from './connectivity.ts'
import type { LoadReport } from './load-report.ts'
import type { CallCounts } from './outliers.ts'
import type { PickOutcome } from './picker.ts'
import type { SubConn, SubConnListener, SubConnState } from './sub-conn.ts'

const EJECTED: SubConnState = {
  state: ConnectivityState.TransientFailure,
  error: {
    code: Code.Unavailable,
    message: 'the backend is ejected: too many of its calls failed',
  },
}

/** How long ejections last, in ms. */
export interface EjectionTimes {
  readonly baseEjectionTimeMs: number
  readonly maxEjectionTimeMs: number
}

/** One endpoint. Its counts are those of the last whole interval. */
export class Host implements CallCounts {
  public successes: number = 0
  public failures: number = 0
  public readonly subConns: Set<EjectableSubConn> = new Set<EjectableSubConn>()
  private runningSuccesses = 0
  private runningFailures = 0
  private ejectedAtMs: number | undefined
  /** How often in a row it was ejected. */
  private times = 0
  /** Made once, not for each call. */
  public readonly onDone: (outcome: PickOutcome) => void = ({ status }) => {
    if (status.code === Code.Ok) this.runningSuccesses++
    else this.runningFailures++
  }

  public get isEjected(): boolean {
    return this.ejectedAtMs !== undefined
  }

  /** Counts from here; what was counted so far is what it is judged by. */
  public endInterval(): void {
    this.successes = this.runningSuccesses
    this.failures = this.runningFailures
    this.runningSuccesses = 0
    this.runningFailures = 0
  }

  public eject(nowMs: number): void {
    this.ejectedAtMs = nowMs
    this.times++
    this.tell()
  }

  /** Takes it back when its time is over; forgives a time when it is in service. */
  public review(nowMs: number, { baseEjectionTimeMs, maxEjectionTimeMs }: EjectionTimes): void {
    if (this.ejectedAtMs === undefined) this.times = Math.max(0, this.times - 1)
    else {
      const longest = Math.max(baseEjectionTimeMs, maxEjectionTimeMs)
      const lasts = Math.min(baseEjectionTimeMs * this.times, longest)
      if (nowMs > this.ejectedAtMs + lasts) this.takeBack()
    }
  }

  /** Forgets everything but the calls under way. */
  public pardon(): void {
    this.times = 0
    if (this.isEjected) this.takeBack()
  }

  private takeBack(): void {
    this.ejectedAtMs = undefined
    this.tell()
  }

  private tell(): void {
    for (const subConn of this.subConns) subConn.tell()
  }
}

/** A SubConn of a host: unhealthy while that is ejected. */
export class EjectableSubConn implements SubConn {
  /** The one that the channel knows. */
  public readonly inner: SubConn
  public readonly host: Host
  private listener: SubConnListener | undefined
  /** Undefined before the first word. */
  private health: SubConnState | undefined

  public constructor(inner: SubConn, host: Host) {
    this.inner = inner
    this.host = host
  }

  public connect(): void {
    this.inner.connect()
  }

  public updateAddresses(addresses: readonly Address[]): void {
    this.inner.updateAddresses(addresses)
  }

  public shutdown(): void {
    this.inner.shutdown()
  }

  public watchHealth(listener: SubConnListener): void {
    this.listener = listener
    this.health = undefined
    this.inner.watchHealth((health) => {
      this.health = health
      this.tell()
    })
  }

  public watchLoad(intervalMs: number, listener: (report: LoadReport) => void): () => void {
    return this.inner.watchLoad(intervalMs, listener)
  }

  /** Tells the listener its health as it is to be seen. */
  public tell(): void {
    if (this.health !== undefined) this.listener?.(this.host.isEjected ? EJECTED : this.health)
  }
}
