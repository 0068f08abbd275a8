// Serves grpc.testing.TestService on @grpc/grpc-js, as far as interop cases need it.
// grpc-js-server.js --port=N prints `listening on 127.0.0.1:PORT`.
import { promisify } from 'node:util'
import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
} from '@grpc/grpc-js'
import { services } from './grpc-js-services.ts'
import {
  ECHO_INITIAL,
  ECHO_TRAILING,
  type InputRequest,
  type InputResponse,
  type OutputRequest,
  type PayloadResponse,
  payload,
  responsesTo,
  type SimpleRequest,
  serverPort,
} from './test-service.ts'

const emptyCall: handleUnaryCall<object, object> = (_, respond) => respond(null, {})

const unaryCall: handleUnaryCall<SimpleRequest, PayloadResponse> = (call, respond) => {
  const trailers = echo(call)
  const { responseStatus, responseSize = 0 } = call.request
  if (responseStatus) respond({ code: responseStatus.code, details: responseStatus.message })
  else respond(null, { payload: payload(responseSize) }, trailers)
}

const streamingInputCall: handleClientStreamingCall<InputRequest, InputResponse> = (
  call,
  respond,
) => {
  let aggregatedPayloadSize = 0
  call.on('data', ({ payload }: InputRequest) => {
    aggregatedPayloadSize += payload?.body?.length ?? 0
  })
  call.on('end', () => respond(null, { aggregatedPayloadSize }))
}

const streamingOutputCall: handleServerStreamingCall<OutputRequest, PayloadResponse> = (call) => {
  for (const response of responsesTo(call.request)) call.write(response)
  call.end()
}

const fullDuplexCall: handleBidiStreamingCall<OutputRequest, PayloadResponse> = (call) => {
  const trailers = echo(call)
  call.on('data', (request: OutputRequest) => {
    const { responseStatus } = request
    if (responseStatus) {
      call.emit('error', { code: responseStatus.code, details: responseStatus.message })
    } else {
      for (const response of responsesTo(request)) call.write(response)
    }
  })
  call.on('end', () => call.end(trailers))
}

/** Sends the headers that are asked for; gives the trailers. */
function echo(call: { metadata: Metadata; sendMetadata(headers: Metadata): void }): Metadata {
  const [initial] = call.metadata.get(ECHO_INITIAL)
  const [trailing] = call.metadata.get(ECHO_TRAILING)
  if (initial !== undefined) {
    const headers = new Metadata()
    headers.set(ECHO_INITIAL, initial)
    call.sendMetadata(headers)
  }
  const trailers = new Metadata()
  if (trailing !== undefined) trailers.set(ECHO_TRAILING, trailing)
  return trailers
}

const server = new Server()
server.addService(services.TestService.service, {
  emptyCall,
  unaryCall,
  streamingInputCall,
  streamingOutputCall,
  fullDuplexCall,
})
const bind = promisify(server.bindAsync.bind(server))
const port = await bind(`127.0.0.1:${serverPort()}`, ServerCredentials.createInsecure())
console.log(`listening on 127.0.0.1:${port}`)
