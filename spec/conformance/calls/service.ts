// The service by which calls through proxies are checked: a method for each thing that one may do
// wrong. Messages are octets, and texts where a method says so.
import {
  bidi,
  bytesCodec,
  Code,
  clientStream,
  defineService,
  Metadata,
  type MethodDefinition,
  type MethodKind,
  RpcError,
  type ServiceDefinition,
  serverStream,
  unary,
} from '../../../lib/grpc/index.ts'

type Octets<Kind extends MethodKind> = MethodDefinition<Uint8Array, Uint8Array, Kind>

/** What the service offers. */
export type CallsMethods = {
  /** Gives back the message, and the metadata of {@link ECHOED} in headers and trailers. */
  readonly echo: Octets<'unary'>
  /** Counts the octets of the requests: a decimal number. */
  readonly sum: Octets<'clientStream'>
  /** Sends as many messages as the request says, in decimal, each of {@link REPEATED_BYTES}. */
  readonly repeat: Octets<'serverStream'>
  /** Gives back each message. Its headers go before the first request has come. */
  readonly chat: Octets<'bidi'>
  /** Sends as many messages as `repeat`, then fails with {@link failure}. */
  readonly fail: Octets<'serverStream'>
  /** Fails with {@link failure} without reading a request. */
  readonly refuse: Octets<'bidi'>
  /** Never ends on its own. It is remembered by the request, a name. */
  readonly hang: Octets<'serverStream'>
  /** What became of the call of `hang` with this name: a {@link HangReport} as JSON. */
  readonly report: Octets<'unary'>
}

/** What a server knows of a call of `hang`. */
export interface HangReport {
  /** The time that the call was given, as it came to the server; absent when it has no deadline. */
  readonly timeoutMs?: number
  readonly ended: boolean
}

/** The names of metadata that `echo` gives back. */
export const ECHOED = ['x-echo', 'x-echo-bin'] as const
/** The size of the messages of `repeat`. */
export const REPEATED_BYTES = 1000

/** The service. */
export const Calls: ServiceDefinition<CallsMethods> = defineService(
  'framewright.conformance.Calls',
  {
    echo: unary(bytesCodec, bytesCodec),
    sum: clientStream(bytesCodec, bytesCodec),
    repeat: serverStream(bytesCodec, bytesCodec),
    chat: bidi(bytesCodec, bytesCodec),
    fail: serverStream(bytesCodec, bytesCodec),
    refuse: bidi(bytesCodec, bytesCodec),
    hang: serverStream(bytesCodec, bytesCodec),
    report: unary(bytesCodec, bytesCodec),
  },
)

/** The octets of a text. */
export function octets(text: string | number): Uint8Array {
  return Buffer.from(String(text))
}

/** The text in octets. */
export function text(message: Uint8Array): string {
  return Buffer.from(message).toString()
}

/** The one failure: with everything that a status can carry. */
export function failure(): RpcError {
  return new RpcError(Code.FailedPrecondition, '\t100 % „später“ 😈\r\n', {
    details: [
      { '@type': 'google.rpc.ErrorInfo', reason: 'LATER', domain: 'x', metadata: { a: 'b' } },
    ],
    metadata: Metadata.from({ 'x-why': 'busy', 'x-why-bin': Uint8Array.of(0, 1, 254, 255) }),
  })
}
