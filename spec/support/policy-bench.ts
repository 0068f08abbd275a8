// A policy on a channel that records, its endpoints moved by the spec.
import {
  type Balancer,
  type BalancerBuilder,
  ConnectivityState,
  type PickOutcome,
  type PickResult,
} from '../../lib/balancer/index.ts'
import type { Random } from '../../lib/base/random.ts'
import { Code } from '../../lib/base/status.ts'
import type { Endpoint } from '../../lib/naming/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { RecordingBalancerConn, type RecordingSubConn } from './recording-balancer-conn.ts'

const { Connecting, Ready, TransientFailure } = ConnectivityState

/** An endpoint by its addresses, joined by commas, with attributes. */
export function endpointOf(text: string, attributes?: Endpoint['attributes']): Endpoint {
  const addresses = text === '' ? [] : text.split(',').map((address) => ({ address }))
  return attributes === undefined ? { addresses } : { addresses, attributes }
}

/** How a call ended, for `onDone`. */
export function outcomeOf(code: Code, load: PickOutcome['load'] = () => undefined): PickOutcome {
  return { status: { code, message: '' }, bytesSent: true, bytesReceived: true, load }
}

export class PolicyBench<Config> {
  public readonly cc: RecordingBalancerConn = new RecordingBalancerConn()
  public readonly clock: FakeClock = new FakeClock()
  public readonly policy: Balancer<Config>
  public config: Config

  public constructor(builder: BalancerBuilder<Config>, config: Config, random: Random = () => 0) {
    this.policy = builder.build(this.cc, { clock: this.clock, random })
    this.cc.policy = this.policy
    this.config = config
  }

  public resolve(...endpoints: (string | Endpoint)[]): boolean {
    const parsed = endpoints.map((one) => (typeof one === 'string' ? endpointOf(one) : one))
    return this.policy.handleResolvedAddrs({ endpoints: parsed }, this.config)
  }

  /** The SubConn that was made last for an address. */
  public at(address: string): RecordingSubConn {
    return this.cc.subConns.filter(({ addresses }) => addresses[0] === address).at(-1)!
  }

  public connecting(...addresses: string[]): void {
    for (const address of addresses) this.at(address).move(Connecting)
  }

  public ready(...addresses: string[]): void {
    for (const address of addresses) {
      const subConn = this.at(address)
      subConn.move(Connecting)
      subConn.move(Ready)
      subConn.healthListener?.({ state: Ready })
    }
  }

  public fail(...addresses: string[]): void {
    for (const address of addresses) {
      const error = { code: Code.Unavailable, message: `${address}: refused` }
      this.at(address).move(Connecting)
      this.at(address).move(TransientFailure, error)
    }
  }

  public get state(): ConnectivityState | undefined {
    return this.cc.latest?.state
  }

  /** The addresses that `count` calls take. */
  public picks(count: number, headers?: Readonly<Record<string, string>>): string[] {
    return Array.from({ length: count }, () => addressOf(this.cc.pick(headers)))
  }

  /** How many of `count` calls each address takes; each call ends at once as `outcome` has it. */
  public shares(
    count: number,
    outcome: (address: string) => PickOutcome = () => outcomeOf(Code.Ok),
  ): Map<string, number> {
    const counts = new Map<string, number>()
    for (let i = 0; i < count; i++) {
      const result = this.cc.pick()
      const address = addressOf(result)
      counts.set(address, (counts.get(address) ?? 0) + 1)
      if (result?.kind === 'ready') result.onDone?.(outcome(address))
    }
    return counts
  }
}

/** The address of what was picked, or what was answered instead. */
export function addressOf(result: PickResult | undefined): string {
  if (result?.kind !== 'ready') return result?.kind ?? 'none'
  return (result.subConn as RecordingSubConn).addresses[0]!
}
