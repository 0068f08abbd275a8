// WireEvents that remember what they were told, for specs of wires.
import type { WireEvents } from '../../lib/transport/io/wire.ts'

type Kind = 'receive' | 'flush' | 'writable' | 'ended' | 'closed'

/** Remembers events; `until` waits for a state of affairs without polling or sleeping. */
export class WireRecorder implements WireEvents {
  /** The kinds of events in order; runs of `receive` are one entry. */
  public readonly log: Kind[] = []
  public received: Buffer = Buffer.alloc(0)
  /** Octets of each `receive`. */
  public readonly sizes: number[] = []
  public error: Error | undefined
  /** Called within each event, after it was noted. */
  public hook: (kind: Kind) => void = () => {}
  private waiting: { isMet: () => boolean; resolve: () => void }[] = []

  public receive(buf: Buffer, start: number, end: number): void {
    this.received = Buffer.concat([this.received, buf.subarray(start, end)])
    this.sizes.push(end - start)
    this.note('receive')
  }

  public flush(): void {
    this.note('flush')
  }

  public writable(): void {
    this.note('writable')
  }

  public ended(): void {
    this.note('ended')
  }

  public closed(error?: Error): void {
    this.error = error
    this.note('closed')
  }

  public get text(): string {
    return this.received.toString('latin1')
  }

  public count(kind: Kind): number {
    return this.log.filter((one) => one === kind).length
  }

  /** Resolves once `isMet`, looked at after each event. */
  public until(isMet: (this: void, recorder: WireRecorder) => boolean): Promise<void> {
    if (isMet(this)) return Promise.resolve()
    return new Promise((resolve) => {
      this.waiting.push({ isMet: () => isMet(this), resolve })
    })
  }

  /** Resolves after `closed`. */
  public done(): Promise<void> {
    return this.until((recorder) => recorder.log.at(-1) === 'closed')
  }

  private note(kind: Kind): void {
    if (kind !== 'receive' || this.log.at(-1) !== 'receive') this.log.push(kind)
    this.hook(kind)
    const met = this.waiting.filter((one) => one.isMet())
    this.waiting = this.waiting.filter((one) => !met.includes(one))
    for (const one of met) one.resolve()
  }
}
