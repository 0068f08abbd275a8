// Runs one of gRPC's interop cases on @connectrpc/connect-node against a server; ends with 0 if all
// that it asserts holds. connect-client.js --server_host=HOST --server_port=PORT --test_case=NAME
import {
  type CallOptions,
  Code,
  ConnectError,
  createClient,
  decodeBinaryHeader,
  encodeBinaryHeader,
} from '@connectrpc/connect'
import { createWritableIterable } from '@connectrpc/connect/protocol'
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node'
import { service } from './connect-services.ts'
import {
  all,
  CALL_MS,
  type Cases,
  clientFlags,
  ECHO_INITIAL,
  ECHO_TRAILING,
  errorOf,
  expectEqual,
  expectPayload,
  INITIAL_VALUE,
  type InputRequest,
  type InputResponse,
  LARGE_OUTPUT_REQUEST,
  LARGE_REQUEST,
  LARGE_RESPONSE_SIZE,
  type OutputRequest,
  outputRequest,
  type PayloadResponse,
  payload,
  REQUEST_SIZES,
  REQUEST_SIZES_SUM,
  RESPONSE_SIZES,
  runCase,
  type SimpleRequest,
  SPECIAL_STATUS,
  STATUS,
  TRAILING_VALUE,
} from './test-service.ts'

interface TestServiceClient {
  emptyCall(request: object): Promise<{ readonly $typeName: string }>
  unaryCall(request: SimpleRequest, options?: CallOptions): Promise<PayloadResponse>
  unimplementedCall(request: object): Promise<object>
  streamingInputCall(
    requests: AsyncIterable<InputRequest>,
    options?: CallOptions,
  ): Promise<InputResponse>
  streamingOutputCall(request: OutputRequest): AsyncIterable<PayloadResponse>
  fullDuplexCall(
    requests: AsyncIterable<OutputRequest>,
    options?: CallOptions,
  ): AsyncIterable<PayloadResponse>
}

const { address, testCase } = clientFlags()
const description = service(
  testCase === 'unimplemented_service' ? 'UnimplementedService' : 'TestService',
)
const baseUrl = `http://${address}`
const sessionManager = new Http2SessionManager(baseUrl)
const transport = createGrpcTransport({ baseUrl, sessionManager, defaultTimeoutMs: CALL_MS })
const client = createClient(description, transport) as unknown as TestServiceClient

async function expectStatus(
  failing: Promise<unknown>,
  code: Code,
  rawMessage?: string,
): Promise<void> {
  const error = ConnectError.from(await errorOf(failing))
  expectEqual(Code[error.code], Code[code], `status (${error.message})`)
  if (rawMessage !== undefined) expectEqual(error.rawMessage, rawMessage, 'status message')
}

async function* each<T>(...messages: readonly T[]): AsyncGenerator<T> {
  yield* messages
}

/** The options of a call whose metadata comes back, and what did. */
function echoing(): { readonly options: CallOptions; readonly expectEchoed: () => void } {
  let headers = new Headers()
  let trailers = new Headers()
  const options: CallOptions = {
    headers: {
      [ECHO_INITIAL]: INITIAL_VALUE,
      [ECHO_TRAILING]: encodeBinaryHeader(TRAILING_VALUE),
    },
    onHeader: (came) => {
      headers = came
    },
    onTrailer: (came) => {
      trailers = came
    },
  }
  const expectEchoed = (): void => {
    expectEqual(headers.get(ECHO_INITIAL), INITIAL_VALUE, ECHO_INITIAL)
    const octets = decodeBinaryHeader(trailers.get(ECHO_TRAILING) ?? '')
    expectEqual(Buffer.from(octets), TRAILING_VALUE, ECHO_TRAILING)
  }
  return { options, expectEchoed }
}

