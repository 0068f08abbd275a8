// All interop cases by the names that gRPC has for them.
import type { InteropCase } from './case.ts'
import * as compression from './compression.ts'
import { customMetadata } from './metadata.ts'
import { orcaOob, orcaPerRpc } from './orca.ts'
import { channelSoak, rpcSoak } from './soak.ts'
import * as streaming from './streaming.ts'
import * as unary from './unary.ts'

/** doc/interop-test-descriptions.md of gRPC; very_large_request and the noprobe forms are grpc-java's. */
export const CASES: ReadonlyMap<string, InteropCase> = new Map(
  Object.entries({
    empty_unary: unary.emptyUnary,
    large_unary: unary.largeUnary,
    client_streaming: streaming.clientStreaming,
    server_streaming: streaming.serverStreaming,
    ping_pong: streaming.pingPong,
    empty_stream: streaming.emptyStream,
    timeout_on_sleeping_server: streaming.timeoutOnSleepingServer,
    cancel_after_begin: streaming.cancelAfterBegin,
    cancel_after_first_response: streaming.cancelAfterFirstResponse,
    status_code_and_message: streaming.statusCodeAndMessage,
    special_status_message: unary.specialStatusMessage,
    custom_metadata: customMetadata,
    unimplemented_method: unary.unimplementedMethod,
    unimplemented_service: unary.unimplementedService,
    client_compressed_unary: compression.clientCompressedUnary,
    client_compressed_unary_noprobe: compression.clientCompressedUnaryNoprobe,
    client_compressed_streaming: compression.clientCompressedStreaming,
    client_compressed_streaming_noprobe: compression.clientCompressedStreamingNoprobe,
    server_compressed_unary: compression.serverCompressedUnary,
    server_compressed_streaming: compression.serverCompressedStreaming,
    very_large_request: unary.veryLargeRequest,
    pick_first_unary: unary.pickFirstUnary,
    orca_per_rpc: orcaPerRpc,
    orca_oob: orcaOob,
    rpc_soak: rpcSoak,
    channel_soak: channelSoak,
  }),
)
