// Gives calls their transport: asks the newest picker, and parks the calls that must wait for the
// next one, or for an answer that comes later. Does not make pickers or connections. Source: grpc-go picker_wrapper.go, gRFC A54.
import type { Picker, PickInfo, PickOutcome, PickResult } from '../../balancer/index.ts'
import type { Serializer } from '../../base/serializer.ts'
import { Code, type Status } from '../../base/status.ts'
import { restrictControlPlaneCode } from '../protocol/status-mapping.ts'
import type { ChannelTransport } from './channel-transport.ts'
import { CHANNEL_CLOSED } from './connectivity-state-manager.ts'
import type { ProcessHold } from './process-hold.ts'

/** A try of a call that wants a transport. */
export interface PendingPick extends PickInfo {
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

type LaterResult = Extract<PickResult, { kind: 'later' }>

const NOT_USED: PickOutcome = {
  status: { code: Code.Unavailable, message: 'the picked connection was not used' },
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
  /** What waits: for the next picker, or for an answer that is ended by its controller. */
  private readonly parked = new Map<PendingPick, AbortController | undefined>()
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
    return this.settle(call, this.picker)
  }

  /** Forgets a call if it is parked. */
  public cancel(call: PendingPick): void {
    const answering = this.parked.get(call)
    this.unpark(call)
    answering?.abort()
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
    // One call's end may cancel others.
    for (const call of [...this.parked.keys()]) {
      if (!this.parked.has(call)) continue
      this.cancel(call)
      fail(call, CHANNEL_CLOSED, false)
    }
  }

  /** Follows what `picker` says, or has come to say, and then newer ones, to an end or a wait. */
  private settle(
    call: PendingPick,
    picker: Picker | undefined,
    answer?: PickResult,
  ): ChannelTransport | undefined {
    let asked = picker
    let result = answer
    for (;;) {
      if (asked === undefined)
        return this.closed ? fail(call, CHANNEL_CLOSED, false) : this.park(call)
      result ??= ask(asked, call)
      switch (result.kind) {
        case 'ready': {
          const transport = (result.subConn as unknown as ReadySource).getReadyTransport()
          if (transport !== undefined) {
            call.onPickDone = result.onDone
            return transport
          }
          result.onDone?.(NOT_USED)
          break
        }
        case 'later':
          return this.parkUntilAnswered(call, asked, result)
        case 'fail':
          if (!call.waitForReady) return fail(call, result.status, false)
          call.latestFailure = result.status
          break
        case 'drop':
          return fail(call, result.status, true)
      }
      // Unless there is a newer picker already, wait for one.
      if (asked === this.picker) return this.park(call)
      asked = this.picker
      result = undefined
    }
  }

  private park(call: PendingPick, answering?: AbortController): undefined {
    this.parked.set(call, answering)
    this.hold.acquire()
  }

  private unpark(call: PendingPick): boolean {
    const wasParked = this.parked.delete(call)
    if (wasParked) this.hold.release()
    return wasParked
  }

  private parkUntilAnswered(call: PendingPick, picker: Picker, later: LaterResult): undefined {
    const answering = new AbortController()
    this.park(call, answering)
    void answerOf(later, answering.signal).then((answer) => {
      if (answering.signal.aborted) {
        if (answer.kind === 'ready') answer.onDone?.(NOT_USED)
        return
      }
      this.unpark(call)
      const transport = this.settle(call, picker, answer)
      if (transport !== undefined) call.onTransport(transport)
    })
  }

  private repick(): void {
    // One call's end may cancel others, or close the channel.
    for (const [call, answering] of [...this.parked]) {
      if (answering !== undefined || !this.unpark(call)) continue
      const transport = this.pick(call)
      if (transport !== undefined) call.onTransport(transport)
    }
  }
}

function ask(picker: Picker, call: PendingPick): PickResult {
  try {
    return picker.pick(call)
  } catch (cause) {
    return threw(cause)
  }
}

async function answerOf(later: LaterResult, signal: AbortSignal): Promise<PickResult> {
  try {
    return await later.answer(signal)
  } catch (cause) {
    return threw(cause)
  }
}

function threw(cause: unknown): PickResult {
  const message = `picker_threw: ${String(cause)}`
  return { kind: 'drop', status: { code: Code.Internal, message, cause } }
}

function fail(call: PendingPick, status: Status, dropped: boolean): undefined {
  call.onPickFailed(restrictControlPlaneCode(status), dropped)
}
