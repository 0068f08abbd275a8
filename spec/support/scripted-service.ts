// A server that does with each stream what a script says, and keeps what it saw.
import type { Clock } from '../../lib/base/clock.ts'
import {
  ErrorCode,
  type OnStream,
  type ServerTransport,
  type Stream,
} from '../../lib/transport/index.ts'
import { EchoBench } from './echo-service.ts'
import type { RpcBenchOptions } from './rpc-bench.ts'

/** What is done with a stream once its headers, or all of its request, have come. */
export type Act = (stream: Stream, transport: ServerTransport) => void

const HEAD = [':status', '200', 'content-type', 'application/grpc+json']

function message(json: string): Buffer {
  const bytes = Buffer.alloc(5 + json.length)
  bytes.writeUInt32BE(json.length, 1)
  bytes.write(json, 5)
  return bytes
}

export const acts = {
  /** Nothing. */
  hang: (): void => {},
  /** One response and OK. */
  answer:
    (json = '{}'): Act =>
    (stream) => {
      stream.headers(HEAD, false)
      acts.send(json)(stream)
      stream.trailers(['grpc-status', '0'])
      stream.reset(ErrorCode.NO_ERROR, 'spec_done')
    },
  headers: (stream: Stream): void => stream.headers(HEAD, false),
  send:
    (json: string) =>
    (stream: Stream): void => {
      const bytes = message(json)
      stream.data(bytes, 0, bytes.length, false)
    },
  /** Trailers-Only. */
  fail:
    (code: number, ...fields: string[]): Act =>
    (stream) => {
      stream.headers([...HEAD, 'grpc-status', String(code), ...fields], true)
      stream.reset(ErrorCode.NO_ERROR, 'spec_done')
    },
  pushBack: (ms: string, code = 14): Act => acts.fail(code, 'grpc-retry-pushback-ms', ms),
  /** Headers, then the status. */
  failLate:
    (code: number): Act =>
    (stream) => {
      stream.headers(HEAD, false)
      stream.trailers(['grpc-status', String(code)])
      stream.reset(ErrorCode.NO_ERROR, 'spec_done')
    },
  http:
    (status: number): Act =>
    (stream) =>
      stream.headers([':status', String(status), 'content-type', 'text/html'], true),
  reset:
    (code: ErrorCode): Act =>
    (stream) =>
      stream.reset(code, 'spec_reset'),
}

/** A stream that came. */
export interface SeenStream {
  readonly atMs: number
  readonly previousAttempts: number
  readonly timeout: string | undefined
  readonly stream: Stream
  /** The messages, as JSON texts. */
  readonly messages: string[]
  ended: boolean
  /** By the client, with a reset. */
  cancelled: boolean
}

/** Streams beyond the script are answered. */
export class ScriptedService {
  public readonly seen: SeenStream[] = []
  private clock: Clock | undefined
  private readonly script: Act[]

  public constructor(...script: Act[]) {
    this.script = script
  }

  /** A bench whose server this is; `policy` is the method config of all methods. */
  public bench(policy: object, options: RpcBenchOptions = {}, more: object = {}): EchoBench {
    const serviceConfig = { methodConfig: [{ name: [{}], ...policy }], ...more }
    const channel = { serviceConfig, ...options.channel }
    const bench = new EchoBench({}, { onStream: this.onStream, ...options, channel })
    this.clock = bench.clock
    return bench
  }

  /** One value for each stream that came. */
  public each<T>(of: (seen: SeenStream) => T): T[] {
    return this.seen.map(of)
  }

  public readonly onStream: OnStream = (stream, { fields }, _end, transport) => {
    const act = this.script.shift() ?? acts.answer()
    const field = (name: string): string | undefined => {
      const at = fields.indexOf(name)
      return at < 0 ? undefined : fields[at + 1]
    }
    const seen: SeenStream = {
      atMs: this.clock?.nowMs() ?? 0,
      previousAttempts: Number(field('grpc-previous-rpc-attempts') ?? 0),
      timeout: field('grpc-timeout'),
      stream,
      messages: [],
      ended: false,
      cancelled: false,
    }
    this.seen.push(seen)
    transport.afterReceive({ run: () => act(stream, transport) })
    return {
      onHeaders() {},
      onData(buf, start, end) {
        for (let at = start; at + 5 <= end; ) {
          const length = buf.readUInt32BE(at + 1)
          seen.messages.push(buf.toString('utf8', at + 5, Math.min(end, at + 5 + length)))
          at += 5 + length
        }
        stream.credit(end - start)
      },
      onEnd() {
        seen.ended = true
      },
      onWritable() {},
      onClosed(closed) {
        seen.cancelled = closed.initiator === 'peer' && closed.code === ErrorCode.CANCEL
      },
    }
  }
}
