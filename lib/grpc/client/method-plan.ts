// What is the same for every call of a method: with these options, under one service config.
import { Code } from '../../base/status.ts'
import type { SendingOptions } from '../call/message-sender.ts'
import type { AttemptPolicy, MethodSettings } from '../channel/method-config.ts'
import { DEFAULT_MIN_COMPRESS_BYTES } from '../protocol/compression.ts'
import {
  DEFAULT_MAX_RECV_MESSAGE_BYTES,
  DEFAULT_MAX_SEND_MESSAGE_BYTES,
} from '../protocol/message.ts'
import type { MethodDefinition } from '../protocol/method.ts'
import { RequestTemplate } from '../protocol/request-headers.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import type { CallChannel, CallConfig } from './call-channel.ts'
import type { CallOptions } from './call-options.ts'
import type { RetryThrottle } from './retry-throttle.ts'

const NO_SETTINGS: MethodSettings = {
  waitForReady: undefined,
  timeoutMs: undefined,
  maxRequestBytes: undefined,
  maxResponseBytes: undefined,
  attempts: undefined,
}

/** The options that a plan depends on. */
export type PlannedOptions = Pick<
  CallOptions,
  'compression' | 'minCompressBytes' | 'maxRecvMessageBytes' | 'maxSendMessageBytes'
>

export class MethodPlan<Req = unknown, Res = unknown> {
  public readonly method: MethodDefinition<Req, Res>
  public readonly template: RequestTemplate
  public readonly sending: SendingOptions<Req>
  public readonly maxRecvMessageBytes: number
  /** For calls that do not say. */
  public readonly waitForReady: boolean
  /** Undefined: no more than the call's own. */
  public readonly timeoutMs: number | undefined
  /** How often a call is tried; undefined: once. */
  public readonly attempts: AttemptPolicy | undefined
  /** To be told of successes, whatever the method; of failures by what tries again. */
  public readonly throttle: RetryThrottle | undefined
  private readonly options: PlannedOptions
  /** The newest config that it was asked for, and itself under that. */
  private config: CallConfig | undefined
  private configured: MethodPlan<Req, Res> | undefined

  private constructor(
    method: MethodDefinition<Req, Res>,
    template: RequestTemplate,
    compressor: SendingOptions<Req>['compressor'],
    options: PlannedOptions,
    settings: MethodSettings,
    config?: CallConfig,
  ) {
    this.method = method
    this.template = template
    this.sending = {
      codec: method.request,
      maxMessageBytes:
        least(options.maxSendMessageBytes, settings.maxRequestBytes) ??
        DEFAULT_MAX_SEND_MESSAGE_BYTES,
      compressor,
      minCompressBytes: options.minCompressBytes ?? DEFAULT_MIN_COMPRESS_BYTES,
    }
    this.maxRecvMessageBytes =
      least(options.maxRecvMessageBytes, settings.maxResponseBytes) ??
      DEFAULT_MAX_RECV_MESSAGE_BYTES
    this.waitForReady = settings.waitForReady ?? false
    this.timeoutMs = settings.timeoutMs
    this.attempts = config?.retries === true ? settings.attempts : undefined
    this.throttle = config?.throttle
    this.options = options
  }

  /** The plan under no service config. Throws RpcError. */
  public static of<Req, Res>(
    channel: CallChannel,
    userAgent: string,
    method: MethodDefinition<Req, Res>,
    options: PlannedOptions,
  ): MethodPlan<Req, Res> {
    const { compression = 'identity' } = options
    const { compressors } = channel
    if (!compressors.knows(compression)) {
      throw new RpcError(Code.Internal, `no compressor for the encoding ${compression}`, {
        token: 'compression_unknown',
      })
    }
    const template = new RequestTemplate({
      scheme: channel.secure ? 'https' : 'http',
      path: method.path,
      authority: channel.authority,
      userAgent,
      contentSubtype: method.request.contentSubtype,
      encoding: compression === 'identity' ? undefined : compression,
      acceptEncoding: compressors.acceptEncoding,
    })
    return new MethodPlan(method, template, compressors.get(compression), options, NO_SETTINGS)
  }

  /** The plan under a service config: itself, when that says nothing of the method. Hot. */
  public under(config: CallConfig): MethodPlan<Req, Res> {
    if (config !== this.config) {
      this.config = config
      this.configured = this.configure(config)
    }
    return this.configured ?? this
  }

  private configure(config: CallConfig): MethodPlan<Req, Res> | undefined {
    const { method, template, sending, options } = this
    const settings = config.methodSettings(method.path)
    if (settings === undefined && config.throttle === undefined) return undefined
    const { compressor } = sending
    return new MethodPlan(method, template, compressor, options, settings ?? NO_SETTINGS, config)
  }
}

/** grpc-go getMaxSize: the smaller one of what is said. */
function least(own: number | undefined, configured: number | undefined): number | undefined {
  if (own === undefined || configured === undefined) return own ?? configured
  return Math.min(own, configured)
}
