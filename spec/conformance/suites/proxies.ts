// Proxies between the client and the server under test: the interop cases, calls of every kind, a proxy
// that ends connections, and one that has no server.
import { join } from 'node:path'
import {
  CALLS_CHECKS,
  DEAD_SERVER_CHECKS,
  DUPLEX_CHECKS,
  GOAWAY_CHECKS,
  REQUESTS_A_CONNECTION,
} from '../calls/checks.ts'
import { type GrpcProxy, PROXIES, type ProxyRoute } from '../peers/proxies.ts'
import { type Command, outputOf } from '../process/child.ts'
import { accepting, freePort } from '../process/ports.ts'
import type { Suite } from '../suite.ts'
import type { SuiteRun } from '../suite-run.ts'
import { UNCONDITIONAL } from './interop.ts'

const READY_MS = 20_000
const CASE_MS = 25_000
/** tcpmux, which nobody serves; a port that was free may be taken again. */
const CLOSED_PORT = 1

/** What is done through one process of a proxy. */
interface Part {
  readonly name: string
  readonly cases: readonly string[]
  /** Only with a proxy of which this is true. */
  readonly needs?: 'endsConnections' | 'isFullDuplex'
  readonly server: 'interop' | 'calls' | 'none'
  readonly client: 'interop' | 'calls'
}

const PARTS: readonly Part[] = [
  {
    name: 'interop',
    cases: UNCONDITIONAL.map(({ name }) => name),
    server: 'interop',
    client: 'interop',
  },
  { name: 'calls', cases: Object.keys(CALLS_CHECKS), server: 'calls', client: 'calls' },
  {
    name: 'both ways at once',
    cases: Object.keys(DUPLEX_CHECKS),
    needs: 'isFullDuplex',
    server: 'calls',
    client: 'calls',
  },
  {
    name: 'GOAWAY',
    cases: Object.keys(GOAWAY_CHECKS),
    needs: 'endsConnections',
    server: 'calls',
    client: 'calls',
  },
  { name: 'no server', cases: Object.keys(DEAD_SERVER_CHECKS), server: 'none', client: 'calls' },
]

/** What a client is told of a case. */
const FLAGS: Readonly<Record<Part['client'], (port: number, name: string) => readonly string[]>> = {
  interop: (port, name) => [
    '--server_host=127.0.0.1',
    `--server_port=${port}`,
    `--test_case=${name}`,
  ],
  calls: (port, name) => ['--port', String(port), '--check', name],
}

export const proxies: Suite = {
  name: 'proxies',
  summary: 'a client and a server with nginx, nghttpx, HAProxy or Envoy between them',
  roles: ['interopServer', 'interopClient', 'callsServer', 'callsClient'],
  groups: () => PROXIES.map((proxy) => ({ name: proxy.name, cases: countOf(proxy) })),
  peers: () => Promise.all(PROXIES.map(async ({ name, version }) => `${name} ${await version()}`)),
  async execute(run) {
    const ends = await bothEnds(run)
    for (const proxy of PROXIES) {
      for (const part of partsOf(proxy)) await runPart(run, proxy, part, ends)
    }
  },
}

/** The commands of the clients, and the ports of the servers. */
interface Ends {
  readonly clients: Readonly<Record<Part['client'], Command>>
  readonly ports: Readonly<Record<Part['server'], number>>
}

async function bothEnds(run: SuiteRun): Promise<Ends> {
  const interop = await run.serve('interop-server', run.role('interopServer'), false)
  const calls = await run.serve('calls-server', run.role('callsServer'), false)
  return {
    clients: {
      interop: await run.client('interop-client', run.role('interopClient')),
      calls: await run.client('calls-client', run.role('callsClient')),
    },
    ports: { interop: interop.port, calls: calls.port, none: CLOSED_PORT },
  }
}

function partsOf(proxy: GrpcProxy): Part[] {
  return PARTS.filter(({ needs }) => needs === undefined || proxy[needs])
}

function countOf(proxy: GrpcProxy): number {
  return partsOf(proxy).reduce((sum, { cases }) => sum + cases.length, 0)
}

async function runPart(
  run: SuiteRun,
  proxy: GrpcProxy,
  { name, cases, needs, server, client }: Part,
  { clients, ports }: Ends,
): Promise<void> {
  const port = await startProxy(run, proxy, name, {
    serverPort: ports[server],
    ...(needs === 'endsConnections' ? { requestsAConnection: REQUESTS_A_CONNECTION } : {}),
  })
  const command = clients[client]
  for (const one of cases) {
    const args = [...command.args, ...FLAGS[client](port, one)]
    await run.check(proxy.name, `${name}: ${one}`, async () => {
      await outputOf({ ...command, args }, CASE_MS)
    })
  }
}

async function startProxy(
  run: SuiteRun,
  proxy: GrpcProxy,
  part: string,
  route: Omit<ProxyRoute, 'port'>,
): Promise<number> {
  const port = await freePort()
  const folder = join(run.scratch, `${proxy.name} ${part}`.replaceAll(' ', '-'))
  const child = run.start(await proxy.command({ port, ...route }, folder, run.progress))
  if (!(await accepting(port, READY_MS))) {
    throw new Error(`${child.describe()} does not accept at ${port}: ${child.lastWords()}`)
  }
  return port
}
