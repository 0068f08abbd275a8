// A channel over one given connection, for what a channel asks of a server on its own behalf: its
// health, its load. Such calls are nobody's: no interceptors, no stats, no part in idleness; the
// channel's credentials go along. They fail when the connection takes no more streams.
// Source: grpc-go newNonRetryClientStream.
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { Code, type Status } from '../../base/status.ts'
import type { CallChannel, CallConfig } from '../client/call-channel.ts'
import type { CallCredentials } from '../client/credentials.ts'
import { MethodCaller } from '../client/invoke.ts'
import type { StatsHandler } from '../observe/stats.ts'
import { Compressors } from '../protocol/compression.ts'
import type { MethodDefinition } from '../protocol/method.ts'
import { Remembered } from '../protocol/remembered.ts'
import { parseResponseHead, type ResponseHead } from '../protocol/response-headers.ts'
import type { ChannelTransport } from './channel-transport.ts'
import type { Connector } from './connector.ts'
import type { PendingPick } from './picker-wrapper.ts'

const GONE: Status = { code: Code.Unavailable, message: 'the connection takes no more calls' }

/** The application's config is about the application's calls. */
const NO_CONFIG: CallConfig = {
  methodSettings: () => undefined,
  retries: false,
  throttle: undefined,
}

/** See above. */
export class SubConnChannel implements CallChannel {
  public readonly clock: Clock
  public readonly random: Random
  public readonly authority: string
  public readonly secure: boolean
  public readonly stats: StatsHandler | undefined = undefined
  public readonly compressors: Compressors = new Compressors()
  public readonly responseHeads: Remembered<ResponseHead> = new Remembered(parseResponseHead)
  public readonly callCredentials: CallCredentials | undefined
  public readonly callConfig: CallConfig = NO_CONFIG
  private readonly userAgent: string
  private readonly transport: ChannelTransport

  public constructor(connector: Connector, transport: ChannelTransport) {
    this.clock = connector.clock
    this.random = connector.random
    this.authority = connector.authority
    this.secure = connector.credentials?.tls !== undefined
    this.callCredentials = connector.credentials?.call
    this.userAgent = connector.userAgent
    this.transport = transport
  }

  public caller<Req, Res>(method: MethodDefinition<Req, Res>): MethodCaller<Req, Res> {
    return new MethodCaller(
      this,
      { userAgent: this.userAgent, interceptors: [], options: {} },
      method,
    )
  }

  public pick(call: PendingPick): ChannelTransport | undefined {
    if (this.transport.canOpen) return this.transport
    call.onPickFailed(GONE, false)
    return undefined
  }

  public cancelPick(): void {}
  public awaitConfig(): void {}
  public cancelConfig(): void {}
  public callStarted(): void {}
  public callEnded(): void {}
  public reportFault(): void {}
}
