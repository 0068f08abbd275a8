// Writes the JavaScript of a message type's encoder. The checks of a value stand in the same pass as
// its encoding, so nothing wrong is ever written as something else. Runs over fields of bounded size
// share one reservation. The text is compiled by message-codec.ts, which
// provides wire-writer.ts as `$name` and what the text refers to as `ref0`, `ref1`….
import { EnumSchema, type FieldSchema, MessageSchema, type ScalarType } from './schema.ts'

/** How a scalar is checked and written; `v` is the value, `F` its field's name, `b` and `p` the place. */
interface ScalarPut {
  readonly wireType: 0 | 1 | 2 | 5
  readonly maxBytes: number
  /** Statements that check `v` and may convert it. */
  readonly check: (value: string, fieldName: string) => string
  /** Statement that writes `v`. */
  readonly put: (value: string) => string
  /** True for the value that an implicit field does not send. */
  readonly isDefault: (value: string) => string
}

const isZero = (v: string): string => `${v} === 0`
const isUnloaded = (): string => '!$isLoaded()'

const number32 = (
  put: string,
  maxBytes: number,
  wireType: 0 | 5,
  coerced: (value: string) => string,
  want: string,
): ScalarPut => ({
  wireType,
  maxBytes,
  check: (v, F) =>
    `if (typeof ${v} !== 'number' || ${coerced(v)} !== ${v}) throw $badValue(${F}, ${v}, '${want}')`,
  put: (v) => `p = $${put}(b, p, ${v})`,
  isDefault: isZero,
})
const SIGNED = 'an integer from -2^31 to 2^31-1'
const UNSIGNED = 'an integer from 0 to 2^32-1'
const signed32 = (v: string): string => `(${v} | 0)`
const unsigned32 = (v: string): string => `(${v} >>> 0)`

const number64 = (load: string, put: string, maxBytes: number, wireType: 0 | 1): ScalarPut => ({
  wireType,
  maxBytes,
  check: (v, F) => `$${load}(${v}, ${F})`,
  put: () => `p = $${put}(b, p)`,
  isDefault: isUnloaded,
})

// -0 is not the default: its sign would be lost.
const isPlusZero = (v: string): string => `${v} === 0 && 1 / ${v} > 0`
const checkNumber = (v: string, F: string): string =>
  `if (typeof ${v} !== 'number') throw $badValue(${F}, ${v}, 'a number')`

const SCALARS: Readonly<Record<Exclude<ScalarType, 'string' | 'bytes'>, ScalarPut>> = {
  int32: number32('putInt32', 10, 0, signed32, SIGNED),
  uint32: number32('putUint32', 5, 0, unsigned32, UNSIGNED),
  sint32: number32('putSint32', 5, 0, signed32, SIGNED),
  fixed32: number32('putFixed32', 4, 5, unsigned32, UNSIGNED),
  sfixed32: number32('putFixed32', 4, 5, signed32, SIGNED),
  int64: number64('loadInt64', 'putVarint64', 10, 0),
  uint64: number64('loadUint64', 'putVarint64', 10, 0),
  sint64: number64('loadSint64', 'putVarint64', 10, 0),
  fixed64: number64('loadUint64', 'putFixed64', 8, 1),
  sfixed64: number64('loadInt64', 'putFixed64', 8, 1),
  double: {
    wireType: 1,
    maxBytes: 8,
    check: checkNumber,
    put: (v) => `p = $putDouble(b, p, ${v})`,
    isDefault: isPlusZero,
  },
  float: {
    wireType: 5,
    maxBytes: 4,
    check: (v, F) =>
      `${checkNumber(v, F)}; if (!Number.isFinite(Math.fround(${v})) && Number.isFinite(${v})) throw $badValue(${F}, ${v}, 'a number within float')`,
    put: (v) => `p = $putFloat(b, p, ${v})`,
    isDefault: isPlusZero,
  },
  bool: {
    wireType: 0,
    maxBytes: 1,
    check: (v, F) => `if (typeof ${v} !== 'boolean') throw $badValue(${F}, ${v}, 'a boolean')`,
    put: (v) => `b[p++] = ${v} ? 1 : 0`,
    isDefault: (v) => `${v} === false`,
  },
}

const enumPut = (index: number): ScalarPut => ({
  wireType: 0,
  maxBytes: 10,
  check: (v, F) => `${v} = $enumNumber(ref${index}, ${v}, ${F})`,
  put: (v) => `p = $putInt32(b, p, ${v})`,
  isDefault: isZero,
})

const LENGTH = 2
const GROUP_START = 3
const GROUP_END = 4
const MAX_TAG_BYTES = 5

/** Type, or the schema, of everything that the encoder refers to: `refs` of the compiled text. */
export type References = (EnumSchema | MessageSchema)[]

/**
 * The text of `put(message, out, depth)` for a message type. Fills `references` with the enums and
 * message types that the text calls `ref0`, `ref1`…; for the latter the compiler provides `{ put }`.
 */
export function encoderSource(schema: MessageSchema, references: References): string {
  return new EncoderWriter(schema, references).source()
}

