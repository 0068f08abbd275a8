// A server of the negative HTTP/2 cases, for clients of any language:
// `negative-server.js --case NAME [--port N]` prints `listening on 127.0.0.1:PORT`. On SIGTERM it prints
// one line of JSON, what it saw and what its client did wrong, and exits with 0 if that is nothing.
import { parseArgs } from 'node:util'
import { caseNamed, complaintAbout } from '../negative/scripts.ts'
import { startNegativeServer } from '../negative/server.ts'
import { stopOnSignal } from './server-flags.ts'

const { values } = parseArgs({
  options: { case: { type: 'string', default: '' }, port: { type: 'string', default: '0' } },
})
const name = caseNamed(values.case)
const server = await startNegativeServer(name, Number(values.port))
console.log(`listening on 127.0.0.1:${server.port}`)

stopOnSignal(() => {
  const report = server.report()
  const complaint = complaintAbout(name, report)
  console.log(JSON.stringify({ case: name, ...report, complaint }))
  process.exitCode = complaint === undefined ? 0 : 1
  return server.stop()
})
