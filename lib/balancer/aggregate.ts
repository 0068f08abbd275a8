// What many states amount to. Source: gRFC A61, grpc-go balancer/conn_state_evaluator.go.
import { Code, type Status } from '../base/status.ts'
import type { BalancerState } from './balancer.ts'
import { ConnectivityState } from './connectivity.ts'
import { failingPicker, type Picker, WAITING_PICKER } from './picker.ts'

const { Ready, Connecting, Idle, TransientFailure } = ConnectivityState

/** The best first. */
const ORDER: readonly ConnectivityState[] = [Ready, Connecting, Idle, TransientFailure]

/** The best of the states; TRANSIENT_FAILURE for none. */
export function aggregateState(states: Iterable<ConnectivityState>): ConnectivityState {
  let best = ORDER.length - 1
  for (const state of states) {
    const rank = ORDER.indexOf(state)
    if (rank >= 0 && rank < best) best = rank
  }
  return ORDER[best]!
}

const NO_ENDPOINTS: Status = {
  code: Code.Unavailable,
  message: 'the name resolver produced no addresses',
}

/**
 * The state of a policy whose children are `children`: `makePicker` makes the picker of those that
 * are READY. Without any, calls wait, or fail as the child that failed last in the list would have it.
 */
export function aggregate<Child extends { readonly latest: BalancerState }>(
  children: readonly Child[],
  makePicker: (ready: readonly Child[]) => Picker,
): BalancerState {
  const ready = children.filter(({ latest }) => latest.state === Ready)
  if (ready.length > 0) return { state: Ready, picker: makePicker(ready) }
  const state = aggregateState(children.map(({ latest }) => latest.state))
  if (state !== TransientFailure) return { state, picker: WAITING_PICKER }
  return { state, picker: children.at(-1)?.latest.picker ?? failingPicker(NO_ENDPOINTS) }
}
