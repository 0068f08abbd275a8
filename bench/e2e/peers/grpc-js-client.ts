// Calls the unary echo with grpc-js and protobufjs on one connection.
import { Client, credentials } from '@grpc/grpc-js'
import { answerCommands } from '../answers.ts'
import { closedLoop, type RoundPlan, type RoundResult } from '../closed-loop.ts'
import { type Echo, PAYLOAD_BYTES } from '../echo-service.ts'
import { echoMethods } from '../grpc-js-echo.ts'

const { path, requestSerialize, responseDeserialize } = echoMethods.echo
const message: Echo = { payload: Buffer.alloc(PAYLOAD_BYTES, 'framewright') }
let client: Client | undefined

function call(): Promise<Echo | undefined> {
  return new Promise((resolve, reject) => {
    client!.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      (error, reply) => (error === null ? resolve(reply) : reject(error)),
    )
  })
}

answerCommands({
  connect: (port: number) => {
    client?.close()
    client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  },
  round: (plan: RoundPlan): Promise<RoundResult> => closedLoop(plan, call),
})
