// Writes the JavaScript of a message type's decoder, which builds plain objects of one shape. The
// text is compiled by message-codec.ts, which provides wire-reader.ts as `$name`.
import {
  isNumeric,
  oneofNames,
  propertyText,
  quote,
  type References,
  tagOf,
} from './compile-encoder.ts'
import { EnumSchema, type FieldSchema, MessageSchema, type ScalarType } from './schema.ts'
import type { LongFactory } from './wire-reader.ts'

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

type WireType = 0 | 1 | 2 | 5

/** Wire type and expression of each scalar; 64-bit ones are in {@link LONGS}. */
const READS: Partial<Record<ScalarType, readonly [WireType, string]>> = {
  double: [1, 'r.double()'],
  float: [5, 'r.float()'],
  int32: [0, 'r.int32()'],
  uint32: [0, 'r.uint32()'],
  sint32: [0, 'r.sint32()'],
  fixed32: [5, 'r.fixed32()'],
  sfixed32: [5, 'r.sfixed32()'],
  bool: [0, 'r.bool()'],
  string: [2, 'r.string()'],
  bytes: [2, 'r.bytes()'],
}

/** Wire type, move of the cursor, and signedness of each 64-bit integer. */
const LONGS: Partial<Record<ScalarType, readonly [WireType, string, unsigned: boolean]>> = {
  int64: [0, 'r.varint64()', false],
  uint64: [0, 'r.varint64()', true],
  sint64: [0, 'r.zigzag64()', false],
  fixed64: [1, 'r.words()', true],
  sfixed64: [1, 'r.words()', false],
}

const LONG_FORMS: Record<DecodeOptions['longs'], (unsigned: boolean) => string> = {
  bigint: (unsigned) => `r.bigint(${unsigned})`,
  number: (unsigned) => `r.number(${unsigned})`,
  string: (unsigned) => `r.decimal(${unsigned})`,
  Long: (unsigned) => `r.long(${unsigned}, $longFactory)`,
}

const LONG_ZEROS: Record<DecodeOptions['longs'], (unsigned: boolean) => string> = {
  bigint: () => '0n',
  number: () => '0',
  string: () => "'0'",
  Long: (unsigned) => `$longFactory.fromBits(0, 0, ${unsigned})`,
}

const LENGTH = 2
const GROUP_START = 3
const GROUP_END = 4

/**
 * The text of `take(r, end, depth, into, endTag)`: reads a message up to `end`, or up to `endTag` when
 * that is not 0, into `into` or a new object. `references` as in the encoder; `defaults` receives the
 * declared defaults that the text calls `default0`, `default1`….
 */
export function decoderSource(
  schema: MessageSchema,
  options: DecodeOptions,
  longFactory: LongFactory | undefined,
  references: References,
  defaults: unknown[],
): string {
  return new DecoderWriter(schema, options, longFactory, references, defaults).source()
}

class DecoderWriter {
  private readonly schema: MessageSchema
  private readonly options: DecodeOptions
  private readonly longFactory: LongFactory | undefined
  private readonly references: References
  private readonly defaults: unknown[]
  private readonly oneofs: readonly string[]

  public constructor(
    schema: MessageSchema,
    options: DecodeOptions,
    longFactory: LongFactory | undefined,
    references: References,
    defaults: unknown[],
  ) {
    this.schema = schema
    this.options = options
    this.longFactory = longFactory
    this.references = references
    this.defaults = defaults
    this.oneofs = oneofNames(schema)
  }

