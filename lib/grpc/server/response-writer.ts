// The sending half of a call at a server: headers, responses and the status, in this order and each
// as often as may be. What is sent when is ServerCall's business.
//
//   [sendHeaders] ─▶ [write]* ─▶ finish      headers go out with the first of the three
//
// Source: grpc/doc/PROTOCOL-HTTP2.md "Responses".
import { Code, type Status } from '../../base/status.ts'
import type { Stream } from '../../transport/index.ts'
import {
  MessageSender,
  type MessageSenderOwner,
  type OnSent,
  putMessage,
  type SendOptions,
} from '../call/message-sender.ts'
import type { RpcObserver } from '../observe/rpc-observer.ts'
import { acceptsEncoding, type Compressor, type Compressors } from '../protocol/compression.ts'
import { Metadata, type MetadataInit } from '../protocol/metadata.ts'
import { type MethodDefinition, streamsResponses } from '../protocol/method.ts'
import type { RequestHead } from '../protocol/request-headers.ts'
import { type ResponseTemplate, trailerFields } from '../protocol/response-headers.ts'
import { RpcError } from '../protocol/rpc-error.ts'

/** What responses need of their server. */
export interface ResponseSettings {
  readonly compressors: Compressors
  readonly maxSendMessageBytes: number
  readonly minCompressBytes: number
  /** The encoding of responses where the client accepts it; undefined: that of the request. */
  readonly preferredEncoding: string | undefined
  responseTemplate(contentSubtype: string, encoding: string | undefined): ResponseTemplate
}

export class ResponseWriter {
  private readonly settings: ResponseSettings
  private readonly stream: Stream
  private readonly method: MethodDefinition
  private readonly head: RequestHead
  private readonly observer: RpcObserver | undefined
  private readonly owner: MessageSenderOwner
  /** Absent: identity. */
  private compressor: Compressor | undefined
  private sender: MessageSender<unknown> | undefined = undefined
  private headersSent = false
  private headerMetadata: Metadata | undefined = undefined
  private trailerMetadata: Metadata | undefined = undefined

  public constructor(
    settings: ResponseSettings,
    stream: Stream,
    method: MethodDefinition,
    head: RequestHead,
    observer: RpcObserver | undefined,
    owner: MessageSenderOwner,
  ) {
    this.settings = settings
    this.stream = stream
    this.method = method
    this.head = head
    this.observer = observer
    this.owner = owner
    this.compressor = chosenCompressor(settings, head)
  }

  /** Sent with the headers. */
  public get headers(): Metadata {
    this.headerMetadata ??= new Metadata()
    return this.headerMetadata
  }

  /** Sent with the status. */
  public get trailers(): Metadata {
    this.trailerMetadata ??= new Metadata()
    return this.trailerMetadata
  }

  /** Sends the headers now. Throws RpcError when they were sent already. */
  public sendHeaders(metadata: MetadataInit | undefined): void {
    this.beforeHeaders()
    if (metadata !== undefined) this.headers.merge(metadata)
    this.putHeaders()
  }

  /** The encoding of the responses. Throws RpcError when it cannot be chosen, or not any more. */
  public setCompression(encoding: string): void {
    this.beforeHeaders()
    const compressor = this.settings.compressors.get(encoding)
    if (encoding !== 'identity') {
      if (compressor === undefined || !acceptsEncoding(this.head.acceptEncoding, encoding)) {
        throw new RpcError(Code.Internal, `the client does not accept the encoding ${encoding}`, {
          token: 'encoding_not_accepted',
        })
      }
    }
    this.compressor = compressor
  }

  /** Sends a response of a stream of them; false when no more should be before `writable`. */
  public write(response: unknown, options?: SendOptions): boolean {
    if (!streamsResponses(this.method.kind)) {
      throw new RpcError(Code.Internal, `${this.method.path} answers by returning, not by send`, {
        token: 'send_not_streaming',
      })
    }
    return this.openSender().write(response, options)
  }

