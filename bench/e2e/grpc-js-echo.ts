// The unary echo as grpc-js takes it, with the same protobufjs type as everyone's.
import type { MethodDefinition } from '@grpc/grpc-js'
import { type Echo, EchoType, SERVICE_NAME } from './echo-service.ts'

const serialize = (message: Echo): Buffer => EchoType.encode(message).finish() as Buffer
const deserialize = (octets: Buffer): Echo => EchoType.decode(octets) as unknown as Echo

/** For its Server and its Client. */
export const echoMethods: { readonly echo: MethodDefinition<Echo, Echo> } = {
  echo: {
    path: `/${SERVICE_NAME}/Echo`,
    requestStream: false,
    responseStream: false,
    requestSerialize: serialize,
    requestDeserialize: deserialize,
    responseSerialize: serialize,
    responseDeserialize: deserialize,
  },
}
