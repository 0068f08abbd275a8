// Transports that do what a spec says, and the network that hands them out.

import type {
  ChannelTransport,
  ConnectOptions,
  ConnectTransport,
  Stream,
  TransportListener,
} from '../../lib/grpc/channel/channel-transport.ts'
import type { Address } from '../../lib/naming/index.ts'
import type { ErrorCode } from '../../lib/transport/index.ts'

/** A transport without octets. */
export class FakeTransport implements ChannelTransport {
  public readonly peer: ChannelTransport['peer']
  public openStreams = 0
  public waitingStreams = 0
  /** The peer's MAX_CONCURRENT_STREAMS. */
  public maxStreams = 100
  public lastReadMs = 0
  public canOpen = true
  public closed = false
  /** What `close` was given; undefined for a graceful end or a loss. */
  public closeReason: string | undefined
  /** How many streams `releaseWaiting` took. */
  public released = 0
  /** PINGs that wait for their answer. */
  public readonly pings: { resolve(ms: number): void; reject(error: Error): void }[] = []
  private readonly listener: TransportListener

  public constructor(address: string, listener: TransportListener) {
    this.peer = { address, localAddress: 'fake' }
    this.listener = listener
  }

  public get streamHeadroom(): number {
    return this.maxStreams - this.openStreams - this.waitingStreams
  }

  public openStream(): Stream {
    if (this.streamHeadroom > 0) this.openStreams += 1
    else {
      this.waitingStreams += 1
      this.listener.onQuota()
    }
    return undefined as unknown as Stream
  }

  public releaseWaiting(count: number): void {
    this.waitingStreams -= count
    this.released += count
  }

  public ping(): Promise<number> {
    return new Promise((resolve, reject) => this.pings.push({ resolve, reject }))
  }

  /** A stream of `openStream` is done. */
  public endStream(): void {
    this.openStreams -= 1
    if (!this.canOpen && this.openStreams === 0) this.lose()
  }

  public close(reason?: string): void {
    this.closeReason = reason
    this.lose()
  }

  public closeGracefully(): void {
    this.canOpen = false
    if (this.openStreams === 0) this.lose()
  }

  /** The peer sends GOAWAY. */
  public goAway(code: ErrorCode = 0, debugText = ''): void {
    this.canOpen = false
    this.listener.onGoAway({ code, debugText })
  }

  /** The connection breaks. */
  public lose(cause?: Error): void {
    if (this.closed) return
    this.canOpen = false
    this.closed = true
    for (const { reject } of this.pings.splice(0)) reject(cause ?? new Error('closed'))
    this.listener.onClosed(cause)
  }
}

/** One call of the channel's connector. */
export class FakeAttempt {
  public readonly address: string
  public readonly options: ConnectOptions
  public readonly signal: AbortSignal
  private readonly listener: TransportListener
  private readonly resolve: (transport: FakeTransport) => void
  private readonly reject: (error: Error) => void

  public constructor(
    address: string,
    options: ConnectOptions,
    signal: AbortSignal,
    listener: TransportListener,
    resolve: (transport: FakeTransport) => void,
    reject: (error: Error) => void,
  ) {
    this.address = address
    this.options = options
    this.signal = signal
    this.listener = listener
    this.resolve = resolve
    this.reject = reject
  }

  /** The peer has sent its first SETTINGS. */
  public accept(): FakeTransport {
    const transport = new FakeTransport(this.address, this.listener)
    this.resolve(transport)
    return transport
  }

  public refuse(message = 'connection refused'): void {
    this.reject(new Error(message))
  }
}

/** Keeps every attempt for the spec to decide. */
export class FakeNetwork {
  public readonly attempts: FakeAttempt[] = []

  public readonly connect: ConnectTransport = (
    address: Address,
    options: ConnectOptions,
    listener: TransportListener,
    signal: AbortSignal,
  ) =>
    new Promise((resolve, reject) => {
      this.attempts.push(
        new FakeAttempt(address.address, options, signal, listener, resolve, reject),
      )
    })

  /** The newest attempt. */
  public get last(): FakeAttempt {
    const attempt = this.attempts.at(-1)
    if (attempt === undefined) throw new Error('nobody has tried to connect')
    return attempt
  }

  /** Where the attempts went, in order. */
  public get addresses(): string[] {
    return this.attempts.map(({ address }) => address)
  }
}

/** Lets every microtask run that is waiting, and those that they start. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
