// `random_subsetting_experimental`: shows the policy below it some of the endpoints only, so that many
// clients of many backends do not all connect to all. Each client has a choice of its own, which changes
// little when backends come and go. Source: gRFC A68, grpc-go randomsubsetting.
import { MAX_UINT32 } from '../base/config-fields.ts'
import type { Random } from '../base/random.ts'
import type { Status } from '../base/status.ts'
import type { Endpoint, ResolverState } from '../naming/index.ts'
import type {
  Balancer,
  BalancerBuilder,
  BalancerClientConn,
  BalancerOptions,
  LbConfig,
} from './balancer.ts'
import { GracefulSwitch } from './graceful-switch.ts'
import { type Hash64, upper53, xxHash64 } from './xxhash64.ts'

/** Config of `random_subsetting_experimental`. */
export interface RandomSubsettingConfig {
  /** How many endpoints, at least 1. Required. */
  readonly subsetSize: number
  /** Required. */
  readonly childPolicy: LbConfig
}

/** Policy `random_subsetting_experimental`. */
export const randomSubsetting: BalancerBuilder<RandomSubsettingConfig> = {
  name: 'random_subsetting_experimental',
  build: (cc, options) => new RandomSubsetting(cc, options),
  parseConfig: (fields, parseChild) => ({
    subsetSize: fields.required('subsetSize').integer('subsetSize', 1, MAX_UINT32)!,
    childPolicy: parseChild(fields, 'childPolicy'),
  }),
}

class RandomSubsetting implements Balancer<RandomSubsettingConfig> {
  private readonly child: GracefulSwitch
  private readonly seed: Hash64

  public constructor(cc: BalancerClientConn, options: BalancerOptions) {
    this.child = new GracefulSwitch(cc, options)
    this.seed = { hi: uint32(options.random), lo: uint32(options.random) }
  }

  public handleResolvedAddrs(
    resolved: ResolverState,
    { subsetSize, childPolicy }: RandomSubsettingConfig,
  ): boolean {
    const endpoints = subset(resolved.endpoints, subsetSize, this.seed)
    return this.child.handleResolvedAddrs({ ...resolved, endpoints }, childPolicy)
  }

  public resolverError(status: Status): void {
    this.child.resolverError(status)
  }

  public handleSubConnStateChange(): void {}

  public exitIdle(): void {
    this.child.exitIdle()
  }

  public close(): void {
    this.child.close()
  }
}

function uint32(random: Random): number {
  return Math.floor(random() * (MAX_UINT32 + 1))
}

/** Those whose first address has the lowest hash. Endpoints without an address do not count. */
function subset(endpoints: readonly Endpoint[], size: number, seed: Hash64): readonly Endpoint[] {
  const usable = endpoints.filter(({ addresses }) => addresses.length > 0)
  if (usable.length <= size) return usable
  return usable
    .map((endpoint) => ({
      endpoint,
      hash: upper53(xxHash64(endpoint.addresses[0]!.address, seed)),
    }))
    .sort((a, b) => a.hash - b.hash)
    .slice(0, size)
    .map(({ endpoint }) => endpoint)
}
