// Serves the echo. First argument: the codec, `protobufjs` or `bytes`.
import { Server } from '../../../lib/grpc/index.ts'
import { answerCommands } from '../answers.ts'
import { echoSetup } from '../echo-service.ts'

const MAX_STREAMS = 50_000

const server = new Server({ maxConcurrentStreams: MAX_STREAMS, logger: console })

server.register(echoSetup(process.argv[2]).service, {
  echo: async (request) => request,
  push: (requests, call) =>
    requests.consume((request) => {
      call.write(request)
    }),
  iterate: async function* (requests) {
    for await (const request of requests) yield request
  },
  // What the library alone holds for a stream: the handler has no frame of its own.
  wait: () => new Promise(() => {}),
})

answerCommands({
  listen: async () => (await server.listen('127.0.0.1:0')).port,
  openStreams: () => server.connections.reduce((sum, { openStreams }) => sum + openStreams, 0),
})
