// Interceptors: one shape for clients and servers, for single messages and for streams.
//
//   client   caller ─▶ [first ─▶ second ─▶ … ] ─▶ wire
//   server     wire ─▶ [first ─▶ second ─▶ … ] ─▶ handler
//
// The first interceptor of a list is the outermost. A call without interceptors never comes here.
import type { Metadata } from '../protocol/metadata.ts'
import type { MethodDefinition } from '../protocol/method.ts'

/** What a call is, to whoever looks at it from either side. */
export interface CallContext {
  readonly side: 'client' | 'server'
  readonly method: MethodDefinition
  /** The request's metadata: to be sent (client, may be changed before `next`), or received. */
  readonly metadata: Metadata
  /** Aborted when the call is over before its time: cancelled, past its deadline, connection lost. */
  readonly signal: AbortSignal
  /** When the call has to be over; undefined when it may take any time. */
  readonly deadline: Date | undefined
  /** The other side's address; undefined at a client that has not connected yet. */
  readonly peerAddress: string | undefined
}

/** A call on its way in. */
export interface InterceptedRequest {
  readonly call: CallContext
  /** The request; an AsyncIterable of requests when the method streams them. */
  readonly message: unknown
}

/** Its answer on the way out. A call that fails rejects, or throws from the iterable, an RpcError. */
export interface InterceptedResponse {
  readonly headers: Metadata
  /** Complete when the message is there, or the iterable has ended. */
  readonly trailers: Metadata
  /** The response; an AsyncIterable of responses when the method streams them. */
  readonly message: unknown
}

/** Goes on with the call; may be called again (another try) or not at all (an answer of one's own). */
export type InterceptorNext = (request: InterceptedRequest) => Promise<InterceptedResponse>

/**
 * Wraps a call. Look at or replace the request, call `next`, look at or replace the response.
 *
 * ```ts
 * const timing: Interceptor = async (request, next) => {
 *   const startMs = performance.now()
 *   try { return await next(request) }
 *   finally { console.log(request.call.method.path, performance.now() - startMs) }
 * }
 * ```
 */
export type Interceptor = (
  request: InterceptedRequest,
  next: InterceptorNext,
) => Promise<InterceptedResponse>

/** One function that runs the interceptors in order around `last`. */
export function chainInterceptors(
  interceptors: readonly Interceptor[],
  last: InterceptorNext,
): InterceptorNext {
  return interceptors.reduceRight<InterceptorNext>(
    (next, interceptor) => async (request) => interceptor(request, next),
    last,
  )
}
