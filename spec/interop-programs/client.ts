#!/usr/bin/env node
// framewright-interop-client: runs gRPC's interop cases against a server, with the flags of grpc-go's
// interop/client.
import { readFileSync } from 'node:fs'
import {
  type ChannelCredentials,
  type ChannelOptions,
  type ClientConn,
  createClient,
  credentials,
  dial,
  type Interceptor,
} from '../../lib/grpc/index.ts'
import { type CaseContext, PATIENCE_MS, type SoakOptions } from './cases/case.ts'
import { CASES } from './cases/cases.ts'
import { CompressedMessages } from './compressed-messages.ts'
import { FlagError, type Flags } from './flags.ts'
import { ownFile, print, runProgram, traceTo } from './program.ts'
import { loadTestServices, type TestServices } from './test-service.ts'

const HELP = `framewright-interop-client: gRPC's interop tests, over framewright.

Runs one case, several (a,b,c) or all, each on a channel of its own, and prints a line for each.
Status 0 only if all passed.

Cases:
${[...CASES.keys()].map((name) => `  ${name}\n`).join('')}`

const FLAGS = {
  server_host: ['localhost', 'The name or address of the server'],
  server_port: [10000, 'Its port; 0: server_host is a target as it is'],
  server_host_override: ['', 'The name to claim to connect to: in TLS and as :authority'],
  test_case: ['large_unary', 'The cases to run: one, several separated by commas, or all'],
  num_times: [1, 'How often to run each, on the same channel'],
  use_tls: [false, 'TLS if true, else plain TCP'],
  use_test_ca: [false, 'Trusts the CA of the gRPC project for tests in place of the usual ones'],
  ca_file: ['', 'Trusts this CA in place of the usual ones'],
  additional_metadata: ['', 'Metadata for each request, as in key1:value1;key2:value2'],
  soak_iterations: [10, 'Calls of a soak'],
  soak_max_failures: [0, 'How many of them may fail or be too slow'],
  soak_per_iteration_max_acceptable_latency_ms: [1000, 'What is too slow'],
  soak_overall_timeout_seconds: [10, 'When a soak has to be over'],
  soak_min_time_ms_between_rpcs: [0, 'The least time between the starts of two calls of a thread'],
  soak_request_size: [271828, 'Octets of a request'],
  soak_response_size: [314159, 'Octets of a response'],
  soak_num_threads: [1, 'How many calls are open at once'],
  trace: ['', 'Appends each frame of each connection to this file'],
} as const

type ClientFlags = Flags<typeof FLAGS>

async function run(flags: ClientFlags): Promise<number> {
  const names = caseNames(flags.test_case)
  const options = channelOptions(flags)
  const { services } = await loadTestServices()
  let failed = 0
  for (const name of names) {
    const compressed = new CompressedMessages()
    const open = (): ClientConn => dial(target(flags), { ...options, stats: compressed })
    if (!(await runCase(name, flags, services, compressed, open))) failed++
  }
  if (names.length > 1) print(`${names.length - failed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

/** Runs a case as often as asked; false when it failed. */
async function runCase(
  name: string,
  flags: ClientFlags,
  services: TestServices,
  compressed: CompressedMessages,
  open: () => ClientConn,
): Promise<boolean> {
  const conn = open()
  const client = createClient(services.TestService, conn, { timeoutMs: PATIENCE_MS })
  const soak = soakOptions(flags)
  const context: CaseContext = { conn, client, services, compressed, dial: open, soak }
  const startMs = performance.now()
  try {
    for (let i = 0; i < flags.num_times; i++) await CASES.get(name)?.(context)
    print(`PASS ${name} ${(performance.now() - startMs).toFixed(0)} ms`)
    return true
  } catch (error) {
    print(`FAIL ${name}: ${(error as Error).message}`)
    return false
  } finally {
    conn.close()
  }
}

function caseNames(text: string): readonly string[] {
  if (text === 'all') return [...CASES.keys()]
  const names = text.split(',')
  for (const name of names) {
    if (!CASES.has(name)) throw new FlagError(`unsupported test case: ${name}`)
  }
  return names
}

function target({ server_host: host, server_port: port }: ClientFlags): string {
  if (port === 0) return host
  return `${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`
}

function channelOptions(flags: ClientFlags): ChannelOptions {
  const { server_host_override: authority, additional_metadata: metadata } = flags
  return {
    credentials: channelCredentials(flags),
    ...(authority !== '' && { authority }),
    ...(metadata !== '' && { interceptors: [addMetadata(metadata)] }),
    ...traceTo(flags.trace),
  }
}

function channelCredentials({ use_tls, use_test_ca, ca_file }: ClientFlags): ChannelCredentials {
  if (!use_tls) return credentials.insecure()
  const file = ca_file !== '' ? ca_file : use_test_ca ? ownFile('certs/ca.pem') : undefined
  return credentials.tls(file === undefined ? {} : { ca: readFileSync(file) })
}

/** Values may hold anything but semicolons. */
function addMetadata(text: string): Interceptor {
  const pairs = text.split(';').map((pair) => {
    const colon = pair.indexOf(':')
    if (colon < 0) throw new FlagError(`-additional_metadata: got ${pair}, want key:value`)
    return [pair.slice(0, colon), pair.slice(colon + 1)] as const
  })
  return (request, next) => {
    for (const [key, value] of pairs) request.call.metadata.append(key, value)
    return next(request)
  }
}

function soakOptions(flags: ClientFlags): SoakOptions {
  return {
    iterations: flags.soak_iterations,
    maxFailures: flags.soak_max_failures,
    maxLatencyMs: flags.soak_per_iteration_max_acceptable_latency_ms,
    overallTimeoutMs: flags.soak_overall_timeout_seconds * 1000,
    minIntervalMs: flags.soak_min_time_ms_between_rpcs,
    requestBytes: flags.soak_request_size,
    responseBytes: flags.soak_response_size,
    threads: flags.soak_num_threads,
  }
}

await runProgram({ help: HELP, flags: FLAGS, run })
