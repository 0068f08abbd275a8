// grpc-go's own interop programs, both ways, in clear text and over TLS. They have neither compression
// nor, in the server, a server_id: our client alone has no pick_first_unary.
import { type GoTool, goTool, goVersion } from '../peers/go.ts'
import type { Command } from '../process/child.ts'
import type { Suite } from '../suite.ts'
import { type InteropCase, interopSuite, UNCONDITIONAL } from './interop.ts'

/** Its client hears of load by this policy only. */
const LOAD_POLICY = JSON.stringify({
  loadBalancingConfig: [{ test_backend_metrics_load_balancer: {} }],
})
const SOAK_MS = 120_000

const LOAD: readonly InteropCase[] = ['orca_per_rpc', 'orca_oob'].map((name) => ({
  name,
  theirs: [name],
  ours: [name],
  theirFlags: [`--service_config_json=${LOAD_POLICY}`],
}))

const SOAKS: readonly InteropCase[] = ['rpc_soak', 'channel_soak'].map((name) => ({
  name: `${name}, 1,000 calls`,
  theirs: [name],
  ours: [name],
  flags: [
    '--soak_iterations=1000',
    '--soak_num_threads=4',
    `--soak_overall_timeout_seconds=${SOAK_MS / 1000}`,
    '--soak_per_iteration_max_acceptable_latency_ms=5000',
  ],
  withinMs: SOAK_MS + 10_000,
}))

export const grpcGo: Suite = interopSuite({
  name: 'grpc-go',
  summary: 'the interop tests, both ways, with grpc-go, in clear text and over TLS',
  versions: async () => [`grpc-go ${await goVersion('google.golang.org/grpc')}`],
  tls: true,
  cases: [
    ...UNCONDITIONAL,
    { name: 'pick_first_unary', theirs: ['pick_first_unary'], ours: [] },
    ...LOAD,
    ...SOAKS,
  ],
  interopServer: {
    needsPort: true,
    command: ({ port, tls }, progress) =>
      program('interop-server', progress, `--port=${port}`, `--use_tls=${tls}`),
  },
  interopClient: { command: (_, progress) => program('interop-client', progress) },
})

async function program(
  name: GoTool,
  progress: (line: string) => void,
  ...args: string[]
): Promise<Command> {
  return { file: await goTool(name, progress), args }
}
