// A client that holds what it opened: connections with one finished call each, or idle streams.
import { type BidiCall, type ClientConn, createClient, dial } from '../../../lib/grpc/index.ts'
import { answerCommands } from '../answers.ts'
import { echoSetup } from '../echo-service.ts'
import { inBatches } from '../in-batches.ts'

/** What streams a holder opens: those of a method with that form of handler. */
export interface StreamsPlan {
  readonly count: number
  readonly form: 'push' | 'iterate' | 'wait'
}

const { service, message } = echoSetup(process.argv[2])
const conns: ClientConn[] = []
let calls: BidiCall<unknown, unknown>[] = []
let target = ''

function echoOn(conn: ClientConn): Promise<unknown> {
  return createClient(service, conn).echo(message)
}

function openConnection(): Promise<unknown> {
  const conn = dial(target)
  conns.push(conn)
  return echoOn(conn)
}

answerCommands({
  target: (port: number) => {
    target = `127.0.0.1:${port}`
  },
  openConnections: (count: number) => inBatches(count, openConnection),
  /** On the first connection. */
  openStreams: async ({ count, form }: StreamsPlan) => {
    const client = createClient(service, conns[0]!)
    for (let i = 0; i < count; i++) calls.push(client[form]())
    await echoOn(conns[0]!)
  },
  cancelStreams: async () => {
    for (const call of calls) call.cancel()
    calls = []
    await echoOn(conns[0]!)
  },
})
