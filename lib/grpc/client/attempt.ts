// One try of a call: it asks for a transport, opens one stream there, and makes messages and a status
// of the response's frames. Knows nothing of deadlines and other tries; its ClientCall does.
import type { PickOutcome } from '../../balancer/index.ts'
import { Code, type Status } from '../../base/status.ts'
import {
  ErrorCode,
  type HeaderBlock,
  type HeadersKind,
  type Stream,
  type StreamClosed,
  type StreamHandler,
} from '../../transport/index.ts'
import { MessageReceiver, type MessageReceiverOwner } from '../call/message-receiver.ts'
import type { PendingPick } from '../channel/picker-wrapper.ts'
import type { RpcObserver } from '../observe/rpc-observer.ts'
import { unknownEncoding } from '../protocol/compression.ts'
import { loadReportOf } from '../protocol/load-report.ts'
import { decodeMessage, PREFIX_BYTES, wholeMessageBytes } from '../protocol/message.ts'
import { Metadata } from '../protocol/metadata.ts'
import { type EndingStatus, parseEnding, type ResponseHead } from '../protocol/response-headers.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import type { CallChannel, CallTransport } from './call-channel.ts'
import type { MethodPlan } from './method-plan.ts'

/** An attempt's call: what it asks for, and what the attempt tells it. */
export interface AttemptOwner<Res> {
  readonly channel: CallChannel
  readonly plan: MethodPlan<unknown, Res>
  readonly waitForReady: boolean
  /** A field of the call's metadata. */
  header(name: string): string | undefined
  /** Whether responses wait for their reader. */
  readonly hasUntaken: boolean
  /** Whether somebody waits for a response, so that a large one may come whole. */
  readonly awaitsResponse: boolean
  /** There is a transport: the attempt wants to be opened. */
  onTransport(attempt: Attempt<Res>, transport: CallTransport): void
  /** There will be none; the attempt is over. */
  onPickFailed(attempt: Attempt<Res>, status: Status, dropped: boolean): void
  onResponseHeaders(attempt: Attempt<Res>, block: HeaderBlock): void
  onResponse(message: Res, wireBytes: number): void
  onRoomToSend(): void
  /** The attempt is over. `trailers` is absent when none came. */
  onAttemptEnd(attempt: Attempt<Res>, status: EndingStatus, trailers: HeaderBlock | undefined): void
  /** The attempt is over: its stream is gone and no status had come. */
  onAttemptClosed(attempt: Attempt<Res>, closed: StreamClosed): void
}

export class Attempt<Res> implements StreamHandler, MessageReceiverOwner<Res>, PendingPick {
  /** Set by the picker with the transport; called once with how the attempt ended. */
  public onPickDone: ((outcome: PickOutcome) => void) | undefined = undefined
  /** Set by the picker: why the attempt waits. */
  public latestFailure: Status | undefined = undefined
  /** Undefined until the picker gave one. */
  public transport: CallTransport | undefined = undefined
  /** Undefined until the transport opened it, or while it refuses to. */
  public stream: Stream | undefined = undefined
  /** Attempts before this one that the server may know of. */
  public readonly previousAttempts: number
  /** Hears of this attempt alone. */
  public observer: RpcObserver | undefined
  private readonly owner: AttemptOwner<Res>
  private head: ResponseHead | undefined
  private receiver: MessageReceiver<Res> | undefined
  private ending: EndingStatus | undefined
  private trailers: HeaderBlock | undefined
  private over = false

  public constructor(owner: AttemptOwner<Res>, previousAttempts: number) {
    this.owner = owner
    this.previousAttempts = previousAttempts
  }

  /** No more comes of it. */
  public get isOver(): boolean {
    return this.over
  }

  /** Whether anything of a response came. */
  public get answered(): boolean {
    return this.head !== undefined || this.ending !== undefined
  }

  /** Asks for a transport, which may come, or not, before this returns. */
  public pick(): void {
    const transport = this.owner.channel.pick(this)
    if (transport !== undefined) this.onTransport(transport)
  }

