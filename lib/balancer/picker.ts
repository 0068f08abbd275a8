// Which connection a call takes: asked once per try of a call, answers at once, if need be that the
// answer comes later. Source: grpc-go balancer.Picker, gRFC A54 for what 'fail' and 'drop' may say.
import type { Status } from '../base/status.ts'
import type { LoadReport } from './load-report.ts'
import type { SubConn } from './sub-conn.ts'

/** What a picker may know of a call. Valid only until `pick` returns. */
export interface PickInfo {
  /** As on the wire: `/package.Service/Method`. */
  readonly path: string
  /** Whether the call waits where others fail. */
  readonly waitForReady: boolean
  /** A field of the call's metadata; several values are joined by commas. For hashing. */
  header(name: string): string | undefined
}

/** How a picked call ended. */
export interface PickOutcome {
  readonly status: Status
  /** Whether any of the call's octets reached the transport. */
  readonly bytesSent: boolean
  readonly bytesReceived: boolean
  /** What the server reported of its load with the call's trailers. Read when asked for. gRFC A51. */
  load(): LoadReport | undefined
}

/** A picker's answer. */
export type PickResult =
  /** Use this one. Not READY any more: the channel waits for the next picker. */
  | {
      readonly kind: 'ready'
      readonly subConn: SubConn
      /** Called once when the call is over, also when it never started. */
      readonly onDone?: (outcome: PickOutcome) => void
    }
  /** Ask the next picker. */
  | { readonly kind: 'wait' }
  /**
   * The call waits for `answer`, which is asked for at once; pickers that come meanwhile are not asked.
   * Must not reject. Aborted: the call is over, whatever is answered; a 'ready' then has its `onDone`
   * called. A policy that changes what its children answer changes this answer too.
   */
  | { readonly kind: 'later'; answer(signal: AbortSignal): Promise<PickResult> }
  /** The call fails, unless it waits for ready: then as 'wait'. */
  | { readonly kind: 'fail'; readonly status: Status }
  /** The call fails, and no policy retries it. */
  | { readonly kind: 'drop'; readonly status: Status }

/** A snapshot of a policy's choice; replaced, never changed, when the choice does. */
export interface Picker {
  /** Hot: called per call, must not block or throw. Runs outside the policy's callbacks. */
  pick(info: PickInfo): PickResult
}

class FixedPicker implements Picker {
  private readonly result: PickResult

  public constructor(result: PickResult) {
    this.result = result
  }

  public pick(): PickResult {
    return this.result
  }
}

const WAIT: PickResult = Object.freeze({ kind: 'wait' })

/** Every call waits for the next picker. */
export const WAITING_PICKER: Picker = fixedPicker(WAIT)

/** Calls fail with `status`, those that wait for ready wait. */
export function failingPicker(status: Status): Picker {
  return fixedPicker({ kind: 'fail', status })
}

/** Gives every call the same answer. */
export function fixedPicker(result: PickResult): Picker {
  return new FixedPicker(result)
}

/** An answer with a connection. */
export type ReadyResult = Extract<PickResult, { kind: 'ready' }>

/** What `change` makes of a connection, now or later; any other answer as it is. */
export function changeReady(
  result: PickResult,
  change: (ready: ReadyResult) => PickResult,
): PickResult {
  if (result.kind === 'ready') return change(result)
  if (result.kind !== 'later') return result
  return {
    kind: 'later',
    answer: async (signal) => changeReady(await result.answer(signal), change),
  }
}

/** The same connection, and `onDone` hears of the call's end after whoever heard of it so far. */
export function withOnDone(
  result: ReadyResult,
  onDone: (outcome: PickOutcome) => void,
  subConn: SubConn = result.subConn,
): ReadyResult {
  const { onDone: inner } = result
  if (inner === undefined) return { kind: 'ready', subConn, onDone }
  return {
    kind: 'ready',
    subConn,
    onDone(outcome) {
      inner(outcome)
      onDone(outcome)
    },
  }
}
