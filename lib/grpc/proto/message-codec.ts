// Codecs of message types: protobufjs encodes and decodes; what stands around it refuses wrong values
// by name and gives plain objects.
import type protobuf from 'protobufjs'
import type { ByteSink } from '../../base/byte-sink.ts'
import type { Codec } from '../protocol/codec.ts'
import { type Check, compileCheck } from './check-message.ts'
import { type Convert, compileConvert, type DecodeOptions } from './convert-message.ts'
import { WireFormatError } from './proto-errors.ts'
import { fullName, protobufjs } from './protobufjs.ts'
import { decodeRange, encodeInto } from './wire.ts'

/**
 * Encodes and decodes the messages of one type as plain objects. Encoding takes an object's own
 * properties; those that are no field are not looked at. It throws FieldError, which names the field,
 * for a value of the wrong type or out of range. Decoding throws WireFormatError, which names the type.
 */
export class MessageCodec<T = unknown> implements Codec<T> {
  private readonly type: protobuf.Type
  private readonly codecs: MessageCodecs
  private checker: Check | undefined
  private converter: Convert | undefined

  /** Use {@link MessageCodecs.of}. */
  public constructor(type: protobuf.Type, codecs: MessageCodecs) {
    this.type = type
    this.codecs = codecs
  }

  public encode(message: T, out: ByteSink): void {
    encodeInto(this.type, this.check(message, 0) as object, out)
  }

  public decode(buf: Buffer, start: number, end: number, owned: boolean): T {
    const convert = this.compileConvert()
    let message: object
    try {
      message = decodeRange(this.type, buf, start, end, owned)
    } catch (thrown) {
      throw new WireFormatError(fullName(this.type), thrown)
    }
    return convert(message) as T
  }

  /** For the checks of messages that contain this one. */
  public check(message: unknown, depth: number): unknown {
    this.checker ??= compileCheck(this.type, (type) => this.codecs.of(type))
    return this.checker(message, depth)
  }

  /** For the conversion of messages that contain this one. */
  public convert(message: unknown): unknown {
    return this.compileConvert()(message)
  }

  private compileConvert(): Convert {
    const { codecs } = this
    this.converter ??= compileConvert(this.type, codecs.options, (type) => codecs.of(type))
    return this.converter
  }
}

const DEFAULT_OPTIONS: DecodeOptions = {
  longs: 'bigint',
  enums: 'string',
  defaults: true,
  oneofs: true,
}

/** The codecs of the message types of a root, with the same options. */
export class MessageCodecs {
  public readonly options: DecodeOptions
  private readonly known = new Map<protobuf.Type, MessageCodec>()

  public constructor(options: Partial<DecodeOptions> = {}) {
    this.options = { ...DEFAULT_OPTIONS, ...options }
  }

  /** The codec of a message type; the same one each time. */
  public of<T>(type: protobuf.Type): MessageCodec<T> {
    let codec = this.known.get(type)
    if (codec === undefined) {
      codec = new MessageCodec(type, this)
      this.known.set(type, codec)
    }
    return codec as MessageCodec<T>
  }
}

/** Codecs of types that this library has at hand; nothing is loaded before the first one is used. */
export interface LazyCodecs {
  /** The codec of a message type by its full name. */
  of<T>(name: string): Codec<T>
}

/** Codecs of the types in the text of a .proto file without imports. */
export function lazyCodecs(proto: string): LazyCodecs {
  const codecs = new MessageCodecs()
  let parsed: protobuf.Namespace | undefined
  const root = (): protobuf.Namespace => {
    // Unresolved, fields of proto3 look as if they had presence until a message is encoded.
    parsed ??= protobufjs().parse(proto).root.resolveAll()
    return parsed
  }
  return {
    of<T>(name: string): Codec<T> {
      let known: Codec<T> | undefined
      const codec = (): Codec<T> => {
        known ??= codecs.of<T>(root().lookupType(name))
        return known
      }
      return {
        encode: (message, out) => codec().encode(message, out),
        decode: (buf, start, end, owned) => codec().decode(buf, start, end, owned),
      }
    },
  }
}
