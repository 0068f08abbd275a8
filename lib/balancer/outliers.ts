// Who stands out among endpoints, by how their calls ended. Pure functions. Source: gRFC A50.
import type {
  EjectionRule,
  FailurePercentageEjection,
  SuccessRateEjection,
} from './outlier-detection-config.ts'

/** How the calls of an endpoint ended in an interval. */
export interface CallCounts {
  readonly successes: number
  readonly failures: number
}

/** Those that succeed less often than the mean of all by more than is usual among them. */
export function successRateOutliers<Host extends CallCounts>(
  hosts: readonly Host[],
  rule: SuccessRateEjection,
): Host[] {
  const judged = judgeable(hosts, rule)
  const mean = average(judged.map(successRate))
  const deviation = Math.sqrt(average(judged.map((host) => (successRate(host) - mean) ** 2)))
  const least = mean - (deviation * rule.stdevFactor) / 1000
  return judged.filter((host) => successRate(host) < least)
}

/** Those that fail more often than the rule allows. */
export function failurePercentageOutliers<Host extends CallCounts>(
  hosts: readonly Host[],
  rule: FailurePercentageEjection,
): Host[] {
  return judgeable(hosts, rule).filter((host) => 100 * (1 - successRate(host)) > rule.threshold)
}

/** Those with calls enough, provided that there are hosts enough. */
function judgeable<Host extends CallCounts>(
  hosts: readonly Host[],
  { requestVolume, minimumHosts }: EjectionRule,
): Host[] {
  const busy = hosts.filter(({ successes, failures }) => {
    return successes + failures >= Math.max(requestVolume, 1)
  })
  return busy.length < minimumHosts ? [] : busy
}

function successRate({ successes, failures }: CallCounts): number {
  return successes / (successes + failures)
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
