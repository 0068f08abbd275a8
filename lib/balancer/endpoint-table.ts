// What a policy keeps of each endpoint, found by the endpoint or by any of its addresses.
import type { Address, Endpoint } from '../naming/index.ts'
import { endpointKey } from './endpoint-sharding.ts'

/** One entry for each endpoint. */
export class EndpointTable<Entry> {
  private readonly make: () => Entry
  private byKey = new Map<string, Entry>()
  private readonly byAddress = new Map<string, Entry>()

  public constructor(make: () => Entry) {
    this.make = make
  }

  /** Endpoints that are listed again keep their entries, others' are dropped. */
  public update(endpoints: readonly Endpoint[]): void {
    const previous = this.byKey
    this.byKey = new Map()
    this.byAddress.clear()
    for (const endpoint of endpoints) {
      if (endpoint.addresses.length === 0) continue
      const key = endpointKey(endpoint)
      const entry = this.byKey.get(key) ?? previous.get(key) ?? this.make()
      this.byKey.set(key, entry)
      for (const { address } of endpoint.addresses) this.byAddress.set(address, entry)
    }
  }

  public get(endpoint: Endpoint): Entry | undefined {
    return this.byKey.get(endpointKey(endpoint))
  }

  public ofAddress({ address }: Address): Entry | undefined {
    return this.byAddress.get(address)
  }

  public get size(): number {
    return this.byKey.size
  }

  public values(): Iterable<Entry> {
    return this.byKey.values()
  }
}
