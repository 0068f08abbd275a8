// Keeps one call with a stream of responses running over one connection: begun anew whenever it ends,
// at once if it had a response and lasted as long as the first backoff, otherwise after a backoff.
// Does not know what it watches.
// Source: grpc/doc/health-checking.md, gRFC A51; grpc-go health/client.go, orca/producer.go.
import { backoffMs } from '../../base/backoff.ts'
import type { Timer } from '../../base/clock.ts'
import type { StreamCall } from '../client/stream-call.ts'
import type { MethodDefinition } from '../protocol/method.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import type { ChannelTransport } from './channel-transport.ts'
import type { Connector } from './connector.ts'
import { SubConnChannel } from './sub-conn-channel.ts'

/** Hears what becomes of a {@link WatchCall}. */
export interface WatchCallListener<Res> {
  /** A call begins. */
  onBegin?(): void
  onResponse(message: Res): void
  /** A call is over, with its error unless its status is OK. False: no other one is begun. */
  onEnd(error: RpcError | undefined): boolean
}

/** Runs from its construction to `stop`, after which it tells nothing. */
export class WatchCall<Req, Res> {
  private readonly connector: Connector
  private readonly begin: () => void
  private readonly listener: WatchCallListener<Res>
  /** The call that is open; what another one still tells is not listened to. */
  private call: Pick<StreamCall<Req, Res>, 'cancel' | 'consume'> | undefined
  private backoffTimer: Timer | undefined
  private failures = 0

  public constructor(
    connector: Connector,
    transport: ChannelTransport,
    method: MethodDefinition<Req, Res>,
    request: Req,
    listener: WatchCallListener<Res>,
  ) {
    const caller = new SubConnChannel(connector, transport).caller(method)
    this.connector = connector
    this.listener = listener
    this.begin = () => {
      listener.onBegin?.()
      this.follow(caller.stream(undefined, { message: request }))
    }
    this.begin()
  }

  public stop(): void {
    const { call } = this
    this.call = undefined
    this.backoffTimer?.cancel()
    call?.cancel('nobody watches any more')
  }

  private follow(call: Pick<StreamCall<Req, Res>, 'cancel' | 'consume'>): void {
    const beginMs = this.connector.clock.nowMs()
    this.call = call
    let hasResponse = false
    const onResponse = (message: Res): void => {
      if (this.call !== call) return
      hasResponse = true
      this.listener.onResponse(message)
    }
    const onEnd = (thrown?: unknown): void => {
      if (this.call !== call) return
      const error = thrown === undefined ? undefined : RpcError.from(thrown)
      this.ended(error, hasResponse, beginMs)
    }
    call.consume(onResponse).then(() => onEnd(), onEnd)
  }

  private ended(error: RpcError | undefined, hasResponse: boolean, beginMs: number): void {
    const { clock, random, backoff } = this.connector
    this.call = undefined
    if (!this.listener.onEnd(error)) return
    if (hasResponse) this.failures = 0
    const backoffForMs = backoffMs(this.failures, random, backoff)
    const waitMs = hasResponse ? beginMs + backoffForMs - clock.nowMs() : backoffForMs
    if (!hasResponse) this.failures += 1
    if (waitMs <= 0) this.begin()
    else this.backoffTimer = clock.timer(waitMs, this.begin, false)
  }
}
