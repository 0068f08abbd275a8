// Length-prefixed messages: cutting them out of DATA, and putting them before the wire.
//
//     octet 0        1 to 4                 5 …
//     compressed?    length, big endian     message
//
// Knows nothing of streams, windows and compression. Source: grpc/doc/PROTOCOL-HTTP2.md.
import type { ByteSink } from '../../base/byte-sink.ts'
import { Code } from '../../base/status.ts'
import { uint32 } from '../../base/uint.ts'
import type { Codec } from './codec.ts'
import { RpcError } from './rpc-error.ts'

/** Octets before each message. */
export const PREFIX_BYTES = 5
/** The largest message that is received unless an option says otherwise, 4 MiB as in grpc-go. */
export const DEFAULT_MAX_RECV_MESSAGE_BYTES: number = 4 * 1024 * 1024
/** The largest message that is sent unless an option says otherwise. */
export const DEFAULT_MAX_SEND_MESSAGE_BYTES = 0x7fff_ffff

const EMPTY = Buffer.alloc(0)

/** Receives what a {@link MessageAssembler} cuts out. Either call may stop the assembler. */
export interface MessageHandler {
  /**
   * One whole message as it came, still compressed if `compressed`. The range is *borrowed* until
   * `push` returns, or *owned* memory that nothing else refers to when `owned`.
   */
  onMessage(buf: Buffer, start: number, end: number, compressed: boolean, owned: boolean): void
  /** A message has begun and `missingBytes` of it are still to come. Once a message. */
  onPartial(missingBytes: number): void
}

/**
 * Cuts the DATA of one stream into messages. A message that lies whole in one chunk is delivered in
 * place; one that spans chunks is gathered into memory of its own, which grows as octets arrive:
 * the peer's word for a length allocates nothing. Nothing is allocated for a message in place.
 */
export class MessageAssembler {
  private readonly handler: MessageHandler
  private readonly maxMessageBytes: number
  /** Memory of the incomplete message; EMPTY when there is none. */
  private body: Buffer = EMPTY
  private bodyBytes = 0
  /** Octets seen of the current prefix; PREFIX_BYTES while its message is incomplete. */
  private prefixBytes = 0
  private flag = 0
  private length = 0
  private stopped = false

  public constructor(handler: MessageHandler, maxMessageBytes: number) {
    this.handler = handler
    this.maxMessageBytes = maxMessageBytes
  }

  /** Octets held of a message (and its prefix) that is not complete. */
  public get pendingBytes(): number {
    return this.prefixBytes + this.bodyBytes
  }

  /** Octets still to come of a message whose length is known; 0 between messages. */
  public get missingBytes(): number {
    return this.prefixBytes === PREFIX_BYTES ? this.length - this.bodyBytes : 0
  }

  /**
   * Takes a chunk of DATA, *borrowed*. Returns the fault that ends the call, after which nothing
   * more is delivered: INTERNAL for a prefix that is none, RESOURCE_EXHAUSTED for a message over
   * the limit, which is known before any of it is buffered.
   */
  public push(buf: Buffer, start: number, end: number): RpcError | undefined {
    let pos = start
    while (pos < end && !this.stopped) {
      if (this.prefixBytes < PREFIX_BYTES) {
        pos = this.takePrefix(buf, pos, end)
        if (this.prefixBytes < PREFIX_BYTES) return undefined
        const fault = this.checkPrefix()
        if (fault !== undefined) {
          this.stop()
          return fault
        }
        if (pos + this.length > end) this.handler.onPartial(pos + this.length - end)
        if (this.stopped) return undefined
      }
      pos = this.takeBody(buf, pos, end)
    }
    return undefined
  }

  /** The stream's half has ended. Returns the fault when that is inside a message. */
  public end(): RpcError | undefined {
    if (this.prefixBytes === 0 || this.stopped) return undefined
    const got = this.prefixBytes + this.bodyBytes
    const want =
      this.prefixBytes < PREFIX_BYTES ? `at least ${PREFIX_BYTES}` : PREFIX_BYTES + this.length
    this.stop()
    return new RpcError(
      Code.Internal,
      `stream ended inside a message: got ${got} octets of it, want ${want}`,
      { token: 'message_truncated' },
    )
  }

  /** Drops what is pending; everything pushed from now on is ignored. */
  public stop(): void {
    this.stopped = true
    this.prefixBytes = 0
    this.body = EMPTY
    this.bodyBytes = 0
  }

  private takePrefix(buf: Buffer, start: number, end: number): number {
    if (this.prefixBytes === 0 && start + PREFIX_BYTES <= end) {
      this.flag = buf[start]!
      this.length = uint32(buf, start + 1)
      this.prefixBytes = PREFIX_BYTES
      return start + PREFIX_BYTES
    }
    let pos = start
    while (this.prefixBytes < PREFIX_BYTES && pos < end) {
      const octet = buf[pos++]!
      if (this.prefixBytes++ === 0) {
        this.flag = octet
        this.length = 0
      } else {
        this.length = this.length * 256 + octet
      }
    }
    // A prefix that ends this chunk has its message, if empty, in it too.
    return pos
  }

  private checkPrefix(): RpcError | undefined {
    if (this.flag > 1) {
      return new RpcError(
        Code.Internal,
        `unexpected payload format: got flag ${this.flag}, want 0 or 1`,
        { token: 'message_flag_unknown' },
      )
    }
    if (this.length > this.maxMessageBytes) {
      return new RpcError(
        Code.ResourceExhausted,
        `received message larger than max (${this.length} vs. ${this.maxMessageBytes})`,
        { token: 'message_too_large_received' },
      )
    }
    return undefined
  }

