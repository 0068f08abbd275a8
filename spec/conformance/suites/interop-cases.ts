// gRPC's interop cases by name, and the flags that its clients share.
// Source: grpc/grpc doc/interop-test-descriptions.md.

/** What every stack's client has. */
export const COMMON_CASES = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'custom_metadata',
  'status_code_and_message',
  'special_status_message',
  'unimplemented_method',
  'unimplemented_service',
  'cancel_after_begin',
  'cancel_after_first_response',
  'timeout_on_sleeping_server',
] as const

/** Many calls on one channel, and on a channel each. */
export const SOAK_CASES = ['rpc_soak', 'channel_soak'] as const

/** How a client is told where to go and what to do: grpc-go, grpc-java and ours take all of them. */
export function interopFlags(at: { port: number; tls: boolean }, testCase: string): string[] {
  return [
    '--server_host=127.0.0.1',
    `--server_port=${at.port}`,
    `--test_case=${testCase}`,
    ...(at.tls
      ? ['--use_tls=true', '--use_test_ca=true', '--server_host_override=foo.test.google.fr']
      : ['--use_tls=false']),
  ]
}
