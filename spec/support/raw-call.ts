// One request by a plain HTTP/2 client with any fields and any octets, and what came back.
import type { ClientTransport, HeaderBlock, StreamClosed } from '../../lib/transport/index.ts'
import type { RpcBench } from './rpc-bench.ts'

/** The fields of an ordinary request for `path`. */
export function requestFields(path: string): string[] {
  return [
    ':method',
    'POST',
    ':scheme',
    'http',
    ':path',
    path,
    ':authority',
    'spec',
    'content-type',
    'application/grpc+json',
    'te',
    'trailers',
  ]
}

export interface RawRequest {
  readonly path?: string
  /** In place of those of `path`. */
  readonly fields?: readonly string[]
  /** After those. */
  readonly extra?: readonly string[]
  readonly body?: Buffer
  /** Default true. */
  readonly end?: boolean
}

export interface RawAnswer {
  readonly fields: readonly string[]
  readonly body: Buffer
  /** grpc-status, wherever it stood. */
  readonly status: string | undefined
  readonly httpStatus: string | undefined
  readonly closed: StreamClosed
}

/** Resolves when the stream is closed. */
export function rawCall(
  bench: RpcBench,
  client: ClientTransport,
  {
    path = '/spec.Echo/Unary',
    fields = requestFields(path),
    extra = [],
    body,
    end = true,
  }: RawRequest,
): Promise<RawAnswer> {
  const received: string[] = []
  const chunks: Buffer[] = []
  const answered = new Promise<RawAnswer>((resolve) => {
    const stream = client.openStream([...fields, ...extra], {
      onHeaders(block: HeaderBlock) {
        received.push(...block.fields)
      },
      onData(buf, start, stop) {
        chunks.push(Buffer.from(buf.subarray(start, stop)))
        stream.credit(stop - start)
      },
      onEnd() {
        stream.reset(0, 'spec_done')
      },
      onWritable() {},
      onClosed(closed) {
        resolve({
          fields: received,
          body: Buffer.concat(chunks),
          status: fieldValue(received, 'grpc-status'),
          httpStatus: fieldValue(received, ':status'),
          closed,
        })
      },
    })
    const octets = body ?? Buffer.alloc(0)
    stream.data(octets, 0, octets.length, end)
  })
  return bench.run(answered)
}

export function fieldValue(fields: readonly string[], name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1]
  return undefined
}
