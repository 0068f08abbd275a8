// Runs one of gRPC's interop cases on @grpc/grpc-js against a server; ends with 0 if all that it
// asserts holds. grpc-js-client.js --server_host=HOST --server_port=PORT --test_case=NAME
import { once } from 'node:events'
import { promisify } from 'node:util'
import {
  type CallOptions,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ClientWritableStream,
  credentials,
  Metadata,
  type requestCallback,
  type ServiceError,
  type StatusObject,
  status,
} from '@grpc/grpc-js'
import { services } from './grpc-js-services.ts'
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

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: CallOptions,
  done: requestCallback<Response>,
) => ClientUnaryCall

interface TestServiceClient extends Client {
  emptyCall: Unary<object, object>
  unaryCall: Unary<SimpleRequest, PayloadResponse>
  unimplementedCall: Unary<object, object>
  streamingInputCall(
    options: CallOptions,
    done: requestCallback<InputResponse>,
  ): ClientWritableStream<InputRequest>
  streamingOutputCall(
    request: OutputRequest,
    options: CallOptions,
  ): ClientReadableStream<PayloadResponse>
  fullDuplexCall(
    metadata: Metadata,
    options: CallOptions,
  ): ClientDuplexStream<OutputRequest, PayloadResponse>
}

const { address, testCase } = clientFlags()
const isUnknown = testCase === 'unimplemented_service'
const Service = isUnknown ? services.UnimplementedService : services.TestService
const client = new Service(address, credentials.createInsecure()) as unknown as TestServiceClient

function within(ms: number): CallOptions {
  return { deadline: Date.now() + ms }
}

/** A promise of what a callback is given. */
function outcome<T>(): { readonly done: requestCallback<T>; readonly response: Promise<T> } {
  let done!: requestCallback<T>
  const response = new Promise<T>((resolve, reject) => {
    done = (error, value) => (error ? reject(error) : resolve(value as T))
  })
  return { done, response }
}

function unary<Request, Response>(
  method: Unary<Request, Response>,
  request: Request,
): Promise<Response> {
  const { done, response } = outcome<Response>()
  method.call(client, request, new Metadata(), within(CALL_MS), done)
  return response
}

function fullDuplex(
  metadata: Metadata = new Metadata(),
): ClientDuplexStream<OutputRequest, PayloadResponse> {
  return client.fullDuplexCall(metadata, within(CALL_MS))
}

async function expectStatus(
  failing: Promise<unknown>,
  code: status,
  details?: string,
): Promise<void> {
  const error = (await errorOf(failing)) as ServiceError
  expectEqual(status[error.code], status[code], `status (${error.message})`)
  if (details !== undefined) expectEqual(error.details, details, 'status message')
}

/** The metadata that the server echoes comes back around a call: text first, octets last. */
async function expectEchoed(
  call: ClientUnaryCall | ClientDuplexStream<OutputRequest, PayloadResponse>,
): Promise<void> {
  const ended = new Promise<StatusObject>((resolve) => call.once('status', resolve))
  const [headers] = (await once(call, 'metadata')) as [Metadata]
  const trailers = (await ended).metadata
  expectEqual(headers.get(ECHO_INITIAL), [INITIAL_VALUE], ECHO_INITIAL)
  expectEqual(trailers.get(ECHO_TRAILING), [TRAILING_VALUE], ECHO_TRAILING)
}

const cases: Cases = {
  async empty_unary() {
    expectEqual(await unary(client.emptyCall, {}), {}, 'response')
  },

  async large_unary() {
    expectPayload(await unary(client.unaryCall, LARGE_REQUEST), LARGE_RESPONSE_SIZE)
  },

  async client_streaming() {
    const { done, response } = outcome<InputResponse>()
    const call = client.streamingInputCall(within(CALL_MS), done)
    for (const size of REQUEST_SIZES) call.write({ payload: payload(size) })
    call.end()
    expectEqual((await response).aggregatedPayloadSize, REQUEST_SIZES_SUM, 'aggregated size')
  },

  async server_streaming() {
    const responseParameters = RESPONSE_SIZES.map((size) => ({ size }))
    const call = client.streamingOutputCall({ responseParameters }, within(CALL_MS))
    const responses = await all<PayloadResponse>(call)
    expectEqual(responses.length, RESPONSE_SIZES.length, 'number of responses')
    for (const [i, size] of RESPONSE_SIZES.entries()) expectPayload(responses[i], size)
  },

  async ping_pong() {
    const call = fullDuplex()
    const responses = call[Symbol.asyncIterator]()
    for (const [i, size] of RESPONSE_SIZES.entries()) {
      call.write(outputRequest(REQUEST_SIZES[i]!, size))
      expectPayload((await responses.next()).value, size)
    }
    call.end()
    expectEqual((await responses.next()).done, true, 'end after the last response')
  },

  async empty_stream() {
    const call = fullDuplex()
    call.end()
    expectEqual(await all(call), [], 'responses')
  },

  async timeout_on_sleeping_server() {
    const call = client.fullDuplexCall(new Metadata(), within(1))
    call.write({ payload: payload(27_182) })
    await expectStatus(all(call), status.DEADLINE_EXCEEDED)
  },

  async cancel_after_begin() {
    const { done, response } = outcome<InputResponse>()
    const call = client.streamingInputCall(within(CALL_MS), done)
    setImmediate(() => call.cancel())
    await expectStatus(response, status.CANCELLED)
  },

  async cancel_after_first_response() {
    const call = fullDuplex()
    const responses = call[Symbol.asyncIterator]()
    call.write(outputRequest(REQUEST_SIZES[0]!, RESPONSE_SIZES[0]!))
    expectPayload((await responses.next()).value, RESPONSE_SIZES[0]!)
    call.cancel()
    await expectStatus(responses.next(), status.CANCELLED)
  },

  async status_code_and_message() {
    const request = { responseStatus: STATUS }
    await expectStatus(unary(client.unaryCall, request), status.UNKNOWN, STATUS.message)
    const call = fullDuplex()
    call.end(request)
    await expectStatus(all(call), status.UNKNOWN, STATUS.message)
  },

  async special_status_message() {
    const failing = unary(client.unaryCall, { responseStatus: SPECIAL_STATUS })
    await expectStatus(failing, status.UNKNOWN, SPECIAL_STATUS.message)
  },

  async custom_metadata() {
    const metadata = new Metadata()
    metadata.set(ECHO_INITIAL, INITIAL_VALUE)
    metadata.set(ECHO_TRAILING, TRAILING_VALUE)

    const { done, response } = outcome<PayloadResponse>()
    await expectEchoed(client.unaryCall(LARGE_REQUEST, metadata, within(CALL_MS), done))
    expectPayload(await response, LARGE_RESPONSE_SIZE)

    const call = fullDuplex(metadata)
    const echoed = expectEchoed(call)
    call.end(LARGE_OUTPUT_REQUEST)
    const responses = await all<PayloadResponse>(call)
    expectEqual(responses.length, 1, 'number of responses')
    expectPayload(responses[0], LARGE_RESPONSE_SIZE)
    await echoed
  },

  async unimplemented_method() {
    await expectStatus(unary(client.unimplementedCall, {}), status.UNIMPLEMENTED)
  },

  async unimplemented_service() {
    await expectStatus(unary(client.unimplementedCall, {}), status.UNIMPLEMENTED)
  },
}

await promisify(client.waitForReady.bind(client))(Date.now() + CALL_MS)
await runCase(cases, testCase)
client.close()
