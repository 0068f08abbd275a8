// GOAWAY in both directions. RFC 9113 section 6.8; the two steps of a graceful end are grpc-go's.
import { ErrorCode, Http2Error, MAX_STREAM_ID } from '../../frame/index.ts'

/** What a peer's GOAWAY said. */
export interface GoAwayInfo {
  readonly lastStreamId: number
  readonly code: number
  readonly debugText: string
}

/** How far our own graceful end has come. */
export const DrainPhase = {
  None: 0,
  /** GOAWAY(2^31-1) and a PING are out; new streams are still taken. */
  Announced: 1,
  /** GOAWAY with the last stream is out; new streams are ignored. */
  Final: 2,
} as const
export type DrainPhase = (typeof DrainPhase)[keyof typeof DrainPhase]

/** What a connection knows about its own end. */
export class GoAwayState {
  public phase: DrainPhase = DrainPhase.None
  /** The peer's GOAWAY; its streams above `lastStreamId` were not processed. */
  public received: GoAwayInfo | undefined
  private lastSent: number = MAX_STREAM_ID

  /**
   * The last stream for a GOAWAY of ours; `lastPeerStreamId` is the highest that the peer opened,
   * which counts streams that were not taken after the GOAWAY before.
   */
  public lastToSend(lastPeerStreamId: number): number {
    // 6.8: "Endpoints MUST NOT increase the value they send in the last stream identifier".
    this.lastSent = Math.min(this.lastSent, lastPeerStreamId)
    return this.lastSent
  }

  /** Notes a GOAWAY. Throws Http2Error when it takes back less than the one before. */
  public receive(info: GoAwayInfo): void {
    const before = this.received?.lastStreamId ?? MAX_STREAM_ID
    // 6.8: "Endpoints MUST NOT increase the value they send in the last stream identifier".
    if (info.lastStreamId > before) {
      throw new Http2Error(
        ErrorCode.PROTOCOL_ERROR,
        'goaway_last_id_increased',
        `GOAWAY with last stream ${info.lastStreamId} after one with ${before}`,
      )
    }
    this.received = info
  }
}
