// The eight misbehaving servers of grpc's http2-interop-test-descriptions.md. grpc-go's clients show
// that the servers are right, then the client under test meets them.
import { strict as assert } from 'node:assert'
import { CASE_NAMES, type CaseName, verify } from '../negative/scripts.ts'
import { startNegativeServer } from '../negative/server.ts'
import { type GoTool, goTool, goVersion } from '../peers/go.ts'
import { type Command, type Ended, runToEnd } from '../process/child.ts'
import type { Suite } from '../suite.ts'

const PROOF = "grpc-go's client"
const OURS = 'our client'
const CLIENT_MS = 20_000

/** How grpc-go's client takes part in a case. */
interface Proof {
  readonly tool: GoTool
  /** The case by its name there; the same by default. */
  readonly testCase?: string
  /** What it prints when it fails, which it must. */
  readonly refuses?: RegExp
}

const negativeClient: Proof = { tool: 'interop-http2' }
/** The description has this case for both servers that cut a response into small frames. */
const largeUnary: Proof = { tool: 'interop-client', testCase: 'large_unary' }

const PROOFS: Readonly<Record<CaseName, Proof>> = {
  goaway: negativeClient,
  rst_after_header: negativeClient,
  // It asks for UNKNOWN here alone; since grpc-go maps NO_ERROR to INTERNAL it cannot get that.
  rst_during_data: { ...negativeClient, refuses: /UnaryCall\(\) = _, Internal, want _, Unknown$/m },
  rst_after_data: negativeClient,
  ping: negativeClient,
  max_streams: negativeClient,
  data_frame_padding: largeUnary,
  no_df_padding: largeUnary,
}

export const negative: Suite = {
  name: 'negative',
  summary: "a gRPC client on grpc's eight misbehaving HTTP/2 servers",
  roles: ['negativeClient'],
  groups: () => [PROOF, OURS].map((name) => ({ name, cases: CASE_NAMES.length })),
  peers: async () => [`grpc-go ${await goVersion('google.golang.org/grpc')}`],
  async execute(run) {
    for (const name of CASE_NAMES) {
      const { tool, testCase = name, refuses } = PROOFS[name]
      const command = { file: await goTool(tool, run.progress), args: [] }
      await run.check(PROOF, titleOf(name, refuses), () => meet(name, command, testCase, refuses))
    }
    const ours = await run.client(OURS, run.role('negativeClient'))
    for (const name of CASE_NAMES) {
      await run.check(OURS, name, () => meet(name, ours, name))
    }
  },
}

function titleOf(name: CaseName, refuses: RegExp | undefined): string {
  return refuses === undefined ? name : `${name}: gets INTERNAL, and fails for wanting UNKNOWN`
}

/** Runs a client against the server of a case; throws when either is not content with the other. */
async function meet(
  name: CaseName,
  { file, args }: Command,
  testCase: string,
  refuses?: RegExp,
): Promise<void> {
  const server = await startNegativeServer(name)
  try {
    const at = ['--server_host=127.0.0.1', `--server_port=${server.port}`]
    const command = { file, args: [...args, ...at, `--test_case=${testCase}`] }
    checkEnd(await runToEnd(command, CLIENT_MS), refuses)
    await server.abandoned()
    verify(name, server.report())
  } finally {
    await server.stop()
  }
}

/** A client ends with 0, or with 1 and the words that it must refuse by. */
function checkEnd({ code, stdout, stderr, timedOut }: Ended, refuses?: RegExp): void {
  const words = (stderr + stdout).trim()
  assert.ok(!timedOut, `took longer than ${CLIENT_MS} ms: ${words}`)
  assert.equal(code, refuses === undefined ? 0 : 1, words)
  if (refuses !== undefined) assert.match(words, refuses)
}
