// PINGs that we sent and who waits for their answers. RFC 9113 section 6.7.

/** The opaque octets of each kind of PING, two 32-bit halves; BDP and GOAWAY as in grpc-go. */
export const PingPayload = {
  Keepalive: [0, 0],
  Bdp: [0x0204_1010, 0x090e_0707],
  GoAway: [0x0106_0108, 0x0003_0309],
} as const

/** First half of a PING that an embedder asked for; the second counts. */
const USER_PING_HI = 0x6672_6d77

interface UserPing {
  readonly lo: number
  readonly sentMs: number
  readonly resolve: (roundTripMs: number) => void
  readonly reject: (error: Error) => void
}

/** PINGs asked for by {@link ClientTransport.ping} and its like. */
export class UserPings {
  private waiting: UserPing[] | undefined
  private count = 0

  /** Registers one; the octets to send are {@link USER_PING_HI} and the number returned. */
  public add(
    sentMs: number,
    resolve: (roundTripMs: number) => void,
    reject: (error: Error) => void,
  ): readonly [hi: number, lo: number] {
    const lo = this.count++ >>> 0
    this.waiting ??= []
    this.waiting.push({ lo, sentMs, resolve, reject })
    return [USER_PING_HI, lo]
  }

  /** An ACK that is nobody else's; unknown octets are ignored, as the RFC names no error for them. */
  public acknowledged(hi: number, lo: number, nowMs: number): void {
    if (hi !== USER_PING_HI || this.waiting === undefined) return
    const at = this.waiting.findIndex((ping) => ping.lo === lo)
    if (at < 0) return
    const [ping] = this.waiting.splice(at, 1)
    ping?.resolve(nowMs - ping.sentMs)
  }

  public failAll(error: Error): void {
    const waiting = this.waiting ?? []
    this.waiting = undefined
    for (const ping of waiting) ping.reject(error)
  }
}
