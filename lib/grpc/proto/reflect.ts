// The types of a protobufjs root as schemas of this library. Only reflection is used of protobufjs:
// messages are encoded and decoded by message-codec.ts.
import type protobuf from 'protobufjs'
import { EnumSchema, type FieldSchema, MessageSchema, type ScalarType } from './schema.ts'

/** What protobufjs resolved for an object of an edition; not in its types. */
interface Featured {
  readonly _features: { readonly utf8_validation?: string }
}

/** Makes schemas of the types of one root, each once. */
export class Reflection {
  private readonly keepCase: boolean
  private readonly messages = new Map<protobuf.Type, MessageSchema>()
  private readonly enums = new Map<protobuf.Enum, EnumSchema>()

  /** `keepCase`: properties have the fields' declared names, not their camel case. */
  public constructor(keepCase: boolean) {
    this.keepCase = keepCase
  }

  public message(type: protobuf.Type): MessageSchema {
    let schema = this.messages.get(type)
    if (schema === undefined) {
      schema = new MessageSchema(fullName(type), () =>
        type.fieldsArray.map((field) => this.field(field.resolve() as protobuf.Field)),
      )
      this.messages.set(type, schema)
    }
    return schema
  }

  private enum(type: protobuf.Enum): EnumSchema {
    let schema = this.enums.get(type)
    if (schema === undefined) {
      schema = new EnumSchema(fullName(type), Object.entries(type.values))
      this.enums.set(type, schema)
    }
    return schema
  }

  private field(field: protobuf.Field): FieldSchema {
    const type = this.type(field)
    const oneof = realOneof(field)
    return {
      name: this.propertyName(declaredName(field)),
      number: field.id,
      type,
      cardinality: cardinalityOf(field),
      packed: field.packed,
      delimited: field.delimited,
      ...(field.map && { mapKey: (field as unknown as protobuf.MapField).keyType as ScalarType }),
      ...(oneof !== undefined && { oneof: this.propertyName(oneof.name) }),
      ...(field.options?.['default'] !== undefined && { default: declaredDefault(field) }),
      verifyUtf8: (field as unknown as Featured)._features.utf8_validation === 'VERIFY',
    }
  }

  private type(field: protobuf.Field): FieldSchema['type'] {
    const { resolvedType } = field
    if (resolvedType === null) return field.type as ScalarType
    return 'values' in resolvedType ? this.enum(resolvedType) : this.message(resolvedType)
  }

  private propertyName(name: string): string {
    return this.keepCase ? name : camelCase(name)
  }
}

/** The full name of a reflected object without its leading dot. */
export function fullName(object: protobuf.ReflectionObject): string {
  return object.fullName.replace(/^\./, '')
}

/** The name of a field as its .proto file has it. */
export function declaredName(field: protobuf.Field): string {
  return (field as { protoName?: string }).protoName ?? field.name
}

/** The oneof that a field was declared in; what stands in for proto3's `optional` is none. */
export function realOneof(field: protobuf.Field): protobuf.OneOf | undefined {
  const { partOf } = field
  return partOf === null || partOf.isProto3Optional ? undefined : partOf
}

/** `some_name` → `someName`, as protobufjs and the loaders of other gRPC libraries do it. */
export function camelCase(name: string): string {
  return name.slice(0, 1) + name.slice(1).replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())
}

function cardinalityOf(field: protobuf.Field): FieldSchema['cardinality'] {
  if (field.map) return 'map'
  if (field.repeated) return 'repeated'
  if (field.required) return 'required'
  const isMessage = field.resolvedType !== null && !('values' in field.resolvedType)
  return field.hasPresence || isMessage ? 'optional' : 'implicit'
}

function declaredDefault(field: protobuf.Field): unknown {
  const value: unknown = field.typeDefault
  if (typeof value === 'object' && value !== null && 'low' in value) return BigInt(String(value))
  return value
}
