// One connection to one member of etcd, logged in: the calls of naming with their time limits. What a
// session is used for, and what follows it, is session-loop.ts and its owners.
import { Code } from '../../base/status.ts'
import { type Client, ClientConn, createClient, RpcError } from '../../grpc/index.ts'
import type { EtcdEnvironment, EtcdOptions } from './etcd-options.ts'
import {
  type EtcdServices,
  type KeepAliveCall,
  loadEtcdServices,
  type WatchCall,
} from './etcd-services.ts'

const DEFAULT_CALL_TIMEOUT_MS = 5_000
const DEFAULT_KEEPALIVE = { timeMs: 10_000, timeoutMs: 5_000 }
/** Answers hold all servers of a service; etcd's own client has no limit. */
const MAX_RECV_MESSAGE_BYTES = 64 * 1024 * 1024

/** See above. Its calls fail with RpcError. */
export class EtcdSession {
  /** For calls with one answer; they have a time limit. */
  public readonly kv: Client<EtcdServices['KV']>
  public readonly leases: Client<EtcdServices['Lease']>
  private readonly watches: Client<EtcdServices['Watch']>
  private readonly leaseStreams: Client<EtcdServices['Lease']>
  private readonly environment: EtcdEnvironment
  private readonly timeoutMs: number

  private constructor(
    conn: ClientConn,
    services: EtcdServices,
    token: string | undefined,
    timeoutMs: number,
    environment: EtcdEnvironment,
  ) {
    const maxRecvMessageBytes = MAX_RECV_MESSAGE_BYTES
    const metadata = token === undefined ? {} : { token }
    const unary = { timeoutMs, maxRecvMessageBytes, metadata }
    // A member that has lost its cluster ends streams that say so, instead of being silent.
    const streams = { maxRecvMessageBytes, metadata: { ...metadata, hasleader: 'true' } }
    this.kv = createClient(services.KV, conn, unary)
    this.leases = createClient(services.Lease, conn, unary)
    this.watches = createClient(services.Watch, conn, streams)
    this.leaseStreams = createClient(services.Lease, conn, streams)
    this.environment = environment
    this.timeoutMs = timeoutMs
  }

  /** Logs in where there is a user. */
  public static async open(
    conn: ClientConn,
    { user, callTimeoutMs = DEFAULT_CALL_TIMEOUT_MS }: EtcdOptions,
    environment: EtcdEnvironment,
  ): Promise<EtcdSession> {
    const services = await loadEtcdServices()
    const auth = createClient(services.Auth, conn, { timeoutMs: callTimeoutMs })
    const token =
      user === undefined ? undefined : await auth.authenticate(user).then(tokenOf, noAuthentication)
    return new EtcdSession(conn, services, token, callTimeoutMs, environment)
  }

  public openWatch(): WatchCall {
    return this.watches.watch()
  }

  public openKeepAlive(): KeepAliveCall {
    return this.leaseStreams.leaseKeepAlive()
  }

  /** The next message of a stream, which must come in time. Rejects when the stream ends. */
  public async answer<Res>(
    call: { cancel(message?: string): void },
    messages: AsyncIterator<Res>,
  ): Promise<Res> {
    const { timeoutMs } = this
    let isLate = false
    const timer = this.environment.clock.timer(
      timeoutMs,
      () => {
        isLate = true
        call.cancel('etcd_answer_late')
      },
      false,
    )
    try {
      return await nextMessage(messages)
    } catch (error) {
      if (!isLate) throw error
      throw new RpcError(Code.DeadlineExceeded, `no answer within ${timeoutMs} ms`, {
        token: 'etcd_answer_late',
        cause: error,
      })
    } finally {
      timer.cancel()
    }
  }
}

/** Uses a session with `endpoint`; its connection ends with `use`, or when `signal` is aborted. */
export async function withSession<T>(
  endpoint: string,
  options: EtcdOptions,
  environment: EtcdEnvironment,
  signal: AbortSignal,
  use: (session: EtcdSession) => Promise<T>,
): Promise<T> {
  const { credentials, keepalive = DEFAULT_KEEPALIVE } = options
  const target = endpoint.startsWith('unix:') ? endpoint : `passthrough:///${endpoint}`
  const conn = new ClientConn(
    target,
    { keepalive, ...(credentials !== undefined && { credentials }) },
    environment,
  )
  const close = (): void => conn.close()
  signal.addEventListener('abort', close)
  try {
    return await use(await EtcdSession.open(conn, options, environment))
  } finally {
    signal.removeEventListener('abort', close)
    conn.close()
  }
}

/** The next message. Rejects with RpcError when there is none: etcd ends no stream in peace. */
export async function nextMessage<Res>(messages: AsyncIterator<Res>): Promise<Res> {
  const { done, value } = await messages.next()
  if (done !== true) return value
  throw new RpcError(Code.Unavailable, 'etcd ended the stream', { token: 'etcd_stream_ended' })
}

function tokenOf({ token }: { readonly token: string }): string {
  return token
}

/** As etcd's own client: a user where authentication is off does no harm. */
function noAuthentication(error: RpcError): undefined {
  const { code, rawMessage } = error
  if (code === Code.FailedPrecondition && rawMessage.includes('not enabled')) return
  throw error
}
