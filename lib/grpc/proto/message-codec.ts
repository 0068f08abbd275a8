// The codec of a message type: compiles its encoder and decoder when first used. Compiled text is
// two to three times as fast as closures over the same primitives; it needs a process that allows
// `new Function`.
import type { ByteSink } from '../../base/byte-sink.ts'
import type { Codec } from '../protocol/codec.ts'
import { type DecodeOptions, decoderSource } from './compile-decoder.ts'
import { encoderSource, type References } from './compile-encoder.ts'
import { MessageSchema } from './schema.ts'
import * as reading from './wire-reader.ts'
import * as writing from './wire-writer.ts'

type Put = (message: unknown, out: ByteSink, depth: number) => void
type Take = (
  reader: reading.WireReader,
  end: number,
  depth: number,
  into: unknown,
  endTag: number,
) => unknown

/** Decoding calls nobody outside, so one cursor serves all. */
const reader = new reading.WireReader()

/**
 * Encodes and decodes the messages of one type as plain objects. Encoding throws FieldError, which
 * names the field, for a value of the wrong type or out of range, and nothing is ever sent in its
 * place; properties that are no field are not looked at. Decoding throws WireFormatError.
 */
export class MessageCodec<T = unknown> implements Codec<T> {
  public readonly schema: MessageSchema
  /** For compiled text: appends the fields of a message. */
  public put: Put
  /** For compiled text: reads the fields of a message. */
  public take: Take

  /** Use {@link MessageCodecs.of}. */
  public constructor(schema: MessageSchema, codecs: MessageCodecs) {
    this.schema = schema
    this.put = (message, out, depth) => {
      this.put = codecs.compilePut(schema)
      this.put(message, out, depth)
    }
    this.take = (from, end, depth, into, endTag) => {
      this.take = codecs.compileTake(schema)
      return this.take(from, end, depth, into, endTag)
    }
  }

  public encode(message: T, out: ByteSink): void {
    this.put(message, out, 0)
  }

  public decode(buf: Buffer, start: number, end: number, owned: boolean): T {
    reader.reset(buf, start, end, owned)
    const message = this.take(reader, end, 0, undefined, 0) as T
    reader.release()
    return message
  }
}

const DEFAULT_OPTIONS: DecodeOptions = {
  longs: 'bigint',
  enums: 'string',
  defaults: true,
  oneofs: true,
}

/** The codecs of a set of message types that refer to each other, with the same options. */
export class MessageCodecs {
  private readonly options: DecodeOptions
  private readonly longFactory: reading.LongFactory | undefined
  private readonly known = new Map<MessageSchema, MessageCodec>()

  public constructor(options: Partial<DecodeOptions> = {}, longFactory?: reading.LongFactory) {
    this.options = { ...DEFAULT_OPTIONS, ...options }
    this.longFactory = longFactory
  }

  /** The codec of a message type; the same one each time. */
  public of<T>(schema: MessageSchema): MessageCodec<T> {
    let codec = this.known.get(schema)
    if (codec === undefined) {
      codec = new MessageCodec(schema, this)
      this.known.set(schema, codec)
    }
    return codec as MessageCodec<T>
  }

  /** For MessageCodec. */
  public compilePut(schema: MessageSchema): Put {
    const references: References = []
    const source = encoderSource(schema, references)
    return compile(schema, source, { ...writing }, this.resolve(references), []) as Put
  }

  /** For MessageCodec. */
  public compileTake(schema: MessageSchema): Take {
    const references: References = []
    const defaults: unknown[] = []
    const source = decoderSource(schema, this.options, this.longFactory, references, defaults)
    const runtime = { ...reading, longFactory: this.longFactory }
    return compile(schema, source, runtime, this.resolve(references), defaults) as Take
  }

  private resolve(references: References): unknown[] {
    return references.map((schema) => (schema instanceof MessageSchema ? this.of(schema) : schema))
  }
}

function compile(
  schema: MessageSchema,
  source: string,
  runtime: Record<string, unknown>,
  references: readonly unknown[],
  defaults: readonly unknown[],
): unknown {
  for (const { name } of schema.fields) {
    if (name === '__proto__') throw new Error(`${schema.name}: a field cannot be named __proto__`)
  }
  const values: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(runtime)) values[`$${name}`] = value
  for (const [index, value] of references.entries()) values[`ref${index}`] = value
  for (const [index, value] of defaults.entries()) values[`default${index}`] = value
  // All names of a schema stand in the text as string literals, so a schema cannot become code.
  const make = newFunction(schema, Object.keys(values), `'use strict'\n${source}`)
  return make(...Object.values(values))
}

function newFunction(
  schema: MessageSchema,
  parameters: string[],
  body: string,
): (...values: unknown[]) => unknown {
  try {
    return new Function(...parameters, body) as (...values: unknown[]) => unknown
  } catch (error) {
    if (!(error instanceof EvalError)) throw error
    throw new Error(
      `${schema.name}: got a process that forbids code from strings (--disallow-code-generation-from-strings), want one that allows it: message codecs are compiled when first used`,
      { cause: error },
    )
  }
}
