// connect-node: gRPC by Connect for Node, on node:http2, with @bufbuild/protobuf.
import { jsProgram, jsVersion } from '../peers/js.ts'
import type { Suite } from '../suite.ts'
import { interopSuite, programs, UNCONDITIONAL } from './interop.ts'

export const connectNode: Suite = interopSuite({
  name: 'connect-node',
  summary: 'the interop tests, both ways, with @connectrpc/connect-node',
  versions: async () => [`@connectrpc/connect-node ${jsVersion('@connectrpc/connect-node')}`],
  cases: UNCONDITIONAL,
  ...programs(
    (progress) => jsProgram('connect-server', progress),
    (progress) => jsProgram('connect-client', progress),
  ),
})
