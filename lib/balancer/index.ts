export { aggregate, aggregateState } from './aggregate.ts'
export type {
  Balancer,
  BalancerBuilder,
  BalancerClientConn,
  BalancerOptions,
  BalancerState,
} from './balancer.ts'
export { ChildPolicy } from './child-policy.ts'
export { ConnectivityState } from './connectivity.ts'
export {
  EndpointSharding,
  type EndpointShardingOptions,
  type EndpointState,
} from './endpoint-sharding.ts'
export { endpointWeight, WEIGHT_ATTRIBUTE } from './endpoint-weight.ts'
export { GracefulSwitch } from './graceful-switch.ts'
export { defaultLbConfig, type LbConfig, parseLbConfig } from './lb-config.ts'
export type { LoadReport } from './load-report.ts'
export { type PickFirstConfig, pickFirst } from './pick-first.ts'
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
export { roundRobin } from './round-robin.ts'
export type { SubConn, SubConnListener, SubConnState } from './sub-conn.ts'
export {
  type AddressLease,
  type BalancerV1,
  BalancerV1Error,
  type BalancerV1GetOptions,
  type Down,
} from './v1/balancer.ts'
export { balancerFromV1 } from './v1/balancer-wrapper.ts'
export { PickFirstV1 } from './v1/pick-first.ts'
export { RoundRobinV1 } from './v1/round-robin.ts'
