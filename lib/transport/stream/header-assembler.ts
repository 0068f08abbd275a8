// From HEADERS and CONTINUATION fragments to one decoded block. RFC 9113 section 4.3.
//
// Every block is decoded, also one whose stream is refused or gone: the HPACK state is shared by all
// streams. The bounds stop a CONTINUATION flood before it costs memory or time.
import { ErrorCode, Http2Error } from '../../frame/index.ts'
import { type HeaderBlock, HpackDecoder, HpackError } from '../../hpack/index.ts'

const FRAGMENT_BYTES = 16_384
const LEAST_CONTINUATIONS = 8

export class HeaderAssembler {
  private readonly decoder: HpackDecoder
  private readonly maxBlockBytes: number
  private readonly maxContinuations: number
  private gathered: Buffer | undefined
  private gatheredBytes = 0
  private continuations = 0

  /** `maxListBytes` and `maxFields` bound the decoded list; the encoded block gets twice as much. */
  public constructor(maxListBytes: number, maxFields: number) {
    this.decoder = new HpackDecoder({ maxListBytes, maxFields })
    this.maxBlockBytes = 2 * maxListBytes
    this.maxContinuations = Math.max(
      LEAST_CONTINUATIONS,
      Math.ceil(this.maxBlockBytes / FRAGMENT_BYTES) + 1,
    )
  }

  /** The peer acknowledged our HEADER_TABLE_SIZE: it may use no more from now on. */
  public setMaxTableBytes(bytes: number): void {
    this.decoder.setMaxTableBytes(bytes)
  }

  /** The fragment of HEADERS. The block, if it is complete. Throws Http2Error. */
  public headers(
    endHeaders: boolean,
    buf: Buffer,
    start: number,
    end: number,
  ): HeaderBlock | undefined {
    if (end - start > this.maxBlockBytes) this.tooLarge(end - start)
    if (endHeaders) return this.decode(buf, start, end)
    this.gathered = Buffer.from(buf.subarray(start, end))
    this.gatheredBytes = end - start
    this.continuations = 0
    return undefined
  }

  /** The fragment of CONTINUATION. The block, if it is complete. Throws Http2Error. */
  public continuation(
    endHeaders: boolean,
    buf: Buffer,
    start: number,
    end: number,
  ): HeaderBlock | undefined {
    this.continuations++
    if (this.continuations > this.maxContinuations) {
      throw new Http2Error(
        ErrorCode.ENHANCE_YOUR_CALM,
        'too_many_continuations',
        `more than ${this.maxContinuations} CONTINUATION frames in one field block`,
      )
    }
    this.gather(buf, start, end)
    if (!endHeaders) return undefined
    const block = this.gathered as Buffer
    this.gathered = undefined
    return this.decode(block, 0, this.gatheredBytes)
  }

  private gather(buf: Buffer, start: number, end: number): void {
    const total = this.gatheredBytes + end - start
    if (total > this.maxBlockBytes) this.tooLarge(total)
    let gathered = this.gathered as Buffer
    if (total > gathered.length) {
      const grown = Buffer.allocUnsafe(
        Math.min(this.maxBlockBytes, Math.max(total, 2 * gathered.length)),
      )
      gathered.copy(grown, 0, 0, this.gatheredBytes)
      gathered = grown
      this.gathered = grown
    }
    buf.copy(gathered, this.gatheredBytes, start, end)
    this.gatheredBytes = total
  }

  private decode(buf: Buffer, start: number, end: number): HeaderBlock {
    try {
      return this.decoder.decode(buf, start, end)
    } catch (error) {
      if (!(error instanceof HpackError)) throw error
      // RFC 9113 4.3: "A decoding error in a field block MUST be treated as a connection error of
      // type COMPRESSION_ERROR."
      throw new Http2Error(ErrorCode.COMPRESSION_ERROR, error.token, error.message)
    }
  }

  private tooLarge(bytes: number): never {
    throw new Http2Error(
      ErrorCode.ENHANCE_YOUR_CALM,
      'header_block_too_large',
      `a field block of ${bytes} octets, at most ${this.maxBlockBytes} are accepted`,
    )
  }
}
