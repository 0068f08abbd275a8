// A wire without a socket: what is written is kept, what arrives is delivered by hand, and nothing
// happens until `step` is called. Alone it serves scripted specs; two of them make a pair
// (memory-pair.ts).
//
// It is stricter than a socket so that specs find what a socket would hide: the buffer given to
// `receive` starts at an odd offset and is overwritten afterwards, and lent memory is compared with
// what it held when it was lent.
import type { Clock, Timer } from '../base/clock.ts'
import type { Peer, Wire, WireEvents } from '../transport/index.ts'
import { FakeClock } from './fake-clock.ts'

/** What kind of line a {@link MemoryWire} is the end of. All default to the ideal. */
export interface MemoryWireOptions {
  /** Octets that the line takes before `unsentBytes` grows. Default: any number. */
  readonly capacityBytes?: number
  /** How long what this wire sends is under way. Default 0. */
  readonly latencyMs?: number
  /** How fast this wire sends. Default: at once. */
  readonly bytesPerMs?: number
  /** Octets that one `receive` of this wire gets; each write of the far side if absent. */
  readonly chunkBytes?: number | (() => number)
  /** Makes `write` return false and checks that the memory stays untouched. Default false. */
  readonly lend?: boolean
  /** Keeps what was written for `sent` and `sends`. Default true. */
  readonly record?: boolean
}

/** Who is at the other end of a {@link MemoryWire}. */
export const MEMORY_PEER: Peer = Object.freeze({ address: 'memory', localAddress: 'memory' })

interface Arrival {
  readonly dueMs: number
  /** Undefined: the far side ended. */
  readonly bytes: Buffer | undefined
  /** The memory that was lent for it, to be found as `bytes` has it. */
  readonly lent: Buffer | undefined
  position: number
}

/** Where a delivered range starts in its buffer: code that forgets `start` shall fail. */
const RECEIVE_OFFSET = 3
const OVERWRITTEN_WITH = 0xdd

const Phase = { Open: 0, Closing: 1, Gone: 2 } as const
type Phase = (typeof Phase)[keyof typeof Phase]

function resetError(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
}

let order = 0

/** One end of a line in memory. Every event comes from {@link MemoryWire.step}. */
export class MemoryWire implements Wire {
  /** What was sent, one entry for each write or corked group of writes. */
  public readonly sends: Buffer[] = []
  /** The other end; absent for a scripted wire, whose far side is the spec. */
  public far: MemoryWire | undefined
  private readonly clock: Clock
  private readonly options: MemoryWireOptions
  private readonly arrivals: Arrival[] = []
  private readonly corked: Buffer[] = []
  private events: WireEvents | undefined
  private phase: Phase = Phase.Open
  private corkDepth = 0
  private isPaused = false
  private hasPeerEnded = false
  private inFlightBytes = 0
  private wasFull = false
  private owesWritable = false
  private owesClosed = false
  private failure: Error | undefined
  private soonSince: number | undefined
  private laterSince: number | undefined
  private lineFreeAtMs = 0
  private graceTimer: Timer | undefined

  public constructor(clock: Clock = new FakeClock(), options: MemoryWireOptions = {}) {
    this.clock = clock
    this.options = options
  }

  public start(events: WireEvents): void {
    this.events = events
  }

  // What a connection calls.

  public write(bytes: Buffer): boolean {
    const isLent = this.options.lend === true
    if (this.phase !== Phase.Open || bytes.length === 0) return !isLent
    if (this.corkDepth > 0) this.corked.push(bytes)
    else this.send([bytes])
    // Corked octets are read at `uncork`: until then the memory is not the connection's.
    return !isLent && this.corkDepth === 0
  }

  public cork(): void {
    this.corkDepth += 1
  }

  public uncork(): void {
    this.corkDepth -= 1
    if (this.corkDepth === 0 && this.corked.length > 0) this.send(this.corked.splice(0))
  }

  public get unsentBytes(): number {
    return Math.max(0, this.inFlightBytes - (this.options.capacityBytes ?? Infinity))
  }

