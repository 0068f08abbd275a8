// A v1 balancer that logs its calls and leaves what calls get to the spec.
import type {
  AddressLease,
  BalancerV1,
  BalancerV1GetOptions,
  Down,
} from '../../lib/balancer/index.ts'
import { LatestValue } from '../../lib/balancer/v1/latest-value.ts'
import type { Address } from '../../lib/naming/index.ts'
import { settle } from './fake-network.ts'

/** A call of `get` that waits for the spec. */
export interface ScriptedGet {
  readonly options: BalancerV1GetOptions
  resolve(lease: AddressLease): void
  reject(error: unknown): void
}

/** For one channel. */
export class ScriptedBalancerV1 implements BalancerV1 {
  public readonly sharesConnection: boolean
  public readonly log: string[] = []
  public readonly gets: ScriptedGet[] = []
  private readonly lists: LatestValue<readonly Address[]> | undefined

  public constructor(options: { sharesConnection?: boolean; hasResolver?: boolean } = {}) {
    this.sharesConnection = options.sharesConnection ?? false
    this.lists = options.hasResolver === false ? undefined : new LatestValue()
  }

  public start(target: string): void {
    this.log.push(`start ${target}`)
  }

  public up({ address }: Address): Down {
    this.log.push(`up ${address}`)
    return (error) => {
      this.log.push(`down ${address}: ${error.message}`)
    }
  }

  public get(options: BalancerV1GetOptions): Promise<AddressLease> {
    return new Promise((resolve, reject) => {
      this.gets.push({ options, resolve, reject })
    })
  }

  public notify(): AsyncIterable<readonly Address[]> | undefined {
    this.log.push('notify')
    return this.lists
  }

  public close(): void {
    this.log.push('close')
    this.lists?.end()
  }

  /** The next list, once it has been taken. */
  public list(...addresses: string[]): Promise<void> {
    this.lists?.put(addresses.map((address) => ({ address })))
    return settle()
  }

  /** Answers the oldest `get`; its lease logs when it is put back. */
  public grant(address: string): Promise<void> {
    this.gets.shift()?.resolve({
      address: { address },
      put: () => {
        this.log.push(`put ${address}`)
      },
    })
    return settle()
  }

  /** Rejects the oldest `get`. */
  public refuse(error: unknown): Promise<void> {
    this.gets.shift()?.reject(error)
    return settle()
  }

  /** The lines since the last time. */
  public takeLog(): string[] {
    return this.log.splice(0)
  }
}
