// The order in which pick_first tries the addresses of all endpoints, and the place it has reached.
// Source: gRFC A61 (flattening, RFC 8305 interleaving), A113 (weighted shuffling).
import { ipVersion, parseHostPort } from '../base/ip-address.ts'
import type { Random } from '../base/random.ts'
import { type Address, addressesOf, type Endpoint, sameAddress } from '../naming/index.ts'
import { endpointWeight } from './endpoint-weight.ts'

/** Addresses, each once, and a cursor. */
export class AddressList {
  private addresses: readonly Address[] = []
  private cursor = 0

  public get length(): number {
    return this.addresses.length
  }

  /** Undefined when the list is used up. */
  public get current(): Address | undefined {
    return this.addresses[this.cursor]
  }

  public get hasNext(): boolean {
    return this.cursor + 1 < this.addresses.length
  }

  public replace(addresses: readonly Address[]): void {
    this.addresses = addresses
    this.cursor = 0
  }

  public reset(): void {
    this.cursor = 0
  }

  /** Goes on by one; false when that is past the end. */
  public advance(): boolean {
    if (this.cursor < this.addresses.length) this.cursor++
    return this.cursor < this.addresses.length
  }

  /** Goes to an address; false when it is not listed, and the cursor stays. */
  public seek(address: Address): boolean {
    const at = this.addresses.findIndex((listed) => sameAddress(listed, address))
    if (at >= 0) this.cursor = at
    return at >= 0
  }
}

/** All addresses in the order in which to try them: the families take turns, the first one first. */
export function connectOrder(endpoints: readonly Endpoint[]): readonly Address[] {
  const [first] = endpoints
  // Below other policies this is the rule, for each of many endpoints: no list of their own.
  if (endpoints.length === 1 && first?.addresses.length === 1) return first.addresses
  return interleaved(addressesOf(endpoints))
}

/**
 * Endpoints by chance, those of more weight the sooner: key u^(1/weight) for a random u, the largest
 * first (A-ES of Efraimidis and Spirakis).
 */
export function shuffled(endpoints: readonly Endpoint[], random: Random): Endpoint[] {
  return endpoints
    .map((endpoint) => ({ endpoint, key: Math.log(random()) / endpointWeight(endpoint) }))
    .sort((a, b) => b.key - a.key)
    .map(({ endpoint }) => endpoint)
}

type Family = 'ipv4' | 'ipv6' | 'other'

function familyOf({ address }: Address): Family {
  const version = ipVersion(parseHostPort(address, 0)?.host ?? '')
  return version === 4 ? 'ipv4' : version === 6 ? 'ipv6' : 'other'
}

function interleaved(addresses: readonly Address[]): Address[] {
  const byFamily = new Map<Family, Address[]>()
  for (const address of addresses) {
    const family = familyOf(address)
    const list = byFamily.get(family)
    if (list === undefined) byFamily.set(family, [address])
    else list.push(address)
  }
  const queues = [...byFamily.values()]
  const order: Address[] = []
  for (let turn = 0; order.length < addresses.length; turn++) {
    for (const queue of queues) if (turn < queue.length) order.push(queue[turn]!)
  }
  return order
}
