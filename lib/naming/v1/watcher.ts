// Naming as it was at first: a watcher hands out changes, one batch per question. Interfaces, and what
// watchers share. Source: grpc-go naming (2018).

/** A change of what a name means. */
export interface NamingUpdate {
  readonly op: 'add' | 'delete'
  readonly address: string
  /** What a policy needs to know; part of the address's identity. */
  readonly metadata?: unknown
}

/** A name being watched, by one user. */
export interface Watcher {
  /**
   * The first call resolves with all addresses, each further one with changes, never with none; it
   * waits until there is something to say. Rejects when the watcher will not say any more: it has been
   * closed, or the name is past hope. One call at a time.
   */
  next(): Promise<readonly NamingUpdate[]>
  /** Stops; a call of `next` that waits is rejected. */
  close(): void
}

/** Makes watchers. */
export interface NamingResolver {
  /** Throws an Error when the target makes no sense. */
  resolve(target: string): Watcher
}

/** Metadata of an address at which a load balancer of the protocol grpclb listens. */
export interface GrpclbMetadata {
  readonly addressType: 'grpclb'
  /** The balancer's name, which its certificate proves. */
  readonly serverName: string
}

/** The end of a watcher, for those who wait. */
export class Closing {
  /** Rejects when the watcher is closed; nobody needs to listen. */
  public readonly closed: Promise<never>
  public readonly signal: AbortSignal
  private readonly controller = new AbortController()

  public constructor() {
    this.signal = this.controller.signal
    this.closed = new Promise((_resolve, reject) => {
      const error = new Error('watcher_closed: want a watcher that has not been closed')
      this.signal.addEventListener('abort', () => reject(error), { once: true })
    })
    this.closed.catch(() => {})
  }

  public close(): void {
    this.controller.abort()
  }
}
