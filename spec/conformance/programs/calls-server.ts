// framewright as the server behind proxies: `calls-server.js --port N [--tls] [--trace FILE]` prints
// `listening on 127.0.0.1:PORT`.
import { type Handlers, Server, type ServerCallContext } from '../../../lib/grpc/index.ts'
import { traceFrames } from '../../../lib/transport/index.ts'
import { serverIdentity } from '../../support/certs.ts'
import {
  Calls,
  ECHOED,
  failure,
  type HangReport,
  octets,
  REPEATED_BYTES,
  text,
} from '../calls/service.ts'
import { traceLines } from '../trace-file.ts'
import { serverFlags, stopOnSignal } from './server-flags.ts'

type Call = ServerCallContext<Uint8Array>

const hanging = new Map<string, HangReport>()

const handlers: Handlers<typeof Calls> = {
  echo(message, call) {
    for (const name of ECHOED) {
      const value = call.metadata.get(name)
      if (value === undefined) continue
      call.headers.set(name, value)
      call.trailers.set(name, value)
    }
    return message
  },
  async sum(messages) {
    let sum = 0
    for await (const message of messages) sum += message.length
    return octets(sum)
  },
  repeat: (count) => repeated(Number(text(count))),
  chat: (messages, call) => {
    call.sendHeaders()
    return messages
  },
  async *fail(count) {
    yield* repeated(Number(text(count)))
    throw failure()
  },
  refuse() {
    throw failure()
  },
  hang: (name, call) => hang(text(name), call),
  report: (name) => octets(JSON.stringify(hanging.get(text(name)) ?? { ended: false })),
}

function* repeated(count: number): Iterable<Uint8Array> {
  for (let i = 0; i < count; i++) yield Buffer.alloc(REPEATED_BYTES, i)
}

async function hang(name: string, call: Call): Promise<void> {
  const { deadline, signal } = call
  const given = deadline && { timeoutMs: deadline.getTime() - Date.now() }
  hanging.set(name, { ...given, ended: false })
  call.sendHeaders()
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
  hanging.set(name, { ...given, ended: true })
}

const { port, tls, trace } = serverFlags()
const lines = trace === undefined ? undefined : traceLines(trace)
const server = new Server({
  logger: console,
  ...(lines === undefined ? {} : { trace: () => traceFrames(lines()) }),
})
server.register(Calls, handlers)
const bound = await server.listen(`127.0.0.1:${port}`, tls ? { tls: serverIdentity } : {})
console.log(`listening on 127.0.0.1:${bound.port}`)
stopOnSignal(() => server.gracefulStop(0))