  public writable(): Promise<void> {
    return this.sender?.writable() ?? Promise.resolve()
  }

  /** Sends the one response, with the headers. Throws RpcError; then nothing was sent. */
  public respond(response: unknown): void {
    const { compressor, method, stream, settings, observer } = this
    if (compressor !== undefined || this.headersSent) {
      this.openSender().write(response)
      return
    }
    const fields = this.template().headers(this.headerMetadata)
    const onSent: OnSent<unknown> | undefined =
      observer &&
      ((...sent) => {
        observer.sentHeaders(fields)
        observer.sent(...sent)
      })
    const { maxSendMessageBytes } = settings
    putMessage(stream, method.response, response, maxSendMessageBytes, false, onSent, fields)
    this.headersSent = true
  }

  /** Whether all responses are on the stream already; if not, see {@link ResponseWriter.afterAll}. */
  public get hasSentAll(): boolean {
    return this.sender === undefined
  }

  /** Runs `task` once all responses are on the stream. */
  public afterAll(task: () => void): void {
    if (this.sender === undefined) task()
    else this.sender.afterAll(task)
  }

  public onWritable(): void {
    this.sender?.onWritable()
  }

  /** Ends the response. Metadata that cannot be sent does not cost the client its status. */
  public finish(status: Status, detailsBin: string | undefined): void {
    this.sender?.stop()
    try {
      this.putStatus(status, detailsBin, this.trailerMetadata)
    } catch (thrown) {
      const { code, message } = RpcError.from(thrown)
      this.headerMetadata = undefined
      this.putStatus(
        { code: status.code === Code.Ok ? code : status.code, message },
        undefined,
        undefined,
      )
    }
  }

  /** The stream is gone: waits end. */
  public stop(): void {
    this.sender?.stop()
  }

  private putStatus(
    status: Status,
    detailsBin: string | undefined,
    metadata: Metadata | undefined,
  ): void {
    const { stream } = this
    if (!this.headersSent && (this.headerMetadata?.size ?? 0) > 0) this.putHeaders()
    const fields = this.headersSent
      ? trailerFields(status, detailsBin, metadata)
      : this.template().trailersOnly(status, detailsBin, metadata)
    if (this.headersSent) stream.trailers(fields)
    else stream.headers(fields, true)
    this.headersSent = true
    this.observer?.tell({ kind: 'outTrailer', fields })
  }

  private beforeHeaders(): void {
    if (!this.headersSent) return
    throw new RpcError(Code.Internal, 'headers were sent already', { token: 'headers_sent_twice' })
  }

  private putHeaders(): void {
    if (this.headersSent) return
    const fields = this.template().headers(this.headerMetadata)
    this.headersSent = true
    this.stream.headers(fields, false)
    this.observer?.sentHeaders(fields)
  }

  private template(): ResponseTemplate {
    return this.settings.responseTemplate(this.head.contentSubtype, this.compressor?.name)
  }

  private openSender(): MessageSender<unknown> {
    if (this.sender !== undefined) return this.sender
    this.putHeaders()
    const { maxSendMessageBytes, minCompressBytes } = this.settings
    const options = {
      codec: this.method.response,
      maxMessageBytes: maxSendMessageBytes,
      minCompressBytes,
      compressor: this.compressor,
    }
    this.sender = new MessageSender(options, this.owner, this.observer?.sent, this.stream)
    return this.sender
  }
}

/** As the server is told, or the encoding of the request; if the client accepts it. */
function chosenCompressor(settings: ResponseSettings, head: RequestHead): Compressor | undefined {
  const { preferredEncoding, compressors } = settings
  const wanted = preferredEncoding ?? head.encoding
  if (wanted === 'identity' || !acceptsEncoding(head.acceptEncoding, wanted)) return undefined
  return compressors.get(wanted)
}
