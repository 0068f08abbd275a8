// The interop tests of gRPC both ways: a foreign client on our server, our client on a foreign server.
// Which peer it is, and how to get it, is said by the suite of that peer.
import { type Command, outputOf } from '../process/child.ts'
import type { ServerProgram, Suite } from '../suite.ts'
import type { SuiteRun } from '../suite-run.ts'

/** A case that counts as one, by the tests that each side's client runs for it. */
export interface InteropCase {
  readonly name: string
  /** What the foreign client runs. */
  readonly theirs: readonly string[]
  /** What our client runs. */
  readonly ours: readonly string[]
}

/** A stack that others wrote, with a program for each end that is made when it is not there. */
export interface InteropPeer {
  readonly name: string
  /** One line for `--help`. */
  readonly summary: string
  readonly versions: () => Promise<readonly string[]>
  readonly cases: readonly InteropCase[]
  /** Takes `--port` as grpc-go's server does, and prints `127.0.0.1:PORT`. */
  readonly server: (progress: (line: string) => void) => Promise<Command>
  /** Takes `--server_host`, `--server_port` and `--test_case` as grpc-go's client does. */
  readonly client: (progress: (line: string) => void) => Promise<Command>
}

const THEIR_CLIENT = 'their client'
const OUR_CLIENT = 'our client'
const CASE_MS = 20_000

/** Those that every stack has. */
export const UNCONDITIONAL: readonly InteropCase[] = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'timeout_on_sleeping_server',
  'cancel_after_begin',
  'cancel_after_first_response',
  'status_code_and_message',
  'special_status_message',
  'custom_metadata',
  'unimplemented_method',
  'unimplemented_service',
].map((name) => ({ name, theirs: [name], ours: [name] }))

/** The suite of a peer. */
export function interopSuite(peer: InteropPeer): Suite {
  const { name, summary, versions, cases } = peer
  const servePeer: ServerProgram['command'] = async ({ port }, progress) =>
    withArgs(await peer.server(progress), `--port=${port}`)
  return {
    name,
    summary,
    roles: ['interopServer', 'interopClient'],
    groups: () => [THEIR_CLIENT, OUR_CLIENT].map((group) => ({ name: group, cases: cases.length })),
    peers: versions,
    async execute(run) {
      const ourServer = await run.serve('our server', run.role('interopServer'), false)
      const theirClient = await peer.client(run.progress)
      for (const { name, theirs } of cases) {
        await check(run, THEIR_CLIENT, name, theirClient, ourServer.port, theirs)
      }
      const theirServer = await run.serve('their server', { command: servePeer }, false)
      const ourClient = await run.client('our client', run.role('interopClient'))
      for (const { name, ours } of cases) {
        await check(run, OUR_CLIENT, name, ourClient, theirServer.port, ours)
      }
    },
  }
}

/** A case passes if the client ends with 0 for each of its tests. */
function check(
  run: SuiteRun,
  group: string,
  name: string,
  client: Command,
  port: number,
  tests: readonly string[],
): Promise<void> {
  const at = ['--server_host=127.0.0.1', `--server_port=${port}`]
  return run.check(group, name, async () => {
    for (const test of tests) {
      await outputOf(withArgs(client, ...at, `--test_case=${test}`), CASE_MS)
    }
  })
}

function withArgs(command: Command, ...more: string[]): Command {
  return { ...command, args: [...command.args, ...more] }
}
