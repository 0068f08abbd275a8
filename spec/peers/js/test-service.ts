// What the programs of both stacks share: grpc.testing.TestService as TypeScript sees it, the numbers
// of the interop descriptions, flags, and what a case asserts. Knows neither stack.
import { inspect, isDeepStrictEqual, parseArgs } from 'node:util'

/** Relative to the root of the project, where the programs are started. */
export const PROTOS = 'spec/interop-programs/protos'

export interface Payload {
  readonly type?: number
  readonly body?: Uint8Array
}

export interface EchoStatus {
  readonly code: number
  readonly message: string
}

export interface SimpleRequest {
  readonly responseSize?: number
  readonly payload?: Payload
  readonly responseStatus?: EchoStatus
}

/** Of UnaryCall and of the streams of responses. */
export interface PayloadResponse {
  readonly payload?: Payload
}

export interface InputRequest {
  readonly payload?: Payload
}

export interface InputResponse {
  readonly aggregatedPayloadSize: number
}

export interface ResponseParameters {
  readonly size: number
}

export interface OutputRequest {
  readonly responseParameters?: readonly ResponseParameters[]
  readonly payload?: Payload
  readonly responseStatus?: EchoStatus
}

export const REQUEST_SIZES: readonly number[] = [27_182, 8, 1828, 45_904]
export const RESPONSE_SIZES: readonly number[] = [31_415, 9, 2653, 58_979]
export const REQUEST_SIZES_SUM = 74_922
export const LARGE_RESPONSE_SIZE = 314_159
export const LARGE_REQUEST: SimpleRequest = {
  responseSize: LARGE_RESPONSE_SIZE,
  payload: payload(271_828),
}
/** The same of a stream. */
export const LARGE_OUTPUT_REQUEST: OutputRequest = outputRequest(271_828, LARGE_RESPONSE_SIZE)
export const STATUS: EchoStatus = { code: 2, message: 'test status message' }
export const SPECIAL_STATUS: EchoStatus = {
  code: 2,
  message: '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n',
}
export const ECHO_INITIAL = 'x-grpc-test-echo-initial'
export const ECHO_TRAILING = 'x-grpc-test-echo-trailing-bin'
export const INITIAL_VALUE = 'test_initial_metadata_value'
export const TRAILING_VALUE: Buffer = Buffer.from('ababab', 'hex')
/** A call that takes longer is stuck. */
export const CALL_MS = 10_000

/** Zeros. */
export function payload(size: number): Payload {
  return { body: Buffer.alloc(size) }
}

/** A request of a stream of responses, with one of `responseSize`. */
export function outputRequest(requestSize: number, responseSize: number): OutputRequest {
  return { payload: payload(requestSize), responseParameters: [{ size: responseSize }] }
}

/** What is asked for; intervals are left out, no case here has any. */
export function responsesTo({ responseParameters = [] }: OutputRequest): PayloadResponse[] {
  return responseParameters.map(({ size }) => ({ payload: payload(size) }))
}

/** `got` is `want`, deeply. */
export function expectEqual(got: unknown, want: unknown, what: string): void {
  if (isDeepStrictEqual(got, want)) return
  throw new Error(`${what}: got ${inspect(got)}, want ${inspect(want)}`)
}

/** A response with a payload of `size` zeros. */
export function expectPayload(response: PayloadResponse | undefined, size: number): void {
  const { type, body } = response?.payload ?? {}
  expectEqual(type, 0, 'type of the payload')
  expectEqual(body?.length, size, 'size of the payload')
  expectEqual(
    body?.some((octet) => octet !== 0),
    false,
    'other octets than zeros',
  )
}

/** The error that `failing` rejects with. */
export async function errorOf(failing: Promise<unknown>): Promise<unknown> {
  const response = await failing.then(
    (value) => ({ value }),
    (error) => ({ error }),
  )
  if ('error' in response) return response.error
  throw new Error(`got ${inspect(response.value)}, want an error`)
}

/** All that an iterable gives. */
export async function all<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const got: T[] = []
  for await (const message of messages) got.push(message)
  return got
}

/** The cases of a client, by name. */
export type Cases = Readonly<Record<string, () => Promise<void>>>

/** `--server_host`, `--server_port` and `--test_case`, as grpc-go's client has them. */
export function clientFlags(): { readonly address: string; readonly testCase: string } {
  const { values } = parseArgs({
    options: {
      server_host: { type: 'string', default: '127.0.0.1' },
      server_port: { type: 'string', default: '10000' },
      test_case: { type: 'string', default: 'large_unary' },
    },
  })
  return { address: `${values.server_host}:${values.server_port}`, testCase: values.test_case }
}

/** `--port` of a server; 0: the system chooses. */
export function serverPort(): number {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } })
  return Number(values.port)
}

/** Runs the case; a rejection that nobody takes ends a program with 1. */
export async function runCase(cases: Cases, name: string): Promise<void> {
  const run = cases[name]
  if (run === undefined) throw new Error(`${name} is no test case`)
  await run()
}
