// The config of `outlier_detection_experimental`: fields, defaults and bounds. Source: gRFC A50.
import { type ConfigFields, MAX_UINT32 } from '../base/config-fields.ts'
import type { ChildParser, LbConfig } from './balancer.ts'

/** Config of `outlier_detection_experimental`. */
export interface OutlierDetectionConfig {
  /** How often endpoints are judged, by the calls since the last time. Default 10 s. */
  readonly intervalMs: number
  /** For how long an endpoint is ejected the first time; each time in a row longer by as much. Default 30 s. */
  readonly baseEjectionTimeMs: number
  /** The longest ejection; at least the base. Default 300 s. */
  readonly maxEjectionTimeMs: number
  /** How many of the endpoints may be ejected; one always may, unless this is 0. Default 10. */
  readonly maxEjectionPercent: number
  /** Ejects those that succeed much less than the others do. Absent: does not. */
  readonly successRateEjection?: SuccessRateEjection
  /** Ejects those that fail more than so often. Absent: does not. */
  readonly failurePercentageEjection?: FailurePercentageEjection
  /** Required. */
  readonly childPolicy: LbConfig
}

/** What both ways of judging have. */
export interface EjectionRule {
  /** The chance that an outlier is ejected, in percent. Default 100, by failure percentage 0. */
  readonly enforcementPercentage: number
  /** How many endpoints must have had enough calls. Default 5. */
  readonly minimumHosts: number
  /** How many calls are enough to judge an endpoint. Default 100, by failure percentage 50. */
  readonly requestVolume: number
}

/** Judges by the mean of all. */
export interface SuccessRateEjection extends EjectionRule {
  /** How many standard deviations below the mean are too few, in thousandths. Default 1900. */
  readonly stdevFactor: number
}

/** Judges by a fixed bound. */
export interface FailurePercentageEjection extends EjectionRule {
  /** More failures than this, in percent of the calls, are too many. Default 85. */
  readonly threshold: number
}

/** Reads it. Throws ConfigError. */
export function parseOutlierDetectionConfig(
  fields: ConfigFields,
  parseChild: ChildParser,
): OutlierDetectionConfig {
  const successRate = fields.object('successRateEjection')
  const failurePercentage = fields.object('failurePercentageEjection')
  return {
    intervalMs: fields.durationMs('interval') ?? 10_000,
    baseEjectionTimeMs: fields.durationMs('baseEjectionTime') ?? 30_000,
    maxEjectionTimeMs: fields.durationMs('maxEjectionTime') ?? 300_000,
    maxEjectionPercent: percentage(fields, 'maxEjectionPercent', 10),
    ...(successRate && {
      successRateEjection: {
        stdevFactor: successRate.integer('stdevFactor', 0, MAX_UINT32) ?? 1900,
        ...ejectionRule(successRate, 100, 100),
      },
    }),
    ...(failurePercentage && {
      failurePercentageEjection: {
        threshold: percentage(failurePercentage, 'threshold', 85),
        ...ejectionRule(failurePercentage, 0, 50),
      },
    }),
    childPolicy: parseChild(fields, 'childPolicy'),
  }
}

function ejectionRule(
  fields: ConfigFields,
  defaultEnforcement: number,
  defaultVolume: number,
): EjectionRule {
  return {
    enforcementPercentage: percentage(fields, 'enforcementPercentage', defaultEnforcement),
    minimumHosts: fields.integer('minimumHosts', 0, MAX_UINT32) ?? 5,
    requestVolume: fields.integer('requestVolume', 0, MAX_UINT32) ?? defaultVolume,
  }
}

function percentage(fields: ConfigFields, name: string, fallback: number): number {
  return fields.integer(name, 0, 100) ?? fallback
}
