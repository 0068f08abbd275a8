// Calls with a stream on either side, as their caller holds them: send, end, read, cancel.
import { Code } from '../../base/status.ts'
import { MessageQueue, type MessageQueueOwner } from '../call/message-queue.ts'
import type { SendOptions } from '../call/message-sender.ts'
import type { Metadata } from '../protocol/metadata.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import type { CallChannel, ResponseSink } from './call-channel.ts'
import type { CallOptions } from './call-options.ts'
import { ClientCall } from './client-call.ts'
import type { MethodPlan } from './method-plan.ts'

/** What every streaming call offers. */
export interface CallHandle {
  /** The response's headers. Rejects when the call fails before they come. */
  readonly headers: Promise<Metadata>
  /** The trailers, once the call is over, also when it failed. */
  readonly trailers: Promise<Metadata>
  /** The server's address, once there is a connection. */
  readonly peerAddress: string | undefined
  /** Ends the call with CANCELLED. */
  cancel(message?: string, cause?: unknown): void
}

/** The receiving half: a loop over it reads all responses; leaving the loop cancels the call. */
export interface Responses<Res> extends AsyncIterable<Res> {
  /** The push form: `onMessage` hears each response; resolves at the end, rejects with RpcError. */
  consume(onMessage: (response: Res) => void): Promise<void>
}

/** The sending half. */
export interface Requests<Req> {
  /**
   * Sends a request; resolves when another may be sent, with false when the server has ended the call
   * and takes no more. Rejects with RpcError once the call failed. Need not be awaited: what is sent
   * meanwhile waits in memory. Behind interceptors `options` stay with the object `request`: they hold
   * wherever it is passed on, and not for what an interceptor sends in its place.
   */
  send(request: Req, options?: SendOptions): Promise<boolean>
  /** Says that no request follows. */
  end(): void
}

/** A call with one request and a stream of responses. */
export interface ServerStreamCall<Res> extends CallHandle, Responses<Res> {}

/** A call with a stream of requests and one response. */
export interface ClientStreamCall<Req, Res> extends CallHandle, Requests<Req> {
  /** The response. Rejects with RpcError. */
  readonly response: Promise<Res>
}

/** A call with streams both ways. */
export interface BidiCall<Req, Res> extends CallHandle, Responses<Res>, Requests<Req> {}

/** A promise with its ends, made when first asked for; nobody has to look at it. */
class Later<T> {
  private promise: Promise<T> | undefined
  private settle: ((promise: Promise<T>) => void) | undefined
  private outcome: Promise<T> | undefined

  public get value(): Promise<T> {
    this.promise ??=
      this.outcome ??
      new Promise((resolve) => {
        this.settle = resolve
      })
    this.promise.catch(ignore)
    return this.promise
  }

  public resolve(value: T): void {
    this.become(Promise.resolve(value))
  }

  public reject(error: unknown): void {
    const outcome = Promise.reject(error)
    outcome.catch(ignore)
    this.become(outcome)
  }

  private become(outcome: Promise<T>): void {
    if (this.outcome !== undefined) return
    this.outcome = outcome
    this.settle?.(outcome)
  }
}

function ignore(): void {}

