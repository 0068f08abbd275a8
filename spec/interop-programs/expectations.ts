// What interop cases assert, with messages that say what came and what was wanted.
import { inspect, isDeepStrictEqual } from 'node:util'
import { Code, codeName, RpcError } from '../../lib/grpc/index.ts'
import { COMPRESSABLE, type Payload } from './test-service.ts'

/** `got` is `want`, deeply. */
export function expectEqual<T>(got: T, want: T, what: string): void {
  if (!isDeepStrictEqual(got, want)) {
    throw new Error(`${what}: got ${inspect(got)}, want ${inspect(want)}`)
  }
}

/** A payload of `size` zeros. */
export function expectPayload(payload: Payload | undefined, size: number): void {
  const { type, body = Buffer.alloc(0) } = payload ?? {}
  expectEqual(type, COMPRESSABLE, 'type of the payload')
  expectEqual(body.length, size, 'size of the payload')
  if (body.some((octet) => octet !== 0)) throw new Error('payload: got other octets than zeros')
}

/** The call fails with `code`, and `message` if it is given. */
export async function expectStatus(
  call: Promise<unknown>,
  code: Code,
  message?: string,
): Promise<void> {
  const error = await call.then(() => undefined, RpcError.from)
  expectEqual(codeName(error?.code ?? Code.Ok), codeName(code), `status (${error?.rawMessage})`)
  if (message !== undefined) expectEqual(error?.rawMessage, message, 'status message')
}

/** All that an iterable gives. */
export async function all<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const got: T[] = []
  for await (const message of messages) got.push(message)
  return got
}

/** The next message, which must be there. */
export async function next<T>(messages: AsyncIterator<T>): Promise<T> {
  const { done, value } = await messages.next()
  if (done === true) throw new Error('got the end of the stream, want another message')
  return value
}
