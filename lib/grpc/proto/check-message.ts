// Checks messages before protobufjs encodes them: it would write something else for a wrong value
// without a word. Gives what it takes: numbers for the names of enum values, objects for Maps.
import type protobuf from 'protobufjs'
import { generate, quote } from './generated.ts'
import { badValue, FieldError, nest } from './proto-errors.ts'
import { fullName, realOneof } from './protobufjs.ts'

/** Gives a value in the form that protobufjs takes, the value itself if it can. Throws FieldError. */
export type Check = (value: unknown, depth: number) => unknown

/** How deep messages may be nested, as in protobufjs and the other implementations. */
const MAX_DEPTH = 100

const SIGNED = 'an integer from -2^31 to 2^31-1'
const UNSIGNED = 'an integer from 0 to 2^32-1'
const SIGNED_64 = 'a bigint, integer, decimal string or Long from -2^63 to 2^63-1'
const UNSIGNED_64 = 'a bigint, integer, decimal string or Long from 0 to 2^64-1'

function checkInt32(value: unknown): unknown {
  if (typeof value !== 'number' || (value | 0) !== value) throw badValue(value, SIGNED)
  return value
}

function checkUint32(value: unknown): unknown {
  if (typeof value !== 'number' || value >>> 0 !== value) throw badValue(value, UNSIGNED)
  return value
}

function checkDouble(value: unknown): unknown {
  if (typeof value !== 'number') throw badValue(value, 'a number')
  return value
}

function checkFloat(value: unknown): unknown {
  checkDouble(value)
  if (!Number.isFinite(Math.fround(value as number)) && Number.isFinite(value)) {
    throw badValue(value, 'a number within float')
  }
  return value
}

function checkBool(value: unknown): unknown {
  if (typeof value !== 'boolean') throw badValue(value, 'a boolean')
  return value
}

/** In Node since 20, in the types of TypeScript later. */
type Text = string & { isWellFormed(): boolean }

function checkString(value: unknown): unknown {
  if (typeof value !== 'string') throw badValue(value, 'a string')
  if (!(value as Text).isWellFormed()) throw badValue(value, 'text without lone surrogates')
  return value
}

function checkBytes(value: unknown): unknown {
  if (!(value instanceof Uint8Array)) throw badValue(value, 'a Uint8Array')
  return value
}

function checkInt64(value: unknown): unknown {
  return checkLong(value, false)
}

function checkUint64(value: unknown): unknown {
  return checkLong(value, true)
}

/** Zero becomes a number: protobufjs knows that one to be a default. */
function checkLong(value: unknown, unsigned: boolean): unknown {
  switch (typeof value) {
    case 'bigint':
      if ((unsigned ? BigInt.asUintN(64, value) : BigInt.asIntN(64, value)) !== value) break
      return value === 0n ? 0 : value
    case 'number':
      if (!Number.isSafeInteger(value) || (unsigned && value < 0)) break
      return value
    case 'string':
      if (!/^-?\d{1,20}$/.test(value)) break
      return checkLong(BigInt(value), unsigned)
    case 'object': {
      const { low, high, unsigned: isUnsigned } = (value ?? {}) as Partial<protobuf.Long>
      // The same bits, read with the other sign, are another number.
      if (typeof low !== 'number' || typeof high !== 'number') break
      if (high < 0 && isUnsigned !== unsigned) break
      return value
    }
  }
  throw badValue(value, unsigned ? UNSIGNED_64 : SIGNED_64)
}

const SCALARS: Readonly<Record<string, Check>> = {
  double: checkDouble,
  float: checkFloat,
  int32: checkInt32,
  uint32: checkUint32,
  sint32: checkInt32,
  fixed32: checkUint32,
  sfixed32: checkInt32,
  int64: checkInt64,
  uint64: checkUint64,
  sint64: checkInt64,
  fixed64: checkUint64,
  sfixed64: checkInt64,
  bool: checkBool,
  string: checkString,
  bytes: checkBytes,
}

/**
 * Compiles the check of a message type. `checkOf` gives that of another, which compiles itself
 * when it is used: types may contain themselves.
 */
export function compileCheck(
  type: protobuf.Type,
  checkOf: (type: protobuf.Type) => { readonly check: Check },
): Check {
  const name = fullName(type)
  const oneofs: protobuf.OneOf[] = []
  const checks: Record<string, Check> = {}
  const lines = type.fieldsArray.map((field, i) => {
    field.resolve()
    checks[`check${i}`] = checkField(field, checkOf)
    const oneof = realOneof(field)
    if (oneof !== undefined && !oneofs.includes(oneof)) oneofs.push(oneof)
    return fieldText(field, `check${i}`, oneof === undefined ? -1 : oneofs.indexOf(oneof))
  })
  const body = [
    'return function check(m, depth) {',
    `if (typeof m !== 'object' || m === null || isList(m)) throw badValue(m, ${quote(`an object for ${name}`)})`,
    `if (depth > ${MAX_DEPTH}) throw tooDeep(${quote(name)})`,
    `let out = m, at = '', i = -1, v, w ${oneofs.map((_, i) => `, set${i} = ''`).join('')}`,
    'try {',
    ...lines,
    "} catch (e) { throw nest(e, i < 0 ? at : at + '[' + i + ']') }",
    'return out',
    '}',
  ].join('\n')
  const oneofNames = oneofs.map((oneof) => oneof.name)
  const runtime = { isList, badValue, tooDeep, nest, set, oneofTwice, oneofNames }
  return generate(name, { ...runtime, ...checks }, body)
}

