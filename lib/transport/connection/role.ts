// What differs between the two ends of a connection, as values and calls. The connection asks its
// role and never which one it is.
import type { HeaderBlock } from '../../hpack/index.ts'
import type { Stream } from '../stream/stream.ts'
import type { StreamHandler } from '../stream/stream-handler.ts'
import type { GoAwayInfo } from './goaway.ts'
import type { PeerSettings, SettingEntries } from './settings.ts'

/** The client's or the server's part of a connection. */
export interface ConnectionRole {
  /** A server reads the client's preface; a client sends it. */
  readonly expectsPreface: boolean
  /** Whether the peer opens streams: clients do, with odd identifiers (push is refused). */
  readonly peerOpensStreams: boolean
  /** Whether we open streams. */
  readonly opensStreams: boolean
  /** Whether a block is a 1xx. */
  isInformational(block: HeaderBlock): boolean
  /** Settings of this role beyond those that every connection announces. */
  readonly extraSettings: SettingEntries
  /** The rules for a 1xx or first final block from the peer; a token when it breaks one. */
  checkHeaders(block: HeaderBlock): string | undefined
  /** May a further stream of the peer open? Otherwise it is refused (REFUSED_STREAM). */
  mayAccept(openStreams: number): boolean
  /** The peer opened a stream with a good block: who takes it? */
  acceptStream(stream: Stream, block: HeaderBlock, endStream: boolean): StreamHandler
  /** The identifier of a stream of ours whose HEADERS are about to be encoded. */
  nextStreamId(): number
  /** The last identifier that {@link ConnectionRole.nextStreamId} gave; 0 when none. */
  readonly lastStreamId: number
  /** The peer's SETTINGS were applied; `first` once. */
  settingsApplied(settings: PeerSettings, first: boolean): void
  /** A stream's header list was over our limit: end the stream. */
  headerListExceeded(stream: Stream): void
  /** The peer's GOAWAY: no stream is opened any more. Those that it did not process end next. */
  goAwayReceived(info: GoAwayInfo): void
  /** Hands over the streams that wait to be opened: nobody will open them. */
  takeWaiting(): readonly Stream[]
  /** A peer's PING that is no ACK; a token when it comes too often. */
  pingReceived(nowMs: number, openStreams: number): string | undefined
  /** HEADERS or DATA left: pings around them are honest. */
  framesSent(): void
  /** The stream is over and out of the table; its owner was told. */
  streamClosed(stream: Stream): void
  /** The connection is over: no frame will come or go but a last GOAWAY. All streams were told. */
  ended(cause: Error): void
  /** The wire is gone; last. */
  closed(): void
}
