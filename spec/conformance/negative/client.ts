// The client's side of the eight cases, with our client. What the server must see is in scripts.ts.
import { strict as assert } from 'node:assert'
import { ConnectivityState } from '../../../lib/balancer/index.ts'
import {
  type ChannelOptions,
  type Client,
  type ClientConn,
  Code,
  codeName,
  createClient,
  dial,
  RpcError,
} from '../../../lib/grpc/index.ts'
import type { CaseName } from './scripts.ts'
import { TestService } from './service.ts'

const REQUEST_BYTES = 271_828
const RESPONSE_BYTES = 314_159
const PARALLEL_CALLS = 15
/** A call that takes longer is stuck. */
const PATIENCE_MS = 10_000
/**
 * Windows of one size that stay: a client that gives back all of the padding but its length octet
 * owes 62,834 octets after one reply, and stops in the second.
 */
const SMALL_WINDOWS: ChannelOptions = {
  connection: { initialConnectionWindowBytes: 65_535, growWindows: false },
}

type TestClient = Client<typeof TestService>

/** What a client does in a case; rejects when something else comes of it than must. */
interface Procedure {
  readonly channel?: ChannelOptions
  readonly run: (client: TestClient, conn: ClientConn) => Promise<void>
}

const PROCEDURES: Readonly<Record<CaseName, Procedure>> = {
  goaway: {
    run: async (client, conn) => {
      await largeUnary(client)
      // The GOAWAY has come when the channel has no connection; the description sleeps for that.
      const signal = AbortSignal.timeout(PATIENCE_MS)
      while (conn.getState() === ConnectivityState.Ready) {
        await conn.waitForStateChange(ConnectivityState.Ready, { signal })
      }
      await largeUnary(client)
    },
  },
  rst_after_header: { run: failedUnary },
  rst_during_data: { run: failedUnary },
  rst_after_data: { run: failedUnary },
  ping: { run: largeUnary },
  max_streams: {
    run: async (client) => {
      await largeUnary(client)
      await Promise.all(Array.from({ length: PARALLEL_CALLS }, () => largeUnary(client)))
    },
  },
  data_frame_padding: { channel: SMALL_WINDOWS, run: twoLargeUnaries },
  no_df_padding: { channel: SMALL_WINDOWS, run: twoLargeUnaries },
}

/** Does what our client has to do in a case, and rejects when it does not see what it must. */
export async function runOurClient(
  name: CaseName,
  target: string,
  options: ChannelOptions = {},
): Promise<void> {
  const { channel, run } = PROCEDURES[name]
  const conn = dial(target, { ...options, ...channel })
  try {
    await run(createClient(TestService, conn, { timeoutMs: PATIENCE_MS }), conn)
  } finally {
    conn.close()
  }
}

async function largeUnary(client: TestClient): Promise<void> {
  const { payload } = await client.unaryCall({
    responseSize: RESPONSE_BYTES,
    payload: { body: Buffer.alloc(REQUEST_BYTES) },
  })
  assert.ok(Buffer.alloc(RESPONSE_BYTES).equals(payload.body), 'the response is not as many zeros')
}

async function twoLargeUnaries(client: TestClient): Promise<void> {
  await largeUnary(client)
  await largeUnary(client)
}

/** INTERNAL whatever came before RST_STREAM(NO_ERROR): what grpc-go 1.85 gives in all three cases. */
async function failedUnary(client: TestClient): Promise<void> {
  const error = await largeUnary(client).then(
    () => assert.fail('the call succeeded'),
    (error: unknown) => error,
  )
  assert.ok(error instanceof RpcError, String(error))
  assert.equal(codeName(error.code), codeName(Code.Internal), error.message)
  assert.match(error.rawMessage, /RST_STREAM.*NO_ERROR/)
}
