#!/usr/bin/env node
// framewright-interop-server: serves gRPC's interop test service, with the flags of grpc-go's
// interop/server.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  addHealth,
  addOpenRca,
  addReflection,
  callMetricsInterceptor,
  Server,
  type ServerListenOptions,
} from '../../lib/grpc/index.ts'
import { CompressedMessages } from './compressed-messages.ts'
import type { Flags } from './flags.ts'
import { ownFile, print, runProgram, traceTo } from './program.ts'
import { testServer } from './test-server.ts'
import { implemented, loadOwnProto, loadTestServices } from './test-service.ts'

const HELP = `framewright-interop-server: the server of gRPC's interop tests, over framewright.

Serves grpc.testing.TestService, xds.service.orca.v3.OpenRcaService, health and reflection; prints one
line when it listens; ends when it is interrupted or terminated.
`

const FLAGS = {
  port: [10000, 'The port to listen on; 0: the system chooses'],
  host: ['127.0.0.1', 'The address to listen on'],
  use_tls: [false, 'TLS if true, else plain TCP'],
  tls_cert_file: ['', 'The TLS certificate; default: that of the gRPC project for tests'],
  tls_key_file: ['', 'Its key'],
  trace: ['', 'Appends each frame of each connection to this file'],
} as const

/** That of Java's interop server: very_large_request is 10 MiB. */
const MAX_RECV_MESSAGE_BYTES = 16 << 20
/** Far below the default, so that orca_oob takes no minute. */
const MIN_REPORTING_INTERVAL_MS = 100
const GRACE_MS = 5000

async function run(flags: Flags<typeof FLAGS>): Promise<number> {
  const compressed = new CompressedMessages()
  const server = new Server({
    interceptors: [callMetricsInterceptor()],
    stats: compressed,
    maxRecvMessageBytes: MAX_RECV_MESSAGE_BYTES,
    minCompressBytes: 0,
    logger: console,
    ...traceTo(flags.trace),
  })
  const metrics = addOpenRca(server, { minReportingIntervalMs: MIN_REPORTING_INTERVAL_MS })
  const test = await loadTestServices()
  const handlers = testServer({ compressed, metrics, serverId: randomUUID() })
  server.register(implemented(test.services.TestService), handlers)
  const health = await addHealth(server)
  await addReflection(server, [test, await loadOwnProto('xds/service/orca/v3/orca.proto')])

  const host = flags.host.includes(':') ? `[${flags.host}]` : flags.host
  const { port } = await server.listen(`${host}:${flags.port}`, listening(flags))
  print(`listening on ${host}:${port}${flags.use_tls ? ' with TLS' : ''}`)
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  health.shutdown()
  await server.gracefulStop(GRACE_MS)
  return 0
}

function listening(flags: Flags<typeof FLAGS>): ServerListenOptions {
  if (!flags.use_tls) return {}
  const cert = readFileSync(flags.tls_cert_file || ownFile('certs/server1.pem'))
  const key = readFileSync(flags.tls_key_file || ownFile('certs/server1.key'))
  return { tls: { cert, key } }
}

await runProgram({ help: HELP, flags: FLAGS, run })
