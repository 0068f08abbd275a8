// framewright as a client for connectconformance. Reads ClientCompatRequests until the input ends,
// makes several calls at once and tells of each when it is over. `connect-client.js [--trace FILE]`
import { stdin, stdout } from 'node:process'
import { parseArgs } from 'node:util'
import { type ClientConn, createClient, credentials, dial } from '../../../lib/grpc/index.ts'
import { traceFrames } from '../../../lib/transport/index.ts'
import { traceLines } from '../trace-file.ts'
import { makeCall } from './connect-calls.ts'
import { COMPRESSORS } from './connect-compressors.ts'
import { readFrames, writeFrame } from './connect-frames.ts'
import { type ClientCompatRequest, type ClientCompatResponse, Protos } from './connect-protos.ts'

/** How many calls are made at once; the reference client's number. */
const PARALLEL = 8

const { values } = parseArgs({ options: { trace: { type: 'string' } } })
const lines = values.trace === undefined ? undefined : traceLines(values.trace)

/** A channel for each server and what proves who calls it. */
class Channels {
  private readonly byKey = new Map<string, ClientConn>()

  public to(request: ClientCompatRequest): ClientConn {
    const { host, port, serverTlsCert, clientTlsCreds } = request
    const key = [host, port, serverTlsCert, clientTlsCreds?.cert].join()
    const channel = this.byKey.get(key) ?? open(request)
    this.byKey.set(key, channel)
    return channel
  }

  public close(): void {
    for (const channel of this.byKey.values()) channel.close()
  }
}

function open({ host, port, serverTlsCert, clientTlsCreds }: ClientCompatRequest): ClientConn {
  const tls = { ca: serverTlsCert, ...clientTlsCreds }
  return dial(`${host}:${port}`, {
    credentials: serverTlsCert.length > 0 ? credentials.tls(tls) : credentials.insecure(),
    compressors: COMPRESSORS,
    ...(lines && { trace: () => traceFrames(lines()) }),
  })
}

async function respond(
  protos: Protos,
  channels: Channels,
  request: ClientCompatRequest,
): Promise<ClientCompatResponse> {
  const { testName } = request
  try {
    const client = createClient(protos.service, channels.to(request))
    return { testName, response: await makeCall(protos, client, request) }
  } catch (thrown) {
    return { testName, error: { message: String(thrown) } }
  }
}

const protos = await Protos.load()
const channels = new Channels()
const running = new Set<Promise<void>>()
for await (const frame of readFrames(stdin)) {
  const request = protos.decode<ClientCompatRequest>('ClientCompatRequest', frame)
  const call = respond(protos, channels, request).then((response) => {
    running.delete(call)
    writeFrame(stdout, protos.encode('ClientCompatResponse', response))
  })
  running.add(call)
  if (running.size >= PARALLEL) await Promise.race(running)
}
await Promise.all(running)
channels.close()
