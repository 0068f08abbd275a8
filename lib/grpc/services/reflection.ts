// Server reflection, grpc.reflection v1 and v1alpha: tells clients such as grpcurl what a server
// offers. Opt-in: nothing is told until it is added.
// Source: grpc/doc/server-reflection.md; message and field numbers of grpc/reflection/v1/reflection.proto
// (grpc-proto, Apache License 2.0).
import { Code, codeName } from '../../base/status.ts'
import { type DescribedFile, describeFiles } from '../proto/descriptor-set.ts'
import { type LoadedProto, loadProto } from '../proto/load-proto.ts'
import type { MethodDefinition, ServiceDefinition } from '../protocol/method.ts'
import type { Server } from '../server/server.ts'

const PACKAGES = ['grpc.reflection.v1', 'grpc.reflection.v1alpha'] as const

const reflectionProto = (name: string): string => `
syntax = "proto3";
package ${name};
service ServerReflection {
  rpc ServerReflectionInfo(stream ServerReflectionRequest) returns (stream ServerReflectionResponse);
}
message ServerReflectionRequest {
  string host = 1;
  oneof message_request {
    string file_by_filename = 3;
    string file_containing_symbol = 4;
    ExtensionRequest file_containing_extension = 5;
    string all_extension_numbers_of_type = 6;
    string list_services = 7;
  }
}
message ExtensionRequest { string containing_type = 1; int32 extension_number = 2; }
message ServerReflectionResponse {
  string valid_host = 1;
  ServerReflectionRequest original_request = 2;
  oneof message_response {
    FileDescriptorResponse file_descriptor_response = 4;
    ExtensionNumberResponse all_extension_numbers_response = 5;
    ListServiceResponse list_services_response = 6;
    ErrorResponse error_response = 7;
  }
}
message FileDescriptorResponse { repeated bytes file_descriptor_proto = 1; }
message ExtensionNumberResponse { string base_type_name = 1; repeated int32 extension_number = 2; }
message ListServiceResponse { repeated ServiceResponse service = 1; }
message ServiceResponse { string name = 1; }
message ErrorResponse { int32 error_code = 1; string error_message = 2; }
`

/** A question; exactly one of its properties but `host` is set. */
export interface ReflectionRequest {
  readonly host?: string
  readonly fileByFilename?: string
  readonly fileContainingSymbol?: string
  readonly fileContainingExtension?: {
    readonly containingType: string
    readonly extensionNumber: number
  }
  readonly allExtensionNumbersOfType?: string
  readonly listServices?: string
}

/** What may be answered to it. */
export interface ReflectionAnswer {
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Uint8Array[] }
  readonly allExtensionNumbersResponse?: {
    readonly baseTypeName: string
    readonly extensionNumber: readonly number[]
  }
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] }
  readonly errorResponse?: { readonly errorCode: number; readonly errorMessage: string }
}

/** An answer with the question that it belongs to. */
export interface ReflectionResponse extends ReflectionAnswer {
  readonly validHost?: string
  readonly originalRequest?: ReflectionRequest
}

/** The service's definition, for clients of it. */
export type ReflectionService = ServiceDefinition<{
  serverReflectionInfo: MethodDefinition<ReflectionRequest, ReflectionResponse, 'bidi'>
}>

/** Loads the definition of ServerReflection, of v1 or of v1alpha. */
export async function loadReflectionService(
  version: 'v1' | 'v1alpha' = 'v1',
): Promise<ReflectionService> {
  const { services } = await loadProto<{ ServerReflection: ReflectionService }>(sourceOf(version))
  return services.ServerReflection
}

function sourceOf(version: 'v1' | 'v1alpha'): { text: string; name: string } {
  return {
    text: reflectionProto(`grpc.reflection.${version}`),
    name: `grpc/reflection/${version}/reflection.proto`,
  }
}

