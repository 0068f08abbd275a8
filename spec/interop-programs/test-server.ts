// The handlers of grpc.testing.TestService: all server features of doc/interop-test-descriptions.md of
// gRPC that need no cloud. The method UnimplementedCall and the service UnimplementedService are left
// out, as they have to be.
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import {
  Code,
  callMetrics,
  type Handlers,
  RpcError,
  type ServerCallContext,
  type ServerMetricsRecorder,
  type ServiceDefinition,
} from '../../lib/grpc/index.ts'
import type { CompressedMessages } from './compressed-messages.ts'
import {
  COMPRESSABLE,
  type ImplementedMethods,
  type Payload,
  type SimpleRequest,
  type StreamingOutputCallRequest,
  type StreamingOutputCallResponse,
  type TestOrcaReport,
} from './test-service.ts'

const ENCODING = 'gzip'
const ECHO_INITIAL = 'x-grpc-test-echo-initial'
const ECHO_TRAILING = 'x-grpc-test-echo-trailing-bin'
const CACHE_CONTROL = 'max-age=60, public'

/** What the handlers stand upon. */
export interface TestServerOptions {
  /** Observes the server. */
  readonly compressed: CompressedMessages
  /** What the out-of-band service reports. */
  readonly metrics: ServerMetricsRecorder
  /** Tells this server from all others. */
  readonly serverId: string
}

type StreamCall = ServerCallContext<StreamingOutputCallResponse>

/** The handlers of one server. */
export function testServer(
  options: TestServerOptions,
): Handlers<ServiceDefinition<ImplementedMethods>> {
  const { compressed, metrics, serverId } = options
  const outOfBand = new Turns()
  return {
    emptyCall: () => ({}),

    unaryCall(request, call) {
      echoMetadata(call)
      expectCompressed(request, compressed)
      echoStatus(request.responseStatus)
      call.setCompression(request.responseCompressed?.value === true ? ENCODING : 'identity')
      recordPerCall(call, request.orcaPerQueryReport)
      return {
        payload: newPayload(request.responseType, request.responseSize),
        ...(request.fillServerId === true && { serverId }),
        hostname: hostname(),
      }
    },

    cacheableUnaryCall(_request: SimpleRequest, call) {
      call.headers.set('cache-control', CACHE_CONTROL)
      return { payload: { type: COMPRESSABLE, body: Buffer.from(nowNs()) } }
    },

    async streamingOutputCall(request, call) {
      chooseCompression(call)
      await respond(request, call)
    },

    async streamingInputCall(requests) {
      let aggregatedPayloadSize = 0
      for await (const request of requests) {
        expectCompressed(request, compressed)
        aggregatedPayloadSize += request.payload?.body?.length ?? 0
      }
      return { aggregatedPayloadSize }
    },

    async fullDuplexCall(requests, call) {
      echoMetadata(call)
      chooseCompression(call)
      call.sendHeaders()
      let done: (() => void) | undefined
      try {
        for await (const request of requests) {
          echoStatus(request.responseStatus)
          if (request.orcaOobReport !== undefined) {
            // Clients that check what is reported must not disturb one another.
            done ??= await outOfBand.take()
            record(metrics, request.orcaOobReport)
          }
          await respond(request, call)
        }
      } finally {
        done?.()
      }
    },

    async halfDuplexCall(requests, call) {
      chooseCompression(call)
      const received: StreamingOutputCallRequest[] = []
      for await (const request of requests) received.push(request)
      for (const request of received) await respond(request, call)
    },
  }
}

/** One after the other. */
class Turns {
  private last: Promise<void> = Promise.resolve()

  /** Waits for its turn; gives what ends it. */
  public async take(): Promise<() => void> {
    const before = this.last
    let done = (): void => {}
    this.last = new Promise((resolve) => {
      done = resolve
    })
    await before
    return done
  }
}

function echoMetadata(call: ServerCallContext): void {
  for (const value of call.metadata.getAll(ECHO_INITIAL)) call.headers.append(ECHO_INITIAL, value)
  for (const value of call.metadata.getAll(ECHO_TRAILING))
    call.trailers.append(ECHO_TRAILING, value)
}

function echoStatus(status: SimpleRequest['responseStatus']): void {
  const { code = Code.Ok, message = '' } = status ?? {}
  if (code !== Code.Ok) throw new RpcError(code, message)
}

function expectCompressed(
  request: Pick<SimpleRequest, 'expectCompressed'>,
  compressed: CompressedMessages,
): void {
  const want = request.expectCompressed?.value
  const got = compressed.has(request)
  if (want === undefined || want === got) return
  throw new RpcError(
    Code.InvalidArgument,
    `got ${got ? 'a compressed' : 'an uncompressed'} request, want the other`,
  )
}

/** Whether responses of the call may be compressed; each is, or is not, as its request says. */
function chooseCompression(call: StreamCall): void {
  try {
    call.setCompression(ENCODING)
  } catch {
    call.setCompression('identity')
  }
}

async function respond(request: StreamingOutputCallRequest, call: StreamCall): Promise<void> {
  const { responseType, responseParameters = [] } = request
  for (const { size, intervalUs = 0, compressed } of responseParameters) {
    if (intervalUs > 0) await delay(intervalUs / 1000, undefined, { signal: call.signal })
    const response = { payload: newPayload(responseType, size) }
    await call.send(response, { compress: compressed?.value === true })
  }
}

function newPayload(type: string | number = COMPRESSABLE, size = 0): Payload {
  if (type !== COMPRESSABLE) throw new RpcError(Code.InvalidArgument, `unsupported type ${type}`)
  if (size < 0) throw new RpcError(Code.InvalidArgument, `got the response size ${size}, want >= 0`)
  return { type, body: Buffer.alloc(size) }
}

function recordPerCall(call: ServerCallContext, report: TestOrcaReport | undefined): void {
  const recorder = callMetrics(call)
  if (report === undefined || recorder === undefined) return
  record(recorder, report)
  for (const [name, cost] of Object.entries(report.requestCost ?? {})) {
    recorder.setRequestCost(name, cost)
  }
}

function record(recorder: ServerMetricsRecorder, report: TestOrcaReport): void {
  recorder.set('cpuUtilization', report.cpuUtilization ?? 0)
  recorder.set('memUtilization', report.memoryUtilization ?? 0)
  for (const [name, share] of Object.entries(report.utilization ?? {})) {
    recorder.setUtilization(name, share)
  }
}

function nowNs(): string {
  return String(BigInt(Date.now()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n))
}
