// An owner of a stream that remembers what it was told, as short lines.
import { errorCodeName } from '../../lib/frame/index.ts'
import type { HeaderBlock } from '../../lib/hpack/index.ts'
import type { HeadersKind, Stream, StreamClosed, StreamHandler } from '../../lib/transport/index.ts'

/** How a {@link RecordingStream} behaves beyond remembering. */
export interface RecordingOptions {
  /** Takes data at once, so that its credit returns. Default true. */
  readonly takes?: boolean
  /** Called after each event was noted. */
  readonly hook?: (line: string, recording: RecordingStream) => void
}

/**
 * Lines: `headers :status 200`, `informational …`, `trailers …`, each ` END` when it ends the
 * stream; `data 5` (runs of data are one line); `end`; `writable`; `closed by=… …`.
 */
export class RecordingStream implements StreamHandler {
  public readonly log: string[] = []
  public stream!: Stream
  public dataBytes = 0
  public closedBy: StreamClosed | undefined
  public closedTimes = 0
  private readonly takes: boolean
  private readonly hook: (line: string, recording: RecordingStream) => void

  public constructor({ takes = true, hook = () => {} }: RecordingOptions = {}) {
    this.takes = takes
    this.hook = hook
  }

  public onHeaders(block: HeaderBlock, kind: HeadersKind, endStream: boolean): void {
    this.note(`${kind} ${block.fields.join(' ')}${endStream ? ' END' : ''}`)
  }

  public onData(_buf: Buffer, start: number, end: number): void {
    this.dataBytes += end - start
    const last = this.log.at(-1)
    const before = last?.startsWith('data ') ? Number(last.slice(5)) : 0
    if (before > 0) this.log.pop()
    this.note(`data ${before + end - start}`)
    if (this.takes) this.stream.credit(end - start)
  }

  public onEnd(): void {
    this.note('end')
  }

  public onWritable(): void {
    this.note('writable')
  }

  public onClosed(closed: StreamClosed): void {
    this.closedBy = closed
    this.closedTimes += 1
    const { by, initiator, code, processed, token } = closed
    const parts = [`closed by=${by}`, initiator, errorCodeName(code)]
    if (!processed) parts.push('unprocessed')
    if (token !== undefined) parts.push(token)
    this.note(parts.join(' '))
  }

  /** The lines since the last call. */
  public take(): string[] {
    return this.log.splice(0)
  }

  private note(line: string): void {
    this.log.push(line)
    this.hook(line, this)
  }
}
