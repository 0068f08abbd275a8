// grpc-java's own interop programs, both ways, in clear text and over TLS; its client on Netty and on
// OkHttp. Its server lacks some of what its client asks for: it does not reject a request that came
// otherwise than announced (so our client does not probe), compresses no streamed response, and has no
// server_id.
import { javaProgram, javaVersion } from '../peers/java.ts'
import type { Suite } from '../suite.ts'
import { type InteropCase, interopSuite, UNCONDITIONAL } from './interop.ts'

/** Its client hears of load by this policy only. */
const LOAD_POLICY = JSON.stringify({
  loadBalancingConfig: [{ test_backend_metrics_load_balancer: {} }],
})

export const grpcJava: Suite = interopSuite({
  name: 'grpc-java',
  summary: 'the interop tests, both ways, with grpc-java, in clear text and over TLS',
  versions: async () => [`grpc-java ${javaVersion()} (Netty, OkHttp)`],
  tls: true,
  otherStacks: [{ name: 'OkHttp', flags: ['--use_okhttp=true'] }],
  cases: [
    ...UNCONDITIONAL,
    theirsOnly('client_compressed_unary'),
    bothWays('client_compressed_unary_noprobe'),
    theirsOnly('client_compressed_streaming'),
    bothWays('client_compressed_streaming_noprobe'),
    bothWays('server_compressed_unary'),
    theirsOnly('server_compressed_streaming'),
    bothWays('very_large_request'),
    theirsOnly('pick_first_unary'),
    soak('rpc_soak'),
    soak('channel_soak'),
    load('orca_per_rpc'),
    load('orca_oob'),
  ],
  interopServer: {
    needsPort: true,
    async command({ port, tls }, progress) {
      const { args, ...java } = await javaProgram('TestServiceServer', progress)
      const flags = [`--port=${port}`, `--use_tls=${tls}`, '--address_type=IPV4']
      return { ...java, args: [...args, ...flags] }
    },
  },
  interopClient: { command: (_, progress) => javaProgram('TestServiceClient', progress) },
})

function bothWays(name: string): InteropCase {
  return { name, theirs: [name], ours: [name] }
}

function theirsOnly(name: string): InteropCase {
  return { name, theirs: [name], ours: [] }
}

/** The first call of a JVM on a busy machine takes longer than the second that is the default. */
function soak(name: string): InteropCase {
  const flags = [
    '--soak_per_iteration_max_acceptable_latency_ms=5000',
    '--soak_overall_timeout_seconds=15',
  ]
  return { ...bothWays(name), flags }
}

function load(name: string): InteropCase {
  return { ...bothWays(name), theirFlags: [`--service_config_json=${LOAD_POLICY}`] }
}
