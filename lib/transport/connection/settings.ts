// SETTINGS in both directions: what we announced and since when it holds, what the peer announced
// and what that changes. RFC 9113 sections 6.5, 6.5.2, 6.5.3, 6.9.2.
import {
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  Http2Error,
  MIN_MAX_FRAME_SIZE,
  Setting,
  type SettingEntry,
} from '../../frame/index.ts'
import type { HpackEncoder } from '../../hpack/index.ts'
import type { ResolvedConnectionOptions } from '../options.ts'
import type { ActiveStreams } from './active-streams.ts'
import type { ControlBuffer } from './control-buffer.ts'
import type { LoopyWriter } from './loopy-writer.ts'

const DEFAULT_HEADER_TABLE_BYTES = 4096
const UNLIMITED = 0xffff_ffff

/** The entries of one SETTINGS frame. */
export type SettingEntries = readonly SettingEntry[]

/** The peer's settings as they hold now. */
export interface PeerSettings {
  headerTableBytes: number
  enablePush: boolean
  maxConcurrentStreams: number
  initialWindowBytes: number
  maxFrameBytes: number
  maxHeaderListBytes: number
}

/** What holds before the peer's first SETTINGS, section 6.5.2. */
export function initialPeerSettings(): PeerSettings {
  return {
    headerTableBytes: DEFAULT_HEADER_TABLE_BYTES,
    enablePush: true,
    maxConcurrentStreams: UNLIMITED,
    initialWindowBytes: DEFAULT_WINDOW_BYTES,
    maxFrameBytes: MIN_MAX_FRAME_SIZE,
    maxHeaderListBytes: Number.POSITIVE_INFINITY,
  }
}

/** What a connection with these options announces first: only what differs from the RFC's values. */
export function announcedSettings(
  options: ResolvedConnectionOptions,
  extra: SettingEntries,
): SettingEntries {
  const announced: SettingEntries = [
    ...extra,
    [Setting.HEADER_TABLE_SIZE, options.headerTableBytes],
    [Setting.INITIAL_WINDOW_SIZE, options.initialStreamWindowBytes],
    [Setting.MAX_FRAME_SIZE, options.maxFrameBytes],
    [Setting.MAX_HEADER_LIST_SIZE, options.maxHeaderListBytes],
  ]
  return announced.filter(([id, value]) => value !== RFC_VALUES.get(id))
}

const RFC_VALUES: ReadonlyMap<number, number> = new Map([
  [Setting.HEADER_TABLE_SIZE, DEFAULT_HEADER_TABLE_BYTES],
  [Setting.INITIAL_WINDOW_SIZE, DEFAULT_WINDOW_BYTES],
  [Setting.MAX_FRAME_SIZE, MIN_MAX_FRAME_SIZE],
])

/** Our SETTINGS frames that the peer has not acknowledged, oldest first. */
export class LocalSettings {
  private unacknowledged: SettingEntries[] = []

  public get outstanding(): number {
    return this.unacknowledged.length
  }

  public sent(entries: SettingEntries): void {
    this.unacknowledged.push(entries)
  }

  /** An ACK arrived: the settings that hold from now on. Throws Http2Error. */
  public acknowledged(): SettingEntries {
    const entries = this.unacknowledged.shift()
    if (entries === undefined) {
      throw new Http2Error(
        ErrorCode.PROTOCOL_ERROR,
        'settings_ack_unexpected',
        'a SETTINGS ACK arrived with no SETTINGS outstanding',
      )
    }
    return entries
  }
}

/** The value of a setting among a frame's entries. */
export function settingValue(entries: SettingEntries, id: Setting): number | undefined {
  return entries.find((entry) => entry[0] === id)?.[1]
}

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
