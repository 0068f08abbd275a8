// framewright as a server for connectconformance. Reads one ServerCompatRequest, serves as it says,
// and tells where. `connect-server.js [--trace FILE]`
import { stdin, stdout } from 'node:process'
import { parseArgs } from 'node:util'
import { Server, type ServerListenOptions } from '../../../lib/grpc/index.ts'
import { traceFrames } from '../../../lib/transport/index.ts'
import { traceLines } from '../trace-file.ts'
import { COMPRESSORS } from './connect-compressors.ts'
import { readFrames, writeFrame } from './connect-frames.ts'
import { Protos, type ServerCompatRequest, type ServerCompatResponse } from './connect-protos.ts'
import { registerConformance } from './connect-service.ts'
import { stopOnSignal } from './server-flags.ts'

const HOST = '127.0.0.1'

const { values } = parseArgs({ options: { trace: { type: 'string' } } })
const lines = values.trace === undefined ? undefined : traceLines(values.trace)

function listenOptions({
  useTls,
  serverCreds,
  clientTlsCert,
}: ServerCompatRequest): ServerListenOptions {
  if (!useTls || serverCreds === undefined) return {}
  const { cert, key } = serverCreds
  if (clientTlsCert.length === 0) return { tls: { cert, key } }
  return { tls: { cert, key, ca: clientTlsCert, requestClientCert: true } }
}

async function serve(protos: Protos, request: ServerCompatRequest): Promise<ServerCompatResponse> {
  const { messageReceiveLimit } = request
  const server = new Server({
    compressors: COMPRESSORS,
    minCompressBytes: 1,
    ...(messageReceiveLimit > 0 && { maxRecvMessageBytes: messageReceiveLimit }),
    ...(lines && { trace: () => traceFrames(lines()) }),
  })
  registerConformance(server, protos)
  stopOnSignal(() => server.stop())
  const { port } = await server.listen(`${HOST}:0`, listenOptions(request))
  return { host: HOST, port, pemCert: request.serverCreds?.cert ?? Buffer.alloc(0) }
}

const protos = await Protos.load()
for await (const frame of readFrames(stdin)) {
  const request = protos.decode<ServerCompatRequest>('ServerCompatRequest', frame)
  writeFrame(stdout, protos.encode('ServerCompatResponse', await serve(protos, request)))
  break
}
