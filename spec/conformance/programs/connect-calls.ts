// The calls that connectconformance asks a client for: one function for each type of stream.
// Source: docs/testing_clients.md of connectrpc.com/conformance.
import {
  type BidiCall,
  type CallOptions,
  type Client,
  type ClientStreamCall,
  Metadata,
  RpcError,
  type StatusDetail,
} from '../../../lib/grpc/index.ts'
import { encodingOf } from './connect-compressors.ts'
import { addHeaders, headersOf } from './connect-metadata.ts'
import type {
  AnyMessage,
  Cancel,
  ClientCompatRequest,
  ClientResponseResult,
  ConformanceService,
  ErrorMessage,
  Payload,
  PayloadResponse,
  Protos,
  StreamRequest,
  UnaryRequest,
} from './connect-protos.ts'
import { delay } from './server-flags.ts'

type ConformanceClient = Client<ConformanceService>

/** The numbers of the enumeration StreamType. */
const STREAM_TYPES: Readonly<Record<number, (call: ConformanceCall) => Promise<void>>> = {
  1: (call) => call.unary(),
  2: (call) => call.clientStream(),
  3: (call) => call.serverStream(),
  4: (call) => call.bidiStream(false),
  5: (call) => call.bidiStream(true),
}

const UNARY_METHODS = {
  Unary: 'unary',
  IdempotentUnary: 'idempotentUnary',
  Unimplemented: 'unimplemented',
} as const

/** Makes the call and tells what came of it. Rejects when there is no such call. */
export async function makeCall(
  protos: Protos,
  client: ConformanceClient,
  request: ClientCompatRequest,
): Promise<ClientResponseResult> {
  const run = STREAM_TYPES[request.streamType]
  if (run === undefined || request.service !== protos.service.name) {
    throw new Error(`got stream type ${request.streamType} of ${request.service}`)
  }
  const call = new ConformanceCall(protos, client, request)
  let error: ErrorMessage | undefined
  try {
    await run(call)
  } catch (thrown) {
    if (!(thrown instanceof RpcError)) throw thrown
    error = errorMessageOf(thrown)
  }
  return call.result(error)
}

/** One call with what it has brought so far. */
class ConformanceCall {
  private readonly client: ConformanceClient
  private readonly request: ClientCompatRequest
  private readonly method: string
  private readonly messages: readonly unknown[]
  private readonly payloads: Payload[] = []
  private headers: Metadata | undefined
  private trailers: Metadata | undefined
  private unsent = 0

  public constructor(protos: Protos, client: ConformanceClient, request: ClientCompatRequest) {
    this.client = client
    this.request = request
    this.method = request.method ?? ''
    this.messages = request.requestMessages.map((message) =>
      protos.unpack(`${this.method}Request`, message),
    )
  }

  public result(error: ErrorMessage | undefined): ClientResponseResult {
    return {
      responseHeaders: headersOf(this.headers),
      payloads: this.payloads,
      responseTrailers: headersOf(this.trailers),
      numUnsentRequests: this.unsent,
      ...(error && { error }),
    }
  }

  public async unary(): Promise<void> {
    const name = UNARY_METHODS[this.method as keyof typeof UNARY_METHODS]
    if (name === undefined) throw new Error(`there is no unary method ${this.method}`)
    const cancelling = new AbortController()
    const options = { ...this.options(), signal: cancelling.signal }
    const response = this.client[name](this.messages[0] as UnaryRequest, options)
    await Promise.all([
      response.then((message) => this.take(message)),
      this.cancelAfterEnd(() => cancelling.abort()),
    ])
  }

  public async serverStream(): Promise<void> {
    const call = this.client.serverStream(this.messages[0] as StreamRequest, this.options())
    await this.cancelAfterEnd(() => call.cancel())
    await this.takeAll(call[Symbol.asyncIterator](), () => call.cancel())
  }

  public async clientStream(): Promise<void> {
    const call: ClientStreamCall<UnaryRequest, PayloadResponse> = this.client.clientStream(
      this.options(),
    )
    await this.sendAll(call)
    await this.end(call)
    this.take(await call.response)
  }

  public async bidiStream(isFullDuplex: boolean): Promise<void> {
    const call: BidiCall<StreamRequest, PayloadResponse> = this.client.bidiStream(this.options())
    const responses = call[Symbol.asyncIterator]()
    const cancel = (): void => call.cancel()
    await this.sendAll(call, async () => !isFullDuplex || this.takeNext(responses, cancel))
    await this.end(call)
    await this.takeAll(responses, cancel)
  }

  /** Sends all requests as long as the server takes them and `between` wants more. */
  private async sendAll(
    call: { send(message: never): Promise<boolean> },
    between: () => Promise<boolean> = async () => true,
  ): Promise<void> {
    for (const [i, message] of this.messages.entries()) {
      await delay(this.request.requestDelayMs)
      this.unsent = this.messages.length - i
      if (!(await call.send(message as never))) return
      this.unsent--
      if (!(await between())) return
    }
  }

  /** Says that no request follows, and cancels before or after when that is asked for. */
  private async end(call: { end(): void; cancel(): void }): Promise<void> {
    if (this.cancel?.beforeCloseSend !== undefined) call.cancel()
    call.end()
    await this.cancelAfterEnd(() => call.cancel())
  }

  private async cancelAfterEnd(cancel: () => void): Promise<void> {
    const cancelMs = afterCloseSendMs(this.cancel)
    if (cancelMs === undefined) return
    await delay(cancelMs)
    cancel()
  }

  private async takeAll(
    responses: AsyncIterator<PayloadResponse>,
    cancel: () => void,
  ): Promise<void> {
    while (await this.takeNext(responses, cancel));
  }

  /** False at the end of responses. */
  private async takeNext(
    responses: AsyncIterator<PayloadResponse>,
    cancel: () => void,
  ): Promise<boolean> {
    const next = await responses.next()
    if (next.done === true) return false
    this.take(next.value)
    if (this.payloads.length === this.cancel?.afterNumResponses) cancel()
    return true
  }

  private take({ payload = {} }: PayloadResponse): void {
    this.payloads.push(payload)
  }

  private get cancel(): Cancel | undefined {
    return this.request.cancel
  }

  private options(): CallOptions {
    const { timeoutMs, messageReceiveLimit, compression, requestHeaders } = this.request
    return {
      metadata: addHeaders(new Metadata(), requestHeaders),
      compression: encodingOf(compression),
      minCompressBytes: 1,
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(messageReceiveLimit > 0 && { maxRecvMessageBytes: messageReceiveLimit }),
      onHeaders: (headers) => {
        this.headers = headers
      },
      onTrailers: (trailers) => {
        this.trailers = trailers
      },
    }
  }
}

function afterCloseSendMs(cancel: Cancel | undefined): number | undefined {
  if (cancel === undefined) return undefined
  const saysNothing = cancel.beforeCloseSend === undefined && cancel.afterNumResponses === undefined
  return cancel.afterCloseSendMs ?? (saysNothing ? 0 : undefined)
}

function errorMessageOf({ code, rawMessage, details }: RpcError): ErrorMessage {
  return { code, message: rawMessage, details: details.map(anyOf) }
}

function anyOf(detail: StatusDetail): AnyMessage {
  if (!('value' in detail)) throw new Error(`got a ${detail['@type']}, which no case sends`)
  return { typeUrl: `type.googleapis.com/${detail['@type']}`, value: detail.value }
}
