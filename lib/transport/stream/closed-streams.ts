// A bounded memory of the streams that closed last and of how they closed, so that a late frame is
// answered as RFC 9113 section 5.1 has it. Rings of ids, searched only when a frame names a closed
// stream; nothing is allocated before the first stream closes.
import { StreamState } from './stream-state.ts'

/** Streams that ended, or were reset by the peer. Power of two. */
const REMEMBERED_ENDS = 16
/**
 * Streams that we reset. More, and apart, so that they are not pushed out: what the peer had under
 * way for them must be ignored, and it may have been a window full. Power of two.
 */
const REMEMBERED_LOCAL_RESETS = 256

/** Remembers closed streams; forgets the oldest. */
export class ClosedStreams {
  /** `id * 2`, plus 1 when the peer reset it. */
  private ends: number[] | undefined
  private nextEnd: number
  private localResets: Uint32Array | undefined
  private nextLocalReset: number

  public constructor() {
    this.ends = undefined
    this.nextEnd = 0
    this.localResets = undefined
    this.nextLocalReset = 0
  }

  /** Remembers that stream `id` closed; `state` is how, one of ClosedBy…. */
  public note(id: number, state: StreamState): void {
    if (state === StreamState.ClosedByLocalReset) {
      this.localResets ??= new Uint32Array(REMEMBERED_LOCAL_RESETS)
      this.localResets[this.nextLocalReset] = id
      this.nextLocalReset = (this.nextLocalReset + 1) & (REMEMBERED_LOCAL_RESETS - 1)
      return
    }
    // An array of this size takes less memory than a typed one: most connections have one.
    this.ends ??= new Array<number>(REMEMBERED_ENDS).fill(0)
    this.ends[this.nextEnd] = id * 2 + (state === StreamState.ClosedByPeerReset ? 1 : 0)
    this.nextEnd = (this.nextEnd + 1) & (REMEMBERED_ENDS - 1)
  }

  /**
   * How stream `id`, known to be closed, did close; ClosedForgotten when that is not remembered. A
   * reset of ours wins over what was noted of the same stream before.
   */
  public stateOf(id: number): StreamState {
    if (this.localResets?.includes(id)) return StreamState.ClosedByLocalReset
    const { ends } = this
    if (ends === undefined) return StreamState.ClosedForgotten
    if (ends.includes(id * 2 + 1)) return StreamState.ClosedByPeerReset
    return ends.includes(id * 2) ? StreamState.ClosedByEnd : StreamState.ClosedForgotten
  }
}
