// Open Request Cost Aggregation: how a server tells its load. Opt-in, both ways of it:
//
//   per call      callMetricsInterceptor ─▶ callMetrics(call) ─▶ trailers ─▶ loadReportOf
//   out of band   addOpenRca ─▶ OpenRcaService ─▶ watchLoadReports
//
// What becomes of a report is the client's business. Source: gRFC A51; grpc-go orca/.
import { ConnectivityState, type LoadReport } from '../../balancer/index.ts'
import { type BackoffOptions, backoffMs } from '../../base/backoff.ts'
import { type Clock, systemClock } from '../../base/clock.ts'
import { pause } from '../../base/pause.ts'
import { systemRandom } from '../../base/random.ts'
import { Code } from '../../base/status.ts'
import type { CallContext, InterceptedResponse, Interceptor } from '../call/interceptor.ts'
import type { ClientConn } from '../channel/client-conn.ts'
import { createClient } from '../client/client.ts'
import { encodeLoadReport, LOAD_REPORT_KEY } from '../protocol/load-report.ts'
import { streamsResponses } from '../protocol/method.ts'
import { type LoadReportRequest, loadReportRequest, OpenRca } from '../protocol/open-rca.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import type { ServerCallContext } from '../server/handlers.ts'
import type { Server } from '../server/server.ts'
import { CallMetricsRecorder, ServerMetricsRecorder } from './load-metrics.ts'

// ── per call

/** The recorder of each call under an interceptor; undefined until its handler asks for one. */
const recorders = new WeakMap<CallContext, CallMetricsRecorder | undefined>()

/**
 * Where a handler records the load that its call causes. Undefined unless the server has a
 * {@link callMetricsInterceptor}. grpc-go's CallMetricsRecorderFromContext.
 *
 * ```ts
 * callMetrics(call)?.setRequestCost('rows', 120).set('cpuUtilization', 0.7)
 * ```
 */
export function callMetrics(call: CallContext): CallMetricsRecorder | undefined {
  const known = recorders.get(call)
  if (known !== undefined || !recorders.has(call)) return known
  const recorder = new CallMetricsRecorder()
  recorders.set(call, recorder)
  return recorder
}

/**
 * Sends what handlers record by {@link callMetrics} with the status of their call, also when it
 * fails; a call that records nothing sends nothing. Where a call has no value of its own, that of
 * `server` goes along. For `ServerOptions.interceptors`. grpc-go's CallMetricsServerOption.
 */
export function callMetricsInterceptor(server?: ServerMetricsRecorder): Interceptor {
  return async (request, next) => {
    const call = request.call as ServerCallContext
    const send = (): void => {
      const report = recorders.get(call)?.report(server?.report())
      recorders.delete(call)
      if (report !== undefined) call.trailers.set(LOAD_REPORT_KEY, encodeLoadReport(report))
    }
    recorders.set(call, undefined)
    let response: InterceptedResponse
    try {
      response = await next(request)
    } catch (thrown) {
      send()
      throw thrown
    }
    const { message } = response
    if (streamsResponses(call.method.kind) && isIterable(message)) {
      return { ...response, message: followed(message, send) }
    }
    send()
    return response
  }
}

type Messages = AsyncIterable<unknown> | Iterable<unknown>

function isIterable(message: unknown): message is Messages {
  return (
    typeof message === 'object' &&
    message !== null &&
    (Symbol.asyncIterator in message || Symbol.iterator in message)
  )
}

async function* followed(messages: Messages, done: () => void): AsyncGenerator<unknown> {
  try {
    yield* messages
  } finally {
    done()
  }
}

// ── out of band, at the server

/** How {@link addOpenRca} serves. */
export interface OpenRcaOptions {
  /** What is reported. Default: a recorder of its own. */
  readonly metrics?: ServerMetricsRecorder
  /** Clients that ask for reports more often get them this often, ms. Default 30,000. */
  readonly minReportingIntervalMs?: number
  readonly clock?: Clock
}

const DEFAULT_MIN_REPORTING_INTERVAL_MS = 30_000

/**
 * Adds the out-of-band service to a server that is not serving yet, and gives the recorder whose
 * metrics it reports. Each client hears at once and then at the interval that it asked for, until it
 * leaves: a stop of the server that waits for open calls needs a limit. grpc-go's orca.Register.
 */
export function addOpenRca(server: Server, options: OpenRcaOptions = {}): ServerMetricsRecorder {
  const {
    metrics = new ServerMetricsRecorder(),
    minReportingIntervalMs = DEFAULT_MIN_REPORTING_INTERVAL_MS,
    clock = systemClock,
  } = options
  server.register(OpenRca, {
    async *streamCoreMetrics({ reportInterval }, { signal }) {
      const intervalMs = Math.max(durationMs(reportInterval), minReportingIntervalMs)
      while (!signal.aborted) {
        yield metrics.report()
        await pause(clock, intervalMs, signal, false)
      }
    },
  })
  return metrics
}

// ── out of band, at the client

/** How {@link watchLoadReports} goes about it. */
export interface WatchLoadReportsOptions {
  /** How often to be told, ms; the server may have a minimum. */
  readonly reportIntervalMs: number
  /** Ends the iteration, at once. */
  readonly signal?: AbortSignal
  /** Waits after a stream that failed; from the start again once a report has come. */
  readonly backoff?: BackoffOptions
}

/**
 * The out-of-band load reports of the server behind `conn`, as they come, for as long as anybody
 * listens: streams that fail are begun anew. Rejects with RpcError when the server has no such service
 * (UNIMPLEMENTED) or the channel is closed. Of a channel to several servers one is heard. Leave the
 * loop or abort `signal` to end it. grpc-go's RegisterOOBListener.
 */
export async function* watchLoadReports(
  conn: ClientConn,
  { reportIntervalMs, signal, backoff }: WatchLoadReportsOptions,
): AsyncGenerator<LoadReport> {
  const { streamCoreMetrics } = createClient(OpenRca, conn, signal === undefined ? {} : { signal })
  const request = loadReportRequest(reportIntervalMs)
  const isLeft = (): boolean => signal?.aborted === true
  for (let failures = 0; !isLeft(); failures++) {
    try {
      for await (const report of streamCoreMetrics(request)) {
        failures = 0
        yield report
      }
    } catch (thrown) {
      if (isLeft()) return
      const { code } = RpcError.from(thrown)
      const isClosed = conn.getState() === ConnectivityState.Shutdown
      if (code === Code.Unimplemented || isClosed) throw thrown
    }
    await pause(conn.clock, backoffMs(failures, systemRandom, backoff), signal, true)
  }
}

function durationMs({ seconds = 0, nanos = 0 }: LoadReportRequest['reportInterval'] = {}): number {
  return Number(seconds) * 1000 + nanos / 1_000_000
}
