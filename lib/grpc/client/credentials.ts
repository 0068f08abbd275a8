// Who a client is and whom it trusts: for a channel (TLS or not), and for single calls (metadata).
import { Code } from '../../base/status.ts'
import type { ClientTlsOptions } from '../../transport/index.ts'
import { Metadata, type MetadataInit } from '../protocol/metadata.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import { restrictControlPlaneCode } from '../protocol/status-mapping.ts'

/** What a call's credentials are asked for. */
export interface CallCredentialsContext {
  /** `/package.Service/Method`. */
  readonly path: string
  /** `https://authority/package.Service`, the audience of a token. */
  readonly serviceUrl: string
}

/**
 * Metadata that proves who calls, made for each call; often `{ authorization: 'Bearer …' }`. An
 * RpcError that it throws ends the call with its code, anything else with UNAUTHENTICATED.
 */
export interface CallCredentials {
  metadata(context: CallCredentialsContext): MetadataInit | Promise<MetadataInit>
  /** Sends them also where anyone can read. Default false: such a call fails, UNAUTHENTICATED. */
  readonly allowInsecure?: boolean
}

/** How a channel connects. Made by {@link credentials}. */
export interface ChannelCredentials {
  /** Absent: plain TCP. */
  readonly tls?: ClientTlsOptions
  /** Used for every call of the channel, before those of the call. */
  readonly call?: CallCredentials
}

/** The kinds of channel credentials. */
export const credentials = {
  /** No TLS: HTTP/2 with prior knowledge on plain TCP. */
  insecure(): ChannelCredentials {
    return {}
  },
  /** TLS; with `cert` and `key` the client proves who it is too (mTLS). */
  tls(options: ClientTlsOptions = {}): ChannelCredentials {
    return { tls: options }
  },
  /** Channel credentials that add call credentials to every call. */
  combine(channel: ChannelCredentials, call: CallCredentials): ChannelCredentials {
    return { ...channel, call: channel.call === undefined ? call : both(channel.call, call) }
  },
} as const

function both(first: CallCredentials, second: CallCredentials): CallCredentials {
  return {
    allowInsecure: first.allowInsecure === true && second.allowInsecure === true,
    async metadata(context) {
      const merged = Metadata.from(await first.metadata(context))
      return merged.merge(await second.metadata(context))
    },
  }
}

/** The part of a channel that call credentials depend on. */
interface CredentialsChannel {
  readonly authority: string
  readonly secure: boolean
  readonly callCredentials: CallCredentials | undefined
}

/**
 * What the channel's and the call's `own` credentials prove, in this order, for one call. Rejects
 * with RpcError. Source: grpc-go http2_client.go getCallAuthData.
 */
export async function callCredentialsMetadata(
  channel: CredentialsChannel,
  method: { readonly path: string; readonly service: string },
  own: CallCredentials | undefined,
): Promise<Metadata> {
  const { path, service } = method
  const context = { path, serviceUrl: `https://${channel.authority}/${service}` }
  const merged = new Metadata()
  for (const each of new Set([channel.callCredentials, own])) {
    if (each === undefined) continue
    if (!channel.secure && each.allowInsecure !== true) throw insecure()
    try {
      merged.merge(await each.metadata(context))
    } catch (thrown) {
      throw credentialsError(thrown)
    }
  }
  return merged
}

function insecure(): RpcError {
  return new RpcError(
    Code.Unauthenticated,
    'call credentials need a channel with TLS (or allowInsecure)',
    { token: 'call_credentials_insecure' },
  )
}

function credentialsError(thrown: unknown): RpcError {
  // gRFC A54: credentials are no application; some codes are not theirs to give.
  if (thrown instanceof RpcError)
    return RpcError.fromStatus(restrictControlPlaneCode(thrown.toStatus()))
  const text = thrown instanceof Error ? thrown.message : RpcError.from(thrown).rawMessage
  return new RpcError(Code.Unauthenticated, `call credentials failed: ${text}`, {
    cause: thrown,
    token: 'call_credentials_failed',
  })
}
