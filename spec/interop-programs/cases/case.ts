// What every interop case is given.
import type { Client, ClientConn } from '../../../lib/grpc/index.ts'
import type { CompressedMessages } from '../compressed-messages.ts'
import type { TestService, TestServices } from '../test-service.ts'

/** A test case: resolves when all that it asserts holds, rejects with an Error that says what does not. */
export type InteropCase = (context: CaseContext) => Promise<void>

export interface CaseContext {
  /** Ready or not; each case has its own. */
  readonly conn: ClientConn
  readonly client: Client<TestService>
  readonly services: TestServices
  /** Observes `conn`. */
  readonly compressed: CompressedMessages
  /** Another channel to the same server, to be closed by who asks for it. */
  dial(): ClientConn
  readonly soak: SoakOptions
}

/** The flags of the soak cases. */
export interface SoakOptions {
  readonly iterations: number
  readonly maxFailures: number
  readonly maxLatencyMs: number
  readonly overallTimeoutMs: number
  readonly minIntervalMs: number
  readonly requestBytes: number
  readonly responseBytes: number
  readonly threads: number
}

export const LARGE_REQUEST_BYTES = 271_828
export const LARGE_RESPONSE_BYTES = 314_159

/** A call that takes longer is stuck. */
export const PATIENCE_MS = 30_000
