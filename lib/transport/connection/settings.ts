// SETTINGS as values: what is announced, what was acknowledged, what a peer has said. RFC 9113 sections
// 6.5, 6.5.2. What the peer's settings change is peer-settings.ts.
import {
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  Http2Error,
  MIN_MAX_FRAME_SIZE,
  Setting,
  type SettingEntry,
} from '../../frame/index.ts'
import type { ResolvedConnectionOptions } from '../options.ts'

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
  /** Absent when there is none, as on a connection at rest. */
  private unacknowledged: SettingEntries[] | undefined = undefined

  public get outstanding(): number {
    return this.unacknowledged?.length ?? 0
  }

  public sent(entries: SettingEntries): void {
    this.unacknowledged = [...(this.unacknowledged ?? []), entries]
  }

  /** An ACK arrived: the settings that hold from now on. Throws Http2Error. */
  public acknowledged(): SettingEntries {
    const [entries, ...rest] = this.unacknowledged ?? []
    this.unacknowledged = rest.length === 0 ? undefined : rest
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
