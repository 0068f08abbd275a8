// What a service config says of methods: their defaults and limits, and how often a call is tried.
// Reads and checks it; who acts upon it is ../client. Source: grpc/doc/service_config.md, gRFC A6.
import { type ConfigFields, wrong } from '../../base/config-fields.ts'
import { codeFromName } from '../../base/status.ts'

/** Which methods a {@link MethodConfig} is for. */
export interface MethodName {
  /** `package.Service`. Absent: every method that no other config names. */
  readonly service?: string
  /** The method's name on the wire. Absent: all of the service that no other config names. */
  readonly method?: string
}

/** A code by its name (`UNAVAILABLE`) or number. */
export type ConfigCode = string | number

/** Calls that fail with one of some codes are made again, later. gRFC A6. */
export interface RetryPolicy {
  /** The first attempt counts. From 2; what is over 5 is 5. */
  readonly maxAttempts: number
  readonly initialBackoff: string
  readonly maxBackoff: string
  readonly backoffMultiplier: number
  readonly retryableStatusCodes: readonly ConfigCode[]
}

/** Calls are made several times without waiting for an answer; the first one counts. gRFC A6. */
export interface HedgingPolicy {
  /** The first attempt counts. From 2; what is over 5 is 5. */
  readonly maxAttempts: number
  /** Between two attempts. Default: all are made at once. */
  readonly hedgingDelay?: string
  /** With one of these the other attempts go on; with any other code the call is over. */
  readonly nonFatalStatusCodes?: readonly ConfigCode[]
}

/** A `methodConfig` of a service config. Durations are as in `"1.5s"`. */
export interface MethodConfig {
  readonly name: readonly MethodName[]
  /** For calls that do not say. */
  readonly waitForReady?: boolean
  /** The sooner of this and the call's own counts. */
  readonly timeout?: string
  /** The smaller of this and the call's own counts. */
  readonly maxRequestMessageBytes?: number | string
  /** The smaller of this and the call's own counts. */
  readonly maxResponseMessageBytes?: number | string
  /** Not beside `hedgingPolicy`. */
  readonly retryPolicy?: RetryPolicy
  readonly hedgingPolicy?: HedgingPolicy
}

/** A {@link RetryPolicy}, read. */
export interface RetrySettings {
  readonly kind: 'retry'
  readonly maxAttempts: number
  readonly initialBackoffMs: number
  readonly maxBackoffMs: number
  readonly backoffMultiplier: number
  readonly retryableCodes: ReadonlySet<number>
}

/** A {@link HedgingPolicy}, read. */
export interface HedgingSettings {
  readonly kind: 'hedging'
  readonly maxAttempts: number
  readonly delayMs: number
  readonly nonFatalCodes: ReadonlySet<number>
}

/** How often a call is tried. */
export type AttemptPolicy = RetrySettings | HedgingSettings

/** A {@link MethodConfig}, read. */
export interface MethodSettings {
  readonly waitForReady: boolean | undefined
  readonly timeoutMs: number | undefined
  readonly maxRequestBytes: number | undefined
  readonly maxResponseBytes: number | undefined
  readonly attempts: AttemptPolicy | undefined
}

/** gRFC A6: nobody tries more often, whatever the config says. */
const MOST_ATTEMPTS = 5
const MAX_UINT32 = 0xffff_ffff
const MAX_CODE = 16

/** Reads one method config. Throws ConfigError. */
export function parseMethodSettings(fields: ConfigFields): MethodSettings {
  return {
    waitForReady: fields.boolean('waitForReady'),
    timeoutMs: fields.durationMs('timeout'),
    maxRequestBytes: fields.integer('maxRequestMessageBytes', 0, Number.MAX_SAFE_INTEGER),
    maxResponseBytes: fields.integer('maxResponseMessageBytes', 0, Number.MAX_SAFE_INTEGER),
    attempts: parseAttemptPolicy(fields),
  }
}

function parseAttemptPolicy(fields: ConfigFields): AttemptPolicy | undefined {
  const retry = fields.object('retryPolicy')
  const hedging = fields.object('hedgingPolicy')
  if (retry !== undefined && hedging !== undefined) {
    throw wrong(hedging.path, fields.value('hedgingPolicy'), 'none beside a retryPolicy')
  }
  if (retry !== undefined) return parseRetryPolicy(retry)
  return hedging && parseHedgingPolicy(hedging)
}

function parseRetryPolicy(fields: ConfigFields): RetrySettings {
  const retryableCodes = parseCodes(fields, 'retryableStatusCodes')
  if (retryableCodes.size === 0) {
    throw wrong(fields.pathOf('retryableStatusCodes'), [], 'at least one code')
  }
  return {
    kind: 'retry',
    maxAttempts: parseMaxAttempts(fields),
    initialBackoffMs: positive(fields, 'initialBackoff', fields.durationMs('initialBackoff')),
    maxBackoffMs: positive(fields, 'maxBackoff', fields.durationMs('maxBackoff')),
    backoffMultiplier: positive(
      fields,
      'backoffMultiplier',
      fields.number('backoffMultiplier', 0, Number.MAX_VALUE),
    ),
    retryableCodes,
  }
}

function parseHedgingPolicy(fields: ConfigFields): HedgingSettings {
  return {
    kind: 'hedging',
    maxAttempts: parseMaxAttempts(fields),
    delayMs: fields.durationMs('hedgingDelay') ?? 0,
    nonFatalCodes: parseCodes(fields, 'nonFatalStatusCodes'),
  }
}

function parseMaxAttempts(fields: ConfigFields): number {
  const attempts = fields.integer('maxAttempts', 2, MAX_UINT32)
  if (attempts === undefined) {
    throw wrong(fields.pathOf('maxAttempts'), attempts, 'a number from 2')
  }
  return Math.min(attempts, MOST_ATTEMPTS)
}

function parseCodes(fields: ConfigFields, name: string): ReadonlySet<number> {
  return new Set(fields.list(name, parseCode))
}

function parseCode(value: unknown, path: string): number {
  const code = typeof value === 'string' ? codeFromName(value) : value
  const isCode = typeof code === 'number' && Number.isInteger(code) && code >= 0 && code <= MAX_CODE
  if (!isCode) throw wrong(path, value, 'a status code such as "UNAVAILABLE" or 14')
  return code
}

/** A number that is there and over 0. */
export function positive(fields: ConfigFields, name: string, value: number | undefined): number {
  if (value === undefined || value <= 0) {
    throw wrong(fields.pathOf(name), fields.value(name), 'more than 0')
  }
  return value
}
