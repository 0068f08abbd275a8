// node:http2 as the server of h2-server.ts, to be compared with.
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { serverIdentity } from '../../support/certs.ts'
import { ANSWER, ANSWER_DELAY_MS, serverFlags, stopOnSignal } from './server-flags.ts'

const { port, tls } = serverFlags()
const server = tls ? http2.createSecureServer(serverIdentity) : http2.createServer()
server.on('sessionError', () => {})
server.on('stream', (stream) => {
  stream.on('error', () => {})
  stream.resume().once('end', () => {
    setTimeout(() => {
      if (stream.destroyed) return
      stream.respond({ ':status': 200, 'content-type': 'text/plain' })
      stream.end(ANSWER)
    }, ANSWER_DELAY_MS)
  })
})
server.listen(port, '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${(server.address() as AddressInfo).port}`)
})
stopOnSignal(() => process.exit())
