// Reflected types → descriptors of single messages, enums, services and fields. Those that protobufjs
// makes of messages and fields have other type names, defaults, map entries and places of extensions
// than those of protoc. What a descriptor refers to outside itself is reported to the caller, who
// knows about files.
import type protobuf from 'protobufjs'
import type {
  EnumDescriptor,
  FieldDescriptor,
  MessageDescriptor,
  OptionValues,
  RangeDescriptor,
  ServiceDescriptor,
} from './descriptor-types.ts'
import { declaredOneofName } from './oneof-names.ts'
import { defaultOctets, descriptorType, protobufjs, realOneof } from './protobufjs.ts'

/** Hears of every type that a descriptor refers to. */
export type OnReference = (type: protobuf.ReflectionObject) => void

/** Ranges of protobufjs are closed at both ends; names stand among them. */
type Reserved = (readonly number[] | string)[] | undefined

/** A message type with all that is declared in it. */
export function describeMessage(type: protobuf.Type, onReference: OnReference): MessageDescriptor {
  // Sister fields stand for extensions declared elsewhere.
  const fields = type.fieldsArray.filter((field) => field.declaringField === null)
  const oneofs = orderedOneofs(type)
  const nested = type.nestedArray
  return {
    name: type.name,
    field: fields.map((field) => describeField(field, oneofs, onReference)),
    nestedType: [
      ...nested.filter(isType).map((inner) => describeMessage(inner, onReference)),
      ...fields.filter((field) => field.map).map((field) => mapEntry(field, onReference)),
    ],
    enumType: nested.filter(isEnum).map(describeEnum),
    extensionRange: ranges(type.extensions),
    extension: nested.filter(isField).map((field) => describeExtension(field, onReference)),
    oneofDecl: oneofs.map((oneof) => ({
      name: declaredOneofName(oneof),
      options: knownOptions(oneof, 'OneofOptions'),
    })),
    reservedRange: ranges(type.reserved),
    reservedName: names(type.reserved),
    options: knownOptions(type, 'MessageOptions'),
  }
}

/** An enumeration. */
export function describeEnum(type: protobuf.Enum): EnumDescriptor {
  return described(type) as EnumDescriptor
}

/** A service with its methods. */
export function describeService(
  service: protobuf.Service,
  onReference: OnReference,
): ServiceDescriptor {
  for (const method of service.methodsArray) {
    method.resolve()
    onReference(method.resolvedRequestType as protobuf.Type)
    onReference(method.resolvedResponseType as protobuf.Type)
  }
  return described(service) as ServiceDescriptor
}

/** What ext/descriptor.js adds to the classes of protobufjs. */
function described(object: protobuf.ReflectionObject): unknown {
  return (object as protobuf.ReflectionObject & { toDescriptor(): unknown }).toDescriptor()
}

/** A field that extends a message type from outside. */
export function describeExtension(
  field: protobuf.Field,
  onReference: OnReference,
): FieldDescriptor {
  const extended = (field.parent as protobuf.Namespace).lookupType(field.extend as string)
  onReference(extended)
  return { ...describeField(field, [], onReference), extendee: extended.fullName }
}

function describeField(
  field: protobuf.Field,
  oneofs: readonly protobuf.OneOf[],
  onReference: OnReference,
): FieldDescriptor {
  field.resolve()
  const isGroup = field.delimited && (field.resolvedType as { group?: boolean }).group === true
  const proto3Optional = field.options?.['proto3_optional'] === true
  const oneofIndex = field.partOf === null ? -1 : oneofs.indexOf(field.partOf)
  return {
    // protoc names the field of a group after its type, in lower case.
    name: isGroup ? (field.resolvedType as protobuf.Type).name.toLowerCase() : declaredName(field),
    number: field.id,
    label: labelOf(field),
    ...(field.map ? mapReference(field) : typeReference(field, onReference)),
    ...(isGroup && { type: 'TYPE_GROUP' }),
    defaultValue: defaultText(field),
    oneofIndex: oneofIndex < 0 ? undefined : oneofIndex,
    jsonName: (field as { jsonName?: string }).jsonName,
    proto3Optional: proto3Optional ? true : undefined,
    options: knownOptions(field, 'FieldOptions'),
  }
}

function labelOf(field: protobuf.Field): FieldDescriptor['label'] {
  if (field.repeated || field.map) return 'LABEL_REPEATED'
  // Editions say "required" by a feature instead.
  return field.rule === 'required' ? 'LABEL_REQUIRED' : 'LABEL_OPTIONAL'
}

type TypeReference = Pick<FieldDescriptor, 'type' | 'typeName'>

function typeReference(field: protobuf.Field, onReference: OnReference): TypeReference {
  const { resolvedType } = field
  if (resolvedType === null) return { type: scalar(field.type) }
  onReference(resolvedType)
  return {
    type: isEnum(resolvedType) ? 'TYPE_ENUM' : 'TYPE_MESSAGE',
    typeName: resolvedType.fullName,
  }
}

function mapReference(field: protobuf.Field): TypeReference {
  return {
    type: 'TYPE_MESSAGE',
    typeName: `${(field.parent as protobuf.Type).fullName}.${entryName(field)}`,
  }
}

