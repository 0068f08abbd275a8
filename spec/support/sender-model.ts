// An independent reading of RFC 9113 for one end of a connection: it sees the octets that this end
// receives and sends, and says what it sends that it must not. Written apart from lib/ on purpose.

interface ModelStream {
  window: number
  headersSent: boolean
  endSent: boolean
  resetSent: boolean
  endReceived: boolean
  resetReceived: boolean
}

const DATA = 0
const HEADERS = 1
const RST_STREAM = 3
const SETTINGS = 4
const GOAWAY = 7
const WINDOW_UPDATE = 8
const CONTINUATION = 9
const PREFACE_BYTES = 24

/** Frames out of octets in any pieces. */
class Frames {
  private rest = Buffer.alloc(0)
  private prefaceLeft: number

  public constructor(hasPreface: boolean) {
    this.prefaceLeft = hasPreface ? PREFACE_BYTES : 0
  }

  public push(
    bytes: Buffer,
    each: (type: number, flags: number, id: number, payload: Buffer) => void,
  ): void {
    const skipped = Math.min(this.prefaceLeft, bytes.length)
    this.prefaceLeft -= skipped
    this.rest = Buffer.concat([this.rest, bytes.subarray(skipped)])
    for (;;) {
      if (this.rest.length < 9) return
      const end = 9 + this.rest.readUIntBE(0, 3)
      if (this.rest.length < end) return
      const frame = this.rest
      this.rest = this.rest.subarray(end)
      each(frame[3]!, frame[4]!, frame.readUInt32BE(5) & 0x7fff_ffff, frame.subarray(9, end))
    }
  }
}

/** See above. `faults` stays empty for an end that keeps the rules. */
export class SenderModel {
  public readonly faults: string[] = []
  private readonly isClient: boolean
  private readonly received: Frames
  private readonly sent: Frames
  private readonly streams = new Map<number, ModelStream>()
  private connectionWindow = 65_535
  private initialWindow = 65_535
  private maxFrame = 16_384
  private maxStreams = Number.POSITIVE_INFINITY
  private lastOpened = 0
  private blockOf = 0
  private blockEnds = false
  private goAwayReceived = false

  public constructor(role: 'client' | 'server') {
    this.isClient = role === 'client'
    this.received = new Frames(!this.isClient)
    this.sent = new Frames(this.isClient)
  }

  /** Octets of this end, as a `TraceSink` sees them. */
  public readonly sink = (direction: 'in' | 'out', bytes: Buffer): void => {
    if (direction === 'in') this.received.push(bytes, (...frame) => this.onReceived(...frame))
    else this.sent.push(bytes, (...frame) => this.onSent(...frame))
  }

  private stream(id: number): ModelStream {
    let stream = this.streams.get(id)
    if (stream === undefined) {
      stream = {
        window: this.initialWindow,
        headersSent: false,
        endSent: false,
        resetSent: false,
        endReceived: false,
        resetReceived: false,
      }
      this.streams.set(id, stream)
    }
    return stream
  }

  private isOpen(stream: ModelStream): boolean {
    return !stream.resetSent && !stream.resetReceived && !(stream.endSent && stream.endReceived)
  }

  private onReceived(type: number, flags: number, id: number, payload: Buffer): void {
    if (type === SETTINGS && (flags & 1) === 0) this.onSettings(payload)
    if (type === GOAWAY) this.goAwayReceived = true
    if (type === WINDOW_UPDATE) {
      const increment = payload.readUInt32BE(0)
      if (id === 0) this.connectionWindow += increment
      else this.stream(id).window += increment
    }
    if (type === RST_STREAM) this.stream(id).resetReceived = true
    if ((type === DATA || type === HEADERS) && (flags & 1) !== 0) this.stream(id).endReceived = true
    if (type === HEADERS) this.stream(id)
  }

  private onSettings(payload: Buffer): void {
    for (let pos = 0; pos < payload.length; pos += 6) {
      const value = payload.readUInt32BE(pos + 2)
      const setting = payload.readUInt16BE(pos)
      if (setting === 3) this.maxStreams = value
      if (setting === 5) this.maxFrame = value
      if (setting !== 4) continue
      for (const stream of this.streams.values()) stream.window += value - this.initialWindow
      this.initialWindow = value
    }
  }

  private onSent(type: number, flags: number, id: number, payload: Buffer): void {
    if (payload.length > this.maxFrame) this.fault(`a frame of ${payload.length} octets`)
    if (this.blockOf !== 0 && (type !== CONTINUATION || id !== this.blockOf)) {
      this.fault('a frame within a header block')
    }
    if (type === HEADERS) this.onSentHeaders(flags, id)
    if (type === CONTINUATION && (flags & 4) !== 0) this.blockEnd()
    if (type === DATA) this.onSentData(flags, id, payload.length)
    if (type === RST_STREAM) {
      if (!this.streams.has(id)) this.fault(`RST_STREAM on idle stream ${id}`)
      this.stream(id).resetSent = true
    }
    if (type === WINDOW_UPDATE && id !== 0 && !this.streams.has(id)) {
      this.fault(`WINDOW_UPDATE on idle stream ${id}`)
    }
  }

  private onSentHeaders(flags: number, id: number): void {
    if (this.isClient && !this.streams.has(id)) {
      if (id <= this.lastOpened) this.fault(`stream ${id} after ${this.lastOpened}`)
      this.lastOpened = id
      const open = [...this.streams.values()].filter((stream) => this.isOpen(stream)).length
      if (open >= this.maxStreams) this.fault(`stream ${id} is one too many of ${this.maxStreams}`)
      if (this.goAwayReceived) this.fault(`stream ${id} after GOAWAY`)
    }
    const stream = this.stream(id)
    this.checkMaySend(stream, id, 'HEADERS')
    stream.headersSent = true
    this.blockOf = id
    this.blockEnds = (flags & 1) !== 0
    if ((flags & 4) !== 0) this.blockEnd()
  }

  private blockEnd(): void {
    if (this.blockEnds) this.stream(this.blockOf).endSent = true
    this.blockOf = 0
  }

  private onSentData(flags: number, id: number, length: number): void {
    const stream = this.stream(id)
    this.checkMaySend(stream, id, 'DATA')
    if (!stream.headersSent) this.fault(`DATA before HEADERS on stream ${id}`)
    stream.window -= length
    this.connectionWindow -= length
    if (length > 0 && stream.window < 0) this.fault(`window of stream ${id} at ${stream.window}`)
    if (length > 0 && this.connectionWindow < 0) this.fault(`window at ${this.connectionWindow}`)
    if (length === 0 && (flags & 1) === 0) this.fault('an empty DATA frame that ends nothing')
    if ((flags & 1) !== 0) stream.endSent = true
  }

  private checkMaySend(stream: ModelStream, id: number, what: string): void {
    if (stream.endSent) this.fault(`${what} after END_STREAM on ${id}`)
    if (stream.resetSent) this.fault(`${what} after our RST_STREAM on ${id}`)
    if (stream.resetReceived) this.fault(`${what} after the peer's RST_STREAM on ${id}`)
  }

  private fault(text: string): void {
    this.faults.push(text)
  }
}
