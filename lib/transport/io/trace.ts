// Looking at a connection without touching it: a decorator that sees both octet streams of a wire,
// and a printer of one line a frame. Costs nothing where it is not used.
import { type Clock, systemClock } from '../../base/clock.ts'
import { FrameDescriber } from '../../frame/index.ts'
import { type HeaderBlock, HpackDecoder } from '../../hpack/index.ts'
import type { Wire, WireEvents } from './wire.ts'

/** 'in': from the peer. 'out': to the peer. */
export type TraceDirection = 'in' | 'out'

/** Is given all octets, in order for each direction. `bytes` is *borrowed* until it returns. */
export type TraceSink = (direction: TraceDirection, bytes: Buffer) => void

/** A wire under observation, in two halves as a connection has it. */
export interface TracedWire {
  /** What the connection is given in place of the wire. */
  readonly wire: Wire
  /** What the wire is started with in place of the connection's `events`. */
  tap(events: WireEvents): WireEvents
}

/**
 * Hands both octet streams of `wire` to `sink`: what arrives before the connection parses it, what
 * leaves before the wire takes it. A sink that throws is not called again.
 */
export function traceWire(wire: Wire, sink: TraceSink): TracedWire {
  let isFaulty = false
  const see: TraceSink = (direction, bytes) => {
    if (isFaulty) return
    try {
      sink(direction, bytes)
    } catch {
      isFaulty = true
    }
  }
  return { wire: new WireTap(wire, see), tap: (events) => new EventsTap(events, see) }
}

class WireTap implements Wire {
  private readonly wire: Wire
  private readonly see: TraceSink

  public constructor(wire: Wire, see: TraceSink) {
    this.wire = wire
    this.see = see
  }

  public write(bytes: Buffer): boolean {
    this.see('out', bytes)
    return this.wire.write(bytes)
  }

  public cork(): void {
    this.wire.cork()
  }

  public uncork(): void {
    this.wire.uncork()
  }

  public get unsentBytes(): number {
    return this.wire.unsentBytes
  }

  public requestFlush(urgency: 'soon' | 'later'): void {
    this.wire.requestFlush(urgency)
  }

  public pauseReading(): void {
    this.wire.pauseReading()
  }

  public resumeReading(): void {
    this.wire.resumeReading()
  }

  public close(graceMs: number): void {
    this.wire.close(graceMs)
  }
}

class EventsTap implements WireEvents {
  private readonly events: WireEvents
  private readonly see: TraceSink

  public constructor(events: WireEvents, see: TraceSink) {
    this.events = events
    this.see = see
  }

  public receive(buf: Buffer, start: number, end: number): void {
    this.see('in', buf.subarray(start, end))
    this.events.receive(buf, start, end)
  }

  public flush(): void {
    this.events.flush()
  }

  public writable(): void {
    this.events.writable()
  }

  public ended(): void {
    this.events.ended()
  }

  public closed(error?: Error): void {
    this.events.closed(error)
  }
}

/** What {@link traceFrames} shows. */
export interface TraceFramesOptions {
  /** For the time of each line. Default: the machine's. */
  readonly clock?: Clock
  /** Shows also credentials and whatever was sent as never-indexed. Default false. */
  readonly showSensitive?: boolean
  /** How many octets of DATA to show as text. Default 0: payloads may be secret. */
  readonly previewBytes?: number
}

const ARROWS = { in: '<', out: '>' } as const
const SENSITIVE: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
])
const MAX_VALUE_CHARS = 256
const MAX_LIST_BYTES = 64 * 1024
/** Whether a table size is allowed is for the connection to say; a trace follows. */
const ANY_TABLE_BYTES = 0x7fff_ffff

/**
 * A sink that prints one line a frame, as in
 * `+1.2ms < HEADERS stream=1 length=9 flags=END_HEADERS block=9 {:status: 200}`. The time is that
 * since this call. One sink for one connection: it follows both HPACK tables.
 */
export function traceFrames(
  print: (line: string) => void,
  options: TraceFramesOptions = {},
): TraceSink {
  const { clock = systemClock, showSensitive = false, previewBytes = 0 } = options
  const startMs = clock.nowMs()
  const describers = {
    in: describer(showSensitive, previewBytes),
    out: describer(showSensitive, previewBytes),
  }
  return (direction, bytes) => {
    const sinceMs = (clock.nowMs() - startMs).toFixed(1)
    for (const line of describers[direction].push(bytes)) {
      print(`+${sinceMs}ms ${ARROWS[direction]} ${line}`)
    }
  }
}

function describer(showSensitive: boolean, previewBytes: number): FrameDescriber {
  const decoder = new HpackDecoder({ maxListBytes: MAX_LIST_BYTES })
  decoder.setMaxTableBytes(ANY_TABLE_BYTES)
  return new FrameDescriber({
    previewBytes,
    describeBlock: (block) => describeFields(decoder.decode(block, 0, block.length), showSensitive),
  })
}

/** As in `{:method: POST, authorization: <hidden>}`. */
function describeFields(block: HeaderBlock, showSensitive: boolean): string {
  const { fields, neverIndexed, exceeded } = block
  const shown: string[] = []
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!
    const isHidden = !showSensitive && (SENSITIVE.has(name) || neverIndexed?.includes(at))
    shown.push(`${printable(name)}: ${isHidden ? '<hidden>' : printable(fields[at + 1]!)}`)
  }
  if (exceeded !== undefined) shown.push('…')
  return `{${shown.join(', ')}}`
}

/** Keeps a peer from writing lines or terminal controls into a log. */
function printable(text: string): string {
  const escaped = text
    .slice(0, MAX_VALUE_CHARS)
    .replaceAll(
      /[^\x20-\x7e]|\\/g,
      (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
    )
  return text.length > MAX_VALUE_CHARS ? `${escaped}…` : escaped
}
