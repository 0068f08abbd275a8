// framewright as a plain HTTP/2 server for h2spec: answers any request once it has read it.
// `h2-server.js --port N [--tls] [--trace FILE]` prints `listening on 127.0.0.1:PORT`.
import {
  formatTransportAddress,
  Http2Server,
  handleRequests,
  traceFrames,
} from '../../../lib/transport/index.ts'
import { serverIdentity } from '../../support/certs.ts'
import { traceLines } from '../trace-file.ts'
import { ANSWER, ANSWER_DELAY_MS, delay, serverFlags, stopOnSignal } from './server-flags.ts'

const { port, tls, trace } = serverFlags()
const lines = trace === undefined ? undefined : traceLines(trace)

const server = new Http2Server({
  ...(lines === undefined ? {} : { trace: () => traceFrames(lines(), { showSensitive: true }) }),
  onStream: handleRequests(async ({ body }) => {
    await body.bytes()
    await delay(ANSWER_DELAY_MS)
    return { headers: { 'content-type': 'text/plain' }, body: ANSWER }
  }),
})
const listener = await server.listen(`127.0.0.1:${port}`, tls ? { tls: serverIdentity } : {})
console.log(`listening on ${formatTransportAddress(listener.address)}`)
stopOnSignal(() => server.close())
