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
  /**
   * Decodes `buf[start, end)`. The range is *borrowed* and must be copied where the message keeps it,
   * unless it is `owned`: then the message may refer to it. Throws on bad input.
   */
  decode(buf: Buffer, start: number, end: number, owned: boolean): T
  /** The part after `application/grpc+`; absent for protocol buffers, which send no subtype. */
  readonly contentSubtype?: string
}

/** Messages as they are: opaque octets, in memory of their own. */
export const bytesCodec: Codec<Uint8Array> = {
  encode(message, out) {
    out.append(message)
  },
  decode(buf, start, end, owned) {
    const view = buf.subarray(start, end)
    return owned ? view : Buffer.from(view)
  },
}

/** JSON text for any value that `JSON.stringify` takes; content-type `application/grpc+json`. */
export function jsonCodec<T>(): Codec<T> {
  return JSON_CODEC as Codec<T>
}

const JSON_CODEC: Codec<unknown> = {
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
