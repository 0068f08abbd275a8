// `ring_hash_experimental`: calls with the same value of a header take the same backend, and when
// backends come and go few of them move. A backend is connected when a call wants it.
// Source: gRFC A42, A61 (children), A76 (header, hash keys); grpc-go ringhash.
import { type ConfigFields, MAX_UINT32, wrong } from '../base/config-fields.ts'
import type { Random } from '../base/random.ts'
import type { ResolverState } from '../naming/index.ts'
import type { BalancerBuilder, BalancerClientConn, BalancerOptions } from './balancer.ts'
import { ConnectivityState } from './connectivity.ts'
import type { EndpointState } from './endpoint-sharding.ts'
import { endpointWeight } from './endpoint-weight.ts'
import { lazy } from './lazy.ts'
import { pickFirst } from './pick-first.ts'
import { type Picker, type PickInfo, type PickResult, WAITING_PICKER } from './picker.ts'
import { grownSize, RING_CIRCUMFERENCE, Ring, type RingMember, ringPosition } from './ring.ts'
import { SpreadingPolicy } from './spreading-policy.ts'

/** Config of `ring_hash_experimental`. */
export interface RingHashConfig {
  /** Entries of the ring, at least. 1 to 4096. Default 1024. */
  readonly minRingSize: number
  /** Entries of the ring, at most. 1 to 4096. Default 4096. */
  readonly maxRingSize: number
  /**
   * Our own: entries of the lightest endpoint, so that the ring grows with its endpoints and the two
   * sizes above do not count. When one of n joins, 1/n of the keys move; in a ring of one size, which
   * other gRPC clients have, it may be nearly twice as many. 0 to 4096. Default 0: as the others.
   */
  readonly entriesPerEndpoint: number
  /** The header whose value is hashed, lower case; empty: calls take a backend by chance. */
  readonly requestHashHeader: string
}

/** The attribute of an endpoint that takes the place of its first address as its key. A string. */
export const HASH_KEY_ATTRIBUTE = 'hashKey'

const DEFAULT_MIN_RING_SIZE = 1024
/** Also the largest that a config gets (A42's ring_size_cap). */
const DEFAULT_MAX_RING_SIZE = 4096
const MAX_CONFIGURED_RING_SIZE = 8 * 1024 * 1024

/** Policy `ring_hash_experimental`. */
export const ringHash: BalancerBuilder<RingHashConfig> = {
  name: 'ring_hash_experimental',
  build: (cc, options) => new RingHash(cc, options),
  parseConfig(fields) {
    const minRingSize = ringSize(fields, 'minRingSize', DEFAULT_MIN_RING_SIZE)
    const maxRingSize = ringSize(fields, 'maxRingSize', DEFAULT_MAX_RING_SIZE)
    if (minRingSize > maxRingSize) {
      throw wrong(fields.pathOf('minRingSize'), minRingSize, `at most maxRingSize, ${maxRingSize}`)
    }
    return {
      minRingSize: Math.min(minRingSize, DEFAULT_MAX_RING_SIZE),
      maxRingSize: Math.min(maxRingSize, DEFAULT_MAX_RING_SIZE),
      entriesPerEndpoint: fields.integer('entriesPerEndpoint', 0, DEFAULT_MAX_RING_SIZE) ?? 0,
      requestHashHeader: hashHeader(fields),
    }
  },
}

function ringSize(fields: ConfigFields, name: string, fallback: number): number {
  return fields.integer(name, 0, MAX_CONFIGURED_RING_SIZE) || fallback
}

function hashHeader(fields: ConfigFields): string {
  const header = fields.string('requestHashHeader')?.toLowerCase() ?? ''
  if (header === '' || (/^[0-9a-z_.-]+$/.test(header) && !header.endsWith('-bin'))) return header
  throw wrong(fields.pathOf('requestHashHeader'), header, 'the name of a text header')
}

const { Ready, Connecting, Idle, TransientFailure } = ConnectivityState

/** An endpoint with what decides its entries. */
interface Member extends RingMember {
  readonly endpoint: EndpointState
}

class RingHash extends SpreadingPolicy<RingHashConfig> {
  private config: RingHashConfig | undefined
  /** In the order of their keys. */
  private members: readonly Member[] = []
  /** Whether there may be other members than before. */
  private isStale = true
  private ring: Ring | undefined
  /** What the ring was made of. */
  private ringSource = ''

  public constructor(cc: BalancerClientConn, options: BalancerOptions) {
    super(cc, { ...options, child: lazy(pickFirst), staysIdle: true })
  }

  public override handleResolvedAddrs(resolved: ResolverState, config: RingHashConfig): boolean {
    this.config = config
    this.isStale = true
    return super.handleResolvedAddrs(resolved, config)
  }

  /** Connections are made by calls; who asks for one without a call gets one. */
  public override exitIdle(): void {
    const endpoints = this.members.map(({ endpoint }) => endpoint)
    if (ringState(endpoints) === Idle) connectOne(endpoints)
  }

