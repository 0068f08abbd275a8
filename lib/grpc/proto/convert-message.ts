// Messages as protobufjs decodes them → plain objects as the options want them.
import type protobuf from 'protobufjs'
import { generate, quote } from './generated.ts'
import { defaultOctets, fullName, protobufjs, realOneof } from './protobufjs.ts'
import { toBigint } from './wire.ts'

/** What decoded messages look like. */
export interface DecodeOptions {
  /** 64-bit integers. `number` is exact up to 2^53 only. */
  readonly longs: 'bigint' | 'number' | 'string' | 'Long'
  /** Enum values; numbers without a name stay numbers. */
  readonly enums: 'string' | 'number'
  /** Fields without presence, lists and maps are there with their defaults when absent. */
  readonly defaults: boolean
  /** The name of a oneof is a property that says which member is set. */
  readonly oneofs: boolean
}

/** Gives a decoded value in the form that callers get. */
export type Convert = (value: unknown) => unknown

/**
 * Compiles the conversion of a message type's messages. `convertOf` gives that of another type, which
 * compiles itself when it is used.
 */
export function compileConvert(
  type: protobuf.Type,
  options: DecodeOptions,
  convertOf: (type: protobuf.Type) => { readonly convert: Convert },
): Convert {
  const values: Record<string, unknown> = { convertList, convertMap }
  const always: string[] = []
  const ifThere: string[] = []
  for (const [i, field] of type.fieldsArray.entries()) {
    field.resolve()
    const F = quote(field.name)
    const each = valueConvert(field, options, convertOf)
    const convert = field.map && (field.long || field.bytes) ? entryConvert(field, each) : each
    if (convert !== undefined) values[`convert${i}`] = convert
    const value = convert === undefined ? `m[${F}]` : convertText(field, `convert${i}`)
    if (!options.defaults || !isAlwaysThere(field)) {
      ifThere.push(presentText(field, value, options))
    } else if (field.repeated || field.map || !(field.long || field.bytes))
      always.push(`${F}: ${value}`)
    else {
      // What protobufjs has for an absent one is not of the form that callers get.
      values[`absent${i}`] = field.defaultValue
      values[`default${i}`] = defaultOf(field, convert)
      always.push(`${F}: m[${F}] === absent${i} ? default${i} : ${value}`)
    }
  }
  const body = [
    'return function convert(m) {',
    `const out = { ${always.join(', ')} }`,
    ...ifThere,
    'return out',
    '}',
  ].join('\n')
  return generate(fullName(type), values, body)
}

/** Whether an absent field has a value: messages, `optional` fields and members of a oneof do not. */
function isAlwaysThere(field: protobuf.Field): boolean {
  if (field.repeated || field.map || field.required) return true
  if (field.resolvedType !== null && !('values' in field.resolvedType)) return false
  return !field.hasPresence || (field.options?.['default'] !== undefined && field.partOf === null)
}

/** What a value needs, undefined for nothing. */
function valueConvert(
  { type, resolvedType }: protobuf.Field,
  options: DecodeOptions,
  convertOf: (type: protobuf.Type) => { readonly convert: Convert },
): Convert | undefined {
  if (resolvedType === null) return /64$/.test(type) ? LONGS[options.longs](type) : undefined
  if ('values' in resolvedType) {
    const { valuesById } = resolvedType
    return options.enums === 'number'
      ? undefined
      : (value) => valuesById[value as number] ?? (value as number)
  }
  const inner = convertOf(resolvedType)
  return (value) => inner.convert(value)
}

/** What the types of protobufjs leave out of Long. */
interface LongMaker {
  fromString(text: string, unsigned: boolean): unknown
}

const LONGS: Record<DecodeOptions['longs'], (type: string) => Convert | undefined> = {
  bigint: () => undefined,
  number: () => Number,
  string: () => String,
  Long: (type) => {
    const Long = protobufjs().util.Long as unknown as LongMaker
    const isUnsigned = type === 'uint64' || type === 'fixed64'
    return (value) => Long.fromString(String(value), isUnsigned)
  },
}

function convertText(field: protobuf.Field, convert: string): string {
  const value = `m[${quote(field.name)}]`
  if (field.map) return `convertMap(${value}, ${convert})`
  return field.repeated ? `convertList(${value}, ${convert})` : `${convert}(${value})`
}

function presentText(field: protobuf.Field, value: string, options: DecodeOptions): string {
  const F = quote(field.name)
  if (field.repeated) return `if (m[${F}].length > 0) out[${F}] = ${value}`
  if (field.map) return `if (Object.keys(m[${F}]).length > 0) out[${F}] = ${value}`
  const oneof = options.oneofs ? realOneof(field) : undefined
  const which = oneof === undefined ? '' : `; out[${quote(oneof.name)}] = ${F}`
  // Where protobufjs has null for an absent one, asking for the value is faster.
  const isThere = field.defaultValue === null ? `m[${F}] !== null` : `Object.hasOwn(m, ${F})`
  return `if (${isThere}) { out[${F}] = ${value}${which} }`
}

/** The value of an absent field of 64-bit integers or bytes, or of a map entry without one. */
function defaultOf(field: protobuf.Field, convert: Convert | undefined): unknown {
  if (field.bytes) {
    const declared: unknown = field.options?.['default'] ?? ''
    return typeof declared === 'string' ? defaultOctets(declared) : declared
  }
  const plain = toBigint(field.typeDefault as protobuf.Long)
  return convert === undefined ? plain : convert(plain)
}

/** Also replaces what protobufjs has for the value of an entry without one: a Long, or an array. */
function entryConvert(field: protobuf.Field, convert: Convert | undefined): Convert {
  const absent = defaultOf(field, convert)
  const isThere = field.long ? (value: unknown) => typeof value === 'bigint' : Buffer.isBuffer
  return (value) => {
    if (!isThere(value)) return absent
    return convert === undefined ? value : convert(value)
  }
}

function convertList(list: unknown[], convert: Convert): unknown[] {
  for (let i = 0; i < list.length; i++) list[i] = convert(list[i])
  return list
}

/** Assigning is enough for the key `__proto__` too: protobufjs made it a property of its own. */
function convertMap(map: Record<string, unknown>, convert: Convert): unknown {
  for (const key of Object.keys(map)) map[key] = convert(map[key])
  return map
}
