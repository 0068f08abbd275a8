// The control buffer: control frames, encoded at once and in order.
//
// With one thread this is all that grpc-go's controlBuffer has to be. What may have to wait (HEADERS,
// DATA) waits in its stream's queue. Frames that answer the peer are counted: a peer that makes us
// answer and does not read must not fill our memory.
import {
  FRAME_HEADER_BYTES,
  goAwayFrameBytes,
  PING_FRAME_BYTES,
  putGoAway,
  putPing,
  putRstStream,
  putSettings,
  putSettingsAck,
  putWindowUpdate,
  RST_STREAM_FRAME_BYTES,
  settingsFrameBytes,
  WINDOW_UPDATE_FRAME_BYTES,
} from '../../frame/index.ts'
import type { OutgoingSlabs } from './outgoing-slabs.ts'
import type { SettingEntries } from './settings.ts'

const MAX_DEBUG_BYTES = 256

/** What the control buffer asks of its connection. */
export interface ControlBufferHost {
  requestFlush(urgency: 'soon' | 'later'): void
}

export class ControlBuffer {
  /** Octets that answer the peer and that the socket has not taken. */
  public replyBytes = 0
  private readonly out: OutgoingSlabs
  private readonly host: ControlBufferHost

  public constructor(out: OutgoingSlabs, host: ControlBufferHost) {
    this.out = out
    this.host = host
  }

  /** The client's preface, or any other octets as they are. */
  public putBytes(bytes: Buffer): void {
    const { out } = this
    out.reserve(bytes.length)
    bytes.copy(out.buf, out.pos)
    out.pos += bytes.length
    this.host.requestFlush('soon')
  }

  public putSettings(entries: SettingEntries): void {
    const { out } = this
    out.reserve(settingsFrameBytes(entries.length))
    out.pos = putSettings(out.buf, out.pos, entries)
    this.host.requestFlush('soon')
  }

  public putSettingsAck(): void {
    const { out } = this
    out.reserve(FRAME_HEADER_BYTES)
    out.pos = putSettingsAck(out.buf, out.pos)
    this.replied(FRAME_HEADER_BYTES)
  }

  public putPing(hi: number, lo: number): void {
    const { out } = this
    out.reserve(PING_FRAME_BYTES)
    out.pos = putPing(out.buf, out.pos, false, hi, lo)
    this.host.requestFlush('soon')
  }

  public putPingAck(hi: number, lo: number): void {
    const { out } = this
    out.reserve(PING_FRAME_BYTES)
    out.pos = putPing(out.buf, out.pos, true, hi, lo)
    this.replied(PING_FRAME_BYTES)
  }

  public putRstStream(streamId: number, code: number): void {
    const { out } = this
    out.reserve(RST_STREAM_FRAME_BYTES)
    out.pos = putRstStream(out.buf, out.pos, streamId, code)
    this.replied(RST_STREAM_FRAME_BYTES)
  }

  public putWindowUpdate(streamId: number, increment: number): void {
    const { out } = this
    out.reserve(WINDOW_UPDATE_FRAME_BYTES)
    out.pos = putWindowUpdate(out.buf, out.pos, streamId, increment)
    this.host.requestFlush('soon')
  }

  public putGoAway(lastStreamId: number, code: number, debugText: string): void {
    const { out } = this
    const debug = debugText.slice(0, MAX_DEBUG_BYTES).replace(/[^\x20-\x7e]/g, '?')
    out.reserve(goAwayFrameBytes(debug.length))
    out.pos = putGoAway(out.buf, out.pos, lastStreamId, code, debug)
    this.host.requestFlush('soon')
  }

  private replied(octets: number): void {
    this.replyBytes += octets
    this.host.requestFlush('soon')
  }
}
