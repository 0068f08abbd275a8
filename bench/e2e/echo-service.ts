// The service that the gRPC peers serve and call: an echo of `message Echo { bytes payload = 1 }`,
// through protobufjs or as opaque octets.
import protobuf from 'protobufjs'
import {
  bidi,
  bytesCodec,
  type Codec,
  defineService,
  loadProto,
  type MethodDefinition,
  type ServiceDefinition,
  unary,
} from '../../lib/grpc/index.ts'

/** `message Echo { bytes payload = 1 }`. */
export interface Echo {
  readonly payload: Uint8Array
}

export const SERVICE_NAME = 'bench.Echo'
export const PAYLOAD_BYTES = 100

/** The type as protobufjs knows it, for the serializers of any peer. */
export const EchoType: protobuf.Type = new protobuf.Type('Echo').add(
  new protobuf.Field('payload', 1, 'bytes'),
)

const ECHO_PROTO = 'syntax = "proto3"; message Echo { bytes payload = 1; }'
const { messages } = await loadProto({ text: ECHO_PROTO, name: 'echo.proto' })

/** Messages as users of `loadProto` have them: through protobufjs, checked and converted. */
export const protobufjsCodec = messages['Echo'] as Codec<Echo>

type Methods<T> = {
  readonly echo: MethodDefinition<T, T, 'unary'>
  readonly push: MethodDefinition<T, T, 'bidi'>
  readonly iterate: MethodDefinition<T, T, 'bidi'>
  readonly wait: MethodDefinition<T, T, 'bidi'>
}

function echoService<T>(codec: Codec<T>): ServiceDefinition<Methods<T>> {
  return defineService(SERVICE_NAME, {
    echo: unary(codec, codec),
    push: bidi(codec, codec),
    iterate: bidi(codec, codec),
    wait: bidi(codec, codec),
  }) as ServiceDefinition<Methods<T>>
}

/** The codec that a peer's first argument names, its service and a message for it. */
export interface EchoSetup {
  readonly service: ServiceDefinition<Methods<unknown>>
  readonly message: unknown
}

/** For `protobufjs` or `bytes`. */
export function echoSetup(codecName: string | undefined): EchoSetup {
  const payload = Buffer.alloc(PAYLOAD_BYTES, 'framewright')
  return codecName === 'bytes'
    ? { service: echoService(bytesCodec as Codec<unknown>), message: payload }
    : { service: echoService(protobufjsCodec as Codec<unknown>), message: { payload } }
}
