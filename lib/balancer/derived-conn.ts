// The channel as a policy shows it to those below it: the same, but for what it wants to see or do
// itself.
import type { BalancerClientConn } from './balancer.ts'

/** `cc` with some of its methods replaced. */
export function deriveConn(
  cc: BalancerClientConn,
  replaced: Partial<BalancerClientConn>,
): BalancerClientConn {
  return {
    target: cc.target,
    newSubConn: (addresses, listener) => cc.newSubConn(addresses, listener),
    removeSubConn: (subConn) => subConn.shutdown(),
    updateBalancerState: (state) => cc.updateBalancerState(state),
    resolveNow: () => cc.resolveNow(),
    ...replaced,
  }
}
