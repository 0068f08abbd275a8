// Counts what passes over a connection: frames and octets in each direction.
import { FrameDescriber } from '../../lib/frame/index.ts'
import type { TraceSink } from '../../lib/transport/index.ts'

/** Totals since the start. */
export interface WireTotals {
  readonly framesOut: number
  readonly framesIn: number
  readonly bytesOut: number
  readonly bytesIn: number
}

export class WireCount {
  private readonly describers = { out: new FrameDescriber(), in: new FrameDescriber() }
  private readonly frames = { out: 0, in: 0 }
  private readonly bytes = { out: 0, in: 0 }

  /** A sink that counts, and hands everything on to `next`. */
  public sink(next?: TraceSink): TraceSink {
    return (direction, bytes) => {
      this.frames[direction] += this.describers[direction].push(bytes).length
      this.bytes[direction] += bytes.length
      next?.(direction, bytes)
    }
  }

  public get totals(): WireTotals {
    const { frames, bytes } = this
    return {
      framesOut: frames.out,
      framesIn: frames.in,
      bytesOut: bytes.out,
      bytesIn: bytes.in,
    }
  }
}
