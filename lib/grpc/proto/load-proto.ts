// .proto files → service definitions and message codecs, at run time. Loads protobufjs.
import type protobuf from 'protobufjs'
import type { Codec } from '../protocol/codec.ts'
import {
  defineMethod,
  type Idempotency,
  type MethodDefinition,
  MethodKind,
  type ServiceDefinition,
} from '../protocol/method.ts'
import type { DecodeOptions } from './convert-message.ts'
import { MessageCodecs } from './message-codec.ts'
import { ProtoFiles, type ProtoText, resolveRoot } from './proto-files.ts'
import { fullName, protobufjs } from './protobufjs.ts'

/** How files are found and what messages look like. */
export interface LoadProtoOptions extends Partial<DecodeOptions> {
  /** Where imports are looked for, in order, before the directory of the importing file. */
  readonly includeDirs?: readonly string[]
  /** Fields keep their declared names (`some_name`) instead of camel case. Default false. */
  readonly keepCase?: boolean
}

/** What {@link loadProto} gives. */
export interface LoadedProto<Services> {
  /** By full name (`package.Service`), and by simple name where that is unique. */
  readonly services: Services
  /** Codecs by full name (`package.Outer.Inner`). */
  readonly messages: Readonly<Record<string, Codec<unknown>>>
  /** The reflected files, for `describeFiles` and tools. */
  readonly root: protobuf.Root
}

/**
 * Loads .proto files with all they import, text, or a protobufjs root. `google/protobuf/*` is always
 * there. Fields are camel case, 64-bit integers bigint, enum values names, absent fields without
 * presence their defaults; absent messages, `optional` fields and members of a oneof are no
 * properties at all. Methods get the names of JavaScript: `GetFeature` is `getFeature`.
 *
 * `Services` types the result: `loadProto<{ RouteGuide: ServiceDefinition<…> }>(…)`; it is believed,
 * not checked. Throws ProtoError with file and line for what is wrong in a file.
 */
export async function loadProto<Services = Readonly<Record<string, ServiceDefinition>>>(
  source: string | readonly string[] | ProtoText | protobuf.Root,
  options: LoadProtoOptions = {},
): Promise<LoadedProto<Services>> {
  const root = await rootOf(source, options)
  const builder = new Builder(new MessageCodecs(definedOptions(options)))
  builder.visit(root)
  return { services: builder.services() as Services, messages: builder.messages, root }
}

async function rootOf(
  source: string | readonly string[] | ProtoText | protobuf.Root,
  { includeDirs = [], keepCase = false }: LoadProtoOptions,
): Promise<protobuf.Root> {
  if (typeof source === 'object' && 'resolveAll' in source) {
    const { Root } = protobufjs()
    // The types of another copy of protobufjs cannot work on the readers and writers of this one.
    const root = source instanceof Root ? source : Root.fromJSON((source as protobuf.Root).toJSON())
    resolveRoot(root)
    return root
  }
  const files = new ProtoFiles(includeDirs, keepCase)
  if (typeof source === 'object' && 'text' in source) await files.addText(source)
  else {
    const paths = typeof source === 'string' ? [source] : source
    for (const file of paths) await files.addPath(file)
  }
  files.resolve()
  return files.root
}

/** The options that are set: an undefined one must not hide its default. */
function definedOptions(options: LoadProtoOptions): Partial<DecodeOptions> {
  const { longs, enums, defaults, oneofs } = options
  return {
    ...(longs !== undefined && { longs }),
    ...(enums !== undefined && { enums }),
    ...(defaults !== undefined && { defaults }),
    ...(oneofs !== undefined && { oneofs }),
  }
}

/** Collects services and codecs from a tree of reflected objects. */
class Builder {
  public readonly messages: Record<string, Codec<unknown>> = Object.create(null)
  private readonly found: ServiceDefinition[] = []
  private readonly codecs: MessageCodecs

  public constructor(codecs: MessageCodecs) {
    this.codecs = codecs
  }

  public visit(scope: protobuf.NamespaceBase): void {
    for (const object of scope.nestedArray) {
      if ('fieldsArray' in object)
        this.messages[fullName(object)] = this.codecs.of(object as protobuf.Type)
      if ('methodsArray' in object) this.found.push(this.service(object as protobuf.Service))
      if ('nestedArray' in object) this.visit(object as protobuf.NamespaceBase)
    }
  }

  public services(): Record<string, ServiceDefinition> {
    const services: Record<string, ServiceDefinition> = Object.create(null)
    const counts = new Map<string, number>()
    for (const service of this.found) {
      const simple = simpleName(service.name)
      counts.set(simple, (counts.get(simple) ?? 0) + 1)
    }
    for (const service of this.found) {
      const simple = simpleName(service.name)
      if (counts.get(simple) === 1) services[simple] = service
    }
    for (const service of this.found) services[service.name] = service
    return services
  }

  private service(service: protobuf.Service): ServiceDefinition {
    const methods: Record<string, MethodDefinition> = Object.create(null)
    for (const method of service.methodsArray) {
      const lower = method.name.charAt(0).toLowerCase() + method.name.slice(1)
      const taken = lower !== method.name && service.methods[lower] !== undefined
      const name = taken ? method.name : lower
      methods[name] = this.method(fullName(service), name, method)
    }
    return { name: fullName(service), methods }
  }

  private method(service: string, name: string, method: protobuf.Method): MethodDefinition {
    method.resolve()
    return defineMethod(service, name, {
      wireName: method.name,
      kind: kindOf(method),
      request: this.codecs.of(method.resolvedRequestType as protobuf.Type),
      response: this.codecs.of(method.resolvedResponseType as protobuf.Type),
      idempotency: idempotencyOf(method),
    })
  }
}

function simpleName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

function kindOf(method: protobuf.Method): MethodKind {
  if (method.requestStream === true) {
    return method.responseStream === true ? MethodKind.Bidi : MethodKind.ClientStream
  }
  return method.responseStream === true ? MethodKind.ServerStream : MethodKind.Unary
}

const IDEMPOTENCY: Readonly<Record<string, Idempotency>> = {
  NO_SIDE_EFFECTS: 'noSideEffects',
  IDEMPOTENT: 'idempotent',
}

function idempotencyOf(method: protobuf.Method): Idempotency {
  return IDEMPOTENCY[String(method.options?.['idempotency_level'])] ?? 'unknown'
}
