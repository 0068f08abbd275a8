// From the DATA of one stream to decoded messages, in order: cut, decompress, decode.
//
// Both sides use it. A message that needs no decompression, with none waiting before it, is decoded
// in place while its octets are borrowed. Asynchronous decompression makes those behind it wait; so
// does a reader that has not taken the messages before: a window of compressed octets may hold
// a thousand windows of messages, and only one of those is in memory before it is asked for.
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
  /** Whether messages wait for their reader: what is compressed stays so for now. */
  readonly hasUntaken: boolean
  /** `wireBytes` is what the message took of the flow-control window, prefix included. */
  onMessage(message: T, wireBytes: number, messageBytes: number, compressed: boolean): void
  /** A message of `missingBytes` more is under way. */
  onPartialMessage(missingBytes: number): void
  /** All messages were told and the peer's half has ended. */
  onMessagesEnd(): void
  /** The octets are no messages, or too large; nothing follows. */
  onMessageFault(error: RpcError): void
}

/** What happens when all before it is done. */
interface Task {
  readonly run: () => void
  /** Makes a message larger: only when the reader has taken those before. */
  readonly inflates: boolean
}

export class MessageReceiver<T> implements MessageHandler {
  private readonly codec: Codec<T>
  private readonly owner: MessageReceiverOwner<T>
  private readonly maxMessageBytes: number
  private readonly compressor: Compressor | undefined
  private readonly assembler: MessageAssembler
  private tasks: Task[] = []
  private decompressing = false
  private running = false
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
    this.tasks = []
    this.assembler.stop()
  }

  /** The reader has taken messages: goes on with what waited for that. */
  public resume(): void {
    if (this.running) return
    this.running = true
    while (this.mayRun()) this.tasks.shift()!.run()
    this.running = false
  }

  public onPartial(missingBytes: number): void {
    this.owner.onPartialMessage(missingBytes)
  }

  public onMessage(
    buf: Buffer,
    start: number,
    end: number,
    compressed: boolean,
    owned: boolean,
  ): void {
    const wireBytes = PREFIX_BYTES + end - start
    if (!compressed && !this.decompressing && this.tasks.length === 0) {
      this.decode(buf, start, end, owned, wireBytes, false)
      return
    }
    const bytes = owned ? buf.subarray(start, end) : Buffer.from(buf.subarray(start, end))
    if (compressed) this.whenReady(() => this.decompress(bytes, wireBytes), true)
    else this.whenReady(() => this.decode(bytes, 0, bytes.length, true, wireBytes, false))
  }

  private whenReady(run: () => void, inflates = false): void {
    this.tasks.push({ run, inflates })
    this.resume()
  }

  private mayRun(): boolean {
    const task = this.tasks[0]
    if (task === undefined || this.decompressing || this.stopped) return false
    return !task.inflates || !this.owner.hasUntaken
  }

  private decompress(bytes: Buffer, wireBytes: number): void {
    try {
      const { compressor, maxMessageBytes } = this
      const result = decompressMessage(compressor, bytes, 0, bytes.length, true, maxMessageBytes)
      if (Buffer.isBuffer(result)) this.decode(result, 0, result.length, true, wireBytes, true)
      else this.await(result, wireBytes)
    } catch (thrown) {
      this.fail(RpcError.from(thrown))
    }
  }

  private await(result: Promise<Buffer>, wireBytes: number): void {
    this.decompressing = true
    const done = (next: () => void): void => {
      this.decompressing = false
      if (this.stopped) return
      next()
      this.resume()
    }
    result.then(
      (bytes) => done(() => this.decode(bytes, 0, bytes.length, true, wireBytes, true)),
      (thrown) => done(() => this.fail(RpcError.from(thrown))),
    )
  }

  private decode(
    buf: Buffer,
    start: number,
    end: number,
    owned: boolean,
    wireBytes: number,
    compressed: boolean,
  ): void {
    let message: T
    try {
      message = decodeMessage(this.codec, buf, start, end, owned)
    } catch (thrown) {
      this.fail(RpcError.from(thrown))
      return
    }
    this.owner.onMessage(message, wireBytes, end - start, compressed)
  }

  private fail(error: RpcError): void {
    if (this.stopped) return
    this.stop()
    this.owner.onMessageFault(error)
  }
}
