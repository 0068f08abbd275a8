// A client and a server, real transports both, on one line in memory and on virtual time: what they
// do to each other, the same on every run and without waiting.
//
//   const simulation = new Simulation({ server: { onStream } })
//   const stream = simulation.client.openStream(fields, handler)
//   simulation.advance(100)
import {
  ClientTransport,
  type ClientTransportOptions,
  ServerTransport,
  type ServerTransportOptions,
} from '../transport/index.ts'
import { FakeClock } from './fake-clock.ts'
import { type MemoryPair, type MemoryPairOptions, memoryPair } from './memory-pair.ts'
import { MEMORY_PEER } from './memory-wire.ts'
import { assertGone, assertQuiet } from './quiet.ts'

/** For the last words to cross any line and for the grace of both ends. */
const CLOSE_MS = 60_000

/** What a {@link Simulation} is made of. The clock is its own. */
export interface SimulationOptions {
  readonly client?: Omit<ClientTransportOptions, 'clock'>
  readonly server: Omit<ServerTransportOptions, 'clock'>
  readonly line?: MemoryPairOptions
}

/** See above. */
export class Simulation {
  public readonly clock: FakeClock = new FakeClock()
  public readonly pair: MemoryPair
  public readonly client: ClientTransport
  public readonly server: ServerTransport

  /** Starts both ends; the handshake is under way, nothing of it has happened. */
  public constructor(options: SimulationOptions) {
    const { clock } = this
    this.pair = memoryPair(clock, options.line)
    this.server = new ServerTransport(this.pair.server, MEMORY_PEER, { ...options.server, clock })
    this.client = new ClientTransport(this.pair.client, MEMORY_PEER, { ...options.client, clock })
    this.pair.server.start(this.server.start())
    this.pair.client.start(this.client.start())
  }

  /** One thing that is due; see {@link MemoryPair.step}. */
  public step(): boolean {
    return this.pair.step()
  }

  /** All that is due now; see {@link MemoryPair.drive}. */
  public drive(): number {
    return this.pair.drive()
  }

  /** Lets `ms` go by; see {@link MemoryPair.advance}. */
  public advance(ms: number): void {
    this.pair.advance(ms)
  }

  /**
   * Throws unless both ends are at rest (see {@link assertQuiet}) and agree on the connection's
   * windows: what one may send is what the other lets it.
   */
  public assertQuiet(): void {
    assertQuiet(this.client)
    assertQuiet(this.server)
    this.assertWindowsAgree('client', this.client.load, this.server.load)
    this.assertWindowsAgree('server', this.server.load, this.client.load)
  }

  /** Closes both ends and throws if anything of them is left. */
  public close(): void {
    this.client.close()
    this.server.close()
    this.advance(CLOSE_MS)
    assertGone(this.client, this.pair.client, this.clock)
    assertGone(this.server, this.pair.server, this.clock)
  }

  private assertWindowsAgree(
    sender: string,
    { sendWindowBytes }: { readonly sendWindowBytes: number },
    { recvWindowBytes }: { readonly recvWindowBytes: number },
  ): void {
    if (sendWindowBytes === recvWindowBytes) return
    throw new Error(
      `windows_disagree: the ${sender} may send ${sendWindowBytes}, its peer accepts ${recvWindowBytes}`,
    )
  }
}