/** The files of some roots, by what clients ask for. */
class FileIndex {
  private readonly byName = new Map<string, DescribedFile>()
  private readonly bySymbol = new Map<string, DescribedFile>()
  private readonly byExtension = new Map<string, Map<number, DescribedFile>>()

  public constructor(files: readonly DescribedFile[]) {
    for (const file of files) {
      this.byName.set(file.name, file)
      for (const symbol of file.symbols) this.bySymbol.set(symbol, file)
      for (const { extendee, number } of file.extensions) {
        const numbers = this.byExtension.get(extendee) ?? new Map<number, DescribedFile>()
        this.byExtension.set(extendee, numbers.set(number, file))
      }
    }
  }

  public answer(request: ReflectionRequest, services: readonly string[]): ReflectionAnswer {
    if (request.listServices !== undefined) {
      return { listServicesResponse: { service: services.map((name) => ({ name })) } }
    }
    if (request.fileByFilename !== undefined) {
      return this.files(this.byName.get(request.fileByFilename), request.fileByFilename)
    }
    if (request.fileContainingSymbol !== undefined) {
      return this.files(
        this.bySymbol.get(request.fileContainingSymbol),
        request.fileContainingSymbol,
      )
    }
    if (request.fileContainingExtension !== undefined) {
      const { containingType, extensionNumber } = request.fileContainingExtension
      const file = this.byExtension.get(containingType)?.get(extensionNumber)
      return this.files(file, `${containingType} extension ${extensionNumber}`)
    }
    if (request.allExtensionNumbersOfType !== undefined) {
      return this.extensionNumbers(request.allExtensionNumbersOfType)
    }
    return failure(Code.InvalidArgument, 'the request asks for nothing')
  }

  private extensionNumbers(type: string): ReflectionAnswer {
    if (!this.bySymbol.has(type)) return notFound(type)
    const extensionNumber = [...(this.byExtension.get(type)?.keys() ?? [])].sort((a, b) => a - b)
    return { allExtensionNumbersResponse: { baseTypeName: type, extensionNumber } }
  }

  /** A file with all that it depends on. */
  private files(file: DescribedFile | undefined, asked: string): ReflectionAnswer {
    if (file === undefined) return notFound(asked)
    const found = new Map([[file.name, file]])
    for (const each of found.values()) {
      for (const name of each.dependencies) {
        const dependency = this.byName.get(name)
        if (dependency !== undefined) found.set(name, dependency)
      }
    }
    const fileDescriptorProto = [...found.values()].map(({ bytes }) => bytes)
    return { fileDescriptorResponse: { fileDescriptorProto } }
  }
}

function notFound(what: string): ReflectionAnswer {
  return failure(Code.NotFound, `not found: ${what}`)
}

function failure(code: Code, text: string): ReflectionAnswer {
  return { errorResponse: { errorCode: code, errorMessage: `${codeName(code)}: ${text}` } }
}

/**
 * Adds reflection, v1 and v1alpha, to a server that is not serving yet. `protos` are what `loadProto`
 * gave for the server's services; services that are in none of them are listed, not described.
 */
export async function addReflection(
  server: Server,
  protos: readonly Pick<LoadedProto<unknown>, 'root'>[],
): Promise<void> {
  const own = await Promise.all([loadProto(sourceOf('v1')), loadProto(sourceOf('v1alpha'))])
  const index = new FileIndex([...protos, ...own].flatMap(({ root }) => describeFiles(root)))
  for (const name of PACKAGES) {
    const version = name.endsWith('v1') ? 'v1' : 'v1alpha'
    server.register(await loadReflectionService(version), {
      async *serverReflectionInfo(requests) {
        for await (const originalRequest of requests) {
          const services = server.services.map((service) => service.name).sort()
          const answer = index.answer(originalRequest, services)
          yield { validHost: originalRequest.host ?? '', originalRequest, ...answer }
        }
      },
    })
  }
}
