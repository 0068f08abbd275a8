// RouteGuide over TCP: starts the server on a free port, makes a call of each kind, prints what came
// back and what went over the wire. Server and client can be started apart.
import { stderr, stdout } from 'node:process'
import { parseArgs } from 'node:util'
import { createClient, dial, Server } from '../../lib/grpc/index.ts'
import { traceFrames } from '../../lib/transport/index.ts'
import { demonstrations } from './client.ts'
import { generateFeatures } from './features.ts'
import { routeGuide } from './server.ts'
import { loadRouteGuide } from './service.ts'
import { WireCount, type WireTotals } from './wire-count.ts'

const HELP = `RouteGuide, the service of gRPC's tutorial, over framewright.

  npm start                          server and client in one process, over TCP
  npm start -- --listen 127.0.0.1:50051   the server alone, until it is interrupted
  npm start -- --connect 127.0.0.1:50051  the client alone

  --trace    print each frame of the client's connection, with times
  --help     this text
`

interface CallRow {
  readonly method: string
  readonly ms: number
  readonly before: WireTotals
  readonly after: WireTotals
}

const print = (line: string): void => {
  stdout.write(`${line}\n`)
}

async function listen(address: string): Promise<{ server: Server; port: number; shown: string }> {
  const server = new Server({ logger: console })
  server.register(await loadRouteGuide(), routeGuide(generateFeatures()))
  const { port } = await server.listen(address)
  const shown = port === 0 ? address : `${address.slice(0, address.lastIndexOf(':'))}:${port}`
  return { server, port, shown }
}

async function runClient(target: string, trace: boolean): Promise<void> {
  const count = new WireCount()
  const conn = dial(target, {
    trace: () => count.sink(trace ? traceFrames((line) => print(`  | ${line}`)) : undefined),
  })
  const client = createClient(await loadRouteGuide(), conn, { timeoutMs: 10_000 })
  const rows: CallRow[] = []
  try {
    await conn.waitForReady({ timeoutMs: 10_000 })
    for (const { method, run } of demonstrations(generateFeatures())) {
      print(`\n${method}`)
      const before = count.totals
      const startMs = performance.now()
      await run(client, (line) => print(`  ${line}`))
      rows.push({ method, ms: performance.now() - startMs, before, after: count.totals })
    }
  } finally {
    conn.close()
  }
  printTable(rows)
}

function printTable(rows: readonly CallRow[]): void {
  const headings = ['call', 'frames out', 'in', 'bytes out', 'in', 'ms']
  const lines = rows.map(({ method, ms, before, after }) => [
    method,
    String(after.framesOut - before.framesOut),
    String(after.framesIn - before.framesIn),
    String(after.bytesOut - before.bytesOut),
    String(after.bytesIn - before.bytesIn),
    ms.toFixed(1),
  ])
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...lines.map((line) => line[column]?.length ?? 0)),
  )
  const row = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('   ')
  print('\nOver the wire')
  print(`  ${row(headings)}`)
  for (const line of lines) print(`  ${row(line)}`)
}

async function serveUntilInterrupted(address: string): Promise<void> {
  const { server, shown } = await listen(address)
  print(`RouteGuide listens at ${shown}; Ctrl-C stops it`)
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  await server.gracefulStop(5000)
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      listen: { type: 'string' },
      connect: { type: 'string' },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    stdout.write(HELP)
  } else if (values.listen !== undefined) {
    await serveUntilInterrupted(values.listen)
  } else if (values.connect !== undefined) {
    await runClient(values.connect, values.trace)
  } else {
    const { server, shown } = await listen('127.0.0.1:0')
    print(`RouteGuide listens at ${shown}`)
    await runClient(shown, values.trace)
    await server.gracefulStop()
  }
}

// Whoever reads may have seen enough.
stdout.on('error', () => process.exit())
main().catch((error: unknown) => {
  stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
