// A protobufjs root → the descriptors of its files, for server reflection and for tools that read
// descriptor sets. What protobufjs offers for this renames files and drops their dependencies.
import type protobuf from 'protobufjs'
import {
  describeEnum,
  describeExtension,
  describeMessage,
  describeService,
  isEnum,
  isField,
  isService,
  isType,
  knownOptions,
} from './describe.ts'
import type { FileDescriptor, MessageDescriptor } from './descriptor-types.ts'
import { descriptorType, loadDescriptors } from './protobufjs.ts'

/** One .proto file as reflection serves it. */
export interface DescribedFile {
  /** As imports have it. */
  readonly name: string
  readonly dependencies: readonly string[]
  /** The encoded google.protobuf.FileDescriptorProto. */
  readonly bytes: Buffer
  /** Full names of its messages, enums, services, methods, fields, oneofs, enum values, extensions. */
  readonly symbols: readonly string[]
  readonly extensions: readonly { readonly extendee: string; readonly number: number }[]
}

/** The edition that protobufjs noted on a top-level object; not in its types. */
interface Editioned {
  readonly _edition: string | null
  readonly _defaultEdition: string
}

const EDITIONS: Readonly<Record<string, number>> = { '2023': 1000, '2024': 1001 }

/**
 * The files of a root that `loadProto` gave, each after those it depends on.
 * Dependencies are the files whose types are referred to; custom options and comments are left out.
 */
export function describeFiles(root: protobuf.Root): readonly DescribedFile[] {
  loadDescriptors()
  const files = new Map<string, protobuf.ReflectionObject[]>()
  collect(root, files)
  const described = new Map<string, DescribedFile>()
  for (const name of files.keys()) describe(name, files, described)
  return [...described.values()]
}

/** An encoded google.protobuf.FileDescriptorSet of all files of a root. */
export function toFileDescriptorSet(root: protobuf.Root): Buffer {
  const FileDescriptorProto = descriptorType('FileDescriptorProto')
  const file = describeFiles(root).map(({ bytes }) => FileDescriptorProto.decode(bytes))
  return encode('FileDescriptorSet', { file })
}

function encode(type: string, descriptor: object): Buffer {
  const Type = descriptorType(type)
  return Type.encode(Type.fromObject(descriptor)).finish() as Buffer
}

/** Sorts the top-level objects below a namespace by the file that declared them. */
function collect(
  scope: protobuf.NamespaceBase,
  files: Map<string, protobuf.ReflectionObject[]>,
): void {
  for (const object of scope.nestedArray) {
    if (isType(object) || isEnum(object) || isService(object) || isField(object)) {
      const name = fileOf(object)
      const objects = files.get(name)
      if (objects === undefined) files.set(name, [object])
      else objects.push(object)
    } else collect(object as protobuf.Namespace, files)
  }
}

/** The file that declared an object; without one, a name made of the package. */
function fileOf(object: protobuf.ReflectionObject): string {
  const top = topLevel(object)
  if (top.filename !== null) return top.filename
  const scope = packageOf(top)
  return `${scope === '' ? 'root' : scope.replaceAll('.', '/')}.proto`
}

function topLevel(object: protobuf.ReflectionObject): protobuf.ReflectionObject {
  let top = object
  while (top.parent !== null && (isType(top.parent) || isService(top.parent))) top = top.parent
  return top
}

function packageOf(object: protobuf.ReflectionObject): string {
  return (object.parent as protobuf.Namespace).fullName.replace(/^\./, '')
}

function describe(
  name: string,
  files: ReadonlyMap<string, protobuf.ReflectionObject[]>,
  described: Map<string, DescribedFile>,
): void {
  if (described.has(name)) return
  const objects = files.get(name) as protobuf.ReflectionObject[]
  const dependencies = new Set<string>()
  const refer = (type: protobuf.ReflectionObject): void => {
    const file = fileOf(type)
    if (file !== name) dependencies.add(file)
  }
  const first = objects[0] as protobuf.ReflectionObject
  const descriptor: Omit<FileDescriptor, 'dependency'> = {
    name,
    package: packageOf(first),
    messageType: objects.filter(isType).map((type) => describeMessage(type, refer)),
    enumType: objects.filter(isEnum).map(describeEnum),
    service: objects.filter(isService).map((service) => describeService(service, refer)),
    extension: objects.filter(isField).map((each) => describeExtension(each, refer)),
    options: knownOptions(first.parent as protobuf.Namespace, 'FileOptions'),
    ...syntaxOf(first),
  }
  for (const dependency of dependencies) describe(dependency, files, described)
  const file: FileDescriptor = { ...descriptor, dependency: [...dependencies] }
  described.set(name, {
    name,
    dependencies: file.dependency,
    bytes: encode('FileDescriptorProto', file),
    symbols: symbolsOf(file),
    extensions: extensionsOf(file),
  })
}

function syntaxOf(object: protobuf.ReflectionObject): Pick<FileDescriptor, 'syntax' | 'edition'> {
  const { _edition, _defaultEdition } = object as unknown as Editioned
  const edition = _edition ?? _defaultEdition
  if (edition === 'proto2') return {} // the absence of a syntax means proto2
  if (edition === 'proto3') return { syntax: 'proto3' }
  return { syntax: 'editions', edition: EDITIONS[edition] }
}

function symbolsOf(file: FileDescriptor): string[] {
  const symbols: string[] = []
  const inside = (scope: string, name: string): string => (scope === '' ? name : `${scope}.${name}`)
  const add = (scope: string, names: readonly { readonly name: string }[]): void => {
    for (const { name } of names) symbols.push(inside(scope, name))
  }
  const addEnums = (scope: string, enums: FileDescriptor['enumType']): void => {
    add(scope, enums)
    // The values of an enum are its siblings (descriptor.proto, EnumValueDescriptorProto).
    for (const each of enums) add(scope, each.value)
  }
  const addMessages = (scope: string, messages: readonly MessageDescriptor[]): void => {
    add(scope, messages)
    for (const message of messages) {
      const name = inside(scope, message.name)
      add(name, message.field)
      add(name, message.oneofDecl)
      add(name, message.extension)
      addEnums(name, message.enumType)
      addMessages(name, message.nestedType)
    }
  }
  addMessages(file.package, file.messageType)
  addEnums(file.package, file.enumType)
  add(file.package, file.extension)
  add(file.package, file.service)
  for (const service of file.service) add(inside(file.package, service.name), service.method)
  return symbols
}

function extensionsOf(file: FileDescriptor): DescribedFile['extensions'] {
  const inMessage = (message: MessageDescriptor): FileDescriptor['extension'] => [
    ...message.extension,
    ...message.nestedType.flatMap(inMessage),
  ]
  return [...file.extension, ...file.messageType.flatMap(inMessage)].map(
    ({ extendee = '', number }) => ({ extendee: extendee.slice(1), number }),
  )
}
