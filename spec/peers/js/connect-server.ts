// Serves grpc.testing.TestService on @connectrpc/connect-node, as far as interop cases need it.
// connect-server.js --port=N prints `listening on 127.0.0.1:PORT`.
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import {
  type Code,
  ConnectError,
  type ConnectRouter,
  type HandlerContext,
  type ServiceImpl,
} from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { service } from './connect-services.ts'
import {
  ECHO_INITIAL,
  ECHO_TRAILING,
  type EchoStatus,
  type InputRequest,
  type InputResponse,
  type OutputRequest,
  type PayloadResponse,
  payload,
  responsesTo,
  type SimpleRequest,
  serverPort,
} from './test-service.ts'

/** What is not here, the router answers with UNIMPLEMENTED. */
const testService = {
  emptyCall(): object {
    return {}
  },

  unaryCall(request: SimpleRequest, context: HandlerContext): PayloadResponse {
    echo(context)
    throwIfAsked(request)
    return { payload: payload(request.responseSize ?? 0) }
  },

  async streamingInputCall(requests: AsyncIterable<InputRequest>): Promise<InputResponse> {
    let aggregatedPayloadSize = 0
    for await (const { payload } of requests) aggregatedPayloadSize += payload?.body?.length ?? 0
    return { aggregatedPayloadSize }
  },

  async *streamingOutputCall(request: OutputRequest): AsyncIterable<PayloadResponse> {
    yield* responsesTo(request)
  },

  async *fullDuplexCall(
    requests: AsyncIterable<OutputRequest>,
    context: HandlerContext,
  ): AsyncIterable<PayloadResponse> {
    echo(context)
    for await (const request of requests) {
      throwIfAsked(request)
      yield* responsesTo(request)
    }
  },
}

function echo({ requestHeader, responseHeader, responseTrailer }: HandlerContext): void {
  const initial = requestHeader.get(ECHO_INITIAL)
  const trailing = requestHeader.get(ECHO_TRAILING)
  if (initial !== null) responseHeader.set(ECHO_INITIAL, initial)
  if (trailing !== null) responseTrailer.set(ECHO_TRAILING, trailing)
}

function throwIfAsked({ responseStatus }: { readonly responseStatus?: EchoStatus }): void {
  if (responseStatus) throw new ConnectError(responseStatus.message, responseStatus.code as Code)
}

/** A service whose type is known at run time only takes handlers of any type. */
function routes(router: ConnectRouter): void {
  const description = service('TestService')
  router.service(description, testService as unknown as Partial<ServiceImpl<typeof description>>)
}

const server = createServer(connectNodeAdapter({ routes, connect: false, grpcWeb: false }))
server.listen(serverPort(), '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${(server.address() as AddressInfo).port}`)
})
