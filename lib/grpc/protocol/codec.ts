// What turns a message into octets and back, and the two codecs that need no schema.
// Protocol buffers are in ../proto.
import type { ByteSink } from '../../base/byte-sink.ts'

/** Encodes and decodes the messages of one type. Stateless: one codec serves any number of calls. */
export interface Codec<T> {
  /**
   * Appends the encoded message to `out`. Throws, best an RpcError INTERNAL that names the field,
   * when the value is not of the type; what was appended by then is dropped by the caller.
   */
  encode(message: T, out: ByteSink): void
  /** Decodes `buf[start, end)`, which is *borrowed* unless {@link Codec.keepsInput}. Throws on bad input. */
  decode(buf: Buffer, start: number, end: number): T
  /** True when decoded messages are views of the input; the caller then hands over *owned* memory. */
  readonly keepsInput: boolean
  /** The part after `application/grpc+`; absent for protocol buffers, which send no subtype. */
  readonly contentSubtype?: string
}

/** Messages as they are: opaque octets. Decoded messages are views of memory that is theirs. */
export const bytesCodec: Codec<Uint8Array> = {
  keepsInput: true,
  encode(message, out) {
    out.append(message)
  },
  decode(buf, start, end) {
    return buf.subarray(start, end)
  },
}

/** JSON text for any value that `JSON.stringify` takes; content-type `application/grpc+json`. */
export function jsonCodec<T>(): Codec<T> {
  return JSON_CODEC as Codec<T>
}

const JSON_CODEC: Codec<unknown> = {
  keepsInput: false,
  contentSubtype: 'json',
  encode(message, out) {
    const text = JSON.stringify(message)
    if (text === undefined) throw new TypeError(`got ${typeof message}, want a value JSON can hold`)
    out.reserve(text.length * 3)
    out.pos += out.buf.write(text, out.pos)
  },
  decode(buf, start, end) {
    return JSON.parse(buf.toString('utf8', start, end))
  },
}
