// Reflected types → descriptors of single messages, enums, services and fields. What a descriptor
// refers to outside itself is reported to the caller, who knows about files.
import type protobuf from 'protobufjs'
import type {
  EnumDescriptor,
  FieldDescriptor,
  MessageDescriptor,
  OptionValues,
  RangeDescriptor,
  ServiceDescriptor,
} from './descriptor-types.ts'
import { declaredName, realOneof } from './reflect.ts'

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
    extensionRange: ranges(type.extensions, 1),
    extension: nested.filter(isField).map((field) => describeExtension(field, onReference)),
    oneofDecl: oneofs.map(({ name, options }) => ({ name, options: knownOptions(options) })),
    reservedRange: ranges(type.reserved, 1),
    reservedName: names(type.reserved),
    options: knownOptions(type.options),
  }
}

/** An enumeration. */
export function describeEnum(type: protobuf.Enum): EnumDescriptor {
  const { valuesOptions } = type
  return {
    name: type.name,
    value: Object.entries(type.values).map(([name, number]) => ({
      name,
      number,
      options: knownOptions(valuesOptions?.[name]),
    })),
    reservedRange: ranges(type.reserved, 0),
    reservedName: names(type.reserved),
    options: knownOptions(type.options),
  }
}

/** A service with its methods. */
export function describeService(
  service: protobuf.Service,
  onReference: OnReference,
): ServiceDescriptor {
  const nameOf = (type: protobuf.Type | null): string => {
    onReference(type as protobuf.Type)
    return (type as protobuf.Type).fullName
  }
  return {
    name: service.name,
    method: service.methodsArray.map((method) => {
      method.resolve()
      return {
        name: method.name,
        inputType: nameOf(method.resolvedRequestType),
        outputType: nameOf(method.resolvedResponseType),
        clientStreaming: method.requestStream,
        serverStreaming: method.responseStream,
        options: knownOptions(method.options),
      }
    }),
    options: knownOptions(service.options),
  }
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
    ...(isGroup && { type: 'group' }),
    defaultValue: defaultText(field),
    oneofIndex: oneofIndex < 0 ? undefined : oneofIndex,
    jsonName: (field as { jsonName?: string }).jsonName,
    proto3Optional: proto3Optional ? true : undefined,
    options: knownOptions(field.options),
  }
}

function labelOf(field: protobuf.Field): FieldDescriptor['label'] {
  if (field.repeated || field.map) return 'repeated'
  // Editions say "required" by a feature instead.
  return field.rule === 'required' ? 'required' : 'optional'
}

type TypeReference = Pick<FieldDescriptor, 'type' | 'typeName'>

function typeReference(field: protobuf.Field, onReference: OnReference): TypeReference {
  const { resolvedType } = field
  if (resolvedType === null) return { type: field.type }
  onReference(resolvedType)
  return { type: isEnum(resolvedType) ? 'enum' : 'message', typeName: resolvedType.fullName }
}

function mapReference(field: protobuf.Field): TypeReference {
  return {
    type: 'message',
    typeName: `${(field.parent as protobuf.Type).fullName}.${entryName(field)}`,
  }
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
    label: 'optional',
    jsonName: name,
    ...reference,
  })
  return {
    name: entryName(field),
    field: [part('key', 1, { type: keyType }), part('value', 2, typeReference(field, onReference))],
    nestedType: [],
    enumType: [],
    extensionRange: [],
    extension: [],
    oneofDecl: [],
    reservedRange: [],
    reservedName: [],
    options: { map_entry: true },
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
  if (field.type === 'bytes') return escapeOctets(String(value))
  if (typeof value === 'number' && !Number.isFinite(value)) {
    if (Number.isNaN(value)) return 'nan'
    return value > 0 ? 'inf' : '-inf'
  }
  return String(value)
}

/** Octets as a string literal of C, as descriptor.proto has the defaults of bytes. */
function escapeOctets(text: string): string {
  return [...Buffer.from(text, 'latin1')]
    .map((octet) => {
      if (octet === 0x5c || octet === 0x22 || octet === 0x27)
        return `\\${String.fromCharCode(octet)}`
      if (octet >= 0x20 && octet < 0x7f) return String.fromCharCode(octet)
      return `\\${octet.toString(8).padStart(3, '0')}`
    })
    .join('')
}

/** `openBy`: what makes the last number of a range the descriptor's end. */
function ranges(reserved: Reserved | undefined, openBy: 0 | 1): RangeDescriptor[] {
  return (reserved ?? []).flatMap((range) =>
    typeof range === 'string' ? [] : [{ start: range[0]!, end: range[1]! + openBy }],
  )
}

function names(reserved: Reserved | undefined): string[] {
  return (reserved ?? []).filter((range) => typeof range === 'string')
}

/** What protobufjs keeps among the options although it has a place of its own in descriptors. */
const NOT_OPTIONS: ReadonlySet<string> = new Set(['default', 'json_name', 'proto3_optional'])

/** Options that descriptor.proto knows are encoded, custom ones in parentheses left out. */
export function knownOptions(options: OptionValues | null | undefined): OptionValues | undefined {
  const entries = Object.entries(options ?? {}).filter(
    ([name]) => !NOT_OPTIONS.has(name) && !name.startsWith('('),
  )
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
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
