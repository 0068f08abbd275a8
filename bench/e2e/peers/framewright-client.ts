// Calls the echo on one connection. First argument: the codec, `protobufjs` or `bytes`.
import { type ClientConn, createClient, dial } from '../../../lib/grpc/index.ts'
import { answerCommands } from '../answers.ts'
import { closedLoop, type RoundPlan, type RoundResult } from '../closed-loop.ts'
import { echoSetup } from '../echo-service.ts'

const { service, message } = echoSetup(process.argv[2])
const clientOf = (conn: ClientConn) => createClient(service, conn)
let conn: ClientConn | undefined
let client: ReturnType<typeof clientOf> | undefined

answerCommands({
  connect: (port: number) => {
    conn?.close()
    conn = dial(`127.0.0.1:${port}`)
    client = clientOf(conn)
  },
  round: (plan: RoundPlan): Promise<RoundResult> => closedLoop(plan, () => client!.echo(message)),
})
