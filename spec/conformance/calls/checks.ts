// The checks of calls through a proxy. Each rejects with what came and what was wanted.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { type Client, Code, Metadata, RpcError } from '../../../lib/grpc/index.ts'
import {
  type Calls,
  ECHOED,
  failure,
  type HangReport,
  octets,
  REPEATED_BYTES,
  text,
} from './service.ts'

/** What a check stands upon. */
export interface CallsContext {
  readonly client: Client<typeof Calls>
  /** How many connections the channel has made. */
  readonly connections: () => number
}

/** One check. */
export type CallsCheck = (context: CallsContext) => Promise<void>

/** What a proxy's GOAWAY checks count on: it ends a connection after so many requests. */
export const REQUESTS_A_CONNECTION = 100

const MIB = 1024 * 1024
const POLL_MS = 20
const LEARNS_WITHIN_MS = 5_000

/** With a server that answers behind it. */
export const CALLS_CHECKS: Readonly<Record<string, CallsCheck>> = {
  'a unary call': async ({ client }) => {
    equal(text(await client.echo(octets('hello'))), 'hello')
  },

  'an empty message each way': async ({ client }) => {
    equal((await client.echo(octets(''))).length, 0)
  },

  'metadata in headers and trailers, text and octets': async ({ client }) => {
    const metadata = {
      'x-echo': 'a, b = "c"',
      'x-echo-bin': Uint8Array.from({ length: 256 }, (_, i) => i),
    }
    const received: Metadata[] = []
    const note = (fields: Metadata): void => void received.push(fields)
    await client.echo(octets(''), { metadata, onHeaders: note, onTrailers: note })
    equal(received.length, 2)
    for (const fields of received) {
      for (const name of ECHOED) deepEqual(fields.get(name), Metadata.from(metadata).get(name))
    }
  },

  '4 KB of metadata': async ({ client }) => {
    const value = 'x'.repeat(4000)
    const echoed: unknown[] = []
    const onTrailers = (trailers: Metadata): void => void echoed.push(trailers.get('x-echo'))
    await client.echo(octets(''), { metadata: { 'x-echo': value }, onTrailers })
    deepEqual(echoed, [value])
  },

  'client streaming': async ({ client }) => {
    const messages = Array.from({ length: 1000 }, (_, i) => Buffer.alloc(i))
    equal(text(await client.sum(messages)), '499500')
  },

  'server streaming': async ({ client }) => {
    deepEqual(await firstOctets(client.repeat(octets(1000))), firstOctetsOf(1000))
  },

  'bidirectional streaming, in turns': async ({ client }) => {
    const call = client.chat()
    const answers = call[Symbol.asyncIterator]()
    for (let i = 0; i < 100; i++) {
      void call.send(octets(i))
      const answer = await answers.next()
      equal(text(answer.value), String(i))
    }
    call.end()
    equal((await answers.next()).done, true)
  },

  'bidirectional streaming, at once': async ({ client }) => {
    const messages = Array.from({ length: 1000 }, (_, i) => Buffer.alloc(REPEATED_BYTES, i))
    deepEqual(await firstOctets(client.chat(messages)), firstOctetsOf(1000))
  },

  'headers before any message': async ({ client }) => {
    const call = client.chat()
    ok((await call.headers) instanceof Metadata)
    call.end()
    for await (const _ of call) throw new Error('a message came that nobody sent')
  },

  'a failure without messages: trailers only': async ({ client }) => {
    await expectFailure(() => firstOctets(client.fail(octets(0))))
  },

  'a failure after messages': async ({ client }) => {
    const got: number[] = []
    await expectFailure(() => client.fail(octets(3)).consume((message) => got.push(message[0]!)))
    deepEqual(got, [0, 1, 2])
  },

  'a failure before the requests end': async ({ client }) => {
    const call = client.refuse()
    void call.send(octets('hello'))
    await expectFailure(() => firstOctets(call))
  },

  'a deadline, as the server learns it': async ({ client }) => {
    const name = 'with a deadline'
    const call = client.hang(octets(name), { timeoutMs: 30_000 })
    await call.headers
    const { timeoutMs } = await report(client, name)
    call.cancel()
    ok(timeoutMs! > 20_000 && timeoutMs! <= 30_000, `got ${timeoutMs} ms of 30,000`)
  },

  'a deadline that passes': async ({ client }) => {
    const name = 'with a deadline that passes'
    const startMs = performance.now()
    await expectCode(Code.DeadlineExceeded, () =>
      firstOctets(client.hang(octets(name), { timeoutMs: 300 })),
    )
    const tookMs = performance.now() - startMs
    ok(tookMs >= 299 && tookMs < 3_000, `ended after ${tookMs} ms; 300 were given`)
    await ended(client, name)
  },

  'a cancellation, which the server learns': async ({ client }) => {
    const name = 'cancelled'
    const call = client.hang(octets(name))
    await call.headers
    call.cancel()
    await expectCode(Code.Cancelled, () => firstOctets(call))
    await ended(client, name)
  },

  '4 MiB in a message each way': async ({ client }) => {
    const message = numbered(4 * MIB)
    ok(message.equals(await client.echo(message)))
  },

  '4 MiB in each of 4 messages each way, in turns': async ({ client }) => {
    const message = numbered(4 * MIB)
    const call = client.chat()
    const answers = call[Symbol.asyncIterator]()
    for (let i = 0; i < 4; i++) {
      void call.send(message)
      ok(message.equals((await answers.next()).value))
    }
    call.end()
    equal((await answers.next()).done, true)
  },

  '256 MiB of requests': async ({ client }) => {
    const message = numbered(MIB)
    equal(text(await client.sum(Array.from({ length: 256 }, () => message))), String(256 * MIB))
  },

  'compressed messages': async ({ client }) => {
    const message = numbered(MIB)
    ok(message.equals(await client.echo(message, { compression: 'gzip' })))
  },

  '500 calls at once': async ({ client }) => {
    const calls = Array.from({ length: 500 }, (_, i) => client.echo(octets(i)))
    const answers = await Promise.all(calls)
    deepEqual(
      answers.map(text),
      Array.from({ length: 500 }, (_, i) => String(i)),
    )
  },
}

