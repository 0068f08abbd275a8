// The service config: what the owner of a service asks of its clients. Reads and checks all of it at
// once; one that breaks a rule is refused as a whole. Does not choose among several: current-config.ts.
// Source: grpc/doc/service_config.md, gRFC A2, A6, A21; grpc-go service_config.go.
import {
  type BalancerBuilder,
  defaultLbConfig,
  getBalancer,
  type LbConfig,
  parseLbConfig,
} from '../../balancer/index.ts'
import { ConfigError, ConfigFields, wrong } from '../../base/config-fields.ts'
import {
  type MethodConfig,
  type MethodSettings,
  parseMethodSettings,
  positive,
} from './method-config.ts'

/** A service config as it is written in JSON. Fields that are not known are left alone. */
export interface ServiceConfig {
  /** Policies in order of preference, each `{ name: config }`; the first that is known is used. */
  readonly loadBalancingConfig?: readonly Readonly<Record<string, unknown>>[]
  /** The older form of `loadBalancingConfig`: a name alone. Used only without it. */
  readonly loadBalancingPolicy?: string
  readonly methodConfig?: readonly MethodConfig[]
  readonly retryThrottling?: RetryThrottling
  readonly healthCheckConfig?: HealthCheckConfig
}

/** Ends retries and hedging while too many calls fail. gRFC A6. */
export interface RetryThrottling {
  /** What the bucket holds, at most 1,000. Each failure takes 1; up to half of it nothing is retried. */
  readonly maxTokens: number
  /** What each success gives back. */
  readonly tokenRatio: number
}

/** Asks the health service of each server before calls go there. */
export interface HealthCheckConfig {
  /** The name that is asked for; '' for the server as a whole. */
  readonly serviceName: string
}

/** A {@link ServiceConfig}, read. */
export interface ParsedServiceConfig {
  /** Undefined: it has no wish. */
  readonly lbConfig: LbConfig | undefined
  /** By `/service/method`, `/service/` or ''. */
  readonly methods: ReadonlyMap<string, MethodSettings>
  readonly retryThrottling: RetryThrottling | undefined
  readonly healthCheckConfig: HealthCheckConfig | undefined
}

/** The config of a channel that has none. */
export const EMPTY_SERVICE_CONFIG: ParsedServiceConfig = {
  lbConfig: undefined,
  methods: new Map(),
  retryThrottling: undefined,
  healthCheckConfig: undefined,
}

const MAX_TOKENS = 1000
/** What is asked for by an unknown name, as in grpc-go. */
const FALLBACK_POLICY = 'pick_first'

/** Reads a service config: JSON text, or what it says. Throws ConfigError with the field's path. */
export function parseServiceConfig(config: unknown): ParsedServiceConfig {
  const fields = new ConfigFields(typeof config === 'string' ? parseJson(config) : config, '')
  return {
    lbConfig: parsePolicy(fields),
    methods: parseMethods(fields),
    retryThrottling: parseRetryThrottling(fields.object('retryThrottling')),
    healthCheckConfig: parseHealthCheck(fields.object('healthCheckConfig')),
  }
}

/** What is said of a method: of itself, else of its service, else of all. */
export function methodSettings(
  { methods }: ParsedServiceConfig,
  path: string,
): MethodSettings | undefined {
  if (methods.size === 0) return undefined
  const ofService = path.slice(0, path.lastIndexOf('/') + 1)
  return methods.get(path) ?? methods.get(ofService) ?? methods.get('')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ConfigError(`config: got no JSON: ${(error as Error).message}`)
  }
}

function parsePolicy(fields: ConfigFields): LbConfig | undefined {
  const config = fields.value('loadBalancingConfig')
  if (config !== undefined) return parseLbConfig(config, fields.pathOf('loadBalancingConfig'))
  const name = fields.string('loadBalancingPolicy')
  if (name === undefined) return undefined
  const builder = getBalancer(name) ?? getBalancer(name.toLowerCase())
  return defaultLbConfig(builder ?? (getBalancer(FALLBACK_POLICY) as BalancerBuilder))
}

function parseMethods(fields: ConfigFields): ReadonlyMap<string, MethodSettings> {
  const methods = new Map<string, MethodSettings>()
  fields.list('methodConfig', (value, path) => {
    const config = new ConfigFields(value, path)
    const settings = parseMethodSettings(config)
    config.list('name', (name, at) => {
      const key = parseName(new ConfigFields(name, at))
      if (methods.has(key)) throw wrong(at, name, 'each name only once')
      methods.set(key, settings)
    })
  })
  return methods
}

/** As the key of {@link ParsedServiceConfig.methods}. */
function parseName(fields: ConfigFields): string {
  const service = fields.string('service') ?? ''
  const method = fields.string('method') ?? ''
  if (service !== '') return `/${service}/${method}`
  if (method !== '') throw wrong(fields.pathOf('method'), method, 'none without a service')
  return ''
}

function parseRetryThrottling(fields: ConfigFields | undefined): RetryThrottling | undefined {
  if (fields === undefined) return undefined
  return {
    maxTokens: positive(fields, 'maxTokens', fields.number('maxTokens', 0, MAX_TOKENS)),
    tokenRatio: positive(fields, 'tokenRatio', fields.number('tokenRatio', 0, Number.MAX_VALUE)),
  }
}

function parseHealthCheck(fields: ConfigFields | undefined): HealthCheckConfig | undefined {
  return fields && { serviceName: fields.string('serviceName') ?? '' }
}
