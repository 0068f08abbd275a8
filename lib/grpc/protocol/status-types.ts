// google.rpc.Status and the standard error details as protobufjs reads them: names and numbers of
// google/rpc/status.proto and google/rpc/error_details.proto (googleapis, Apache License 2.0).
import { lazyCodecs } from '../proto/message-codec.ts'
import type { Codec } from './codec.ts'

const PROTO = `
syntax = "proto3";
package google.rpc;

message Any { string type_url = 1; bytes value = 2; }
message Duration { int64 seconds = 1; int32 nanos = 2; }
message Status { int32 code = 1; string message = 2; repeated Any details = 3; }

message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
message RetryInfo { Duration retry_delay = 1; }
message DebugInfo { repeated string stack_entries = 1; string detail = 2; }
message QuotaFailure {
  message Violation {
    string subject = 1;
    string description = 2;
    string api_service = 3;
    string quota_metric = 4;
    string quota_id = 5;
    map<string, string> quota_dimensions = 6;
    int64 quota_value = 7;
    optional int64 future_quota_value = 8;
  }
  repeated Violation violations = 1;
}
message PreconditionFailure {
  message Violation { string type = 1; string subject = 2; string description = 3; }
  repeated Violation violations = 1;
}
message BadRequest {
  message FieldViolation {
    string field = 1;
    string description = 2;
    string reason = 3;
    LocalizedMessage localized_message = 4;
  }
  repeated FieldViolation field_violations = 1;
}
message RequestInfo { string request_id = 1; string serving_data = 2; }
message ResourceInfo {
  string resource_type = 1;
  string resource_name = 2;
  string owner = 3;
  string description = 4;
}
message Help {
  message Link { string description = 1; string url = 2; }
  repeated Link links = 1;
}
message LocalizedMessage { string locale = 1; string message = 2; }
`

/** google.protobuf.Any. */
export interface TypedAny {
  readonly typeUrl: string
  readonly value: Uint8Array
}

/** google.rpc.Status. */
export interface RpcStatus {
  readonly code: number
  readonly message: string
  readonly details: readonly TypedAny[]
}

const codecs = lazyCodecs(PROTO)

/** The codec of google.rpc.Status. */
export const STATUS: Codec<RpcStatus> = codecs.of('google.rpc.Status')

/** The codecs of the standard details by the names of their types. */
export const DETAILS: ReadonlyMap<string, Codec<object>> = new Map(
  [
    'google.rpc.ErrorInfo',
    'google.rpc.RetryInfo',
    'google.rpc.DebugInfo',
    'google.rpc.QuotaFailure',
    'google.rpc.PreconditionFailure',
    'google.rpc.BadRequest',
    'google.rpc.RequestInfo',
    'google.rpc.ResourceInfo',
    'google.rpc.Help',
    'google.rpc.LocalizedMessage',
  ].map((name) => [name, codecs.of(name)]),
)