  public requestFlush(urgency: 'soon' | 'later'): void {
    if (urgency === 'soon') this.soonSince ??= order++
    else if (this.soonSince === undefined) this.laterSince ??= order++
  }

  public pauseReading(): void {
    this.isPaused = true
  }

  public resumeReading(): void {
    this.isPaused = false
  }

  public close(graceMs: number): void {
    if (this.phase === Phase.Gone) return
    if (this.phase === Phase.Open) {
      this.phase = Phase.Closing
      this.far?.arrive(undefined, undefined, this.departureMs(0))
      if (this.hasPeerEnded) this.end()
      else if (graceMs > 0) this.graceTimer = this.clock.timer(graceMs, () => this.end(), false)
    }
    if (graceMs === 0) this.end()
  }

  // What a spec asks.

  /** Everything sent so far, as one. */
  public get sent(): Buffer {
    return Buffer.concat(this.sends)
  }

  /** Everything sent since the last call. */
  public takeSent(): Buffer {
    return Buffer.concat(this.sends.splice(0))
  }

  /** The most urgent flush that was asked for and has not come. */
  public get flushRequested(): 'soon' | 'later' | undefined {
    if (this.soonSince !== undefined) return 'soon'
    return this.laterSince === undefined ? undefined : 'later'
  }

  public get readingPaused(): boolean {
    return this.isPaused
  }

  /** 'closing' from `close` on, 'gone' once no other event than `closed` can come. */
  public get state(): 'open' | 'closing' | 'gone' {
    return (['open', 'closing', 'gone'] as const)[this.phase]
  }

  /** 1 from `start` until `closed` was told, else 0. */
  public get listenerCount(): number {
    return this.events === undefined ? 0 : 1
  }

  // What a scripted far side does.

  /** Octets from the far side, delivered by this call unless reading is paused. */
  public deliver(bytes: Uint8Array): void {
    this.arrive(Buffer.from(bytes), undefined, this.clock.nowMs())
    while (this.deliverNext());
  }

  /** The far side sends no more; told once all that it sent is delivered. */
  public deliverEnd(): void {
    this.arrive(undefined, undefined, this.clock.nowMs())
    while (this.deliverNext());
  }

  /** The far side's kernel takes `bytes` octets, by default all; see `capacityBytes`. */
  public take(bytes: number = this.inFlightBytes): void {
    this.inFlightBytes -= Math.min(bytes, this.inFlightBytes)
    if (this.wasFull && this.unsentBytes === 0) {
      this.wasFull = false
      this.owesWritable = true
    }
  }

  /** The line breaks: `closed(error)` is the next and last event. */
  public fail(error: Error = resetError()): void {
    if (this.phase === Phase.Gone) return
    this.failure = error
    this.end()
  }

  // Driving.

  /** Does one due thing: a flush, a delivery, another event. False when there is none. */
  public step(): boolean {
    return this.flushSoon() || this.tellNext() || this.deliverNext() || this.flushLater()
  }

  /** Steps until nothing is due. */
  public drive(): void {
    while (this.step());
  }

  /** For the pair: since when the urgent flush is asked for, in order over all wires. */
  public get soonOrder(): number {
    return this.soonSince ?? Infinity
  }

  /** For the pair: when the first arrival is due; undefined while none can be delivered. */
  public nextArrivalMs(): number | undefined {
    return this.mayDeliver() ? this.arrivals[0]?.dueMs : undefined
  }

  public flushSoon(): boolean {
    if (this.soonSince === undefined || this.events === undefined) return false
    this.soonSince = undefined
    this.laterSince = undefined
    return this.flush()
  }

  public flushLater(): boolean {
    if (this.laterSince === undefined || this.events === undefined) return false
    this.laterSince = undefined
    return this.flush()
  }

