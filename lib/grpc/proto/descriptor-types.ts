// The messages of descriptor.proto as plain objects, in the form that protobufjs encodes.

/** Options by their names in camel case. */
export type OptionValues = Readonly<Record<string, unknown>>

/** A half-open range of field numbers. */
export interface RangeDescriptor {
  readonly start: number
  readonly end: number
}

export interface FieldDescriptor {
  readonly name: string
  readonly number: number
  readonly label: 'LABEL_OPTIONAL' | 'LABEL_REQUIRED' | 'LABEL_REPEATED'
  /** As in `TYPE_INT32`. */
  readonly type: string
  /** With a leading dot. */
  readonly typeName?: string | undefined
  /** With a leading dot. */
  readonly extendee?: string | undefined
  readonly defaultValue?: string | undefined
  readonly oneofIndex?: number | undefined
  readonly jsonName?: string | undefined
  readonly proto3Optional?: boolean | undefined
  readonly options?: OptionValues | undefined
}

/** Made by protobufjs, like services; the parts that are looked at. */
export interface EnumDescriptor {
  readonly name: string
  readonly value: readonly { readonly name: string }[]
}

export interface MessageDescriptor {
  readonly name: string
  readonly field: readonly FieldDescriptor[]
  readonly nestedType: readonly MessageDescriptor[]
  readonly enumType: readonly EnumDescriptor[]
  readonly extensionRange: readonly RangeDescriptor[]
  readonly extension: readonly FieldDescriptor[]
  readonly oneofDecl: readonly {
    readonly name: string
    readonly options?: OptionValues | undefined
  }[]
  readonly reservedRange: readonly RangeDescriptor[]
  readonly reservedName: readonly string[]
  readonly options?: OptionValues | undefined
}

export interface ServiceDescriptor {
  readonly name: string
  readonly method: readonly { readonly name: string }[]
}

/** One .proto file. */
export interface FileDescriptor {
  readonly name: string
  readonly package: string
  /** Files that this one refers to. */
  readonly dependency: readonly string[]
  readonly messageType: readonly MessageDescriptor[]
  readonly enumType: readonly EnumDescriptor[]
  readonly service: readonly ServiceDescriptor[]
  readonly extension: readonly FieldDescriptor[]
  readonly options?: OptionValues | undefined
  readonly syntax?: string | undefined
  readonly edition?: number | undefined
}
