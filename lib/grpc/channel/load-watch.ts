// What a server reports of its load out of band, for any number of listeners of one SubConn: one call
// over its connection, at the smallest interval that anybody asked for. Source: gRFC A51, grpc-go
// orca/producer.go.
import type { LoadReport } from '../../balancer/index.ts'
import { Code } from '../../base/status.ts'
import { type LoadReportRequest, loadReportRequest, OpenRca } from '../protocol/open-rca.ts'
import type { ChannelTransport } from './channel-transport.ts'
import type { Connector } from './connector.ts'
import { WatchCall } from './watch-call.ts'

type ReportListener = (report: LoadReport) => void

interface Subscription {
  readonly intervalMs: number
  readonly listener: ReportListener
}

/** Silent while there is no listener or no connection, and over one whose server has no such service. */
export class LoadWatch {
  private readonly connector: Connector
  private readonly subscriptions = new Set<Subscription>()
  private transport: ChannelTransport | undefined
  private call: WatchCall<LoadReportRequest, LoadReport> | undefined
  private intervalMs = Infinity

  public constructor(connector: Connector) {
    this.connector = connector
  }

  /** Returns what ends it. */
  public add(intervalMs: number, listener: ReportListener): () => void {
    const subscription = { intervalMs, listener }
    this.subscriptions.add(subscription)
    this.intervalChanged()
    return () => {
      if (this.subscriptions.delete(subscription)) this.intervalChanged()
    }
  }

  /** Asks over `transport` from now on, if over any. */
  public use(transport: ChannelTransport | undefined): void {
    this.transport = transport
    this.restart()
  }

  private intervalChanged(): void {
    const intervals = [...this.subscriptions].map(({ intervalMs }) => intervalMs)
    const smallestMs = Math.min(...intervals)
    if (smallestMs === this.intervalMs) return
    this.intervalMs = smallestMs
    this.restart()
  }

  private restart(): void {
    this.call?.stop()
    this.call = undefined
    if (this.transport === undefined || this.intervalMs === Infinity) return
    const { streamCoreMetrics } = OpenRca.methods
    const request = loadReportRequest(this.intervalMs)
    this.call = new WatchCall(this.connector, this.transport, streamCoreMetrics, request, {
      onResponse: (report) => {
        for (const { listener } of this.subscriptions) listener(report)
      },
      onEnd: (error) => error?.code !== Code.Unimplemented,
    })
  }
}
