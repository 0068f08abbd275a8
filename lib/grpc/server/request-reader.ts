// The receiving half of a call at a server: from DATA to the one request, or to a stream of them.
// What happens with them is ServerCall's business.
import type { Stream } from '../../transport/index.ts'
import { MessageQueue, type MessageQueueOwner } from '../call/message-queue.ts'
import { MessageReceiver, type MessageReceiverOwner } from '../call/message-receiver.ts'
import type { RpcObserver } from '../observe/rpc-observer.ts'
import { cardinality } from '../protocol/cardinality.ts'
import type { Compressors } from '../protocol/compression.ts'
import { decodeMessage, PREFIX_BYTES, wholeMessageBytes } from '../protocol/message.ts'
import { type MethodDefinition, streamsRequests } from '../protocol/method.ts'
import { RpcError } from '../protocol/rpc-error.ts'

/** How requests are read. */
export interface RequestSettings {
  readonly maxRecvMessageBytes: number
  readonly compressors: Compressors
}

/** Hears of a {@link RequestReader}; nothing after a fault. */
export interface RequestReaderOwner {
  /** The one request is here and nothing follows. Not for streams. */
  onRequest(): void
  onRequestFault(error: RpcError): void
}

export class RequestReader implements MessageReceiverOwner<unknown>, MessageQueueOwner {
  private readonly stream: Stream
  private readonly method: MethodDefinition
  private readonly settings: RequestSettings
  /** grpc-encoding of the request. */
  private readonly encoding: string
  private readonly observer: RpcObserver | undefined
  private readonly owner: RequestReaderOwner
  /** Of a call that streams its requests. */
  private readonly queue: MessageQueue<unknown> | undefined
  /** Made for whatever is not one whole message in one piece. */
  private receiver: MessageReceiver<unknown> | undefined = undefined
  private request: unknown = undefined
  private hasRequest = false
  private stopped = false

  public constructor(
    stream: Stream,
    method: MethodDefinition,
    settings: RequestSettings,
    encoding: string,
    observer: RpcObserver | undefined,
    owner: RequestReaderOwner,
  ) {
    this.stream = stream
    this.method = method
    this.settings = settings
    this.encoding = encoding
    this.observer = observer
    this.owner = owner
    this.queue = streamsRequests(method.kind) ? new MessageQueue(this) : undefined
  }

  /** What the handler is given: the request, or the stream of them. Asked for once. */
  public takeInput(): unknown {
    const { request } = this
    this.request = undefined
    return this.queue ?? request
  }

  /** Takes a chunk of DATA, *borrowed*. */
  public push(buf: Buffer, start: number, end: number): void {
    if (this.stopped) {
      this.stream.credit(end - start)
      return
    }
    // The common request: one message, whole, uncompressed, in one frame.
    if (this.receiver === undefined) {
      const messageBytes = wholeMessageBytes(buf, start, end)
      if (messageBytes >= 0 && messageBytes <= this.settings.maxRecvMessageBytes) {
        this.decodeWhole(buf, start + PREFIX_BYTES, end)
        return
      }
      const { maxRecvMessageBytes, compressors } = this.settings
      const compressor = compressors.get(this.encoding)
      const { request } = this.method
      this.receiver = new MessageReceiver(request, this, maxRecvMessageBytes, compressor)
    }
    this.receiver.push(buf, start, end)
  }

  /** The client's half has ended. */
  public end(): void {
    if (this.stopped) return
    if (this.receiver === undefined) this.onMessagesEnd()
    else this.receiver.end()
  }

  /** The call is over: what comes is dropped, and whoever reads is told why. */
  public stop(error: RpcError | undefined): void {
    this.drop()
    if (error === undefined) void this.queue?.return()
    else this.queue?.end(error)
  }

  // ── MessageReceiverOwner

  public get hasUntaken(): boolean {
    return this.queue?.isEmpty === false
  }

  public onMessage(
    message: unknown,
    wireBytes: number,
    messageBytes: number,
    compressed: boolean,
  ): void {
    this.observer?.received(message, messageBytes, wireBytes, compressed)
    if (this.queue !== undefined) {
      this.queue.push(message, wireBytes)
    } else if (this.hasRequest) {
      this.owner.onRequestFault(cardinality('more than one request', this.method.path))
    } else {
      this.request = message
      this.hasRequest = true
    }
  }

  public onPartialMessage(missingBytes: number): void {
    if (this.queue === undefined || this.queue.isAwaited) this.stream.expect(missingBytes)
  }

  public onMessagesEnd(): void {
    if (this.queue !== undefined) this.queue.end()
    else if (this.hasRequest) this.owner.onRequest()
    else this.owner.onRequestFault(cardinality('no request', this.method.path))
  }

  public onMessageFault(error: RpcError): void {
    this.owner.onRequestFault(error)
  }

  // ── MessageQueueOwner

  public messageTaken(wireBytes: number): void {
    this.stream.credit(wireBytes)
    this.receiver?.resume()
  }

  public readerWaits(): void {
    const missingBytes = this.receiver?.missingBytes ?? 0
    if (missingBytes > 0) this.stream.expect(missingBytes)
  }

  /** The handler has read enough; the answer is still due. */
  public readerLeft(): void {
    this.drop()
  }

  private drop(): void {
    this.stopped = true
    this.receiver?.stop()
  }

  private decodeWhole(buf: Buffer, start: number, end: number): void {
    let message: unknown
    try {
      message = decodeMessage(this.method.request, buf, start, end, false)
    } catch (thrown) {
      this.owner.onRequestFault(RpcError.from(thrown))
      return
    }
    this.onMessage(message, PREFIX_BYTES + end - start, end - start, false)
  }
}
