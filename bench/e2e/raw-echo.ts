// What both ends of the raw TCP echo share: messages of a fixed size, and a batch of them that leaves
// as one write. A message is copied each time, as whoever has something to say must.

/** The octets of a call in each direction. */
export interface RawSizes {
  readonly requestBytes: number
  readonly responseBytes: number
}

const SLAB_BYTES = 256 * 1024

/** Messages gathered for one write. */
export class Batch {
  private readonly slab = Buffer.alloc(SLAB_BYTES)
  private readonly message: Buffer
  private end = 0

  public constructor(messageBytes: number) {
    this.message = Buffer.alloc(messageBytes, 'framewright')
  }

  /** Adds one message. */
  public add(): void {
    this.message.copy(this.slab, this.end)
    this.end += this.message.length
  }

  /** What was added since the last call; valid until the next `add`. */
  public take(): Buffer {
    const octets = this.slab.subarray(0, this.end)
    this.end = 0
    return octets
  }
}

/** Counts the whole messages in what arrives. */
export class MessageCount {
  private readonly messageBytes: number
  private pending = 0

  public constructor(messageBytes: number) {
    this.messageBytes = messageBytes
  }

  /** Messages that are complete after a read of so many octets. */
  public read(octets: number): number {
    this.pending += octets
    const whole = Math.floor(this.pending / this.messageBytes)
    this.pending -= whole * this.messageBytes
    return whole
  }
}
