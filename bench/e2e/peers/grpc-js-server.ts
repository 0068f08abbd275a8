// Serves the unary echo with grpc-js and protobufjs.
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { answerCommands } from '../answers.ts'
import { echoMethods } from '../grpc-js-echo.ts'

const server = new Server()
server.addService(echoMethods, {
  echo: (call: { request: unknown }, callback: (error: null, response: unknown) => void) =>
    callback(null, call.request),
})

answerCommands({
  listen: () =>
    new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
        if (error) reject(error)
        else resolve(port)
      })
    }),
})
