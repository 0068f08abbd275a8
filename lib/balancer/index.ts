export { aggregate, aggregateState } from './aggregate.ts'
export type {
  Balancer,
  BalancerBuilder,
  BalancerClientConn,
  BalancerOptions,
  BalancerState,
  ChildParser,
  LbConfig,
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
export { PATH_ATTRIBUTE } from './hierarchical-path.ts'
export { lazy } from './lazy.ts'
export { defaultLbConfig, parseLbConfig } from './lb-config.ts'
export { type LeastRequestConfig, leastRequest } from './least-request.ts'
export type { LoadReport } from './load-report.ts'
export { outlierDetection } from './outlier-detection.ts'
export type {
  EjectionRule,
  FailurePercentageEjection,
  OutlierDetectionConfig,
  SuccessRateEjection,
} from './outlier-detection-config.ts'
export { type PickFirstConfig, pickFirst } from './pick-first.ts'
export {
  changeReady,
  failingPicker,
  fixedPicker,
  type Picker,
  type PickInfo,
  type PickOutcome,
  type PickResult,
  type ReadyResult,
  WAITING_PICKER,
  withOnDone,
} from './picker.ts'
export { type PriorityChildConfig, type PriorityConfig, priority } from './priority.ts'
export { type RandomSubsettingConfig, randomSubsetting } from './random-subsetting.ts'
export { getBalancer, registerBalancer } from './registry.ts'
export { HASH_KEY_ATTRIBUTE, type RingHashConfig, ringHash } from './ring-hash.ts'
export { roundRobin } from './round-robin.ts'
export { SpreadingPolicy } from './spreading-policy.ts'
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
export { type WeightedRoundRobinConfig, weightedRoundRobin } from './weighted-round-robin.ts'
export {
  type WeightedTargetChild,
  type WeightedTargetConfig,
  weightedTarget,
} from './weighted-target.ts'
