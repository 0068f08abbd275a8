// tonic: gRPC of Rust, on hyper's h2. Its programs take minutes to build when they are first needed.
import { rustProgram, rustVersion } from '../peers/rust.ts'
import type { Suite } from '../suite.ts'
import { interopSuite, programs, UNCONDITIONAL } from './interop.ts'

export const tonic: Suite = interopSuite({
  name: 'tonic',
  summary: 'the interop tests, both ways, with tonic; minutes the first time',
  versions: async () => [`tonic ${rustVersion('tonic')}`],
  cases: UNCONDITIONAL,
  ...programs(
    (progress) => rustProgram('server', progress),
    (progress) => rustProgram('client', progress),
  ),
})
