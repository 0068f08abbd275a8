// One session with etcd after the other, in the order of the endpoints, for as long as the owner
// wants. What must outlive a session is the owner's.
//
//   open ─▶ owner.useSession ─▶ failed ─▶ the next endpoint at once; when each has failed: backoff
//
// The waits count from a session's start, as those of connection attempts do: one that has lasted is
// followed at once, one that fails at once is not. A token that etcd refuses is a failed session like
// any other: the next one logs in anew.
import { backoffMs } from '../../base/backoff.ts'
import { pause } from '../../base/pause.ts'
import { Code, type Status } from '../../base/status.ts'
import { RpcError } from '../../grpc/index.ts'
import type { EtcdEnvironment, EtcdOptions } from './etcd-options.ts'
import { type EtcdSession, withSession } from './etcd-session.ts'

/** What a loop of sessions tells its owner, and wants of it. */
export interface SessionOwner {
  /** Whether a wait for the next session keeps the process running. */
  readonly holdsProcess: boolean
  /** Uses the session until it fails, by throwing. Calls `worked` once etcd has done what it should. */
  useSession(session: EtcdSession, worked: () => void): Promise<never>
  /** Each endpoint has failed in a row; `status` names the last one. The loop goes on. */
  sessionsFailed(status: Status): void
}

/** See above. Begins at once. */
export class SessionLoop {
  private readonly endpoints: readonly string[]
  private readonly options: EtcdOptions
  private readonly environment: EtcdEnvironment
  private readonly owner: SessionOwner
  private readonly closing = new AbortController()
  private position = 0
  /** Since a session has worked. */
  private failures = 0

  public constructor(
    endpoints: readonly string[],
    options: EtcdOptions,
    environment: EtcdEnvironment,
    owner: SessionOwner,
  ) {
    this.endpoints = endpoints
    this.options = options
    this.environment = environment
    this.owner = owner
    void this.run()
  }

  /** Ends the session. The owner is told nothing afterwards. */
  public close(): void {
    this.closing.abort()
  }

  private async run(): Promise<void> {
    const { signal } = this.closing
    while (!signal.aborted) {
      const waitMs = await this.runSession(signal)
      if (waitMs > 0) await this.pause(waitMs, signal)
    }
  }

  private pause(ms: number, signal: AbortSignal): Promise<void> {
    return pause(this.environment.clock, ms, signal, this.owner.holdsProcess)
  }

  /** Gives how long to wait before the next one, ms. */
  private async runSession(signal: AbortSignal): Promise<number> {
    const { endpoints, options, environment, owner } = this
    const endpoint = endpoints[this.position++ % endpoints.length] as string
    const startMs = environment.clock.nowMs()
    let hasWorked = false
    const worked = (): void => {
      hasWorked = true
      this.failures = 0
    }
    try {
      return await withSession(endpoint, options, environment, signal, (session) =>
        owner.useSession(session, worked),
      )
    } catch (error) {
      if (signal.aborted) return 0
      if (!hasWorked) this.failures += 1
      if (this.failures % endpoints.length !== 0) return 0
      if (!hasWorked) owner.sessionsFailed(etcdStatus(endpoint, error))
      const rounds = Math.max(0, this.failures / endpoints.length - 1)
      return (
        startMs + backoffMs(rounds, environment.random, options.backoff) - environment.clock.nowMs()
      )
    }
  }
}

/** What a channel, or the owner of a registration, is told. gRFC A54: etcd's code is not the call's. */
export function etcdStatus(endpoint: string, error: unknown): Status {
  const { message } = RpcError.from(error)
  return { code: Code.Unavailable, message: `etcd ${endpoint}: ${message}`, cause: error }
}
