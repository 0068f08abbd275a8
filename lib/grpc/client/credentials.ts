// Who a client is and whom it trusts: for a channel (TLS or not), and for single calls (metadata).
import { Code } from '../../base/status.ts'
import type { ClientTlsOptions } from '../../transport/index.ts'
import { Metadata, type MetadataInit } from '../protocol/metadata.ts'
import { RpcError } from '../protocol/rpc-error.ts'

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

/** The failure of call credentials as the call's. Source: grpc-go http2_client.go getCallAuthData. */
export function credentialsError(thrown: unknown): RpcError {
  if (thrown instanceof RpcError) return thrown
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  return new RpcError(Code.Unauthenticated, `call credentials failed: ${text}`, {
    cause: thrown,
    token: 'call_credentials_failed',
  })
}
