// Where calls wait for the first resolution of their channel: before it nobody knows what the service
// config says of them. Source: grpc-go waitForResolvedAddrs.
import type { CallConfig, ConfigWaiter } from '../client/call-channel.ts'
import type { ProcessHold } from './process-hold.ts'

/** One per channel; calls come here only while there is no config. */
export class ResolutionGate {
  private readonly hold: ProcessHold
  private readonly waiting = new Set<ConfigWaiter>()

  public constructor(hold: ProcessHold) {
    this.hold = hold
  }

  public get waitingCalls(): number {
    return this.waiting.size
  }

  /** `call` hears when the gate opens. */
  public wait(call: ConfigWaiter): void {
    this.waiting.add(call)
    this.hold.acquire()
  }

  /** Forgets a call if it waits. */
  public cancel(call: ConfigWaiter): void {
    if (this.waiting.delete(call)) this.hold.release()
  }

  /** Tells all that wait. */
  public open(config: CallConfig): void {
    // One call's end may cancel others.
    for (const call of [...this.waiting]) {
      if (!this.waiting.delete(call)) continue
      this.hold.release()
      call.onConfig(config)
    }
  }
}
