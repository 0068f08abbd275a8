// A server and a channel in one process, joined by wires in memory on virtual time. The real thing
// from call to octets and back, but for sockets and clocks.
import type { Test } from 'tap'
import {
  type ChannelDependencies,
  type ChannelOptions,
  ClientConn,
} from '../../lib/grpc/channel/client-conn.ts'
import type { RpcError } from '../../lib/grpc/protocol/rpc-error.ts'
import { Server, type ServerOptions } from '../../lib/grpc/server/server.ts'
import { staticResolver } from '../../lib/naming/index.ts'
import {
  FakeClock,
  type MemoryPair,
  type MemoryPairOptions,
  memoryPair,
} from '../../lib/testing/index.ts'
import {
  ClientTransport,
  type ConnectionOptions,
  Http2Server,
  type OnStream,
  type Peer,
  type StartableWire,
} from '../../lib/transport/index.ts'

/** What serves the server's end of a wire. */
interface WireServer {
  serveWire(wire: StartableWire, peer: Peer): { readonly openStreams: number }
}

export interface RpcBenchOptions {
  readonly server?: ServerOptions
  readonly channel?: ChannelOptions
  readonly pair?: MemoryPairOptions
  /** Serves the streams in place of a gRPC server. */
  readonly onStream?: OnStream
  /** Rejects instead of connecting, while it says why. */
  readonly refuse?: () => Error | undefined
}

/** A promise is given up after as many rounds of the event loop without anything to do … */
const MAX_IDLE_ROUNDS = 20_000
/** … and this long: on a busy machine zlib's threads answer after more rounds than that. */
const MAX_IDLE_MS = 10_000
/** As many rounds let every chain of promises run that nothing else feeds. */
const QUIET_ROUNDS = 3

export class RpcBench {
  public readonly clock: FakeClock = new FakeClock()
  public readonly server: Server
  public readonly http2: Http2Server | undefined
  public readonly conn: ClientConn
  /** One for each connection that was made, in order. */
  public readonly pairs: MemoryPair[] = []
  public readonly transports: ClientTransport[] = []
  private readonly options: RpcBenchOptions
  private readonly wireServer: WireServer
  private readonly raw: ClientTransport[] = []

  public constructor(options: RpcBenchOptions = {}) {
    this.options = options
    const { clock } = this
    this.server = new Server({ ...options.server, clock })
    this.http2 =
      options.onStream === undefined
        ? undefined
        : new Http2Server({ clock, onStream: options.onStream })
    this.wireServer = this.http2 ?? this.server
    const dependencies: ChannelDependencies = {
      clock,
      random: () => 0.5,
      connect: (_address, { keepalive }, listener) => {
        const fault = options.refuse?.()
        if (fault !== undefined) return Promise.reject(fault)
        return this.connect(
          { fieldWhitespace: 'trim', ...options.channel?.connection, keepalive },
          listener.onGoAway.bind(listener),
          listener.onClosed.bind(listener),
          listener.onQuota.bind(listener),
        )
      },
    }
    this.conn = new ClientConn(
      'bench:///echo',
      { resolvers: [staticResolver('bench', [{ address: 'bench:1' }])], ...options.channel },
      dependencies,
    )
  }

  /** A plain HTTP/2 client of the same server, ready. */
  public rawClient(options: ConnectionOptions = {}): Promise<ClientTransport> {
    const client = this.connect(options)
    void client.then((transport) => this.raw.push(transport))
    return this.run(client)
  }

  /** Drives everything until the promise settles; its outcome. */
  public async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const done = (): void => {
      settled = true
    }
    promise.then(done, done)
    let idleSinceMs = performance.now()
    for (let idle = 0; !settled; idle++) {
      if (this.drive()) {
        idle = 0
        idleSinceMs = performance.now()
      }
      if (idle > MAX_IDLE_ROUNDS && performance.now() - idleSinceMs > MAX_IDLE_MS) {
        throw new Error('promise_never_settled: nothing is left to do')
      }
      await nextRound()
    }
    return promise
  }

  /** What the promise rejects with. */
  public async error(promise: Promise<unknown>): Promise<RpcError> {
    try {
      await this.run(promise)
    } catch (thrown) {
      return thrown as RpcError
    }
    throw new Error('the promise was fulfilled, want a rejection')
  }

  /** Drives everything until nothing is left to do at the present time. */
  public async settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_ROUNDS; quiet++) {
      if (this.drive()) quiet = 0
      await nextRound()
    }
  }

  /** Moves time on; what is due comes at its own time. */
  public async advance(ms: number): Promise<void> {
    const untilMs = this.clock.nowMs() + ms
    for (;;) {
      await this.settle()
      const nextMs = this.nextDueMs()
      if (nextMs > untilMs) break
      this.clock.advance(nextMs - this.clock.nowMs())
    }
    this.clock.advance(untilMs - this.clock.nowMs())
    await this.settle()
  }

  /** Streams open at both ends of all connections. */
  public get openStreams(): number {
    const servers = this.http2?.connections ?? this.server.connections
    const ends = [...this.transports, ...this.raw, ...servers]
    return ends.reduce((sum, end) => sum + end.openStreams, 0)
  }

  /** Nothing is left: no open stream, and once both ends are closed no connection and no timer. */
  public async assertQuiet(t: Test): Promise<void> {
    await this.settle()
    t.equal(this.openStreams, 0, 'no stream is open')
    this.conn.close()
    for (const transport of this.raw) transport.close()
    const stopped = Promise.all([this.server.stop(), this.http2?.close()])
    await this.settle()
    await this.advance(1000)
    await this.run(stopped)
    t.equal(this.server.connections.length, 0, 'no connection is left')
    t.equal(this.clock.pending, 0, 'no timer is left')
  }

  private connect(
    options: ConnectionOptions,
    onDraining?: (info: { code: number; debugText: string }) => void,
    onClosed?: (cause: Error) => void,
    onQuota?: () => void,
  ): Promise<ClientTransport> {
    const { clock } = this
    const pair = memoryPair(clock, this.options.pair)
    const peer: Peer = { address: 'bench:1', localAddress: `client:${this.pairs.length + 1}` }
    this.pairs.push(pair)
    return new Promise((resolve, reject) => {
      let ready = false
      const transport = new ClientTransport(pair.client, peer, {
        ...options,
        clock,
        listener: {
          onReady: () => {
            ready = true
            resolve(transport)
          },
          onQuota: () => onQuota?.(),
          onDraining: (info) => onDraining?.(info as never),
          onClosed: (cause) => (ready ? onClosed?.(cause) : reject(cause)),
        },
      })
      this.transports.push(transport)
      pair.client.start(transport.start())
      const serverPeer: Peer = { address: peer.localAddress, localAddress: peer.address }
      this.wireServer.serveWire(pair.server, serverPeer)
    })
  }

  private drive(): boolean {
    let steps = 0
    for (const pair of this.pairs) steps += pair.drive()
    return steps > 0
  }

  private nextDueMs(): number {
    const dues = this.pairs.flatMap(({ client, server }) => [
      client.nextArrivalMs() ?? Infinity,
      server.nextArrivalMs() ?? Infinity,
    ])
    return Math.min(this.clock.nextDueMs() ?? Infinity, ...dues)
  }
}

export function nextRound(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** All that an iterable gives, driven by the bench. */
export function collect<T>(bench: RpcBench, iterable: AsyncIterable<T>): Promise<T[]> {
  const gather = async (): Promise<T[]> => {
    const items: T[] = []
    for await (const item of iterable) items.push(item)
    return items
  }
  return bench.run(gather())
}
