// Serves the echo. First argument: the codec, `protobufjs` or `bytes`.
import { Server } from '../../../lib/grpc/index.ts'
import { answerCommands } from '../answers.ts'
import { echoSetup } from '../echo-service.ts'

const MAX_STREAMS = 50_000

const server = new Server({ maxConcurrentStreams: MAX_STREAMS, logger: console })
let openStreams = 0

server.register(echoSetup(process.argv[2]).service, {
  echo: async (request) => request,
  push: async (requests, call) => {
    openStreams++
    try {
      await requests.consume((request) => {
        call.write(request)
      })
    } finally {
      openStreams--
    }
  },
  iterate: async function* (requests) {
    openStreams++
    try {
      for await (const request of requests) yield request
    } finally {
      openStreams--
    }
  },
})

answerCommands({
  listen: async () => (await server.listen('127.0.0.1:0')).port,
  openStreams: () => openStreams,
})
