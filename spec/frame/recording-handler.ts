// A FrameHandler that writes down what it is called with, for the specs of this folder.
import { errorCodeName, type FrameHandler, frameTypeName } from '../../lib/frame/index.ts'

/**
 * One line for each call. The chunks of a DATA frame make one line, since where they are cut is no
 * part of the meaning.
 */
export class RecordingHandler implements FrameHandler {
  public readonly calls: string[] = []
  private chunks = ''

  /** The calls without the `frame` that goes before each. */
  public get payloads(): string[] {
    return this.calls.filter((call) => !call.startsWith('frame '))
  }

  public frame(type: number, flags: number, streamId: number, length: number): void {
    this.calls.push(
      `frame ${frameTypeName(type)} flags=${flags} stream=${streamId} length=${length}`,
    )
  }

  public dataBegin(streamId: number, flowBytes: number, padBytes: number, end: boolean): void {
    this.calls.push(`dataBegin ${streamId} flow=${flowBytes} pad=${padBytes} end=${end}`)
    this.chunks = ''
  }

  public dataChunk(buf: Buffer, start: number, end: number): void {
    if (start >= end) this.calls.push('an empty chunk')
    this.chunks += buf.toString('hex', start, end)
  }

  public dataEnd(): void {
    this.calls.push(`dataEnd [${this.chunks}]`)
  }

  public headers(
    streamId: number,
    endStream: boolean,
    endHeaders: boolean,
    padLength: number,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    const fragment = buf.toString('hex', start, end)
    this.calls.push(
      `headers ${streamId} endStream=${endStream} endHeaders=${endHeaders} pad=${padLength} [${fragment}]`,
    )
  }

  public continuation(
    streamId: number,
    endHeaders: boolean,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    const fragment = buf.toString('hex', start, end)
    this.calls.push(`continuation ${streamId} endHeaders=${endHeaders} [${fragment}]`)
  }

  public priority(streamId: number, dependsOn: number, exclusive: boolean, weight: number): void {
    this.calls.push(
      `priority ${streamId} dependsOn=${dependsOn} exclusive=${exclusive} weight=${weight}`,
    )
  }

  public pushPromise(streamId: number): void {
    this.calls.push(`pushPromise ${streamId}`)
  }

  public extension(
    type: number,
    flags: number,
    streamId: number,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    this.calls.push(
      `extension ${type} flags=${flags} stream=${streamId} [${buf.toString('hex', start, end)}]`,
    )
  }

  public rstStream(streamId: number, code: number): void {
    this.calls.push(`rstStream ${streamId} ${errorCodeName(code)}`)
  }

  public setting(id: number, value: number): void {
    this.calls.push(`setting ${id}=${value}`)
  }

  public settingsEnd(): void {
    this.calls.push('settingsEnd')
  }

  public settingsAck(): void {
    this.calls.push('settingsAck')
  }

  public ping(ack: boolean, hi: number, lo: number): void {
    this.calls.push(`ping ack=${ack} ${hi} ${lo}`)
  }

  public goAway(lastStreamId: number, code: number, buf: Buffer, start: number, end: number): void {
    const debug = buf.toString('latin1', start, end)
    this.calls.push(`goAway last=${lastStreamId} ${errorCodeName(code)} "${debug}"`)
  }

  public windowUpdate(streamId: number, increment: number): void {
    this.calls.push(`windowUpdate ${streamId} +${increment}`)
  }

  public streamError(streamId: number, code: number, token: string): void {
    this.calls.push(`streamError ${streamId} ${errorCodeName(code)} ${token}`)
  }
}
