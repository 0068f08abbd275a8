// grpc.testing.TestService as TypeScript sees it: messages of protos/grpc/testing/messages.proto, of
// which the parts that interop cases use.
import {
  type LoadedProto,
  loadProto,
  type MethodDefinition,
  type ServiceDefinition,
} from '../../lib/grpc/index.ts'
import { ownFile } from './program.ts'

/** The one type of payload there is. */
export const COMPRESSABLE = 'COMPRESSABLE'

export interface Payload {
  /** A number when the .proto file has no name for it. */
  readonly type?: string | number
  readonly body?: Uint8Array
}

interface BoolValue {
  readonly value?: boolean
}

interface EchoStatus {
  readonly code?: number
  readonly message?: string
}

export interface TestOrcaReport {
  readonly cpuUtilization?: number
  readonly memoryUtilization?: number
  readonly requestCost?: Readonly<Record<string, number>>
  readonly utilization?: Readonly<Record<string, number>>
}

export interface SimpleRequest {
  readonly responseType?: string | number
  readonly responseSize?: number
  readonly payload?: Payload
  readonly responseCompressed?: BoolValue
  readonly responseStatus?: EchoStatus
  readonly expectCompressed?: BoolValue
  readonly fillServerId?: boolean
  readonly fillGrpclbRouteType?: boolean
  readonly orcaPerQueryReport?: TestOrcaReport
}

export interface SimpleResponse {
  readonly payload?: Payload
  readonly username?: string
  readonly oauthScope?: string
  readonly serverId?: string
  readonly grpclbRouteType?: string | number
  readonly hostname?: string
}

export interface StreamingInputCallRequest {
  readonly payload?: Payload
  readonly expectCompressed?: BoolValue
}

interface StreamingInputCallResponse {
  readonly aggregatedPayloadSize?: number
}

export interface ResponseParameters {
  readonly size?: number
  readonly intervalUs?: number
  readonly compressed?: BoolValue
}

export interface StreamingOutputCallRequest {
  readonly responseType?: string | number
  readonly responseParameters?: readonly ResponseParameters[]
  readonly payload?: Payload
  readonly responseStatus?: EchoStatus
  readonly orcaOobReport?: TestOrcaReport
}

export interface StreamingOutputCallResponse {
  readonly payload?: Payload
}

type Empty = Readonly<Record<string, never>>
type Unimplemented = MethodDefinition<Empty, Empty, 'unary'>

/** The methods that a server implements. */
export type ImplementedMethods = {
  readonly emptyCall: MethodDefinition<Empty, Empty, 'unary'>
  readonly unaryCall: MethodDefinition<SimpleRequest, SimpleResponse, 'unary'>
  readonly cacheableUnaryCall: MethodDefinition<SimpleRequest, SimpleResponse, 'unary'>
  readonly streamingOutputCall: MethodDefinition<
    StreamingOutputCallRequest,
    StreamingOutputCallResponse,
    'serverStream'
  >
  readonly streamingInputCall: MethodDefinition<
    StreamingInputCallRequest,
    StreamingInputCallResponse,
    'clientStream'
  >
  readonly fullDuplexCall: MethodDefinition<
    StreamingOutputCallRequest,
    StreamingOutputCallResponse,
    'bidi'
  >
  readonly halfDuplexCall: MethodDefinition<
    StreamingOutputCallRequest,
    StreamingOutputCallResponse,
    'bidi'
  >
}

type UnimplementedMethods = { readonly unimplementedCall: Unimplemented }

/** The service with all its methods, as clients call it. */
export type TestService = ServiceDefinition<ImplementedMethods & UnimplementedMethods>

/** The services of protos/grpc/testing/test.proto. */
export interface TestServices {
  readonly TestService: TestService
  readonly UnimplementedService: ServiceDefinition<UnimplementedMethods>
}

/** Loads them. */
export function loadTestServices(): Promise<LoadedProto<TestServices>> {
  return loadOwnProto('grpc/testing/test.proto')
}

/** Loads a file of protos/ with what it imports from there. */
export function loadOwnProto<Services>(name: string): Promise<LoadedProto<Services>> {
  return loadProto<Services>(name, { includeDirs: [ownFile('protos')] })
}

/** The service without what no server implements. */
export function implemented(service: TestService): ServiceDefinition<ImplementedMethods> {
  const { unimplementedCall: _, ...methods } = service.methods
  return { name: service.name, methods }
}
