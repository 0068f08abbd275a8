// The interop tests of gRPC both ways: a foreign client on our server, our client on a foreign server.
// Which peer it is, and how to get it, is said by the suite of that peer.
import { type Command, outputOf } from '../process/child.ts'
import type { Roles, Suite } from '../suite.ts'
import type { SuiteRun } from '../suite-run.ts'

/** A case that counts as one, by the tests that each side's client runs for it. */
export interface InteropCase {
  readonly name: string
  /** What the foreign client runs; a client that runs nothing has no such case. */
  readonly theirs: readonly string[]
  /** What our client runs. */
  readonly ours: readonly string[]
  /** Flags of the foreign client for this case. */
  readonly theirFlags?: readonly string[]
  /** Flags of both clients for this case. */
  readonly flags?: readonly string[]
  /** Default 20 s for each test. */
  readonly withinMs?: number
}

/** What a client stands upon, when it has the choice. */
interface ClientStack {
  readonly name: string
  readonly flags: readonly string[]
}

/** A stack that others wrote, with a program for each end. */
export interface InteropPeer extends Pick<Roles, 'interopServer' | 'interopClient'> {
  readonly name: string
  /** One line for `--help`. */
  readonly summary: string
  readonly versions: () => Promise<readonly string[]>
  readonly cases: readonly InteropCase[]
  /** Other stacks of the same client, which flags choose. */
  readonly otherStacks?: readonly ClientStack[]
  /** Also over TLS, with the test certificates of the gRPC project. Default false. */
  readonly tls?: boolean
}

const THEIR_CLIENT = 'their client'
const OUR_CLIENT = 'our client'
const CASE_MS = 20_000
const TLS_FLAGS = [
  '--use_tls=true',
  '--use_test_ca=true',
  '--server_host_override=foo.test.google.fr',
]

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

/** One client on one server, in clear text or over TLS. */
interface Pair {
  readonly group: string
  readonly isOurs: boolean
  readonly tls: boolean
  /** Flags of the client. */
  readonly flags: readonly string[]
}

type Make = (progress: (line: string) => void) => Promise<Command>

/** Both ends by programs with the flags of grpc-go's; the server prints `127.0.0.1:PORT`. */
export function programs(
  server: Make,
  client: Make,
): Pick<InteropPeer, 'interopServer' | 'interopClient'> {
  return {
    interopServer: {
      command: async ({ port }, progress) => {
        const { args, ...command } = await server(progress)
        return { ...command, args: [...args, `--port=${port}`] }
      },
    },
    interopClient: { command: (_, progress) => client(progress) },
  }
}

/** The suite of a peer. */
export function interopSuite(peer: InteropPeer): Suite {
  const { name, summary, versions, cases } = peer
  const pairs = pairsOf(peer)
  return {
    name,
    summary,
    roles: ['interopServer', 'interopClient'],
    groups: () =>
      pairs.map((pair) => ({
        name: pair.group,
        cases: cases.filter((each) => testsOf(each, pair).length > 0).length,
      })),
    peers: versions,
    async execute(run) {
      for (const pair of pairs) await runPair(run, peer, pair)
    },
  }
}

function pairsOf({ tls = false, otherStacks = [] }: InteropPeer): readonly Pair[] {
  const clients = [
    { client: THEIR_CLIENT, isOurs: false, flags: [] },
    ...otherStacks.map(({ name, flags }) => ({
      client: `${THEIR_CLIENT} on ${name}`,
      isOurs: false,
      flags,
    })),
    { client: OUR_CLIENT, isOurs: true, flags: [] },
  ]
  const clearFlags = tls ? ['--use_tls=false'] : [] // some have TLS unless told otherwise
  return (tls ? [false, true] : [false]).flatMap((overTls) =>
    clients.map(({ client, isOurs, flags }) => ({
      group: overTls ? `${client}, TLS` : client,
      isOurs,
      tls: overTls,
      flags: [...flags, ...(overTls ? TLS_FLAGS : clearFlags)],
    })),
  )
}

function testsOf({ ours, theirs }: InteropCase, { isOurs }: Pair): readonly string[] {
  return isOurs ? ours : theirs
}

async function runPair(run: SuiteRun, peer: InteropPeer, pair: Pair): Promise<void> {
  const { group, isOurs, tls, flags: pairFlags } = pair
  const serverProgram = isOurs ? peer.interopServer : run.role('interopServer')
  const clientProgram = isOurs ? run.role('interopClient') : peer.interopClient
  const { port } = await run.serve(`server of ${group}`, serverProgram, tls)
  const { args, ...client } = await run.client(group, clientProgram)
  const at = ['--server_host=127.0.0.1', `--server_port=${port}`, ...pairFlags]
  for (const each of peer.cases) {
    const tests = testsOf(each, pair)
    if (tests.length === 0) continue
    const flags = [...(each.flags ?? []), ...((isOurs ? undefined : each.theirFlags) ?? [])]
    await check(run, group, each, tests, { ...client, args: [...args, ...at, ...flags] })
  }
}

/** A case passes if the client ends with 0 for each of its tests. */
function check(
  run: SuiteRun,
  group: string,
  { name, withinMs = CASE_MS }: InteropCase,
  tests: readonly string[],
  client: Command,
): Promise<void> {
  const runTests = async (): Promise<void> => {
    for (const test of tests) {
      await outputOf({ ...client, args: [...client.args, `--test_case=${test}`] }, withinMs)
    }
  }
  return run.check(group, name, runTests, withinMs * tests.length)
}
