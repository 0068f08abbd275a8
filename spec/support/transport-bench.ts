// One real transport against a scripted peer, on a memory wire and virtual time.
import {
  assertGone,
  assertQuiet,
  FakeClock,
  MEMORY_PEER,
  MemoryWire,
  type MemoryWireOptions,
  ScriptedPeer,
} from '../../lib/testing/index.ts'
import {
  ClientTransport,
  type ClientTransportOptions,
  type HeaderBlock,
  ServerTransport,
  type ServerTransportOptions,
  type Stream,
} from '../../lib/transport/index.ts'
import { type RecordingOptions, RecordingStream } from './recording-stream.ts'

/** A good request and a good answer. */
export const REQUEST: readonly string[] = [
  ':method',
  'POST',
  ':scheme',
  'http',
  ':path',
  '/s/m',
  ':authority',
  'a',
]
export const RESPONSE: readonly string[] = [':status', '200']

/** A stream that a server under test was given. */
export class ServedStream extends RecordingStream {
  public readonly block: HeaderBlock

  public constructor(
    stream: Stream,
    block: HeaderBlock,
    endStream: boolean,
    options: RecordingOptions,
  ) {
    super(options)
    this.stream = stream
    this.block = block
    this.log.push(`request ${pathOf(block)}${endStream ? ' END' : ''}`)
  }
}

function pathOf(block: HeaderBlock): string {
  return block.fields[block.fields.indexOf(':path') + 1] as string
}

type Tuning = { readonly wire?: MemoryWireOptions; readonly streams?: RecordingOptions }

/** A server transport and a scripted client. */
export class ServerBench {
  public readonly clock: FakeClock = new FakeClock()
  public readonly wire: MemoryWire
  public readonly peer: ScriptedPeer
  public readonly transport: ServerTransport
  /** Streams in the order in which they were handed over. */
  public readonly served: ServedStream[] = []
  /** Called for each, after it was noted. */
  public onStream: (served: ServedStream) => void = () => {}
  public ended: Error | undefined
  public isClosed = false

  public constructor(
    options: Partial<ServerTransportOptions> = {},
    { wire, streams = {} }: Tuning = {},
  ) {
    this.wire = new MemoryWire(this.clock, wire)
    this.peer = ScriptedPeer.onWire(this.wire, 'client')
    this.transport = new ServerTransport(this.wire, MEMORY_PEER, {
      clock: this.clock,
      onStream: (stream, block, endStream) => {
        const served = new ServedStream(stream, block, endStream, streams)
        this.served.push(served)
        this.onStream(served)
        return served
      },
      onEnded: (_transport, cause) => {
        this.ended = cause
      },
      onClosed: () => {
        this.isClosed = true
      },
      ...options,
    })
    this.wire.start(this.transport.start())
  }

  /** A bench whose handshake is done. */
  public static ready(options: Partial<ServerTransportOptions> = {}, tuning?: Tuning): ServerBench {
    const bench = new ServerBench(options, tuning)
    bench.peer.handshake()
    return bench
  }

  /** The stream handed over last. */
  public get last(): ServedStream {
    return this.served.at(-1) as ServedStream
  }

  /** Lets `ms` go by, the wire driven at each timer. */
  public advance(ms: number): void {
    advance(this.clock, this.wire, ms)
  }

  /** Throws unless the connection still serves: SETTINGS are acknowledged. */
  public assertAlive(): void {
    assertAlive(this.peer)
  }

  /** Throws if the open connection holds anything. */
  public assertQuiet(): void {
    this.wire.drive()
    assertQuiet(this.transport)
  }

  /** Lets the peer hang up and throws if anything is left. */
  public finish(): void {
    finish(this.transport, this.wire, this.clock)
  }
}

/** A client transport and a scripted server. */
export class ClientBench {
  public readonly clock: FakeClock = new FakeClock()
  public readonly wire: MemoryWire
  public readonly peer: ScriptedPeer
  public readonly transport: ClientTransport
  public readonly events: string[] = []
  private readonly streams: RecordingOptions

  public constructor(options: ClientTransportOptions = {}, { wire, streams = {} }: Tuning = {}) {
    this.streams = streams
    this.wire = new MemoryWire(this.clock, wire)
    this.peer = ScriptedPeer.onWire(this.wire, 'server')
    this.transport = new ClientTransport(this.wire, MEMORY_PEER, {
      clock: this.clock,
      listener: {
        onReady: () => this.events.push('ready'),
        onDraining: (info) =>
          this.events.push(
            `draining last=${info.lastStreamId} code=${info.code} ${info.debugText}`,
          ),
        onClosed: (cause) => this.events.push(`closed ${cause.message}`),
      },
      ...options,
    })
    this.wire.start(this.transport.start())
  }

  /** A bench whose handshake is done. */
  public static ready(
    options: ClientTransportOptions = {},
    tuning: Tuning & { readonly settings?: readonly (readonly [number, number])[] } = {},
  ): ClientBench {
    const bench = new ClientBench(options, tuning)
    bench.peer.handshake(tuning.settings)
    bench.events.length = 0
    return bench
  }

  /** Opens a stream with a good request. */
  public open(endStream = false, options: RecordingOptions = this.streams): RecordingStream {
    const recording = new RecordingStream(options)
    recording.stream = this.transport.openStream(REQUEST, recording, undefined, endStream)
    return recording
  }

  public advance(ms: number): void {
    advance(this.clock, this.wire, ms)
  }

  public assertAlive(): void {
    assertAlive(this.peer)
  }

  public assertQuiet(): void {
    this.wire.drive()
    assertQuiet(this.transport)
  }

  public finish(): void {
    finish(this.transport, this.wire, this.clock)
  }
}

function advance(clock: FakeClock, wire: MemoryWire, ms: number): void {
  const untilMs = clock.nowMs() + ms
  wire.drive()
  for (let dueMs = clock.nextDueMs(); dueMs !== undefined && dueMs <= untilMs; ) {
    clock.advance(dueMs - clock.nowMs())
    wire.drive()
    dueMs = clock.nextDueMs()
  }
  clock.advance(untilMs - clock.nowMs())
  wire.drive()
}

function assertAlive(peer: ScriptedPeer): void {
  peer.take()
  peer.send(peer.settings())
  peer.expect('SETTINGS stream=0 length=0 flags=ACK')
}

function finish(
  transport: ServerTransport | ClientTransport,
  wire: MemoryWire,
  clock: FakeClock,
): void {
  wire.deliverEnd()
  wire.drive()
  assertGone(transport, wire, clock)
}