  protected override updated(endpoints: readonly EndpointState[]): void {
    if (endpoints.length === 0) {
      super.updated(endpoints)
      return
    }
    // Below `priority` there may be no calls that would connect: something must be trying (A42).
    if (triesToConnect(ringState(endpoints))) connectOne(endpoints)
    this.cc.updateBalancerState({ state: ringState(endpoints), picker: this.makePicker(endpoints) })
  }

  protected override makePicker(endpoints: readonly EndpointState[]): Picker {
    if (this.isStale) this.prepare(endpoints)
    return new RingPicker(this.ring!, this.members, {
      header: this.config!.requestHashHeader,
      random: this.options.random,
      isConnecting: endpoints.some(isIn(Connecting)),
    })
  }

  private prepare(endpoints: readonly EndpointState[]): void {
    this.members = endpoints.map(memberOf).sort(byHashKey)
    this.isStale = false
    const [minSize, maxSize] = this.sizeBounds()
    const keys = this.members.map(({ hashKey, weight }) => [hashKey, weight])
    const source = JSON.stringify([minSize, maxSize, keys])
    if (source === this.ringSource) return
    this.ring = new Ring(this.members, minSize, maxSize)
    this.ringSource = source
  }

  private sizeBounds(): [minSize: number, maxSize: number] {
    const { minRingSize, maxRingSize, entriesPerEndpoint } = this.config!
    if (entriesPerEndpoint === 0) return [minRingSize, maxRingSize]
    const size = grownSize(this.members, entriesPerEndpoint)
    return [size, size]
  }
}

function memberOf(state: EndpointState): Member {
  const { endpoint } = state
  const hashKey = endpoint.attributes?.[HASH_KEY_ATTRIBUTE]
  return {
    endpoint: state,
    hashKey:
      typeof hashKey === 'string' && hashKey !== '' ? hashKey : endpoint.addresses[0]!.address,
    weight: Math.min(endpointWeight(endpoint), MAX_UINT32),
  }
}

function byHashKey(a: Member, b: Member): number {
  return a.hashKey < b.hashKey ? -1 : a.hashKey > b.hashKey ? 1 : 0
}

function isIn(state: ConnectivityState): (endpoint: EndpointState) => boolean {
  return ({ latest }) => latest.state === state
}

/** Has one endpoint connect, unless one does. */
function connectOne(endpoints: readonly EndpointState[]): void {
  if (!endpoints.some(isIn(Connecting))) endpoints.find(isIn(Idle))?.exitIdle()
}

function triesToConnect(state: ConnectivityState): boolean {
  return state === Connecting || state === TransientFailure
}

/** Two failures are one failure: where the next of the ring is down too, another priority is better. */
function ringState(endpoints: readonly EndpointState[]): ConnectivityState {
  const failing = endpoints.filter(isIn(TransientFailure)).length
  if (endpoints.some(isIn(Ready))) return Ready
  if (failing > 1) return TransientFailure
  if (endpoints.some(isIn(Connecting))) return Connecting
  if (failing === 1 && endpoints.length > 1) return Connecting
  return failing === 0 ? Idle : TransientFailure
}

interface RingPickerOptions {
  readonly header: string
  readonly random: Random
  readonly isConnecting: boolean
}

/** Sees its endpoints as they are: whenever one changes there is another picker. */
class RingPicker implements Picker {
  private readonly ring: Ring
  private readonly members: readonly Member[]
  private readonly options: RingPickerOptions

  public constructor(ring: Ring, members: readonly Member[], options: RingPickerOptions) {
    this.ring = ring
    this.members = members
    this.options = options
  }

  public pick(info: PickInfo): PickResult {
    const { header, random } = this.options
    const key = header === '' ? undefined : info.header(header)
    return key === undefined
      ? this.pickByChance(this.ring.find(random() * RING_CIRCUMFERENCE), info)
      : this.pickByKey(this.ring.find(ringPosition(key)), info)
  }

  /** The first endpoint that is not known to be down, connected or not. */
  private pickByKey(entry: number, info: PickInfo): PickResult {
    for (let steps = 0; steps < this.ring.size; steps++) {
      const { latest } = this.after(entry, steps)
      if (latest.state !== TransientFailure) return latest.picker.pick(info)
    }
    return this.after(entry, 0).latest.picker.pick(info)
  }

  /** The first endpoint that is READY; one that is IDLE on the way may connect (A76). */
  private pickByChance(entry: number, info: PickInfo): PickResult {
    let { isConnecting } = this.options
    for (let steps = 0; steps < this.ring.size; steps++) {
      const endpoint = this.after(entry, steps)
      if (endpoint.latest.state === Ready) return endpoint.latest.picker.pick(info)
      if (isConnecting || endpoint.latest.state !== Idle) continue
      isConnecting = true
      endpoint.exitIdle()
    }
    if (isConnecting) return WAITING_PICKER.pick(info)
    return this.after(entry, 0).latest.picker.pick(info)
  }

  private after(entry: number, steps: number): EndpointState {
    return this.members[this.ring.ownerAfter(entry, steps)]!.endpoint
  }
}
