// What a message type is made of, free of any library: the input of the codec compiler. Comes from
// .proto files (reflect.ts) or is written down in TypeScript for the messages this library needs.

/** The types that have a form of their own on the wire. protobuf.dev "Scalar Value Types". */
export type ScalarType =
  | 'double'
  | 'float'
  | 'int32'
  | 'uint32'
  | 'sint32'
  | 'fixed32'
  | 'sfixed32'
  | 'int64'
  | 'uint64'
  | 'sint64'
  | 'fixed64'
  | 'sfixed64'
  | 'bool'
  | 'string'
  | 'bytes'

/** An enumeration. Aliases share a number; its name is then the first one declared. */
export class EnumSchema {
  /** Full name without a leading dot. */
  public readonly name: string
  public readonly numberOf: ReadonlyMap<string, number>
  public readonly nameOf: ReadonlyMap<number, string>

  public constructor(name: string, values: Iterable<readonly [name: string, value: number]>) {
    const numberOf = new Map(values)
    const nameOf = new Map<number, string>()
    for (const [valueName, value] of numberOf) {
      if (!nameOf.has(value)) nameOf.set(value, valueName)
    }
    this.name = name
    this.numberOf = numberOf
    this.nameOf = nameOf
  }
}

/** A message type. Its fields are asked for when first needed, so that types may be recursive. */
export class MessageSchema {
  /** Full name without a leading dot. */
  public readonly name: string
  private readonly makeFields: () => readonly FieldSchema[]
  private made: readonly FieldSchema[] | undefined

  public constructor(name: string, makeFields: () => readonly FieldSchema[]) {
    this.name = name
    this.makeFields = makeFields
  }

  /** In ascending order of their numbers, as a canonical encoder writes them. */
  public get fields(): readonly FieldSchema[] {
    this.made ??= [...this.makeFields()].sort((a, b) => a.number - b.number)
    return this.made
  }
}

/** How often a field may stand in a message, and whether its absence can be told. */
export type Cardinality =
  /** Absent means the default, and the default is not sent (proto3 without `optional`). */
  | 'implicit'
  /** Absence is a state of its own: `optional`, members of a oneof, messages. */
  | 'optional'
  | 'required'
  | 'repeated'
  | 'map'

/** A field of a message. */
export interface FieldSchema {
  /** The property's name in JavaScript. */
  readonly name: string
  readonly number: number
  /** Of the element of a repeated field; of the value of a map. */
  readonly type: ScalarType | EnumSchema | MessageSchema
  readonly cardinality: Cardinality
  /** Repeated numbers in one length-delimited field. Both forms are read. */
  readonly packed?: boolean
  /** A message between group tags instead of behind a length. */
  readonly delimited?: boolean
  /** Type of the keys of a map. */
  readonly mapKey?: ScalarType
  /** Name of the oneof it belongs to. */
  readonly oneof?: string
  /** A default that the type's author declared; of the property's JavaScript type. */
  readonly default?: unknown
  /** Whether received text must be UTF-8 (proto3). */
  readonly verifyUtf8?: boolean
}

/** A field of a schema written in TypeScript. */
export function field(
  number: number,
  name: string,
  type: FieldSchema['type'],
  cardinality: Cardinality = type instanceof MessageSchema ? 'optional' : 'implicit',
  more: Partial<FieldSchema> = {},
): FieldSchema {
  return { name, number, type, cardinality, packed: true, verifyUtf8: true, ...more }
}
