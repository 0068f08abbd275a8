// Which service config a channel goes by: the newest good one that came with its names, else the
// channel's own default, else none. Source: gRFC A21, grpc-go updateResolverStateAndUnlock.
import {
  type BalancerBuilder,
  defaultLbConfig,
  getBalancer,
  type LbConfig,
} from '../../balancer/index.ts'
import { Code, type Status } from '../../base/status.ts'
import type { ResolverState } from '../../naming/index.ts'
import type { CallConfig } from '../client/call-channel.ts'
import { RetryThrottle } from '../client/retry-throttle.ts'
import type { MethodSettings } from './method-config.ts'
import {
  EMPTY_SERVICE_CONFIG,
  methodSettings,
  type ParsedServiceConfig,
  parseServiceConfig,
  type ServiceConfig,
} from './service-config.ts'

/** What a channel's user says of service configs. */
export interface ServiceConfigOptions {
  /**
   * The service config while none comes with the names; an object or JSON text. A config that does
   * come takes its place as a whole.
   */
  readonly serviceConfig?: ServiceConfig | string
  /** Leaves alone what comes with the names. Default false. */
  readonly disableServiceConfig?: boolean
  /** The load-balancing policy, by its registered name or itself, whatever a service config says. */
  readonly balancer?: string | BalancerBuilder
  /** False: no retries and no hedging, whatever a service config says. Default true. */
  readonly retry?: boolean
}

const DEFAULT_BALANCER = 'pick_first'

/** A service config in force. */
class ConfigInForce implements CallConfig {
  public readonly lbConfig: LbConfig | undefined
  public readonly healthServiceName: string | undefined
  public readonly retries: boolean
  public readonly throttle: RetryThrottle | undefined
  private readonly parsed: ParsedServiceConfig

  public constructor(parsed: ParsedServiceConfig, retries: boolean) {
    const { retryThrottling, healthCheckConfig } = parsed
    this.parsed = parsed
    this.healthServiceName = healthCheckConfig?.serviceName
    this.retries = retries
    if (retries && retryThrottling !== undefined) this.throttle = new RetryThrottle(retryThrottling)
    this.lbConfig = parsed.lbConfig
  }

  public methodSettings(path: string): MethodSettings | undefined {
    return methodSettings(this.parsed, path)
  }
}

/** One per channel. */
export class CurrentConfig {
  private readonly ignoresNames: boolean
  private readonly retries: boolean
  /** Stands above all configs. */
  private readonly policy: LbConfig | undefined
  private readonly fallbackPolicy: LbConfig
  private readonly empty: ConfigInForce
  private readonly fallback: ConfigInForce | undefined
  /** The last good one; undefined until there is one. */
  private current: ConfigInForce | undefined
  /** What `current` was read from, if it came with names. */
  private text: string | undefined

  /** Throws for a default or a policy that means nothing. */
  public constructor(options: ServiceConfigOptions) {
    const { serviceConfig, disableServiceConfig = false, balancer, retry = true } = options
    this.retries = retry
    this.ignoresNames = disableServiceConfig
    this.policy = balancer === undefined ? undefined : defaultLbConfig(findBalancer(balancer))
    this.fallbackPolicy = defaultLbConfig(findBalancer(DEFAULT_BALANCER))
    this.empty = new ConfigInForce(EMPTY_SERVICE_CONFIG, retry)
    this.fallback =
      serviceConfig === undefined
        ? undefined
        : new ConfigInForce(parseServiceConfig(serviceConfig), retry)
  }

  /** What calls go by. The same object as long as nothing has changed. */
  public get calls(): CallConfig {
    return this.current ?? this.fallback ?? this.empty
  }

  /** The policy to be used. */
  public get lbConfig(): LbConfig {
    return this.policy ?? (this.current ?? this.fallback)?.lbConfig ?? this.fallbackPolicy
  }

  /** Whose health decides whether a server takes calls; undefined: nobody asks. gRFC A17. */
  public get healthServiceName(): string | undefined {
    return (this.current ?? this.fallback)?.healthServiceName
  }

  /** False: what came was refused, and nothing good came before it. */
  public get isUsable(): boolean {
    return this.current !== undefined
  }

  /** Takes what came with names. Returns why, if it is refused: what was good before stays. */
  public take(state: ResolverState): Status | undefined {
    const { serviceConfig, serviceConfigError } = state
    if (serviceConfig !== undefined && !this.ignoresNames) return this.read(serviceConfig)
    if (serviceConfigError !== undefined && !this.ignoresNames) {
      return this.refuse(serviceConfigError)
    }
    this.current = this.fallback ?? this.empty
    this.text = undefined
    return undefined
  }

  private read(serviceConfig: unknown): Status | undefined {
    try {
      // Names are resolved again and again, mostly with the same config.
      const text = JSON.stringify(serviceConfig)
      if (text === this.text) return undefined
      this.current = new ConfigInForce(parseServiceConfig(serviceConfig), this.retries)
      this.text = text
      return undefined
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause)
      return this.refuse({ code: Code.Unavailable, message: `service config: ${message}`, cause })
    }
  }

  private refuse(status: Status): Status {
    this.current ??= this.fallback
    return status
  }
}

function findBalancer(balancer: string | BalancerBuilder): BalancerBuilder {
  const builder = typeof balancer === 'string' ? getBalancer(balancer) : balancer
  if (builder === undefined) {
    throw new Error(`balancer_unknown: got "${String(balancer)}", want a registered policy`)
  }
  return builder
}
