// From the DATA of one stream to decoded messages, in order: cut, decompress, decode.
//
// Both sides use it. A message that needs no decompression, with none waiting before it, is decoded
// in place while its octets are borrowed; asynchronous decompression makes those behind it wait.
import type { Codec } from '../protocol/codec.ts'
import { type Compressor, decompressMessage } from '../protocol/compression.ts'
import {
  decodeMessage,
  MessageAssembler,
  type MessageHandler,
  PREFIX_BYTES,
} from '../protocol/message.ts'
import { RpcError } from '../protocol/rpc-error.ts'

/** Hears what a {@link MessageReceiver} makes of the octets. */
export interface MessageReceiverOwner<T> {
  /** `wireBytes` is what the message took of the flow-control window, prefix included. */
  onMessage(message: T, wireBytes: number, messageBytes: number): void
  /** A message of `missingBytes` more is under way. */
  onPartialMessage(lengthBytes: number, missingBytes: number): void
  /** All messages were told and the peer's half has ended. */
  onMessagesEnd(): void
  /** The octets are no messages, or too large; nothing follows. */
  onMessageFault(error: RpcError): void
}

export class MessageReceiver<T> implements MessageHandler {
  private readonly codec: Codec<T>
  private readonly owner: MessageReceiverOwner<T>
  private readonly maxMessageBytes: number
  private readonly compressor: Compressor | undefined
  private readonly assembler: MessageAssembler
  /** What happens when the decompression under way is done; undefined while there is none. */
  private backlog: (() => void)[] | undefined
  private stopped = false

  public constructor(
    codec: Codec<T>,
    owner: MessageReceiverOwner<T>,
    maxMessageBytes: number,
    compressor: Compressor | undefined,
  ) {
    this.codec = codec
    this.owner = owner
    this.maxMessageBytes = maxMessageBytes
    this.compressor = compressor
    this.assembler = new MessageAssembler(this, maxMessageBytes)
  }

  /** Octets still to come of a message that is under way. */
  public get missingBytes(): number {
    return this.assembler.missingBytes
  }

  /** Takes a chunk of DATA, *borrowed*. */
  public push(buf: Buffer, start: number, end: number): void {
    if (this.stopped) return
    const fault = this.assembler.push(buf, start, end)
    if (fault !== undefined) this.whenReady(() => this.fail(fault))
  }

  /** The peer's half has ended. */
  public end(): void {
    if (this.stopped) return
    const fault = this.assembler.end()
    this.whenReady(() => {
      if (fault === undefined) this.owner.onMessagesEnd()
      else this.fail(fault)
    })
  }

  /** Ignores everything from now on. */
  public stop(): void {
    this.stopped = true
    this.backlog = undefined
    this.assembler.stop()
  }

  public onPartial(lengthBytes: number, missingBytes: number): void {
    this.owner.onPartialMessage(lengthBytes, missingBytes)
  }

  public onMessage(
    buf: Buffer,
    start: number,
    end: number,
    compressed: boolean,
    owned: boolean,
  ): void {
    if (!compressed && this.backlog === undefined) {
      this.decode(buf, start, end, owned, PREFIX_BYTES + end - start)
      return
    }
    const bytes = owned ? buf.subarray(start, end) : Buffer.from(buf.subarray(start, end))
    this.whenReady(() => {
      if (compressed) this.decompress(bytes)
      else this.decode(bytes, 0, bytes.length, true, PREFIX_BYTES + bytes.length)
    })
  }

  private decompress(bytes: Buffer): void {
    const wireBytes = PREFIX_BYTES + bytes.length
    try {
      const result = decompressMessage(
        this.compressor,
        bytes,
        0,
        bytes.length,
        true,
        this.maxMessageBytes,
      )
      if (Buffer.isBuffer(result)) this.decode(result, 0, result.length, true, wireBytes)
      else this.await(result, wireBytes)
    } catch (thrown) {
      this.fail(RpcError.from(thrown))
    }
  }

  private await(result: Promise<Buffer>, wireBytes: number): void {
    this.backlog = []
    result.then(
      (bytes) => this.resume(() => this.decode(bytes, 0, bytes.length, true, wireBytes)),
      (thrown) => this.resume(() => this.fail(RpcError.from(thrown))),
    )
  }

  private resume(first: () => void): void {
    const backlog = this.backlog ?? []
    this.backlog = undefined
    if (this.stopped) return
    first()
    for (const task of backlog) this.whenReady(task)
  }

  private whenReady(task: () => void): void {
    if (this.backlog !== undefined) this.backlog.push(task)
    else if (!this.stopped) task()
  }

  private decode(buf: Buffer, start: number, end: number, owned: boolean, wireBytes: number): void {
    let message: T
    try {
      message = decodeMessage(this.codec, buf, start, end, owned)
    } catch (thrown) {
      this.fail(RpcError.from(thrown))
      return
    }
    this.owner.onMessage(message, wireBytes, end - start)
  }

  private fail(error: RpcError): void {
    if (this.stopped) return
    this.stop()
    this.owner.onMessageFault(error)
  }
}
