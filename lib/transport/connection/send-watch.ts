// Watches what leaves: a peer that does not read what we send, one that makes us answer and does not
// read the answers, one that lets nothing of much data go. Each is given its time as long as there
// is progress. RFC 9113 section 10.5.
import type { Wire } from '../io/wire.ts'
import type { ControlBuffer } from './control-buffer.ts'
import type { LoopyWriter } from './loopy-writer.ts'
import type { OutgoingSlabs } from './outgoing-slabs.ts'
import { type StallWatch, Watch, type Watchdogs } from './watchdogs.ts'

/** Limits; see the options of the same names. */
export interface SendWatchOptions {
  readonly maxReplyBytes: number
  readonly maxBufferedBytes: number
  readonly replyStallTimeoutMs: number
  readonly writeStallTimeoutMs: number
  readonly windowStallTimeoutMs: number
}

/** Less data than this in the time of a window stall is a drip, no progress. */
const LEAST_DATA_PROGRESS_BYTES = 16_384

export class SendWatch {
  private readonly wire: Wire
  private readonly out: OutgoingSlabs
  private readonly control: ControlBuffer
  private readonly writer: LoopyWriter
  private readonly watchdogs: Watchdogs
  private readonly options: SendWatchOptions
  private readingPaused = false
  /** Replies before the mark may be unsent until the wire has taken the octets up to it. */
  private olderReplyBytes = 0
  private markBytes = 0
  /** How far each stall had come when its time began; absent while none has. */
  private progressAtStart: Map<StallWatch, number> | undefined = undefined

  public constructor(
    wire: Wire,
    out: OutgoingSlabs,
    control: ControlBuffer,
    writer: LoopyWriter,
    watchdogs: Watchdogs,
    options: SendWatchOptions,
  ) {
    this.wire = wire
    this.out = out
    this.control = control
    this.writer = writer
    this.watchdogs = watchdogs
    this.options = options
  }

  /** Looks at the wire: after a flush, and when it has drained. */
  public look(): void {
    const { options } = this
    const { unsentBytes } = this.wire
    this.watch(Watch.WriteStall, unsentBytes > 0, options.writeStallTimeoutMs)
    this.pauseReading(this.unsentReplyBytes(unsentBytes) >= options.maxReplyBytes)
    const pinsMuch = this.writer.queuedBytes > options.maxBufferedBytes
    this.watch(Watch.WindowStall, pinsMuch, options.windowStallTimeoutMs)
  }

  /** The time of a stall is over: false when there was progress, and it gets the same time again. */
  public isStalled(watch: StallWatch): boolean {
    const progress = this.progressOf(watch) - (this.progressAtStart?.get(watch) ?? 0)
    if (progress < (watch === Watch.WindowStall ? LEAST_DATA_PROGRESS_BYTES : 1)) return true
    this.watch(watch, true, this.timeoutOf(watch))
    return false
  }

  private watch(watch: StallWatch, isDue: boolean, timeoutMs: number): void {
    if (!isDue) this.watchdogs.disarm(watch)
    else if (this.watchdogs.arm(watch, timeoutMs)) {
      this.progressAtStart ??= new Map()
      this.progressAtStart.set(watch, this.progressOf(watch))
    }
  }

  private progressOf(watch: StallWatch): number {
    if (watch === Watch.WindowStall) return this.writer.sentDataBytes
    return this.out.writtenBytes - this.wire.unsentBytes
  }

  private timeoutOf(watch: StallWatch): number {
    if (watch === Watch.ReplyStall) return this.options.replyStallTimeoutMs
    if (watch === Watch.WriteStall) return this.options.writeStallTimeoutMs
    return this.options.windowStallTimeoutMs
  }

  // Replies stand among other octets. They are counted in two parts, and the older one is done with
  // when the wire has taken all that was written when it ended.
  private unsentReplyBytes(unsentBytes: number): number {
    const { control } = this
    const { writtenBytes } = this.out
    if (unsentBytes === 0 || writtenBytes - unsentBytes >= this.markBytes) {
      this.olderReplyBytes = unsentBytes === 0 ? 0 : control.replyBytes
      control.replyBytes = 0
      this.markBytes = writtenBytes
    }
    return this.olderReplyBytes + control.replyBytes
  }

  // A peer that makes us answer and does not read the answers is not read either.
  private pauseReading(paused: boolean): void {
    if (paused === this.readingPaused) return
    this.readingPaused = paused
    this.watch(Watch.ReplyStall, paused, this.options.replyStallTimeoutMs)
    if (paused) this.wire.pauseReading()
    else this.wire.resumeReading()
  }
}