/** The handle of a streaming call of any kind; the caller sees the part that its kind has. */
export class StreamCall<Req, Res>
  implements
    ServerStreamCall<Res>,
    ClientStreamCall<Req, Res>,
    BidiCall<Req, Res>,
    ResponseSink<Res>,
    MessageQueueOwner
{
  private readonly call: ClientCall<Req, Res>
  private readonly queue: MessageQueue<Res> = new MessageQueue<Res>(this)
  private readonly laterHeaders = new Later<Metadata>()
  private readonly laterTrailers = new Later<Metadata>()
  private readonly laterResponse = new Later<Res>()
  private halfClosed = false
  private single: { readonly message: Res } | undefined

  public constructor(channel: CallChannel, plan: MethodPlan<Req, Res>, options: CallOptions) {
    this.call = new ClientCall(channel, plan, this.listening(options), this)
  }

  /** Begins the call with its one request, or without. */
  public begin(request?: { readonly message: Req }): this {
    this.halfClosed = request !== undefined
    if (request === undefined) this.call.startStreaming()
    else this.call.startWithRequest(request.message)
    return this
  }

  /** What the call failed with, once it is over. */
  public get failure(): RpcError | undefined {
    return this.call.error
  }

  public get headers(): Promise<Metadata> {
    return this.laterHeaders.value
  }

  public get trailers(): Promise<Metadata> {
    return this.laterTrailers.value
  }

  public get response(): Promise<Res> {
    return this.laterResponse.value
  }

  public get peerAddress(): string | undefined {
    return this.call.peerAddress
  }

  public send(request: Req, options?: SendOptions): Promise<boolean> {
    const sent = this.halfClosed ? Promise.reject(sendAfterEnd()) : this.call.send(request, options)
    // Who does not await it learns of the failure where responses are read.
    sent.catch(ignore)
    return sent
  }

  public end(): void {
    this.halfClosed = true
    this.call.end()
  }

  public cancel(message?: string, cause?: unknown): void {
    this.call.cancel(message, cause)
  }

  public consume(onMessage: (response: Res) => void): Promise<void> {
    return this.queue.consume(onMessage)
  }

  public [Symbol.asyncIterator](): AsyncIterator<Res> {
    return this.queue
  }

  // ── ResponseSink

  public get awaitsResponse(): boolean {
    return this.queue.isAwaited
  }

  public get hasUntaken(): boolean {
    // A second response where one is due has to be found out, read or not.
    return this.call.streamsResponses && !this.queue.isEmpty
  }

  public onResponse(message: Res, wireBytes: number): void {
    this.queue.push(message, wireBytes)
    if (!this.call.streamsResponses) this.single = { message }
  }

  public onEnd(error: RpcError | undefined): void {
    this.queue.end(error)
    if (error === undefined && this.single !== undefined) {
      this.laterResponse.resolve(this.single.message)
    }
    const failure = error ?? new RpcError(Code.Internal, 'the call ended without them')
    this.laterHeaders.reject(failure)
    this.laterResponse.reject(failure)
  }

  // ── MessageQueueOwner

  public messageTaken(wireBytes: number): void {
    this.call.responseTaken(wireBytes)
  }

  public readerWaits(): void {
    this.call.responseAwaited()
  }

  public readerLeft(): void {
    this.call.cancel('the reader left the stream')
  }

  private listening(options: CallOptions): CallOptions {
    return {
      ...options,
      onHeaders: (headers) => {
        this.laterHeaders.resolve(headers)
        options.onHeaders?.(headers)
      },
      onTrailers: (trailers) => {
        this.laterTrailers.resolve(trailers)
        options.onTrailers?.(trailers)
      },
    }
  }
}

/**
 * Sends all requests of an iterable at the wire's pace, each with what `optionsOf` says of it, then
 * ends. A fault in it cancels the call; once the call is over the iterable is left. Never rejects.
 */
export async function sendAll<Req>(
  call: Requests<Req> & CallHandle,
  requests: AsyncIterable<Req> | Iterable<Req>,
  optionsOf?: (request: Req) => SendOptions | undefined,
): Promise<void> {
  try {
    for await (const request of requests) {
      if (!(await call.send(request, optionsOf?.(request)))) return
    }
    call.end()
  } catch (thrown) {
    const text = thrown instanceof Error ? thrown.message : RpcError.from(thrown).rawMessage
    call.cancel(`the requests failed: ${text}`, thrown)
  }
}

/** The error of a request that comes too late. */
export function sendAfterEnd(): RpcError {
  return new RpcError(Code.Internal, 'a request was sent after the end of requests', {
    token: 'send_after_end',
  })
}
