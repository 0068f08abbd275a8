// The part of etcd's API that naming needs: messages and methods, no behaviour.
// Source: package etcdserverpb and mvccpb of go.etcd.io/etcd/api/v3 (rpc.proto, kv.proto; field
// numbers; Apache License 2.0), which etcd 3.3 and newer speak. Names of fields are ours.
import {
  type BidiCall,
  loadProto,
  type MethodDefinition,
  type ServiceDefinition,
} from '../../grpc/index.ts'

const ETCD_PROTO = `
syntax = "proto3";
package etcdserverpb;

message ResponseHeader { uint64 cluster_id = 1; int64 revision = 3; }
message KeyValue { bytes key = 1; int64 mod_revision = 3; bytes value = 5; int64 lease = 6; }

message RangeRequest { bytes key = 1; bytes range_end = 2; }
message RangeResponse { ResponseHeader header = 1; repeated KeyValue kvs = 2; }
message PutRequest { bytes key = 1; bytes value = 2; int64 lease = 3; }
message PutResponse { ResponseHeader header = 1; }
service KV {
  rpc Range(RangeRequest) returns (RangeResponse);
  rpc Put(PutRequest) returns (PutResponse);
}

message WatchRequest { oneof request_union { WatchCreateRequest create_request = 1; } }
message WatchCreateRequest {
  bytes key = 1;
  bytes range_end = 2;
  int64 start_revision = 3;
  bool progress_notify = 4;
}
message Event {
  enum EventType { PUT = 0; DELETE = 1; }
  EventType type = 1;
  KeyValue kv = 2;
}
message WatchResponse {
  ResponseHeader header = 1;
  int64 watch_id = 2;
  bool created = 3;
  bool canceled = 4;
  int64 compact_revision = 5;
  string cancel_reason = 6;
  repeated Event events = 11;
}
service Watch { rpc Watch(stream WatchRequest) returns (stream WatchResponse); }

message LeaseGrantRequest { int64 ttl = 1; int64 id = 2; }
message LeaseGrantResponse { ResponseHeader header = 1; int64 id = 2; int64 ttl = 3; string error = 4; }
message LeaseRevokeRequest { int64 id = 1; }
message LeaseRevokeResponse { ResponseHeader header = 1; }
message LeaseKeepAliveRequest { int64 id = 1; }
message LeaseKeepAliveResponse { ResponseHeader header = 1; int64 id = 2; int64 ttl = 3; }
service Lease {
  rpc LeaseGrant(LeaseGrantRequest) returns (LeaseGrantResponse);
  rpc LeaseRevoke(LeaseRevokeRequest) returns (LeaseRevokeResponse);
  rpc LeaseKeepAlive(stream LeaseKeepAliveRequest) returns (stream LeaseKeepAliveResponse);
}

message AuthenticateRequest { string name = 1; string password = 2; }
message AuthenticateResponse { ResponseHeader header = 1; string token = 2; }
service Auth { rpc Authenticate(AuthenticateRequest) returns (AuthenticateResponse); }
`

/** In every response. */
export interface ResponseHeader {
  readonly clusterId: bigint
  /** Of the store, when the request was applied. */
  readonly revision: bigint
}

/** A key and what stands under it. */
export interface KeyValue {
  readonly key: Uint8Array
  readonly modRevision: bigint
  readonly value: Uint8Array
  /** 0: none. */
  readonly lease: bigint
}

/** The keys from `key` to `rangeEnd`, without it. */
export interface KeyRange {
  readonly key: Uint8Array
  readonly rangeEnd: Uint8Array
}

interface Answer {
  readonly header?: ResponseHeader
}

export interface RangeResponse extends Answer {
  readonly kvs: readonly KeyValue[]
}

export interface PutRequest {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly lease: bigint
}

export interface WatchRequest {
  readonly createRequest?: KeyRange & {
    readonly startRevision: bigint
    readonly progressNotify: boolean
  }
}

export interface WatchEvent {
  readonly type: 'PUT' | 'DELETE'
  readonly kv?: KeyValue
}

export interface WatchResponse extends Answer {
  readonly watchId: bigint
  readonly created: boolean
  readonly canceled: boolean
  /** Not 0: the watch began below this revision, whose predecessors are gone. */
  readonly compactRevision: bigint
  readonly cancelReason: string
  readonly events: readonly WatchEvent[]
}

export interface LeaseGrantRequest {
  /** Seconds; etcd may grant more. */
  readonly ttl: bigint | number
  /** 0: etcd chooses. */
  readonly id: bigint
}

export interface LeaseGrantResponse extends Answer {
  readonly id: bigint
  readonly ttl: bigint
  readonly error: string
}

export interface LeaseId {
  readonly id: bigint
}

export interface LeaseKeepAliveResponse extends Answer {
  readonly id: bigint
  /** 0: there is no such lease. */
  readonly ttl: bigint
}

interface Credentials {
  readonly name: string
  readonly password: string
}

interface AuthenticateResponse extends Answer {
  readonly token: string
}

/** The services by their names in etcd's API. */
export interface EtcdServices {
  readonly KV: ServiceDefinition<{
    range: MethodDefinition<KeyRange, RangeResponse, 'unary'>
    put: MethodDefinition<PutRequest, Answer, 'unary'>
  }>
  readonly Watch: ServiceDefinition<{
    watch: MethodDefinition<WatchRequest, WatchResponse, 'bidi'>
  }>
  readonly Lease: ServiceDefinition<{
    leaseGrant: MethodDefinition<LeaseGrantRequest, LeaseGrantResponse, 'unary'>
    leaseRevoke: MethodDefinition<LeaseId, Answer, 'unary'>
    leaseKeepAlive: MethodDefinition<LeaseId, LeaseKeepAliveResponse, 'bidi'>
  }>
  readonly Auth: ServiceDefinition<{
    authenticate: MethodDefinition<Credentials, AuthenticateResponse, 'unary'>
  }>
}

export type WatchCall = BidiCall<WatchRequest, WatchResponse>
export type KeepAliveCall = BidiCall<LeaseId, LeaseKeepAliveResponse>

let loading: Promise<EtcdServices> | undefined

/** The definitions, loaded once. */
export function loadEtcdServices(): Promise<EtcdServices> {
  loading ??= loadProto<EtcdServices>({ text: ETCD_PROTO, name: 'etcdserverpb/rpc.proto' }).then(
    ({ services }) => services,
  )
  return loading
}

/** All keys that begin with `prefix`, which is not empty. etcd clientv3 GetPrefixRangeEnd. */
export function prefixRange(prefix: string): KeyRange {
  const key = Buffer.from(prefix)
  const rangeEnd = Buffer.from(key)
  // No octet of UTF-8 is 0xff: the last one has a successor.
  rangeEnd[rangeEnd.length - 1]! += 1
  return { key, rangeEnd }
}
