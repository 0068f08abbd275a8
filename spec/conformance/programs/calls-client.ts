// framewright as the client of calls-server.ts, through proxies: runs one check, ends with 0 if it
// passed. `calls-client.js [--trace FILE] --port N --check NAME`
import { parseArgs } from 'node:util'
import { createClient, dial } from '../../../lib/grpc/index.ts'
import { traceFrames } from '../../../lib/transport/index.ts'
import { CALLS_CHECKS, DEAD_SERVER_CHECKS, DUPLEX_CHECKS, GOAWAY_CHECKS } from '../calls/checks.ts'
import { Calls } from '../calls/service.ts'
import { traceLines } from '../trace-file.ts'

/** No call of a check takes longer unless something is wrong. */
const CALL_MS = 10_000

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '' },
    check: { type: 'string', default: '' },
    trace: { type: 'string' },
  },
})
const check = { ...CALLS_CHECKS, ...DUPLEX_CHECKS, ...GOAWAY_CHECKS, ...DEAD_SERVER_CHECKS }[
  values.check
]
if (check === undefined) throw new Error(`there is no check "${values.check}"`)

let connections = 0
const lines = values.trace === undefined ? undefined : traceLines(values.trace)
const conn = dial(`127.0.0.1:${values.port}`, {
  logger: console,
  trace: () => {
    connections++
    return lines === undefined ? () => {} : traceFrames(lines())
  },
})
const client = createClient(Calls, conn, { timeoutMs: CALL_MS })
try {
  await check({ client, connections: () => connections })
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  conn.close()
}