  private takeBody(buf: Buffer, start: number, end: number): number {
    const stop = Math.min(end, start + this.length - this.bodyBytes)
    if (this.bodyBytes === 0 && stop - start === this.length) {
      this.prefixBytes = 0
      this.handler.onMessage(buf, start, stop, this.flag === 1, false)
      return stop
    }
    this.gather(buf, start, stop)
    if (this.bodyBytes === this.length) {
      const { body } = this
      this.body = EMPTY
      this.bodyBytes = 0
      this.prefixBytes = 0
      this.handler.onMessage(body, 0, this.length, this.flag === 1, true)
    }
    return stop
  }

  /** Copies octets of the body, growing its memory to at most four times what has arrived. */
  private gather(buf: Buffer, start: number, end: number): void {
    const needed = this.bodyBytes + end - start
    if (needed > this.body.length) {
      const grown = Buffer.allocUnsafe(
        Math.min(this.length, Math.max(needed * GROWTH, FIRST_BODY_BYTES)),
      )
      if (this.bodyBytes > 0) this.body.copy(grown, 0, 0, this.bodyBytes)
      this.body = grown
    }
    buf.copy(this.body, this.bodyBytes, start, end)
    this.bodyBytes = needed
  }
}

const GROWTH = 4
const FIRST_BODY_BYTES = 1024

/** Writes a message prefix at `buf[at…]`, which has room for it. */
export function putPrefix(buf: Buffer, at: number, compressed: boolean, lengthBytes: number): void {
  buf[at] = compressed ? 1 : 0
  buf[at + 1] = lengthBytes >>> 24
  buf[at + 2] = lengthBytes >>> 16
  buf[at + 3] = lengthBytes >>> 8
  buf[at + 4] = lengthBytes
}

/** What the prefix at `buf[at…]` says of its message. */
export function isCompressed(buf: Buffer, at = 0): boolean {
  return buf[at] === 1
}

/**
 * Appends the prefix and the encoded, uncompressed message to `out` and returns the message's
 * length. On a throw `out` is as it was: RpcError INTERNAL when the codec refuses the value,
 * RESOURCE_EXHAUSTED when the message is over `maxMessageBytes`.
 */
export function encodeMessage<T>(
  codec: Codec<T>,
  message: T,
  out: ByteSink,
  maxMessageBytes: number = DEFAULT_MAX_SEND_MESSAGE_BYTES,
): number {
  const at = out.pos
  out.reserve(PREFIX_BYTES)
  out.pos = at + PREFIX_BYTES
  try {
    codec.encode(message, out)
  } catch (thrown) {
    out.pos = at
    throw encodeError(thrown)
  }
  const lengthBytes = out.pos - at - PREFIX_BYTES
  if (lengthBytes > maxMessageBytes) {
    out.pos = at
    throw sendTooLarge(lengthBytes, maxMessageBytes)
  }
  putPrefix(out.buf, at, false, lengthBytes)
  return lengthBytes
}

/** Appends the prefix and a message that is encoded (and perhaps compressed) already. */
export function appendMessage(
  bytes: Uint8Array,
  compressed: boolean,
  out: ByteSink,
  maxMessageBytes: number = DEFAULT_MAX_SEND_MESSAGE_BYTES,
): void {
  checkSendSize(bytes.length, maxMessageBytes)
  out.reserve(PREFIX_BYTES + bytes.length)
  putPrefix(out.buf, out.pos, compressed, bytes.length)
  out.pos += PREFIX_BYTES
  out.append(bytes)
}

/** Decodes a whole, uncompressed message. Throws RpcError INTERNAL when the codec throws. */
export function decodeMessage<T>(
  codec: Codec<T>,
  buf: Buffer,
  start: number,
  end: number,
  owned: boolean,
): T {
  try {
    return codec.decode(buf, start, end, owned)
  } catch (thrown) {
    throw decodeError(thrown)
  }
}

/** Throws RpcError RESOURCE_EXHAUSTED for a message over the limit. */
export function checkSendSize(lengthBytes: number, maxMessageBytes: number): void {
  if (lengthBytes > maxMessageBytes) throw sendTooLarge(lengthBytes, maxMessageBytes)
}

function sendTooLarge(lengthBytes: number, maxMessageBytes: number): RpcError {
  return new RpcError(
    Code.ResourceExhausted,
    `trying to send message larger than max (${lengthBytes} vs. ${maxMessageBytes})`,
    { token: 'message_too_large_to_send' },
  )
}

function encodeError(thrown: unknown): RpcError {
  return new RpcError(Code.Internal, `error while marshaling: ${textOf(thrown)}`, {
    cause: thrown,
    token: 'message_encode_failed',
  })
}

function decodeError(thrown: unknown): RpcError {
  return new RpcError(Code.Internal, `error unmarshalling message: ${textOf(thrown)}`, {
    cause: thrown,
    token: 'message_decode_failed',
  })
}

function textOf(thrown: unknown): string {
  if (thrown instanceof RpcError) return thrown.rawMessage
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/**
 * The length of the message when `buf[start, end)` is exactly one uncompressed message with its
 * prefix, which needs no assembling; -1 otherwise.
 */
export function wholeMessageBytes(buf: Buffer, start: number, end: number): number {
  const lengthBytes = end - start - PREFIX_BYTES
  if (lengthBytes < 0 || buf[start] !== 0) return -1
  return uint32(buf, start + 1) === lengthBytes ? lengthBytes : -1
}
