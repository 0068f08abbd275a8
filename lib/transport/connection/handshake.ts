// The first octets of a connection: the client's preface, and SETTINGS as each side's first frame.
// RFC 9113 section 3.4.
import {
  CONNECTION_PREFACE,
  ErrorCode,
  Flag,
  FrameType,
  frameTypeName,
  Http2Error,
} from '../../frame/index.ts'

/** The octets that a client sends first. Do not write to it. */
export const PREFACE: Buffer = Buffer.from(CONNECTION_PREFACE, 'latin1')

export class Handshake {
  private prefaceLeft: number

  public constructor(expectsPreface: boolean) {
    this.prefaceLeft = expectsPreface ? PREFACE.length : 0
  }

  /** Checks the preface octets in the range; where frames begin in it. Throws Http2Error. */
  public skipPreface(buf: Buffer, start: number, end: number): number {
    let pos = start
    while (this.prefaceLeft > 0 && pos < end) {
      const expected = PREFACE[PREFACE.length - this.prefaceLeft]
      if (buf[pos] !== expected) {
        throw new Http2Error(
          ErrorCode.PROTOCOL_ERROR,
          'preface_invalid',
          `octet ${PREFACE.length - this.prefaceLeft} of the client preface is ${buf[pos]}, want ${expected}`,
        )
      }
      this.prefaceLeft--
      pos++
    }
    return pos
  }

  /** Checks the type of a side's first frame. Throws Http2Error. */
  public firstFrame(type: number, flags: number): void {
    if (type === FrameType.SETTINGS && (flags & Flag.ACK) === 0) return
    throw new Http2Error(
      ErrorCode.PROTOCOL_ERROR,
      'first_frame_not_settings',
      `the first frame is ${frameTypeName(type)}, want SETTINGS`,
    )
  }
}
