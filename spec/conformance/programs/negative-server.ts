// A server of the negative HTTP/2 cases, for clients of any language:
// `negative-server.js --case NAME [--port N]` prints `listening on 127.0.0.1:PORT`. On SIGTERM or SIGINT
// it prints one line of JSON, what it saw and what its client did wrong, and exits with 0 if nothing.
import { parseArgs } from 'node:util'
import { CASE_NAMES, type CaseName, verify } from '../negative/scripts.ts'
import { startNegativeServer } from '../negative/server.ts'

const { values } = parseArgs({
  options: { case: { type: 'string' }, port: { type: 'string', default: '0' } },
})
const name = values.case as CaseName
if (!CASE_NAMES.includes(name)) throw new Error(`--case is one of ${CASE_NAMES.join(', ')}`)

const server = await startNegativeServer(name, Number(values.port))
console.log(`listening on 127.0.0.1:${server.port}`)

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    const failure = failureOf()
    console.log(JSON.stringify({ ...server.report(), failure }))
    process.exitCode = failure === undefined ? 0 : 1
    void server.stop()
  })
}

function failureOf(): string | undefined {
  try {
    verify(name, server.report())
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
