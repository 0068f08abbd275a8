// What the peer may send us: the connection's window, and how the windows grow with the measured
// bandwidth. Connection credit always returns on receipt; streams return theirs when the
// application takes the data. RFC 9113 section 6.9; grpc-go's trInFlow and bdpEstimator.
import type { Clock } from '../../base/clock.ts'
import { ErrorCode, Http2Error, Setting } from '../../frame/index.ts'
import { ConnectionRecvWindow } from '../stream/flow-control.ts'
import type { ActiveStreams } from './active-streams.ts'
import { BdpEstimator } from './bdp-estimator.ts'
import type { ControlBuffer } from './control-buffer.ts'
import { PingPayload } from './ping.ts'
import type { SettingEntries } from './settings.ts'

/** What the windows ask of their connection. */
export interface ReceiveWindowsHost {
  /** Announces settings of ours. */
  sendSettings(entries: SettingEntries): void
}

export class ReceiveWindows {
  private readonly connection = new ConnectionRecvWindow()
  private readonly streams: ActiveStreams
  private readonly control: ControlBuffer
  private readonly host: ReceiveWindowsHost
  private readonly clock: Clock
  private readonly bdp: BdpEstimator | undefined
  private bdpPingQueued = false
  /** What the windows should grow to, once the connection does not hold too much. */
  private wantedBytes = 0

  public constructor(
    streams: ActiveStreams,
    control: ControlBuffer,
    host: ReceiveWindowsHost,
    clock: Clock,
    streamWindowBytes: number,
    grows: boolean,
  ) {
    this.streams = streams
    this.control = control
    this.host = host
    this.clock = clock
    this.bdp = grows ? new BdpEstimator(streamWindowBytes) : undefined
  }

  /** What the peer may still send on the connection. */
  public get availableBytes(): number {
    return this.connection.availableBytes
  }

  /** {@link ReceiveWindows.availableBytes} when all is credited. */
  public get limitBytes(): number {
    return this.connection.limitBytes
  }

  /** Opens the connection's window to `bytes`. */
  public open(bytes: number): void {
    this.update(this.connection.newLimit(bytes))
  }

  /** Counts DATA of `bytes` octets, padding included, whatever its stream. Throws Http2Error. */
  public charge(bytes: number): void {
    if (!this.connection.onData(bytes)) {
      throw new Http2Error(
        ErrorCode.FLOW_CONTROL_ERROR,
        'connection_window_exceeded',
        `DATA of ${bytes} octets, the window is ${this.connection.availableBytes}`,
      )
    }
    if (this.bdp?.add(bytes)) this.startSample()
    else this.update(this.connection.takeUpdate())
    if (this.wantedBytes > this.streams.recvWindowBytes) this.grow()
  }

  /** The flush that carries a sample's PING has left. */
  public flushed(): void {
    if (!this.bdpPingQueued) return
    this.bdpPingQueued = false
    this.bdp?.pingSent(this.clock.nowMs())
  }

  /** A sample's PING was answered: the windows may grow. */
  public sampleAcknowledged(): void {
    this.wantedBytes = Math.max(this.wantedBytes, this.bdp?.pingAcked(this.clock.nowMs()) ?? 0)
    if (this.wantedBytes > this.streams.recvWindowBytes) this.grow()
  }

  // The credit due goes first: proxies answer a PING late when they wait for it.
  private startSample(): void {
    this.update(this.connection.flush())
    this.control.putPing(...PingPayload.Bdp)
    this.bdpPingQueued = true
  }

  // SETTINGS moves the windows of open streams by itself (6.9.2).
  private grow(): void {
    if (this.streams.budget.over) return
    const bytes = this.wantedBytes
    this.streams.moveRecvWindows(bytes)
    this.update(this.connection.newLimit(bytes))
    this.host.sendSettings([[Setting.INITIAL_WINDOW_SIZE, bytes]])
  }

  private update(increment: number): void {
    if (increment > 0) this.control.putWindowUpdate(0, increment)
  }
}