/** The check of a field's elements, or of all of a map. */
function checkField(
  field: protobuf.Field,
  checkOf: (type: protobuf.Type) => { readonly check: Check },
): Check {
  const { resolvedType } = field
  let check = SCALARS[field.type] as Check
  if (resolvedType !== null && 'values' in resolvedType) check = enumCheck(resolvedType)
  else if (resolvedType !== null) {
    const inner = checkOf(resolvedType)
    check = (value, depth) => inner.check(value, depth + 1)
  }
  return field.map ? mapCheck((field as unknown as protobuf.MapField).keyType, check) : check
}

function fieldText(field: protobuf.Field, check: string, oneof: number): string {
  const F = quote(field.name)
  const convert = `w = ${check}(v, depth); if (w !== v) out = set(out, m, ${F}, w)`
  // A message of protobufjs inherits defaults, which are not always values of the field's type.
  const mustBeOwn = field.required || field.bytes || oneof >= 0 || field.name in Object.prototype
  const read = `at = ${F}; v = ${mustBeOwn ? `Object.hasOwn(m, ${F}) ? m[${F}] : undefined` : `m[${F}]`}`
  if (field.required) return `${read}; ${convert}`
  const isThere = `${read}; if (v !== undefined && v !== null)`
  if (field.repeated) {
    const elements = [
      `if (!isList(v)) throw badValue(v, 'an array')`,
      'let list = v',
      `for (i = 0; i < v.length; i++) {`,
      `w = ${check}(v[i], depth)`,
      'if (w !== v[i]) { if (list === v) list = Array.from(v); list[i] = w }',
      '}',
      `i = -1; if (list !== v) out = set(out, m, ${F}, list)`,
    ]
    // protobufjs takes an inherited `toString` for a list of that name.
    const otherwise = field.name in Object.prototype ? ` else out = set(out, m, ${F}, [])` : ''
    return `${isThere} {\n${elements.join('\n')}\n}${otherwise}`
  }
  if (oneof < 0) return `${isThere} { ${convert} }`
  const first = `set${oneof}`
  return [
    `${isThere} {`,
    `if (${first} !== '') { at = oneofNames[${oneof}]; throw oneofTwice(${first}, ${F}) }`,
    `${first} = ${F}; ${convert}`,
    '}',
  ].join('\n')
}

function enumCheck(type: protobuf.Enum): Check {
  const want = `a name or number of ${fullName(type)}`
  return (value) => {
    const number: unknown = typeof value === 'string' ? type.values[value] : value
    if (typeof number !== 'number' || (number | 0) !== number) throw badValue(value, want)
    return number
  }
}

function mapCheck(keyType: string, check: Check): Check {
  return (value, depth) => {
    const isMap = value instanceof Map
    if (!isMap && (typeof value !== 'object' || isList(value))) {
      throw badValue(value, 'a Map or a plain object')
    }
    let out = value as Record<string, unknown>
    for (const [key, each] of isMap ? value : Object.entries(out)) {
      try {
        checkKey(key, keyType)
        const converted = check(each, depth)
        if (converted === each && !isMap) continue
        if (out === value) out = Object.assign(Object.create(null), isMap ? undefined : value)
        out[String(key)] = converted
      } catch (thrown) {
        throw nest(thrown, `[${JSON.stringify(String(key))}]`)
      }
    }
    return out
  }
}

/** Property names are text whatever the type of the key. */
function checkKey(key: unknown, keyType: string): void {
  let value = key
  if (keyType === 'bool' && (key === 'true' || key === 'false')) value = key === 'true'
  else if (keyType.endsWith('32') && /^-?\d{1,10}$/.test(String(key))) value = Number(key)
  try {
    SCALARS[keyType]?.(value, 0)
  } catch (thrown) {
    throw nest(thrown, 'key')
  }
}

/** Sets a property of a copy of `message`; `out` is that copy, or `message` when there is none yet. */
function set(out: object, message: object, name: string, value: unknown): object {
  const copy = out === message ? { ...message } : out
  ;(copy as Record<string, unknown>)[name] = value
  return copy
}

/** Anything with numbered elements: arrays and typed arrays. */
function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))
}

function oneofTwice(first: string, second: string): FieldError {
  return new FieldError('', `got both ${first} and ${second}, want one member of the oneof`)
}

function tooDeep(messageName: string): FieldError {
  return new FieldError('', `${messageName} nested deeper than ${MAX_DEPTH} messages`)
}
