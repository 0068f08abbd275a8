// The servers under a prefix of etcd's keys, kept in step: a Range at first, then a Watch from the
// revision after it, which a later session takes up where the last one ended. Knows no channel.
//
//   Range ─▶ Watch from revision + 1 ─▶ events, progress ─▶ session lost ─▶ Watch from revision + 1
//     ▲                 `── compacted, or another cluster ──┐
//     `─────────────────────────────────────────────────────┘
//
// Source: etcd clientv3 watch.go, and its naming/endpoints.
import { Code } from '../../base/status.ts'
import { type Logger, RpcError } from '../../grpc/index.ts'
import type { Endpoint } from '../../naming/index.ts'
import { decodeEndpoint } from './endpoint-value.ts'
import {
  type KeyRange,
  type KeyValue,
  prefixRange,
  type ResponseHeader,
  type WatchEvent,
  type WatchResponse,
} from './etcd-services.ts'
import { type EtcdSession, nextMessage } from './etcd-session.ts'

/** One key. The endpoint stays the same object for as long as the value does. */
interface Entry {
  readonly value: string
  /** Undefined: the value names no address. */
  readonly endpoint: Endpoint | undefined
}

/** See above. */
export class EndpointWatch {
  private readonly range: KeyRange
  private readonly logger: Logger | undefined
  /** Hears that what is known is up to date again, and whether it differs from before. */
  private readonly onSync: (isChanged: boolean) => void
  private entries = new Map<string, Entry>()
  /** All up to this revision is known. Undefined: nothing is, a Range has to come first. */
  private revision: bigint | undefined
  private clusterId: bigint | undefined

  public constructor(
    prefix: string,
    logger: Logger | undefined,
    onSync: (isChanged: boolean) => void,
  ) {
    this.range = prefixRange(prefix)
    this.logger = logger
    this.onSync = onSync
  }

  /** All servers known, in the order of their keys. */
  public get endpoints(): readonly Endpoint[] {
    return [...this.entries]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, { endpoint }]) => (endpoint === undefined ? [] : [endpoint]))
  }

  /** Follows the keys until the session fails. `worked` is called with each sign of a watch. */
  public async follow(session: EtcdSession, worked: () => void): Promise<never> {
    for (;;) {
      this.revision ??= await this.readAll(session)
      await this.watch(session, this.revision + 1n, worked)
    }
  }

  private async readAll({ kv }: EtcdSession): Promise<bigint> {
    const { header, kvs } = await kv.range(this.range)
    const { revision, clusterId } = headerOf(header)
    this.clusterId = clusterId
    const before = this.entries
    this.entries = new Map()
    let isChanged = kvs.length !== before.size
    for (const pair of kvs) {
      const key = textOf(pair.key)
      const known = before.get(key)
      const entry = this.entryOf(pair, known)
      isChanged ||= entry !== known
      this.entries.set(key, entry)
    }
    this.onSync(isChanged)
    return revision
  }

  /** Returns when a Range has to be made again. */
  private async watch(session: EtcdSession, from: bigint, worked: () => void): Promise<void> {
    const call = session.openWatch()
    const createRequest = { ...this.range, startRevision: from, progressNotify: true }
    void call.send({ createRequest })
    const messages = call[Symbol.asyncIterator]()
    let response = await session.answer(call, messages)
    const isResumed = this.isOfOurCluster(response)
    while (isResumed && !this.isCompacted(response, from)) {
      worked()
      this.apply(response)
      response = await nextMessage(messages)
    }
    this.revision = undefined
    call.cancel('etcd_watch_outdated')
  }

  /** Another cluster at the same address, such as one begun anew, counts its own revisions. */
  private isOfOurCluster({ header }: WatchResponse): boolean {
    return headerOf(header).clusterId === this.clusterId
  }

  /** Whether etcd has dropped the history that this watch needs. Throws for other ends of it. */
  private isCompacted(
    { canceled, compactRevision, cancelReason }: WatchResponse,
    from: bigint,
  ): boolean {
    if (!canceled) return false
    // Only then does another Range lead on; otherwise they would follow each other without end.
    if (compactRevision > from) return true
    throw new RpcError(Code.Unavailable, `the watch was cancelled: ${cancelReason}`, {
      token: 'etcd_watch_cancelled',
    })
  }

  private apply({ header, created, events }: WatchResponse): void {
    let isChanged = false
    for (const event of events) isChanged = this.applyEvent(event) || isChanged
    const last = events.at(-1)?.kv?.modRevision
    if (last !== undefined) this.revision = last
    // Without events it tells progress: all up to its revision has been sent.
    else if (!created) this.revision = headerOf(header).revision
    if (isChanged || created) this.onSync(isChanged)
  }

  private applyEvent({ type, kv }: WatchEvent): boolean {
    if (kv === undefined) return false
    const key = textOf(kv.key)
    if (type === 'DELETE') return this.entries.delete(key)
    const known = this.entries.get(key)
    const entry = this.entryOf(kv, known)
    this.entries.set(key, entry)
    return entry !== known
  }

  private entryOf(pair: KeyValue, known: Entry | undefined): Entry {
    const value = textOf(pair.value)
    if (known?.value === value) return known
    const address = decodeEndpoint(value)
    if (address === undefined) {
      this.logger?.warn(`etcd: ${textOf(pair.key)} has no address: ${JSON.stringify(value)}`)
    }
    return { value, endpoint: address && { addresses: [address] } }
  }
}

function headerOf(header: ResponseHeader | undefined): ResponseHeader {
  if (header !== undefined) return header
  throw new RpcError(Code.Internal, 'a response without header', { token: 'etcd_header_missing' })
}

function textOf(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString()
}
