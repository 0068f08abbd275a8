// Tells a StatsHandler of one attempt (client) or call (server). Made only when there is a handler,
// so that nobody pays for events that nobody hears.
import type { Clock } from '../../base/clock.ts'
import type { Status } from '../../base/status.ts'
import type { OnSent } from '../call/message-sender.ts'
import type { MethodDefinition } from '../protocol/method.ts'
import type { RpcEvent, RpcTag, StatsHandler } from './stats.ts'

/** What an observer is made of. */
export interface RpcObserverOptions {
  readonly stats: StatsHandler
  readonly side: 'client' | 'server'
  readonly method: MethodDefinition
  readonly clock: Clock
  /** Hears what the handler throws. */
  reportFault(where: string, error: unknown): void
}

export class RpcObserver {
  /** The other side, once it is known. */
  public peerAddress = ''
  private readonly options: RpcObserverOptions
  private readonly tag: RpcTag
  private readonly startMs: number
  private ended = false

  public constructor(options: RpcObserverOptions) {
    const { side, method } = options
    this.options = options
    this.tag = { side, method, context: undefined }
    this.startMs = options.clock.nowMs()
  }

  /** An event; nothing after {@link RpcObserver.end}. */
  public tell(event: RpcEvent): void {
    if (this.ended) return
    try {
      this.options.stats.handleRpc?.(this.tag, event)
    } catch (error) {
      this.options.reportFault('stats handler', error)
    }
  }

  /** The header section went out. */
  public sentHeaders(fields: readonly string[]): void {
    this.tell({ kind: 'outHeader', fields, peer: this.peerAddress })
  }

  /** A message went out. */
  public readonly sent: OnSent<unknown> = (message, messageBytes, wireBytes, compressed) => {
    this.tell({ kind: 'outPayload', message, messageBytes, wireBytes, compressed })
  }

  /** A message came in. */
  public received(
    message: unknown,
    messageBytes: number,
    wireBytes: number,
    compressed: boolean,
  ): void {
    this.tell({ kind: 'inPayload', message, messageBytes, wireBytes, compressed })
  }

  /** The last event, once. */
  public end(status: Status): void {
    this.tell({ kind: 'end', status, durationMs: this.options.clock.nowMs() - this.startMs })
    this.ended = true
  }
}
