// What the negative cases need of grpc.testing.TestService: its unary call, with the fields that the
// cases set. The numbers are those of grpc's messages.proto.
import { ByteSink } from '../../../lib/base/byte-sink.ts'
import {
  type Codec,
  defineService,
  loadProto,
  type MethodDefinition,
  type ServiceDefinition,
  unary,
} from '../../../lib/grpc/index.ts'

const MESSAGES = `
  syntax = "proto3";
  package grpc.testing;
  message Payload { bytes body = 2; }
  message SimpleRequest { int32 response_size = 2; Payload payload = 3; }
  message SimpleResponse { Payload payload = 1; }`

/** What the cases use of grpc.testing.SimpleRequest. */
export interface SimpleRequest {
  readonly responseSize: number
  readonly payload: { readonly body: Uint8Array }
}

/** What the cases use of grpc.testing.SimpleResponse. */
export interface SimpleResponse {
  readonly payload: { readonly body: Uint8Array }
}

const { messages } = await loadProto({ text: MESSAGES, name: 'negative.proto' })
const request = messages['grpc.testing.SimpleRequest'] as Codec<SimpleRequest>
const response = messages['grpc.testing.SimpleResponse'] as Codec<SimpleResponse>

export const TestService: ServiceDefinition<{
  unaryCall: MethodDefinition<SimpleRequest, SimpleResponse, 'unary'>
}> = defineService('grpc.testing.TestService', { unaryCall: unary(request, response) })

const PREFIX_BYTES = 5

/** The request in a body of one message. Throws when it is not one, whole and not compressed. */
export function requestOf(body: Buffer): SimpleRequest {
  const length = body.length < PREFIX_BYTES ? -1 : body.readUInt32BE(1)
  if (body[0] !== 0 || length !== body.length - PREFIX_BYTES) {
    throw new Error(`not_one_message: ${body.length} octets, want one message, not compressed`)
  }
  return request.decode(body, PREFIX_BYTES, body.length, false)
}

/** The body of the answer to a request: one message with as many zeros as it asked for. */
export function answerTo({ responseSize }: SimpleRequest): Buffer {
  const sink = new ByteSink()
  sink.append(Buffer.alloc(PREFIX_BYTES))
  response.encode({ payload: { body: Buffer.alloc(responseSize) } }, sink)
  const body = sink.detach()
  body.writeUInt32BE(body.length - PREFIX_BYTES, 1)
  return body
}
