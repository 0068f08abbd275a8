// google/protobuf/descriptor.proto as schemas: what reflection serves. Field names and numbers of
// that file (Protocol Buffers, BSD-3-Clause); source locations and uninterpreted options left out.
import { EnumSchema, type FieldSchema, field, MessageSchema } from './schema.ts'

const message = (name: string, fields: () => FieldSchema[]): MessageSchema =>
  new MessageSchema(`google.protobuf.${name}`, fields)

/** Singular fields of proto2: their absence can be told. */
const optional = (number: number, name: string, type: FieldSchema['type']): FieldSchema =>
  field(number, name, type, 'optional')
const repeated = (number: number, name: string, type: FieldSchema['type']): FieldSchema =>
  field(number, name, type, 'repeated', { packed: false })

const enumOf = (name: string, ...values: [name: string, value: number][]): EnumSchema =>
  new EnumSchema(`google.protobuf.${name}`, values)

/** FieldDescriptorProto.Type. */
const FIELD_TYPE = enumOf(
  'FieldDescriptorProto.Type',
  ['double', 1],
  ['float', 2],
  ['int64', 3],
  ['uint64', 4],
  ['int32', 5],
  ['fixed64', 6],
  ['fixed32', 7],
  ['bool', 8],
  ['string', 9],
  ['group', 10],
  ['message', 11],
  ['bytes', 12],
  ['uint32', 13],
  ['enum', 14],
  ['sfixed32', 15],
  ['sfixed64', 16],
  ['sint32', 17],
  ['sint64', 18],
)

const LABEL = enumOf(
  'FieldDescriptorProto.Label',
  ['optional', 1],
  ['required', 2],
  ['repeated', 3],
)

/** FeatureSet: what editions say by features. */
const FEATURES = message('FeatureSet', () => [
  optional(
    1,
    'field_presence',
    enumOf('FeatureSet.FieldPresence', ['EXPLICIT', 1], ['IMPLICIT', 2], ['LEGACY_REQUIRED', 3]),
  ),
  optional(2, 'enum_type', enumOf('FeatureSet.EnumType', ['OPEN', 1], ['CLOSED', 2])),
  optional(
    3,
    'repeated_field_encoding',
    enumOf('FeatureSet.RepeatedFieldEncoding', ['PACKED', 1], ['EXPANDED', 2]),
  ),
  optional(4, 'utf8_validation', enumOf('FeatureSet.Utf8Validation', ['VERIFY', 2], ['NONE', 3])),
  optional(
    5,
    'message_encoding',
    enumOf('FeatureSet.MessageEncoding', ['LENGTH_PREFIXED', 1], ['DELIMITED', 2]),
  ),
  optional(
    6,
    'json_format',
    enumOf('FeatureSet.JsonFormat', ['ALLOW', 1], ['LEGACY_BEST_EFFORT', 2]),
  ),
])

const bools = (...names: [number: number, name: string][]): FieldSchema[] =>
  names.map(([number, name]) => optional(number, name, 'bool'))
const strings = (...names: [number: number, name: string][]): FieldSchema[] =>
  names.map(([number, name]) => optional(number, name, 'string'))

/** The options of each kind of declaration, by the names that .proto files use. */
const OPTIONS = {
  file: message('FileOptions', () => [
    ...strings([1, 'java_package'], [8, 'java_outer_classname'], [11, 'go_package']),
    ...strings([36, 'objc_class_prefix'], [37, 'csharp_namespace'], [39, 'swift_prefix']),
    ...strings([40, 'php_class_prefix'], [41, 'php_namespace'], [44, 'php_metadata_namespace']),
    ...strings([45, 'ruby_package']),
    ...bools([10, 'java_multiple_files'], [16, 'cc_generic_services']),
    ...bools([17, 'java_generic_services'], [18, 'py_generic_services'], [23, 'deprecated']),
    ...bools([27, 'java_string_check_utf8'], [31, 'cc_enable_arenas']),
    optional(
      9,
      'optimize_for',
      enumOf('FileOptions.OptimizeMode', ['SPEED', 1], ['CODE_SIZE', 2], ['LITE_RUNTIME', 3]),
    ),
  ]),
  message: message('MessageOptions', () => [
    ...bools([1, 'message_set_wire_format'], [2, 'no_standard_descriptor_accessor']),
    ...bools([3, 'deprecated'], [7, 'map_entry']),
    optional(12, 'features', FEATURES),
  ]),
  field: message('FieldOptions', () => [
    optional(
      1,
      'ctype',
      enumOf('FieldOptions.CType', ['STRING', 0], ['CORD', 1], ['STRING_PIECE', 2]),
    ),
    ...bools([2, 'packed'], [3, 'deprecated'], [5, 'lazy'], [10, 'weak'], [16, 'debug_redact']),
    optional(
      6,
      'jstype',
      enumOf('FieldOptions.JSType', ['JS_NORMAL', 0], ['JS_STRING', 1], ['JS_NUMBER', 2]),
    ),
    optional(21, 'features', FEATURES),
  ]),
  oneof: message('OneofOptions', () => [optional(1, 'features', FEATURES)]),
  enum: message('EnumOptions', () => [
    ...bools([2, 'allow_alias'], [3, 'deprecated']),
    optional(7, 'features', FEATURES),
  ]),
  enumValue: message('EnumValueOptions', () => [
    ...bools([1, 'deprecated'], [3, 'debug_redact']),
    optional(2, 'features', FEATURES),
  ]),
  service: message('ServiceOptions', () => [
    ...bools([33, 'deprecated']),
    optional(34, 'features', FEATURES),
  ]),
  method: message('MethodOptions', () => [
    ...bools([33, 'deprecated']),
    optional(
      34,
      'idempotency_level',
      enumOf(
        'MethodOptions.IdempotencyLevel',
        ['IDEMPOTENCY_UNKNOWN', 0],
        ['NO_SIDE_EFFECTS', 1],
        ['IDEMPOTENT', 2],
      ),
    ),
    optional(35, 'features', FEATURES),
  ]),
} as const

