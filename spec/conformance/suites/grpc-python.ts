// grpc-python: C-core, whose HTTP/2 is written in C++, by its Python API. It cannot see whether a
// message came compressed, so its server is asked without the probe; its client does probe ours.
import { pythonProgram, pythonVersion } from '../peers/python.ts'
import type { Suite } from '../suite.ts'
import { interopSuite, programs, UNCONDITIONAL } from './interop.ts'

export const grpcPython: Suite = interopSuite({
  name: 'grpc-python',
  summary: 'the interop tests, both ways, with grpc-python',
  versions: async () => [`grpcio ${pythonVersion('grpcio')}`],
  cases: [
    ...UNCONDITIONAL,
    {
      name: 'gzip in both directions',
      theirs: ['client_compressed_unary', 'server_compressed_unary'],
      ours: ['client_compressed_unary_noprobe', 'server_compressed_unary'],
    },
  ],
  ...programs(
    (progress) => pythonProgram('server.py', progress),
    (progress) => pythonProgram('client.py', progress),
  ),
})