class EncoderWriter {
  private readonly schema: MessageSchema
  private readonly references: References
  private readonly lines: string[] = []
  /** Guesses for lengths, which live from call to call. */
  private readonly guesses: string[] = []
  /** Fields of bounded size waiting to be written with one reservation. */
  private run: FieldSchema[] = []
  private readonly oneofs: readonly string[]

  public constructor(schema: MessageSchema, references: References) {
    this.schema = schema
    this.references = references
    this.oneofs = oneofNames(schema)
  }

  public source(): string {
    const { fields, name } = this.schema
    for (const field of fields) {
      if (isBounded(field)) this.run.push(field)
      else {
        this.endRun()
        this.unbounded(field)
      }
    }
    this.endRun()
    const locals = this.oneofs.map((oneof) => `let ${this.oneofVar(oneof)} = ''`)
    return [
      ...this.guesses.map((guess) => `let ${guess} = 1`),
      'return function put(m, out, depth) {',
      `if (typeof m !== 'object' || m === null || $isList(m)) throw $badValue('', m, ${quote(`an object for ${name}`)})`,
      `if (depth > 100) throw $tooDeep(${quote(name)})`,
      'let v, b, p',
      ...locals,
      ...this.lines,
      '}',
    ].join('\n')
  }

  private add(...lines: string[]): void {
    this.lines.push(...lines)
  }

  private endRun(): void {
    if (this.run.length === 0) return
    let bytes = 0
    for (const field of this.run) bytes += MAX_TAG_BYTES + this.scalar(field).maxBytes
    this.add(`out.reserve(${bytes})`, 'b = out.buf; p = out.pos')
    for (const field of this.run) this.bounded(field)
    this.add('out.pos = p')
    this.run = []
  }

  /** A single number, boolean or enum. */
  private bounded(field: FieldSchema): void {
    const scalar = this.scalar(field)
    const F = quote(field.name)
    const write = `${putTagText(tagOf(field.number, scalar.wireType))}; ${scalar.put('v')}`
    this.add(`v = ${propertyText(field.name)}`)
    if (field.cardinality === 'required') {
      this.add(scalar.check('v', F), write)
      return
    }
    this.add('if (v !== undefined && v !== null) {', ...this.oneofCheck(field))
    if (field.cardinality === 'implicit') {
      this.add(`${scalar.check('v', F)}; if (!(${scalar.isDefault('v')})) { ${write} }`)
    } else {
      this.add(scalar.check('v', F), write)
    }
    this.add('}')
  }

  private unbounded(field: FieldSchema): void {
    const F = quote(field.name)
    this.add(`v = ${propertyText(field.name)}`)
    const required = field.cardinality === 'required'
    this.add(required ? '{' : 'if (v !== undefined && v !== null) {', ...this.oneofCheck(field))
    if (field.cardinality === 'map') this.map(field)
    else if (field.cardinality === 'repeated') this.repeated(field)
    else if (field.type === 'string' || field.type === 'bytes') {
      const call = `$${field.type === 'string' ? 'putString' : 'putBytes'}(out, ${tagOf(field.number, LENGTH)}, v, ${F})`
      // Only an empty value of the right type is the default.
      const isDefault =
        field.type === 'string' ? "v === ''" : 'v instanceof Uint8Array && v.length === 0'
      this.add(field.cardinality === 'implicit' ? `if (!(${isDefault})) ${call}` : call)
    } else this.message(field, 'v', F)
    this.add('}')
  }

  private message(field: FieldSchema, value: string, path: string): void {
    const at = this.reference(field.type as MessageSchema)
    const put = `try { ref${at}.put(${value}, out, depth + 1) } catch (e) { throw $nest(e, ${path}) }`
    if (field.delimited === true) {
      this.add(`$putTag(out, ${tagOf(field.number, GROUP_START)})`, put)
      this.add(`$putTag(out, ${tagOf(field.number, GROUP_END)})`)
    } else this.lengthDelimited(field.number, () => this.add(put))
  }

  private lengthDelimited(number: number, content: () => void): void {
    const guess = `guess${this.guesses.length}`
    this.guesses.push(guess)
    const id = `_${guess}`
    this.add(
      '{',
      `const bytes${id} = ${guess}`,
      `const start${id} = $beginDelimited(out, ${tagOf(number, LENGTH)}, bytes${id})`,
    )
    content()
    this.add(`${guess} = $endDelimited(out, start${id}, bytes${id})`, '}')
  }