const FIELD = message('FieldDescriptorProto', () => [
  optional(1, 'name', 'string'),
  optional(2, 'extendee', 'string'),
  optional(3, 'number', 'int32'),
  optional(4, 'label', LABEL),
  optional(5, 'type', FIELD_TYPE),
  optional(6, 'typeName', 'string'),
  optional(7, 'defaultValue', 'string'),
  optional(8, 'options', OPTIONS.field),
  optional(9, 'oneofIndex', 'int32'),
  optional(10, 'jsonName', 'string'),
  optional(17, 'proto3Optional', 'bool'),
])

const RANGE = message('DescriptorProto.ReservedRange', () => [
  optional(1, 'start', 'int32'),
  optional(2, 'end', 'int32'),
])

const ONEOF = message('OneofDescriptorProto', () => [
  optional(1, 'name', 'string'),
  optional(2, 'options', OPTIONS.oneof),
])

const ENUM_VALUE = message('EnumValueDescriptorProto', () => [
  optional(1, 'name', 'string'),
  optional(2, 'number', 'int32'),
  optional(3, 'options', OPTIONS.enumValue),
])

const ENUM = message('EnumDescriptorProto', () => [
  optional(1, 'name', 'string'),
  repeated(2, 'value', ENUM_VALUE),
  optional(3, 'options', OPTIONS.enum),
  repeated(4, 'reservedRange', RANGE),
  repeated(5, 'reservedName', 'string'),
])

const MESSAGE: MessageSchema = message('DescriptorProto', () => [
  optional(1, 'name', 'string'),
  repeated(2, 'field', FIELD),
  repeated(3, 'nestedType', MESSAGE),
  repeated(4, 'enumType', ENUM),
  repeated(5, 'extensionRange', RANGE),
  repeated(6, 'extension', FIELD),
  optional(7, 'options', OPTIONS.message),
  repeated(8, 'oneofDecl', ONEOF),
  repeated(9, 'reservedRange', RANGE),
  repeated(10, 'reservedName', 'string'),
])

const METHOD = message('MethodDescriptorProto', () => [
  optional(1, 'name', 'string'),
  optional(2, 'inputType', 'string'),
  optional(3, 'outputType', 'string'),
  optional(4, 'options', OPTIONS.method),
  optional(5, 'clientStreaming', 'bool'),
  optional(6, 'serverStreaming', 'bool'),
])

const SERVICE = message('ServiceDescriptorProto', () => [
  optional(1, 'name', 'string'),
  repeated(2, 'method', METHOD),
  optional(3, 'options', OPTIONS.service),
])

/** FileDescriptorProto. */
export const FILE: MessageSchema = message('FileDescriptorProto', () => [
  optional(1, 'name', 'string'),
  optional(2, 'package', 'string'),
  repeated(3, 'dependency', 'string'),
  repeated(4, 'messageType', MESSAGE),
  repeated(5, 'enumType', ENUM),
  repeated(6, 'service', SERVICE),
  repeated(7, 'extension', FIELD),
  optional(8, 'options', OPTIONS.file),
  optional(12, 'syntax', 'string'),
  optional(14, 'edition', 'int32'),
])
