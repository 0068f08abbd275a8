// Gives calls their transport: asks the newest picker, and parks the calls that must wait for the
// next one. Does not make pickers or connections. Source: grpc-go picker_wrapper.go, gRFC A54.
import type { Picker, PickInfo, PickOutcome, PickResult } from '../../balancer/index.ts'
import type { Serializer } from '../../base/serializer.ts'
import { Code, type Status } from '../../base/status.ts'
import { restrictControlPlaneCode } from '../protocol/status-mapping.ts'
import type { ChannelTransport } from './channel-transport.ts'
import { CHANNEL_CLOSED } from './connectivity-state-manager.ts'
import type { ProcessHold } from './process-hold.ts'

/** A try of a call that wants a transport. */
export interface PendingPick extends PickInfo {
  /** Whether failures of the channel are waited out. */
  readonly waitForReady: boolean
  /** Set with each transport: if defined, to be called once with how the try ended. */
  onPickDone: ((outcome: PickOutcome) => void) | undefined
  /** Set when the call waits because the channel fails: what its deadline's error should tell. */
  latestFailure: Status | undefined
  /** A transport, for a call that was parked. It may be gone by then; `openStream` says so. */
  onTransport(transport: ChannelTransport): void
  /** There will be none. `dropped`: the policy does not want the call retried. */
  onPickFailed(status: Status, dropped: boolean): void
}

/** A SubConn of this channel as the picker wrapper sees it. */
interface ReadySource {
  getReadyTransport(): ChannelTransport | undefined
}

const NEVER_STARTED: PickOutcome = {
  status: { code: Code.Unavailable, message: 'the picked connection was lost' },
  bytesSent: false,
  bytesReceived: false,
  load: () => undefined,
}

/** One per channel. */
export class PickerWrapper {
  private readonly serializer: Serializer
  private readonly hold: ProcessHold
  /** Undefined until the first resolution, and while the channel is idle: calls wait. */
  private picker: Picker | undefined
  private readonly parked = new Set<PendingPick>()
  private closed = false
  private readonly repickParked = (): void => this.repick()

  public constructor(serializer: Serializer, hold: ProcessHold) {
    this.serializer = serializer
    this.hold = hold
  }

  /**
   * The transport for a call, if there is one now. Undefined: the call is parked and will hear, or
   * `call.onPickFailed` has been called already.
   */
  public pick(call: PendingPick): ChannelTransport | undefined {
    for (;;) {
      const { picker } = this
      if (picker === undefined)
        return this.closed ? fail(call, CHANNEL_CLOSED, false) : this.park(call)
      const result = ask(picker, call)
      switch (result.kind) {
        case 'ready': {
          const transport = (result.subConn as unknown as ReadySource).getReadyTransport()
          if (transport !== undefined) {
            call.onPickDone = result.onDone
            return transport
          }
          result.onDone?.(NEVER_STARTED)
          break
        }
        case 'fail':
          if (!call.waitForReady) return fail(call, result.status, false)
          call.latestFailure = result.status
          break
        case 'drop':
          return fail(call, result.status, true)
      }
      // Unless there is a newer picker already, wait for one.
      if (picker === this.picker) return this.park(call)
    }
  }

  /** Forgets a call if it is parked. */
  public cancel(call: PendingPick): void {
    if (this.parked.delete(call)) this.hold.release()
  }

  /** Takes the next picker; parked calls are asked again soon. Undefined: calls wait. */
  public updatePicker(picker: Picker | undefined): void {
    if (this.closed) return
    this.picker = picker
    this.pickAgain()
  }

  /** Calls that wait. */
  public get parkedCalls(): number {
    return this.parked.size
  }

  /** Asks the picker again for parked calls, soon: a connection of its may be usable now. */
  public pickAgain(): void {
    if (this.picker !== undefined && this.parked.size > 0) {
      this.serializer.schedule(this.repickParked)
    }
  }

  /** Parked and later calls fail with CANCELLED. */
  public close(): void {
    this.closed = true
    this.picker = undefined
    this.repick()
  }

  private park(call: PendingPick): undefined {
    this.parked.add(call)
    this.hold.acquire()
  }

  private repick(): void {
    // One call's end may cancel others, or close the channel.
    for (const call of [...this.parked]) {
      if (!this.parked.delete(call)) continue
      this.hold.release()
      const transport = this.pick(call)
      if (transport !== undefined) call.onTransport(transport)
    }
  }
}

function ask(picker: Picker, call: PendingPick): PickResult {
  try {
    return picker.pick(call)
  } catch (cause) {
    const message = `picker_threw: ${String(cause)}`
    return { kind: 'drop', status: { code: Code.Internal, message, cause } }
  }
}

function fail(call: PendingPick, status: Status, dropped: boolean): undefined {
  call.onPickFailed(restrictControlPlaneCode(status), dropped)
}