const cases: Cases = {
  async empty_unary() {
    expectEqual((await client.emptyCall({})).$typeName, 'grpc.testing.Empty', 'response')
  },

  async large_unary() {
    expectPayload(await client.unaryCall(LARGE_REQUEST), LARGE_RESPONSE_SIZE)
  },

  async client_streaming() {
    const requests = REQUEST_SIZES.map((size) => ({ payload: payload(size) }))
    const { aggregatedPayloadSize } = await client.streamingInputCall(each(...requests))
    expectEqual(aggregatedPayloadSize, REQUEST_SIZES_SUM, 'aggregated size')
  },

  async server_streaming() {
    const responseParameters = RESPONSE_SIZES.map((size) => ({ size }))
    const responses = await all(client.streamingOutputCall({ responseParameters }))
    expectEqual(responses.length, RESPONSE_SIZES.length, 'number of responses')
    for (const [i, size] of RESPONSE_SIZES.entries()) expectPayload(responses[i], size)
  },

  async ping_pong() {
    const requests = createWritableIterable<OutputRequest>()
    const responses = client.fullDuplexCall(requests)[Symbol.asyncIterator]()
    for (const [i, size] of RESPONSE_SIZES.entries()) {
      const response = responses.next()
      await requests.write(outputRequest(REQUEST_SIZES[i]!, size))
      expectPayload((await response).value, size)
    }
    requests.close()
    expectEqual((await responses.next()).done, true, 'end after the last response')
  },

  async empty_stream() {
    expectEqual(await all(client.fullDuplexCall(each())), [], 'responses')
  },

  async timeout_on_sleeping_server() {
    const requests = createWritableIterable<OutputRequest>()
    const responses = all(client.fullDuplexCall(requests, { timeoutMs: 1 }))
    void requests.write({ payload: payload(27_182) })
    await expectStatus(responses, Code.DeadlineExceeded)
    requests.close()
  },

  async cancel_after_begin() {
    const requests = createWritableIterable<InputRequest>()
    const abort = new AbortController()
    const response = client.streamingInputCall(requests, { signal: abort.signal })
    setImmediate(() => abort.abort())
    await expectStatus(response, Code.Canceled)
    requests.close()
  },

  async cancel_after_first_response() {
    const requests = createWritableIterable<OutputRequest>()
    const abort = new AbortController()
    const call = client.fullDuplexCall(requests, { signal: abort.signal })
    const responses = call[Symbol.asyncIterator]()
    const response = responses.next()
    await requests.write(outputRequest(REQUEST_SIZES[0]!, RESPONSE_SIZES[0]!))
    expectPayload((await response).value, RESPONSE_SIZES[0]!)
    abort.abort()
    await expectStatus(responses.next(), Code.Canceled)
    requests.close()
  },

  async status_code_and_message() {
    const request = { responseStatus: STATUS }
    await expectStatus(client.unaryCall(request), Code.Unknown, STATUS.message)
    await expectStatus(all(client.fullDuplexCall(each(request))), Code.Unknown, STATUS.message)
  },

  async special_status_message() {
    const failing = client.unaryCall({ responseStatus: SPECIAL_STATUS })
    await expectStatus(failing, Code.Unknown, SPECIAL_STATUS.message)
  },

  async custom_metadata() {
    const unary = echoing()
    expectPayload(await client.unaryCall(LARGE_REQUEST, unary.options), LARGE_RESPONSE_SIZE)
    unary.expectEchoed()

    const duplex = echoing()
    const requests = each(LARGE_OUTPUT_REQUEST)
    const responses = await all(client.fullDuplexCall(requests, duplex.options))
    expectEqual(responses.length, 1, 'number of responses')
    expectPayload(responses[0], LARGE_RESPONSE_SIZE)
    duplex.expectEchoed()
  },

  async unimplemented_method() {
    await expectStatus(client.unimplementedCall({}), Code.Unimplemented)
  },

  async unimplemented_service() {
    await expectStatus(client.unimplementedCall({}), Code.Unimplemented)
  },
}

await sessionManager.connect()
await runCase(cases, testCase)
sessionManager.abort()