  /** Tells `writable` or `closed` if one is owed. */
  public tellNext(): boolean {
    const events = this.events
    if (events === undefined) return false
    if (this.owesClosed) {
      this.owesClosed = false
      this.events = undefined
      events.closed(this.failure)
      return true
    }
    if (!this.owesWritable) return false
    this.owesWritable = false
    if (this.phase === Phase.Open) events.writable()
    return true
  }

  /** Delivers one chunk, or the far side's end, if it is due. */
  public deliverNext(): boolean {
    const first = this.arrivals[0]
    if (first === undefined || first.dueMs > this.clock.nowMs() || !this.mayDeliver()) return false
    if (first.bytes === undefined) {
      this.arrivals.shift()
      this.peerEnded()
    } else {
      const chunk = this.nextChunk(first.bytes.length - first.position)
      this.receive(chunk)
      this.far?.take(chunk.length)
    }
    return true
  }

  private arrive(bytes: Buffer | undefined, lent: Buffer | undefined, dueMs: number): void {
    this.arrivals.push({ dueMs, bytes, lent, position: 0 })
  }

  private send(parts: readonly Buffer[]): void {
    const bytes = Buffer.concat(parts)
    const lent = this.options.lend === true && parts.length === 1 ? parts[0] : undefined
    if (this.options.record !== false) this.sends.push(bytes)
    this.inFlightBytes += bytes.length
    this.wasFull ||= this.unsentBytes > 0
    this.far?.arrive(bytes, lent, this.departureMs(bytes.length))
  }

  /** When what is sent now reaches the far side. */
  private departureMs(bytes: number): number {
    const { bytesPerMs = Infinity, latencyMs = 0 } = this.options
    this.lineFreeAtMs = Math.max(this.lineFreeAtMs, this.clock.nowMs()) + bytes / bytesPerMs
    return this.lineFreeAtMs + latencyMs
  }

  private mayDeliver(): boolean {
    if (this.phase !== Phase.Open) return true
    return this.events !== undefined && !this.isPaused
  }

  /** Takes the next octets out of the arrivals that are due. */
  private nextChunk(ofFirst: number): Buffer {
    const { chunkBytes } = this.options
    const most = typeof chunkBytes === 'function' ? chunkBytes() : (chunkBytes ?? ofFirst)
    const parts: Buffer[] = []
    for (let room = Math.max(1, most); room > 0; ) {
      const next = this.arrivals[0]
      if (next?.bytes === undefined || next.dueMs > this.clock.nowMs()) break
      checkLent(next)
      const end = Math.min(next.bytes.length, next.position + room)
      parts.push(next.bytes.subarray(next.position, end))
      room -= end - next.position
      next.position = end
      if (end === next.bytes.length) this.arrivals.shift()
    }
    return Buffer.concat(parts)
  }

  private receive(chunk: Buffer): void {
    if (this.phase === Phase.Gone) this.far?.fail()
    if (this.phase !== Phase.Open) return
    const buf = Buffer.alloc(RECEIVE_OFFSET + chunk.length + 1, OVERWRITTEN_WITH)
    chunk.copy(buf, RECEIVE_OFFSET)
    this.events!.receive(buf, RECEIVE_OFFSET, RECEIVE_OFFSET + chunk.length)
    buf.fill(OVERWRITTEN_WITH)
  }

  private peerEnded(): void {
    this.hasPeerEnded = true
    if (this.phase === Phase.Open) this.events!.ended()
    else if (this.phase === Phase.Closing) this.end()
  }

  private flush(): boolean {
    if (this.phase === Phase.Open) this.events!.flush()
    return true
  }

  /** Nothing but `closed` comes from here on. */
  private end(): void {
    if (this.phase === Phase.Gone) return
    this.phase = Phase.Gone
    this.owesClosed = true
    this.graceTimer?.cancel()
    this.graceTimer = undefined
  }
}

function checkLent(arrival: Arrival): void {
  if (arrival.lent !== undefined && !arrival.lent.equals(arrival.bytes!)) {
    throw new Error('lent_bytes_changed: memory was written to after it was lent to the wire')
  }
}
