// framewright as a plain HTTP/2 client for h2specd: requests the URL that is its last argument and
// stays connected until the server closes. `h2-client.js [--trace FILE] URL`
import { parseArgs } from 'node:util'
import { connect, request, traceFrames } from '../../../lib/transport/index.ts'
import { traceLines } from '../trace-file.ts'

/** The suite gives up on a client after 3 s. */
const STAY_MS = 2_500

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { trace: { type: 'string' } },
})
const { hostname, port, pathname } = new URL(positionals[0]!)
const lines = values.trace === undefined ? undefined : traceLines(values.trace)

setTimeout(() => process.exit(), STAY_MS).unref()
try {
  const closed = await new Promise<Error>((resolve, reject) => {
    const connected = connect(`${hostname}:${port}`, {
      // The suite takes any PING for the answer to its own; those of the BDP estimator confuse it.
      growWindows: false,
      closeGraceMs: 200, // the suite keeps a connection for a second after its GOAWAY
      ...(lines === undefined ? {} : { trace: () => traceFrames(lines()) }),
      listener: {
        onDraining: () => void connected.then((transport) => transport.closeGracefully()),
        onClosed: resolve,
      },
    })
    connected
      .then((transport) => request(transport, { path: pathname }))
      .then((response) => response.body.bytes())
      .catch(reject)
  })
  console.log(closed.message)
} catch (error) {
  console.log(error instanceof Error ? error.message : error)
}
