// ConformanceService: answers each call as its first request says, and tells what came.
// Source: docs/testing_servers.md of connectrpc.com/conformance.
import {
  type RequestStream,
  RpcError,
  type Server,
  type ServerCallContext,
} from '../../../lib/grpc/index.ts'
import { addHeaders, headersOf } from './connect-metadata.ts'
import type {
  AnyMessage,
  ErrorMessage,
  PayloadResponse,
  Protos,
  RequestInfo,
  StreamRequest,
  StreamResponseDefinition,
  UnaryRequest,
  UnaryResponseDefinition,
} from './connect-protos.ts'
import { delay } from './server-flags.ts'

type Call = ServerCallContext<PayloadResponse>

/** Serves all methods but Unimplemented. */
export function registerConformance(server: Server, protos: Protos): void {
  const { unimplemented: _, ...methods } = protos.service.methods
  const service = { name: protos.service.name, methods }
  server.register(service, {
    unary: (request, call) =>
      answerOnce(protos, call, request.responseDefinition, [protos.pack('UnaryRequest', request)]),
    idempotentUnary: (request, call) =>
      answerOnce(protos, call, request.responseDefinition, [
        protos.pack('IdempotentUnaryRequest', request),
      ]),
    clientStream: (requests, call) => clientStream(protos, requests, call),
    serverStream: async (request, call) => {
      const answers = new StreamAnswers(protos, call, request.responseDefinition)
      answers.begin()
      await answers.finish([protos.pack('ServerStreamRequest', request)])
    },
    bidiStream: (requests, call) => bidiStream(protos, requests, call),
  })
}

async function clientStream(
  protos: Protos,
  requests: RequestStream<UnaryRequest>,
  call: Call,
): Promise<PayloadResponse> {
  const received: AnyMessage[] = []
  let definition: UnaryResponseDefinition | undefined
  for await (const request of requests) {
    if (received.length === 0) definition = request.responseDefinition
    received.push(protos.pack('ClientStreamRequest', request))
  }
  return answerOnce(protos, call, definition, received)
}

async function bidiStream(
  protos: Protos,
  requests: RequestStream<StreamRequest>,
  call: Call,
): Promise<void> {
  const received: AnyMessage[] = []
  let answers: StreamAnswers | undefined
  let isFullDuplex = false
  for await (const request of requests) {
    received.push(protos.pack('BidiStreamRequest', request))
    if (answers === undefined) {
      answers = new StreamAnswers(protos, call, request.responseDefinition)
      isFullDuplex = request.fullDuplex === true
      if (isFullDuplex) answers.begin()
    }
    if (!isFullDuplex) continue
    if (!answers.hasMore) break
    await answers.next(received.splice(0))
  }
  if (!isFullDuplex) answers?.begin()
  await answers?.finish(received)
}

async function answerOnce(
  protos: Protos,
  call: Call,
  definition: UnaryResponseDefinition | undefined,
  requests: readonly AnyMessage[],
): Promise<PayloadResponse> {
  const requestInfo = requestInfoOf(call, requests)
  if (definition === undefined) return { payload: { requestInfo } }
  addHeaders(call.headers, definition.responseHeaders)
  addHeaders(call.trailers, definition.responseTrailers)
  await delay(definition.responseDelayMs)
  if (definition.error !== undefined) throw rpcErrorOf(protos, definition.error, requestInfo)
  const { responseData } = definition
  return { payload: { requestInfo, ...(responseData && { data: responseData }) } }
}

/** The responses of a call that streams them. */
class StreamAnswers {
  private readonly protos: Protos
  private readonly call: Call
  private readonly definition: StreamResponseDefinition | undefined
  private sent = 0

  public constructor(protos: Protos, call: Call, definition: StreamResponseDefinition | undefined) {
    this.protos = protos
    this.call = call
    this.definition = definition
  }

  /** Sends the headers. With no message to come they may go with the status. */
  public begin(): void {
    if (this.definition === undefined) return
    addHeaders(this.call.headers, this.definition.responseHeaders)
    addHeaders(this.call.trailers, this.definition.responseTrailers)
    if (this.hasMore) this.call.sendHeaders()
  }

  public get hasMore(): boolean {
    return this.sent < (this.definition?.responseData.length ?? 0)
  }

  /** Sends the next response, which tells of `requests` when there are any. */
  public async next(requests: readonly AnyMessage[]): Promise<void> {
    const { responseData, responseDelayMs } = this.definition!
    const isFirst = this.sent === 0
    const data = responseData[this.sent++]!
    const requestInfo = isFirst ? requestInfoOf(this.call, requests) : { requests }
    await delay(responseDelayMs)
    const payload = isFirst || requests.length > 0 ? { data, requestInfo } : { data }
    await this.call.send({ payload })
  }

  /** Sends the remaining responses, then the status. `requests` are those not told of. */
  public async finish(requests: readonly AnyMessage[]): Promise<void> {
    for (let untold = requests; this.hasMore; untold = []) await this.next(untold)
    const error = this.definition?.error
    if (error === undefined) return
    const info = this.sent === 0 ? requestInfoOf(this.call, requests) : undefined
    throw rpcErrorOf(this.protos, error, info)
  }
}

function requestInfoOf(call: Call, requests: readonly AnyMessage[]): RequestInfo {
  const requestHeaders = headersOf(call.metadata)
  if (call.deadline === undefined) return { requestHeaders, requests }
  const timeoutMs = Math.max(0, call.deadline.getTime() - Date.now())
  return { requestHeaders, requests, timeoutMs }
}

/** The error asked for; `info` is told in its details. */
function rpcErrorOf(protos: Protos, error: ErrorMessage, info: RequestInfo | undefined): RpcError {
  const packed = info === undefined ? [] : [protos.pack('ConformancePayload.RequestInfo', info)]
  const details = [...error.details, ...packed].map(({ typeUrl, value }) => ({
    '@type': typeUrl,
    value,
  }))
  return new RpcError(error.code, error.message, { details })
}