function scalar(type: string): string {
  return `TYPE_${type.toUpperCase()}`
}

/** `by_name` → `ByNameEntry`. */
function entryName(field: protobuf.Field): string {
  const camel = declaredName(field).replace(/(?:^|_)(.)/g, (_, letter) => letter.toUpperCase())
  return `${camel}Entry`
}

/** On the wire and in descriptors a map is a repeated message of keys and values. */
function mapEntry(field: protobuf.Field, onReference: OnReference): MessageDescriptor {
  const { keyType } = field as unknown as protobuf.MapField
  const part = (name: string, number: number, reference: TypeReference): FieldDescriptor => ({
    name,
    number,
    label: 'LABEL_OPTIONAL',
    jsonName: name,
    ...reference,
  })
  return {
    name: entryName(field),
    field: [
      part('key', 1, { type: scalar(keyType) }),
      part('value', 2, typeReference(field, onReference)),
    ],
    nestedType: [],
    enumType: [],
    extensionRange: [],
    extension: [],
    oneofDecl: [],
    reservedRange: [],
    reservedName: [],
    options: { mapEntry: true },
  }
}

/** Declared ones first: those that stand for proto3's `optional` come last. */
function orderedOneofs(type: protobuf.Type): protobuf.OneOf[] {
  const isReal = (oneof: protobuf.OneOf): boolean =>
    oneof.fieldsArray.some((field) => realOneof(field) !== undefined)
  return [...type.oneofsArray.filter(isReal), ...type.oneofsArray.filter((oneof) => !isReal(oneof))]
}

function defaultText(field: protobuf.Field): string | undefined {
  const value: unknown = field.options?.['default']
  if (value === undefined || value === null) return undefined
  if (field.type === 'bytes') return escapeOctets(defaultOctets(String(value)))
  if (typeof value === 'number' && !Number.isFinite(value)) {
    if (Number.isNaN(value)) return 'nan'
    return value > 0 ? 'inf' : '-inf'
  }
  return String(value)
}

/** Octets as a string literal of C, as descriptor.proto has the defaults of bytes. */
function escapeOctets(octets: Buffer): string {
  return [...octets]
    .map((octet) => {
      if (octet === 0x5c || octet === 0x22 || octet === 0x27)
        return `\\${String.fromCharCode(octet)}`
      if (octet >= 0x20 && octet < 0x7f) return String.fromCharCode(octet)
      return `\\${octet.toString(8).padStart(3, '0')}`
    })
    .join('')
}

function ranges(reserved: Reserved | undefined): RangeDescriptor[] {
  return (reserved ?? []).flatMap((range) =>
    typeof range === 'string' ? [] : [{ start: range[0]!, end: range[1]! + 1 }],
  )
}

function names(reserved: Reserved | undefined): string[] {
  return (reserved ?? []).filter((range) => typeof range === 'string')
}

/** Options as protobufjs has them: one by one in the order of the file, or as text and by name. */
interface Optioned {
  readonly options?: OptionValues | null | undefined
  readonly parsedOptions?: readonly OptionValues[] | null | undefined
}

/**
 * Options that `typeName` of descriptor.proto has as fields: custom ones are left out, and what has a
 * place of its own in descriptors although protobufjs keeps it among the options.
 */
export function knownOptions(
  { options, parsedOptions }: Optioned,
  typeName: string,
): OptionValues | undefined {
  const known: Record<string, unknown> = {}
  // By name there is room for one value only of an option that is a list.
  for (const given of parsedOptions ?? [options ?? {}]) {
    addOptions(descriptorType(typeName), given, known)
  }
  return Object.keys(known).length === 0 ? undefined : known
}

function addOptions(
  type: protobuf.Type,
  given: OptionValues,
  known: Record<string, unknown>,
): void {
  const { camelCase } = protobufjs().util
  for (const [name, value] of Object.entries(given)) {
    const field = type.fields[camelCase(name)]
    if (field === undefined) continue
    if (field.repeated) {
      const values = (Array.isArray(value) ? value : [value]).map((each) =>
        optionOf(field, each, {}),
      )
      known[field.name] = [...((known[field.name] as unknown[]) ?? []), ...values]
    } else known[field.name] = optionOf(field, value, known[field.name])
  }
}

/** A value of an option; what is a message goes on with what `before` has. */
function optionOf(field: protobuf.Field, value: unknown, before: unknown): unknown {
  const { resolvedType } = field.resolve()
  if (resolvedType === null || isEnum(resolvedType) || typeof value !== 'object') return value
  const message = { ...(before as Record<string, unknown>) }
  addOptions(resolvedType, value as OptionValues, message)
  return message
}

/** The name of a field as its .proto file has it. */
function declaredName(field: protobuf.Field): string {
  return field.protoName ?? field.name
}

export function isType(object: protobuf.ReflectionObject): object is protobuf.Type {
  return 'fieldsArray' in object && 'nestedArray' in object
}

export function isEnum(object: protobuf.ReflectionObject): object is protobuf.Enum {
  return 'valuesById' in object
}

export function isService(object: protobuf.ReflectionObject): object is protobuf.Service {
  return 'methodsArray' in object
}

export function isField(object: protobuf.ReflectionObject): object is protobuf.Field {
  return 'declaringField' in object
}