  private repeated(field: FieldSchema): void {
    const F = quote(field.name)
    const path = `${F} + '[' + i + ']'`
    this.add(`if (!$isList(v)) throw $badValue(${F}, v, 'an array')`)
    const packed = field.packed === true && isNumeric(field)
    const elements = (): void => {
      this.add('for (let i = 0; i < v.length; i++) {', 'let e = v[i]')
      if (field.type instanceof MessageSchema) this.message(field, 'e', path)
      else if (field.type === 'string' || field.type === 'bytes') {
        const call = field.type === 'string' ? '$putString' : '$putBytes'
        this.add(
          `try { ${call}(out, ${tagOf(field.number, LENGTH)}, e, '') } catch (x) { throw $nest(x, ${path}) }`,
        )
      } else {
        const scalar = this.scalar(field)
        this.add(
          `out.reserve(${MAX_TAG_BYTES + scalar.maxBytes}); b = out.buf; p = out.pos`,
          // The path is built only for an error: elements may be many.
          `try { ${scalar.check('e', "''")} } catch (x) { throw $nest(x, ${path}) }`,
          packed ? '' : putTagText(tagOf(field.number, scalar.wireType)),
          scalar.put('e'),
          'out.pos = p',
        )
      }
      this.add('}')
    }
    if (!packed) elements()
    else {
      this.add('if (v.length > 0) {')
      this.lengthDelimited(field.number, elements)
      this.add('}')
    }
  }

  /** A map is a repeated message of key = 1 and value = 2, both always sent. */
  private map(field: FieldSchema): void {
    const F = quote(field.name)
    const path = `${F} + '[' + JSON.stringify(String(k)) + ']'`
    this.add(`for (let [k, e] of $entriesOf(v, ${F})) {`)
    this.lengthDelimited(field.number, () => {
      this.add('try {')
      this.mapKey(field.mapKey as ScalarType)
      if (field.type === 'string' || field.type === 'bytes') {
        const call = field.type === 'string' ? 'putString' : 'putBytes'
        this.add(`$${call}(out, ${tagOf(2, LENGTH)}, e, '')`)
      } else if (field.type instanceof MessageSchema) {
        const at = this.reference(field.type)
        this.lengthDelimited(2, () => this.add(`ref${at}.put(e, out, depth + 1)`))
      } else this.element(this.scalar(field), 2, 'e')
      this.add(`} catch (x) { throw $nest(x, ${path}) }`)
    })
    this.add('}')
  }

  private mapKey(type: ScalarType): void {
    if (type === 'string') {
      this.add(`$putString(out, ${tagOf(1, LENGTH)}, k, 'key')`)
      return
    }
    const scalar = SCALARS[type as keyof typeof SCALARS]
    if (type === 'bool') this.add('k = $boolKey(k)')
    else if (scalar.isDefault === isZero) this.add('k = $integerKey(k)')
    this.element(scalar, 1, 'k', "'key'")
  }

  private element(scalar: ScalarPut, number: number, value: string, fieldName = "''"): void {
    this.add(
      `out.reserve(${MAX_TAG_BYTES + scalar.maxBytes}); b = out.buf; p = out.pos`,
      scalar.check(value, fieldName),
      `${putTagText(tagOf(number, scalar.wireType))}; ${scalar.put(value)}`,
      'out.pos = p',
    )
  }

  private scalar(field: FieldSchema): ScalarPut {
    if (field.type instanceof EnumSchema) return enumPut(this.reference(field.type))
    return SCALARS[field.type as keyof typeof SCALARS]
  }

  private reference(schema: EnumSchema | MessageSchema): number {
    const known = this.references.indexOf(schema)
    return known >= 0 ? known : this.references.push(schema) - 1
  }

  private oneofVar(oneof: string): string {
    return `set${this.oneofs.indexOf(oneof)}`
  }

  private oneofCheck(field: FieldSchema): string[] {
    if (field.oneof === undefined) return []
    const set = this.oneofVar(field.oneof)
    const F = quote(field.name)
    return [
      `if (${set} !== '') throw $oneofTwice(${quote(field.oneof)}, ${set}, ${F})`,
      `${set} = ${F}`,
    ]
  }
}

/** Reads a property of `m`. Names that every object inherits count only when they are its own. */
export function propertyText(name: string): string {
  const F = quote(name)
  return name in Object.prototype ? `(Object.hasOwn(m, ${F}) ? m[${F}] : undefined)` : `m[${F}]`
}

/** The tag of a field, as an unsigned number. */
export function tagOf(number: number, wireType: number): number {
  return ((number << 3) | wireType) >>> 0
}

/** Whether repeated elements can be packed. */
export function isNumeric(field: FieldSchema): boolean {
  return !(field.type instanceof MessageSchema || field.type === 'string' || field.type === 'bytes')
}

/** The oneofs of a message type, in order. */
export function oneofNames(schema: MessageSchema): string[] {
  return [...new Set(schema.fields.flatMap((field) => field.oneof ?? []))]
}

function isBounded(field: FieldSchema): boolean {
  return isNumeric(field) && field.cardinality !== 'repeated' && field.cardinality !== 'map'
}

function putTagText(tag: number): string {
  const lines: string[] = []
  let rest = tag
  for (; rest > 127; rest >>>= 7) lines.push(`b[p++] = ${(rest & 127) | 128}`)
  lines.push(`b[p++] = ${rest}`)
  return lines.join('; ')
}

/** A name as a literal of the generated text: no name can become code. */
export function quote(text: string): string {
  return JSON.stringify(text).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
}
