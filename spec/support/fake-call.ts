// A try of a call that keeps what it is told.
import type { PickOutcome } from '../../lib/balancer/index.ts'
import { codeName, type Status } from '../../lib/base/status.ts'
import type { ChannelTransport } from '../../lib/grpc/channel/channel-transport.ts'
import type { PendingPick } from '../../lib/grpc/channel/picker-wrapper.ts'

/** Logs the address that it got, or the status that it failed with. */
export class FakeCall implements PendingPick {
  public readonly path = '/spec.Service/Method'
  public readonly waitForReady: boolean
  public readonly log: string[] = []
  public onPickDone: ((outcome: PickOutcome) => void) | undefined
  public latestFailure: Status | undefined

  public constructor(options: { waitForReady?: boolean } = {}) {
    this.waitForReady = options.waitForReady ?? false
  }

  public header(): undefined {}

  public onTransport(transport: ChannelTransport): void {
    this.log.push(transport.peer.address)
  }

  public onPickFailed(status: Status, dropped: boolean): void {
    this.log.push(`${codeName(status.code)}: ${status.message}${dropped ? ', dropped' : ''}`)
  }
}
