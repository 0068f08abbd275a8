// grpc-js: the official gRPC of Node, on node:http2.
import { jsProgram, jsVersion } from '../peers/js.ts'
import type { Suite } from '../suite.ts'
import { interopSuite, programs, UNCONDITIONAL } from './interop.ts'

export const grpcJs: Suite = interopSuite({
  name: 'grpc-js',
  summary: 'the interop tests, both ways, with @grpc/grpc-js',
  versions: async () => [`@grpc/grpc-js ${jsVersion('@grpc/grpc-js')}`],
  cases: UNCONDITIONAL,
  ...programs(
    (progress) => jsProgram('grpc-js-server', progress),
    (progress) => jsProgram('grpc-js-client', progress),
  ),
})