  /** Opens the stream with its request headers. */
  public open(
    transport: CallTransport,
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

  /** Gives the stream up, or the wait for one; nothing more is told. */
  public cancel(code: ErrorCode, token: string): void {
    if (this.over) return
    this.over = true
    if (this.transport === undefined) this.owner.channel.cancelPick(this)
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

  /** Tells those who measure how it ended; once. */
  public done(status: Status, trailers: HeaderBlock | undefined): void {
    const { onPickDone, observer } = this
    this.onPickDone = undefined
    onPickDone?.({
      status,
      bytesSent: this.wasWritten,
      bytesReceived: this.answered,
      load: () => trailers && loadReportOf(Metadata.fromFields(trailers.fields)),
    })
    this.observer = undefined
    observer?.end(status)
  }

  // ── PendingPick

  public get path(): string {
    return this.owner.plan.method.path
  }

  public get waitForReady(): boolean {
    return this.owner.waitForReady
  }

  public header(name: string): string | undefined {
    return this.owner.header(name)
  }

  public onTransport(transport: CallTransport): void {
    if (this.over) return
    this.transport = transport
    this.owner.onTransport(this, transport)
  }

  public onPickFailed(status: Status, dropped: boolean): void {
    if (this.over) return
    this.over = true
    this.owner.onPickFailed(this, status, dropped)
  }

  // ── StreamHandler

  public onHeaders(block: HeaderBlock, kind: HeadersKind, endStream: boolean): void {
    if (this.over || kind === 'informational') return
    if (endStream) {
      this.trailers = block
      this.ending = parseEnding(block.fields, this.head)
      return
    }
    this.head = this.owner.channel.responseHeads.of(block.fields)
    const { fault, encoding } = this.head
    if (fault !== undefined) this.fail(fault)
    else if (!this.owner.channel.compressors.knows(encoding)) {
      this.fail(unknownEncoding(encoding, 'client').toStatus())
    } else {
      this.observer?.tell({ kind: 'inHeader', fields: block.fields, wireBytes: block.wireBytes })
      this.owner.onResponseHeaders(this, block)
    }
  }

  public onData(buf: Buffer, start: number, end: number): void {
    if (this.over) return
    // The common answer: one message, whole, uncompressed, in one frame.
    if (this.receiver === undefined) {
      const messageBytes = wholeMessageBytes(buf, start, end)
      if (messageBytes >= 0 && messageBytes <= this.owner.plan.maxRecvMessageBytes) {
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
    this.owner.onAttemptClosed(this, closed)
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
    this.observer?.received(message, messageBytes, wireBytes, compressed)
    this.owner.onResponse(message, wireBytes)
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
    this.end(status, this.trailers)
  }

  public onMessageFault(error: RpcError): void {
    this.fail(error.toStatus())
  }

  private fail(status: Status): void {
    this.cancel(ErrorCode.CANCEL, 'response_fault')
    this.end(status, undefined)
  }

  private end(status: EndingStatus, trailers: HeaderBlock | undefined): void {
    if (trailers !== undefined) {
      const { fields, wireBytes } = trailers
      this.observer?.tell({ kind: 'inTrailer', fields, wireBytes })
    }
    this.owner.onAttemptEnd(this, status, trailers)
  }

  private decodeWhole(buf: Buffer, start: number, end: number): void {
    let message: Res
    try {
      message = decodeMessage(this.owner.plan.method.response, buf, start, end, false)
    } catch (thrown) {
      this.fail(RpcError.from(thrown).toStatus())
      return
    }
    this.onMessage(message, PREFIX_BYTES + end - start, end - start, false)
  }

  private createReceiver(): MessageReceiver<Res> {
    const { channel, plan } = this.owner
    const compressor = channel.compressors.get(this.head?.encoding ?? 'identity')
    return new MessageReceiver(plan.method.response, this, plan.maxRecvMessageBytes, compressor)
  }
}
