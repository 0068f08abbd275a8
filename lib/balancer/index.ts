export type {
  Balancer,
  BalancerBuilder,
  BalancerClientConn,
  BalancerOptions,
  BalancerState,
} from './balancer.ts'
export { ConnectivityState } from './connectivity.ts'
export { pickFirst } from './pick-first.ts'
export {
  failingPicker,
  fixedPicker,
  type Picker,
  type PickInfo,
  type PickOutcome,
  type PickResult,
  WAITING_PICKER,
} from './picker.ts'
export { getBalancer, registerBalancer } from './registry.ts'
export type { SubConn, SubConnState } from './sub-conn.ts'
