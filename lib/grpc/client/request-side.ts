// The sending half of a client's call: one request that is put on each attempt's stream, or a sender
// that keeps what may have to be sent again. The base of ClientCall and no object of its own, because
// every call would have to pay for one. Does not know attempts beyond their streams.
import type { Status } from '../../base/status.ts'
import type { Stream } from '../../transport/index.ts'
import {
  MessageSender,
  type MessageSenderOwner,
  type OnSent,
  putMessage,
  type SendOptions,
} from '../call/message-sender.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import type { MethodPlan } from './method-plan.ts'

/** Requests kept for another try; grpc-go's replay buffer, gRFC A6. */
const MAX_KEPT_BYTES = 256 * 1024

export abstract class RequestSide<Req, Res> implements MessageSenderOwner {
  /** Under the service config, once the call knows it. */
  public plan: MethodPlan<Req, Res>
  /** What the call failed with; undefined while it is not over, or when it ended well. */
  public error: RpcError | undefined = undefined
  /** Of a call that keeps its requests: for all attempts. Otherwise made where one is needed. */
  protected sender: MessageSender<Req> | undefined = undefined
  /** The request of a call that sends just one and does not keep it encoded. */
  private request: Req | undefined = undefined
  /** Requests go by a sender that keeps them for other attempts. */
  private keepsRequests = false

  protected constructor(plan: MethodPlan<Req, Res>) {
    this.plan = plan
  }

  public abstract get isOver(): boolean

  /**
   * Sends a request; resolves when another may be sent, with false when the call is over and takes
   * no more. Rejects with the call's error. For calls whose requests are streamed.
   */
  public async send(request: Req, options?: SendOptions): Promise<boolean> {
    const { sender } = this
    if (!this.isOver) {
      try {
        if (sender?.write(request, options) === false) await sender.writable()
      } catch (thrown) {
        // A request that is lost may be the one that matters: the call fails.
        this.onSendFault(RpcError.from(thrown))
      }
    }
    if (this.error !== undefined) throw this.error
    return !this.isOver
  }

  /** No request follows. */
  public end(): void {
    this.sender?.end()
  }

  /** A stream has room again. */
  public onRoomToSend(): void {
    this.sender?.onWritable()
  }

  // ── MessageSenderOwner

  public onSendFault(error: RpcError): void {
    this.abort(error.toStatus())
  }

  public abstract onReplayLost(): void

  // ── for the call

  /** Ends the call from this side. */
  protected abstract abort(status: Status): void

  /** Who hears of each message put on a stream, if somebody measures. */
  protected abstract onSent(): OnSent<Req> | undefined

  /** The call's one request. */
  protected hold(request: Req): void {
    this.request = request
  }

  /** Requests will come by {@link RequestSide.send}. */
  protected holdStream(): void {
    this.openSender()
  }

  /** Goes by another plan. `tries`: there may be several attempts, so nothing is encoded twice. */
  protected replan(plan: MethodPlan<Req, Res>, tries: boolean): void {
    this.plan = plan
    try {
      this.sender?.configure(plan.sending)
      if (tries && !this.keepsRequests) this.keepRequest()
    } catch (thrown) {
      this.onSendFault(RpcError.from(thrown))
    }
  }

  /** Puts all that there is on the stream of an attempt, and what follows. */
  protected sendOn(stream: Stream): void {
    if (this.keepsRequests) {
      this.sender?.attach(stream)
      return
    }
    const { codec, maxMessageBytes, compressor } = this.plan.sending
    const request = this.request as Req
    try {
      if (compressor !== undefined) this.sendCompressed(stream, request)
      else putMessage(stream, codec, request, maxMessageBytes, true, this.onSent())
    } catch (thrown) {
      this.onSendFault(RpcError.from(thrown))
    }
  }

  /** Whether another stream could get all that was sent. */
  protected get replayable(): boolean {
    return !this.keepsRequests || this.sender?.replayable === true
  }

  /** The call is over. */
  protected stopSending(): void {
    this.sender?.stop()
    this.request = undefined
  }

  private keepRequest(): void {
    const sender = this.openSender()
    sender.write(this.request as Req)
    sender.end()
    this.request = undefined
  }

  private openSender(): MessageSender<Req> {
    const { sending } = this.plan
    this.keepsRequests = true
    this.sender = new MessageSender(sending, this, this.onSent(), undefined, MAX_KEPT_BYTES)
    return this.sender
  }

  private sendCompressed(stream: Stream, request: Req): void {
    this.sender = new MessageSender(this.plan.sending, this, this.onSent(), stream)
    this.sender.write(request)
    this.sender.end()
  }
}
