// Which policy has which name: the built-in ones and those that programs add.
import type { BalancerBuilder } from './balancer.ts'
import { leastRequest } from './least-request.ts'
import { outlierDetection } from './outlier-detection.ts'
import { pickFirst } from './pick-first.ts'
import { priority } from './priority.ts'
import { randomSubsetting } from './random-subsetting.ts'
import { ringHash } from './ring-hash.ts'
import { roundRobin } from './round-robin.ts'
import { weightedRoundRobin } from './weighted-round-robin.ts'
import { weightedTarget } from './weighted-target.ts'

const BUILT_IN: readonly BalancerBuilder[] = [
  pickFirst,
  roundRobin,
  leastRequest,
  ringHash,
  weightedRoundRobin,
  randomSubsetting,
  outlierDetection,
  weightedTarget,
  priority,
]
const builders = new Map(BUILT_IN.map((builder) => [builder.name, builder]))

/** Makes a policy known to every channel made afterwards; replaces what the name had. */
export function registerBalancer(builder: BalancerBuilder): void {
  builders.set(builder.name, builder)
}

/** The process-wide policy of a name; names are case-sensitive. */
export function getBalancer(name: string): BalancerBuilder | undefined {
  return builders.get(name)
}
