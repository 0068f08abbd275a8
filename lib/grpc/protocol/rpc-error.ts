// The one error of a call, and how anything thrown becomes one. Building it costs over a
// microsecond, so it is built on failure only; inside, calls end with a plain `Status`.
import { Code, codeName, type Status } from '../../base/status.ts'
import { TransportClosed } from '../../transport/index.ts'
import { Metadata } from './metadata.ts'
import { MetadataError } from './metadata-error.ts'
import type { StatusDetail } from './status-details.ts'

/** What an {@link RpcError} carries beside code and message. */
export interface RpcErrorOptions {
  /** Typed google.rpc details, or any message as `{ '@type', value }`. */
  readonly details?: readonly StatusDetail[]
  /** The trailers: received by a client, to be sent by a server. */
  readonly metadata?: Metadata
  readonly cause?: unknown
  /** `/package.Service/Method`. */
  readonly method?: string
  /** Address of the server of the last attempt. */
  readonly peer?: string
  /** How many attempts were made. */
  readonly attempts?: number
  /** The unique name of the rule of this library that failed. */
  readonly token?: string
}

/** A call ended with a status other than OK, or a handler wants it to. */
export class RpcError extends Error {
  /** The status code; numbers outside 0..16 are kept as the peer sent them. */
  public readonly code: number
  /** The status message alone; `message` has the code's name before it. */
  public readonly rawMessage: string
  public readonly details: readonly StatusDetail[]
  public readonly metadata: Metadata
  public readonly method: string | undefined
  public readonly peer: string | undefined
  public readonly attempts: number | undefined
  /** Names the rule that failed; undefined when the peer or the application made the status. */
  public readonly token: string | undefined

  public constructor(code: number, message = '', options: RpcErrorOptions = {}) {
    super(
      message === '' ? codeName(code) : `${codeName(code)}: ${message}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.name = 'RpcError'
    this.code = code
    this.rawMessage = message
    this.details = options.details ?? []
    this.metadata = options.metadata ?? new Metadata()
    this.method = options.method
    this.peer = options.peer
    this.attempts = options.attempts
    this.token = options.token
  }

  /** The name of the code, as in `NOT_FOUND`. */
  public get codeName(): string {
    return codeName(this.code)
  }

  /** The error as a status, without details and metadata. */
  public toStatus(): Status {
    return { code: this.code, message: this.rawMessage, cause: this.cause }
  }

  /** The error for a status that is not OK. */
  public static fromStatus(status: Status, options: RpcErrorOptions = {}): RpcError {
    return new RpcError(status.code, status.message, { cause: status.cause, ...options })
  }

  /**
   * Makes an RpcError of anything thrown: an RpcError stays itself; an AbortError is CANCELLED, a
   * TimeoutError DEADLINE_EXCEEDED, a lost transport UNAVAILABLE, metadata that cannot be sent
   * INTERNAL, all else UNKNOWN. The original is the `cause`. Never throws.
   */
  public static from(thrown: unknown): RpcError {
    if (thrown instanceof RpcError) return thrown
    if (!(thrown instanceof Error)) {
      return new RpcError(Code.Unknown, textOf(thrown), { cause: thrown })
    }
    if (thrown instanceof MetadataError) {
      return new RpcError(thrown.code, thrown.message, { cause: thrown, token: thrown.token })
    }
    return new RpcError(codeOfError(thrown), thrown.message, { cause: thrown })
  }
}

function textOf(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    // An object without toString.
    return 'something that has no text'
  }
}

function codeOfError(error: Error): Code {
  if (error.name === 'AbortError') return Code.Cancelled
  if (error.name === 'TimeoutError') return Code.DeadlineExceeded
  if (error instanceof TransportClosed) return Code.Unavailable
  return Code.Unknown
}
