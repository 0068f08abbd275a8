// One try of a call on one stream: from the response's frames to messages and a status.
// Knows nothing of picking, deadlines and retries; its ClientCall does.
import { Code, type Status } from '../../base/status.ts'
import {
  type ClientTransport,
  ErrorCode,
  type HeaderBlock,
  type HeadersKind,
  type Stream,
  type StreamClosed,
  type StreamHandler,
} from '../../transport/index.ts'
import { MessageReceiver, type MessageReceiverOwner } from '../call/message-receiver.ts'
import type { Codec } from '../protocol/codec.ts'
import { type Compressors, unknownEncoding } from '../protocol/compression.ts'
import { decodeMessage, PREFIX_BYTES, wholeMessageBytes } from '../protocol/message.ts'
import type { Remembered } from '../protocol/remembered.ts'
import { type EndingStatus, parseEnding, type ResponseHead } from '../protocol/response-headers.ts'
import { RpcError } from '../protocol/rpc-error.ts'

/** What an attempt tells its call. */
export interface AttemptOwner<Res> {
  readonly codec: Codec<Res>
  readonly compressors: Compressors
  /** Equal blocks of a connection share one list: most heads are read only once. */
  readonly responseHeads: Remembered<ResponseHead>
  readonly maxRecvMessageBytes: number
  /** Whether more than one response may come. */
  readonly streamsResponses: boolean
  /** Whether responses wait for their reader. */
  readonly hasUntaken: boolean
  onResponseHeaders(block: HeaderBlock): void
  onResponse(message: Res, wireBytes: number, messageBytes: number, compressed: boolean): void
  onRoomToSend(): void
  /** Whether somebody waits for a response, so that a large one may come whole. */
  readonly awaitsResponse: boolean
  /** The attempt is over. `trailers` is absent when none came. */
  onAttemptEnd(status: EndingStatus, trailers: HeaderBlock | undefined): void
  /** The stream is gone and no status had come. */
  onAttemptClosed(closed: StreamClosed): void
}

export class Attempt<Res> implements StreamHandler, MessageReceiverOwner<Res> {
  /** Whether anything of a response came: then the attempt is the call's last. */
  public answered = false
  private readonly owner: AttemptOwner<Res>
  /** Undefined while the transport opens it, or refuses to. */
  private stream: Stream | undefined = undefined
  private head: ResponseHead | undefined
  private receiver: MessageReceiver<Res> | undefined
  private ending: EndingStatus | undefined
  private trailers: HeaderBlock | undefined
  private over = false

  public constructor(owner: AttemptOwner<Res>) {
    this.owner = owner
  }

  /** Opens the stream with its request headers. */
  public open(
    transport: { openStream: ClientTransport['openStream'] },
    fields: readonly string[],
    extraFields: readonly string[] | undefined,
  ): Stream {
    this.stream = transport.openStream(fields, this, extraFields)
    return this.stream
  }

  /** Whether any octet of it can have reached the server. */
  public get wasWritten(): boolean {
    return this.stream !== undefined && this.stream.id !== 0
  }

  /** Gives the stream up; nothing more is told. */
  public cancel(code: ErrorCode, token: string): void {
    if (this.over) return
    this.over = true
    this.receiver?.stop()
    this.stream?.reset(code, token)
  }

  /** Somebody waits for a response: lets the rest of a large one come, if one is under way. */
  public responseAwaited(): void {
    const missingBytes = this.receiver?.missingBytes ?? 0
    if (missingBytes > 0 && !this.over) this.stream?.expect(missingBytes)
  }

  /** The application took a response that cost `wireBytes` of the window. */
  public responseTaken(wireBytes: number): void {
    this.stream?.credit(wireBytes)
    this.receiver?.resume()
  }

  // ── StreamHandler

  public onHeaders(block: HeaderBlock, kind: HeadersKind, endStream: boolean): void {
    if (this.over || kind === 'informational') return
    this.answered = true
    if (endStream) {
      this.trailers = block
      this.ending = parseEnding(block.fields, this.head)
      return
    }
    this.head = this.owner.responseHeads.of(block.fields)
    const { fault, encoding } = this.head
    if (fault !== undefined) this.fail(fault)
    else if (!this.owner.compressors.knows(encoding)) {
      this.fail(unknownEncoding(encoding, 'client').toStatus())
    } else this.owner.onResponseHeaders(block)
  }

  public onData(buf: Buffer, start: number, end: number): void {
    if (this.over) return
    // The common answer: one message, whole, uncompressed, in one frame.
    if (this.receiver === undefined) {
      const messageBytes = wholeMessageBytes(buf, start, end)
      if (messageBytes >= 0 && messageBytes <= this.owner.maxRecvMessageBytes) {
        this.decodeWhole(buf, start + PREFIX_BYTES, end)
        return
      }
      this.receiver = this.createReceiver()
    }
    this.receiver.push(buf, start, end)
  }

  public onEnd(): void {
    if (this.over) return
    if (this.receiver === undefined) this.onMessagesEnd()
    else this.receiver.end()
  }

  public onWritable(): void {
    if (!this.over) this.owner.onRoomToSend()
  }

  public onClosed(closed: StreamClosed): void {
    if (this.over) return
    // All is here; only a decompression, or a reader, is awaited.
    if (this.ending !== undefined) return
    this.over = true
    this.receiver?.stop()
    this.owner.onAttemptClosed(closed)
  }

  // ── MessageReceiverOwner

  public get hasUntaken(): boolean {
    return this.owner.hasUntaken
  }

  public onMessage(
    message: Res,
    wireBytes: number,
    messageBytes: number,
    compressed: boolean,
  ): void {
    this.owner.onResponse(message, wireBytes, messageBytes, compressed)
  }

  public onPartialMessage(missingBytes: number): void {
    if (this.owner.awaitsResponse) this.stream?.expect(missingBytes)
  }

  public onMessagesEnd(): void {
    if (this.over) return
    this.over = true
    const status = this.ending ?? {
      code: Code.Internal,
      message: 'the server ended the stream without a status',
    }
    // The server is done; what we still send is not wanted.
    this.stream?.reset(ErrorCode.NO_ERROR, 'call_over')
    this.owner.onAttemptEnd(status, this.trailers)
  }

  public onMessageFault(error: RpcError): void {
    this.fail(error.toStatus())
  }

  private fail(status: Status): void {
    this.cancel(ErrorCode.CANCEL, 'response_fault')
    this.owner.onAttemptEnd(status, undefined)
  }

  private decodeWhole(buf: Buffer, start: number, end: number): void {
    let message: Res
    try {
      message = decodeMessage(this.owner.codec, buf, start, end, false)
    } catch (thrown) {
      this.fail(RpcError.from(thrown).toStatus())
      return
    }
    this.owner.onResponse(message, PREFIX_BYTES + end - start, end - start, false)
  }

  private createReceiver(): MessageReceiver<Res> {
    const { owner } = this
    const compressor = owner.compressors.get(this.head?.encoding ?? 'identity')
    return new MessageReceiver(owner.codec, this, owner.maxRecvMessageBytes, compressor)
  }
}
