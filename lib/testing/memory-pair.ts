// Two memory wires back to back, on virtual time: a connection's two ends in one process without a
// socket, the same on every run.
import { FakeClock } from './fake-clock.ts'
import { MemoryWire, type MemoryWireOptions } from './memory-wire.ts'

/** A flush that leads to a flush for ever is a bug of the code under test. */
const MAX_STEPS = 1_000_000

/** The line between two wires. */
export class MemoryPair {
  public readonly clock: FakeClock
  public readonly client: MemoryWire
  public readonly server: MemoryWire

  public constructor(clock: FakeClock, client: MemoryWireOptions, server: MemoryWireOptions) {
    this.clock = clock
    this.client = new MemoryWire(clock, client)
    this.server = new MemoryWire(clock, server)
    this.client.far = this.server
    this.server.far = this.client
  }

  /**
   * Does one due thing of either side: urgent flushes first, in the order they were asked for, then
   * events and deliveries by time, then the flushes that can wait. False when nothing is due.
   */
  public step(): boolean {
    const { client, server } = this
    const [first, second] =
      client.soonOrder <= server.soonOrder ? [client, server] : [server, client]
    if (first.flushSoon() || second.flushSoon()) return true
    if (client.tellNext() || server.tellNext()) return true
    const [sooner, other] =
      (client.nextArrivalMs() ?? Infinity) <= (server.nextArrivalMs() ?? Infinity)
        ? [client, server]
        : [server, client]
    if (sooner.deliverNext() || other.deliverNext()) return true
    return client.flushLater() || server.flushLater()
  }

  /** Steps until nothing is due at the present time. Returns how many steps it took. */
  public drive(): number {
    let steps = 0
    while (this.step()) {
      steps += 1
      if (steps > MAX_STEPS) throw new Error(`pair_never_idle: still busy after ${MAX_STEPS} steps`)
    }
    return steps
  }

  /** Moves time on by `ms`; timers and deliveries come at their own time, everything is driven. */
  public advance(ms: number): void {
    const untilMs = this.clock.nowMs() + ms
    this.drive()
    for (let nextMs = this.nextDueMs(); nextMs <= untilMs; nextMs = this.nextDueMs()) {
      this.clock.advance(nextMs - this.clock.nowMs())
      this.drive()
    }
    this.clock.advance(untilMs - this.clock.nowMs())
  }

  /** Breaks the line: what is under way is lost and both sides are told with the next steps. */
  public cut(error?: Error): void {
    this.client.fail(error)
    this.server.fail(error)
  }

  private nextDueMs(): number {
    return Math.min(
      this.clock.nextDueMs() ?? Infinity,
      this.client.nextArrivalMs() ?? Infinity,
      this.server.nextArrivalMs() ?? Infinity,
    )
  }
}

/** Options of both ends, with what differs for one of them. */
export interface MemoryPairOptions extends MemoryWireOptions {
  readonly client?: MemoryWireOptions
  readonly server?: MemoryWireOptions
}

/** Two wires joined back to back. What one writes the other receives, once the pair is driven. */
export function memoryPair(
  clock: FakeClock = new FakeClock(),
  options: MemoryPairOptions = {},
): MemoryPair {
  const { client, server, ...both } = options
  return new MemoryPair(clock, { ...both, ...client }, { ...both, ...server })
}