/** With a proxy that does not block itself, see `isFullDuplex` of a proxy. */
export const DUPLEX_CHECKS: Readonly<Record<string, CallsCheck>> = {
  '4 MiB in each of 4 messages each way': async ({ client }) => {
    const message = numbered(4 * MIB)
    let count = 0
    await client.chat([message, message, message, message]).consume((answer) => {
      ok(message.equals(answer))
      count++
    })
    equal(count, 4)
  },
}

/** With a proxy that ends connections after {@link REQUESTS_A_CONNECTION}. */
export const GOAWAY_CHECKS: Readonly<Record<string, CallsCheck>> = {
  '2,000 calls, in turns, over connections that end': async ({ client, connections }) => {
    for (let i = 0; i < 2000; i++) equal(text(await client.echo(octets(i))), String(i))
    expectConnections(connections(), 2000)
  },

  '2,000 calls, 20 at a time, over connections that end': async ({ client, connections }) => {
    let left = 2000
    const caller = async (): Promise<void> => {
      while (left-- > 0) await client.echo(octets('hello'))
    }
    await Promise.all(Array.from({ length: 20 }, caller))
    expectConnections(connections(), 2000)
  },

  'a stream that goes on while its connection ends': async ({ client, connections }) => {
    const call = client.chat()
    const answers = call[Symbol.asyncIterator]()
    for (let round = 0; round < 3; round++) {
      void call.send(octets(round))
      equal(text((await answers.next()).value), String(round))
      for (let i = 0; i < REQUESTS_A_CONNECTION; i++) await client.echo(octets('hello'))
    }
    call.end()
    equal((await answers.next()).done, true)
    expectConnections(connections(), 3 * REQUESTS_A_CONNECTION)
  },
}

/** With nothing behind the proxy. */
export const DEAD_SERVER_CHECKS: Readonly<Record<string, CallsCheck>> = {
  'a unary call to a server that is not there': async ({ client }) => {
    await expectCode(Code.Unavailable, () => client.echo(octets('hello')))
  },

  'a stream to a server that is not there': async ({ client }) => {
    const call = client.chat()
    void call.send(octets('hello'))
    await expectCode(Code.Unavailable, () => firstOctets(call))
  },
}

/** Octets that show where they were cut or swapped. */
function numbered(bytes: number): Buffer {
  const message = Buffer.alloc(bytes)
  for (let at = 0; at < bytes; at += 4) message.writeUInt32BE(at, at)
  return message
}

async function firstOctets(messages: AsyncIterable<Uint8Array>): Promise<number[]> {
  const first: number[] = []
  for await (const message of messages) first.push(message[0]!)
  return first
}

function firstOctetsOf(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i & 0xff)
}

async function expectCode(code: Code, act: () => Promise<unknown>): Promise<RpcError> {
  try {
    await act()
  } catch (error) {
    if (!(error instanceof RpcError) || error.code !== code) throw error
    return error
  }
  throw new Error(`the call succeeded; code ${code} is wanted`)
}

async function expectFailure(act: () => Promise<unknown>): Promise<void> {
  const wanted = failure()
  const got = await expectCode(wanted.code as Code, act)
  equal(got.rawMessage, wanted.rawMessage)
  deepEqual(got.details, wanted.details)
  for (const [name, value] of wanted.metadata) deepEqual(got.metadata.get(name), value)
}

async function report(client: Client<typeof Calls>, name: string): Promise<HangReport> {
  return JSON.parse(text(await client.report(octets(name))))
}

/** Resolves once the server says that the call of `hang` has ended. */
async function ended(client: Client<typeof Calls>, name: string): Promise<void> {
  const giveUpMs = performance.now() + LEARNS_WITHIN_MS
  while (!(await report(client, name)).ended) {
    if (performance.now() > giveUpMs) throw new Error('the server does not learn that it is over')
    await delay(POLL_MS)
  }
}

function expectConnections(made: number, calls: number): void {
  const wanted = calls / REQUESTS_A_CONNECTION
  ok(made >= wanted, `${calls} calls went over ${made} connections; at least ${wanted} are wanted`)
}
