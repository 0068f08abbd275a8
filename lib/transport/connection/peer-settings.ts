// The peer's SETTINGS take effect: on the encoder, on the writer, and on the windows of open streams.
// RFC 9113 sections 6.5.3, 6.9.2.
import { ErrorCode, Http2Error, Setting } from '../../frame/index.ts'
import type { HpackEncoder } from '../../hpack/index.ts'
import type { ActiveStreams } from './active-streams.ts'
import type { ControlBuffer } from './control-buffer.ts'
import type { LoopyWriter } from './loopy-writer.ts'
import { initialPeerSettings, type PeerSettings } from './settings.ts'

/** Applies the peer's settings one by one, in the order of the frame, and acknowledges the frame. */
export class PeerSettingsApplier {
  public readonly settings: PeerSettings = initialPeerSettings()
  private readonly encoder: HpackEncoder
  private readonly writer: LoopyWriter
  private readonly streams: ActiveStreams
  private readonly control: ControlBuffer
  private readonly mayEnablePush: boolean

  /** `mayEnablePush` is false at a client: servers must not announce ENABLE_PUSH 1. */
  public constructor(
    encoder: HpackEncoder,
    writer: LoopyWriter,
    streams: ActiveStreams,
    control: ControlBuffer,
    mayEnablePush: boolean,
  ) {
    this.encoder = encoder
    this.writer = writer
    this.streams = streams
    this.control = control
    this.mayEnablePush = mayEnablePush
  }

  /** One entry; its range was checked by the decoder. Throws Http2Error. */
  public apply(id: number, value: number): void {
    const { settings } = this
    switch (id) {
      case Setting.HEADER_TABLE_SIZE:
        settings.headerTableBytes = value
        this.encoder.setPeerMaxTableBytes(value)
        return
      case Setting.ENABLE_PUSH:
        this.checkPush(value)
        settings.enablePush = value === 1
        return
      case Setting.MAX_CONCURRENT_STREAMS:
        settings.maxConcurrentStreams = value
        return
      case Setting.INITIAL_WINDOW_SIZE:
        this.moveStreamWindows(value - settings.initialWindowBytes)
        settings.initialWindowBytes = value
        return
      case Setting.MAX_FRAME_SIZE:
        settings.maxFrameBytes = value
        this.writer.peerMaxFrameBytes = value
        return
      case Setting.MAX_HEADER_LIST_SIZE:
        settings.maxHeaderListBytes = value
        this.writer.peerMaxListBytes = value
        return
      default:
      // 6.5.2: an unknown setting is ignored.
    }
  }

  /** The frame is applied to its end; the ACK leaves in the same step (6.5.3). */
  public applied(): void {
    this.control.putSettingsAck()
  }

  // 6.5.2: "A client MUST treat receipt of a SETTINGS frame with SETTINGS_ENABLE_PUSH set to 1 as a
  // connection error of type PROTOCOL_ERROR."
  private checkPush(value: number): void {
    if (value === 0 || this.mayEnablePush) return
    throw new Http2Error(
      ErrorCode.PROTOCOL_ERROR,
      'enable_push_by_server',
      'a server announced ENABLE_PUSH 1',
    )
  }

  // 6.9.2: a change moves the windows of all streams, also below zero.
  private moveStreamWindows(delta: number): void {
    this.streams.sendWindowBytes += delta
    for (const stream of this.streams.table.list()) {
      if (this.writer.streamWindowChanged(stream, delta)) continue
      throw new Http2Error(
        ErrorCode.FLOW_CONTROL_ERROR,
        'initial_window_overflow',
        `INITIAL_WINDOW_SIZE raises the window of stream ${stream.id} beyond 2^31-1`,
      )
    }
  }
}
