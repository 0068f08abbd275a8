// grpc-java's interop client, over Netty and over OkHttp, against the server under test, and the client
// under test against grpc-java's server; in clear text and over TLS.
import { javaProgram, javaVersion } from '../peers/java.ts'
import { type Command, outputOf } from '../process/child.ts'
import { freePort } from '../process/ports.ts'
import type { Suite } from '../suite.ts'
import type { SuiteRun } from '../suite-run.ts'
import { COMMON_CASES, interopFlags, SOAK_CASES } from './interop-cases.ts'

const WIRES = [
  { wire: 'h2c', tls: false },
  { wire: 'TLS', tls: true },
]

/** The HTTP/2 stacks of the Java client. */
const STACKS = [
  { stack: 'Netty', flags: [] },
  { stack: 'OkHttp', flags: ['--use_okhttp=true'] },
]

/** Its balancer that hands the reports of the server to the client. */
const ORCA = `--service_config_json=${JSON.stringify({
  loadBalancingConfig: [{ test_backend_metrics_load_balancer: {} }],
})}`

/** All that the Java client has and that needs no cloud, with the flags that a case needs. */
const THEIR_CASES: readonly (readonly [name: string, ...flags: string[]])[] = [
  ...[...COMMON_CASES, ...SOAK_CASES].map((name) => [name] as const),
  ['client_compressed_unary'],
  ['client_compressed_unary_noprobe'],
  ['client_compressed_streaming'],
  ['client_compressed_streaming_noprobe'],
  ['server_compressed_unary'],
  ['server_compressed_streaming'],
  ['very_large_request'],
  ['pick_first_unary'],
  ['orca_per_rpc', ORCA],
  ['orca_oob', ORCA],
]

/** Without the probe for INVALID_ARGUMENT, which the Java server does not answer so. */
const OUR_CASES = [
  ...COMMON_CASES,
  ...SOAK_CASES,
  'client_compressed_unary_noprobe',
  'client_compressed_streaming_noprobe',
  'server_compressed_unary',
  'server_compressed_streaming',
]
/** What grpc-java tests beyond the common descriptions, or what those leave to choice. */
const OUR_MORE_CASES = ['very_large_request', 'pick_first_unary', 'orca_per_rpc', 'orca_oob']

const CASE_MS = 40_000
const READY_MS = 20_000

const theirs = (stack: string, wire: string): string => `its ${stack} client, ${wire}`
const ours = (wire: string): string => `its server, ${wire}`
const oursMore = (wire: string): string => `its server, more, ${wire}`

export const grpcJava: Suite = {
  name: 'grpc-java',
  summary:
    "gRPC's interop cases against grpc-java, each side with each, in clear text and over TLS",
  roles: ['interopServer', 'interopClient'],
  groups: () =>
    WIRES.flatMap(({ wire }) => [
      ...STACKS.map(({ stack }) => ({ name: theirs(stack, wire), cases: THEIR_CASES.length })),
      { name: ours(wire), cases: OUR_CASES.length },
      { name: oursMore(wire), cases: OUR_MORE_CASES.length },
    ]),
  peers: async () => [`grpc-java ${javaVersion()} (Netty, OkHttp)`],
  async execute(run) {
    for (const { wire, tls } of WIRES) {
      await runTheirClients(run, wire, tls)
      await runOurClient(run, wire, tls)
    }
  },
}

async function runTheirClients(run: SuiteRun, wire: string, tls: boolean): Promise<void> {
  const client = await javaProgram('TestServiceClient', run.progress)
  const { port } = await run.serve(`server-${wire}`, run.role('interopServer'), tls)
  for (const { stack, flags } of STACKS) {
    for (const [name, ...more] of THEIR_CASES) {
      const all = [...interopFlags({ port, tls }, name), ...flags, ...more]
      await runCase(run, theirs(stack, wire), name, client, all)
    }
  }
}

async function runOurClient(run: SuiteRun, wire: string, tls: boolean): Promise<void> {
  const client = await run.client(`client-${wire}`, run.role('interopClient'))
  const port = await startTheirServer(run, tls)
  const groups = [
    { group: ours(wire), cases: OUR_CASES },
    { group: oursMore(wire), cases: OUR_MORE_CASES },
  ]
  for (const { group, cases } of groups) {
    for (const name of cases) {
      await runCase(run, group, name, client, interopFlags({ port, tls }, name))
    }
  }
}

async function startTheirServer(run: SuiteRun, tls: boolean): Promise<number> {
  const { file, args } = await javaProgram('TestServiceServer', run.progress)
  const port = await freePort()
  const flags = [`--port=${port}`, `--use_tls=${tls}`, '--address_type=IPV4']
  const server = run.start({ file, args: [...args, ...flags] })
  await server.line(/Server started on port/, READY_MS)
  return port
}

/** One case: a client that must end with 0. */
async function runCase(
  run: SuiteRun,
  group: string,
  name: string,
  client: Command,
  flags: readonly string[],
): Promise<void> {
  const command = { ...client, args: [...client.args, ...flags] }
  const body = async (): Promise<void> => void (await outputOf(command, CASE_MS))
  await run.check(group, name, body, 2 * CASE_MS) // outputOf ends the client, check could not
}