  public source(): string {
    const { fields, name } = this.schema
    const initial = fields.flatMap((field) => {
      const value = this.initial(field)
      return value === undefined ? [] : [`${quote(field.name)}: ${value}`]
    })
    const required = fields.filter((field) => field.cardinality === 'required')
    return [
      'return function take(r, end, depth, into, endTag) {',
      'if (depth > 100) throw $tooDeep()',
      `const m = into === undefined ? { ${initial.join(', ')} } : into`,
      ...this.oneofLocals(),
      'let ended = false',
      'while (r.pos < end) {',
      'const tag = r.uint32()',
      'switch (tag) {',
      ...fields.flatMap((field) => this.cases(field)),
      'default:',
      'if (tag === endTag && endTag !== 0) ended = true',
      'else r.skip(tag, depth)',
      '}',
      'if (ended) break',
      '}',
      "if (endTag !== 0 ? !ended : r.pos !== end) throw $malformed(endTag !== 0 ? 'a group without its end' : 'a field beyond the end of its message')",
      ...required.map(
        (field) =>
          `if (${propertyText(field.name)} === undefined) throw $missingField(${quote(name)}, ${quote(field.name)})`,
      ),
      'return m',
      '}',
    ].join('\n')
  }

  /** The value that a field has in a new object, undefined for none. */
  private initial(field: FieldSchema): string | undefined {
    if (!this.options.defaults) return undefined
    switch (field.cardinality) {
      case 'repeated':
        return '[]'
      case 'map':
        return '{}'
      case 'required':
        return undefined
      case 'optional':
        return field.default === undefined || field.oneof !== undefined
          ? undefined
          : this.declaredDefault(field)
      case 'implicit':
        return this.zero(field)
    }
  }

  private declaredDefault(field: FieldSchema): string {
    this.defaults.push(this.defaultValue(field))
    return `default${this.defaults.length - 1}`
  }

  /** The declared default in the form that the options ask for. */
  private defaultValue({ type, default: value }: FieldSchema): unknown {
    if (type instanceof EnumSchema) {
      return this.options.enums === 'string' ? (type.nameOf.get(value as number) ?? value) : value
    }
    const long = LONGS[type as ScalarType]
    if (long === undefined) return value
    const { longs } = this.options
    if (longs === 'Long') return this.longFactory?.fromBits(...bitsOf(value as bigint), long[2])
    if (longs === 'bigint') return value
    return longs === 'number' ? Number(value) : String(value)
  }

  /** What an absent field of the type means. */
  private zero(field: FieldSchema): string {
    const { type } = field
    if (type instanceof MessageSchema) return '{}'
    if (type instanceof EnumSchema) {
      const zero = type.nameOf.get(0)
      return this.options.enums === 'string' && zero !== undefined ? quote(zero) : '0'
    }
    const long = LONGS[type]
    if (long !== undefined) return LONG_ZEROS[this.options.longs](long[2])
    if (type === 'string') return "''"
    if (type === 'bytes') return '$NO_BYTES'
    return type === 'bool' ? 'false' : '0'
  }

  private wireType(field: FieldSchema): WireType {
    if (field.type instanceof MessageSchema) return LENGTH
    if (field.type instanceof EnumSchema) return 0
    return (LONGS[field.type]?.[0] ?? READS[field.type]?.[0]) as WireType
  }

  /** An expression that reads a value that is no message. */
  private read(field: FieldSchema): string {
    const { type } = field
    if (type instanceof EnumSchema) {
      return this.options.enums === 'string'
        ? `$enumValue(ref${this.reference(type)}, r.int32())`
        : 'r.int32()'
    }
    const long = LONGS[type as ScalarType]
    if (long !== undefined) return `(${long[1]}, ${LONG_FORMS[this.options.longs](long[2])})`
    if (type === 'string' && field.verifyUtf8 === true) return 'r.stringVerified()'
    return READS[type as ScalarType]?.[1] as string
  }

  private cases(field: FieldSchema): string[] {
    if (field.cardinality === 'map') return this.mapCase(field)
    if (field.cardinality === 'repeated') return this.repeatedCases(field)
    const target = `m[${quote(field.name)}]`
    const value =
      field.type instanceof MessageSchema
        ? this.readMessage(field, propertyText(field.name))
        : this.read(field)
    return [`case ${this.tag(field)}:`, ...this.oneofSwitch(field), `${target} = ${value}`, 'break']
  }

  private tag(field: FieldSchema): number {
    return tagOf(field.number, field.delimited === true ? GROUP_START : this.wireType(field))
  }

