// framewright as the client of a negative HTTP/2 case, with the flags of grpc-go's interop/http2:
// `negative-client.js --server_host=127.0.0.1 --server_port=N --test_case=NAME [--trace FILE]`.
// Exits with 1 and a message when it did not see what the case wants.
import { parseArgs } from 'node:util'
import { traceFrames } from '../../../lib/transport/index.ts'
import { runOurClient } from '../negative/client.ts'
import { caseNamed } from '../negative/scripts.ts'
import { traceLines } from '../trace-file.ts'

const { values } = parseArgs({
  options: {
    server_host: { type: 'string', default: '127.0.0.1' },
    server_port: { type: 'string', default: '8080' },
    test_case: { type: 'string', default: 'goaway' },
    trace: { type: 'string' },
  },
})
const lines = values.trace === undefined ? undefined : traceLines(values.trace)
const name = caseNamed(values.test_case)
const target = `${values.server_host}:${values.server_port}`
try {
  await runOurClient(name, target, lines && { trace: () => traceFrames(lines()) })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