  /** A message that comes twice is merged: `into` is what is there. */
  private readMessage(field: FieldSchema, into: string): string {
    const at = this.reference(field.type as MessageSchema)
    return field.delimited === true
      ? `ref${at}.take(r, end, depth + 1, ${into}, ${tagOf(field.number, GROUP_END)})`
      : `ref${at}.take(r, r.limit(end), depth + 1, ${into}, 0)`
  }

  private repeatedCases(field: FieldSchema): string[] {
    const list = this.container(field, '[]')
    const one =
      field.type instanceof MessageSchema ? this.readMessage(field, 'undefined') : this.read(field)
    const lines = [`case ${this.tag(field)}:`, `${list}.push(${one})`, 'break']
    if (!isNumeric(field)) return lines
    return [
      ...lines,
      // Packed or not is the sender's choice, protobuf.dev "Packed Repeated Fields".
      `case ${tagOf(field.number, LENGTH)}: {`,
      `const stop = r.limit(end), list = ${list}`,
      `while (r.pos < stop) list.push(${one})`,
      "if (r.pos !== stop) throw $malformed('a packed element beyond the end of its field')",
      'break',
      '}',
    ]
  }

  private mapCase(field: FieldSchema): string[] {
    const keyField: FieldSchema = {
      ...field,
      number: 1,
      type: field.mapKey as ScalarType,
      cardinality: 'implicit',
    }
    const valueField: FieldSchema = { ...field, number: 2, cardinality: 'implicit' }
    const message = field.type instanceof MessageSchema
    const value = message ? this.readMessage(valueField, 'value') : this.read(valueField)
    const absent = message
      ? `if (value === undefined) value = ref${this.reference(field.type as MessageSchema)}.take(r, r.pos, depth + 1, undefined, 0)`
      : ''
    return [
      `case ${tagOf(field.number, LENGTH)}: {`,
      'const stop = r.limit(end)',
      `let key = ${this.zero(keyField)}, value = ${message ? 'undefined' : this.zero(valueField)}`,
      'while (r.pos < stop) {',
      'const entryTag = r.uint32()',
      `if (entryTag === ${this.tag(keyField)}) key = ${this.read(keyField)}`,
      `else if (entryTag === ${this.tag(valueField)}) value = ${message ? value.replace('r.limit(end)', 'r.limit(stop)') : value}`,
      'else r.skip(entryTag, depth)',
      '}',
      "if (r.pos !== stop) throw $malformed('a map entry beyond the end of its field')",
      absent,
      `$setEntry(${this.container(field, '{}')}, String(key), value)`,
      'break',
      '}',
    ]
  }

  /** A list or map, made when defaults did not. */
  private container(field: FieldSchema, empty: string): string {
    const there = propertyText(field.name)
    return this.options.defaults ? there : `(${there} ?? (m[${quote(field.name)}] = ${empty}))`
  }

  private reference(schema: EnumSchema | MessageSchema): number {
    const known = this.references.indexOf(schema)
    return known >= 0 ? known : this.references.push(schema) - 1
  }

  private oneofLocals(): string[] {
    return this.oneofs.map((oneof, index) => {
      const members = this.schema.fields.filter((field) => field.oneof === oneof)
      // Merging: find the member that is set.
      const found = members.map(
        (member) => `${propertyText(member.name)} !== undefined ? ${quote(member.name)}`,
      )
      return `let set${index} = into === undefined ? '' : ${found.join(' : ')} : ''`
    })
  }

  /** The last member on the wire wins: the one before it goes. */
  private oneofSwitch(field: FieldSchema): string[] {
    const { oneof } = field
    if (oneof === undefined) return []
    const F = quote(field.name)
    const set = `set${this.oneofs.indexOf(oneof)}`
    return [
      `if (${set} !== ${F}) {`,
      `if (${set} !== '') delete m[${set}]`,
      `${set} = ${F}`,
      this.options.oneofs ? `m[${quote(oneof)}] = ${F}` : '',
      '}',
    ]
  }
}

function bitsOf(value: bigint): [low: number, high: number] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))]
}
