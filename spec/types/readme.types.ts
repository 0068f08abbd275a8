// The README's server and client, as the compiler sees them: untyped services of `loadProto` take any
// handlers, typed ones only their own.
import { Code, createClient, dial, loadProto, RpcError, Server } from '../../lib/grpc/index.ts'

export async function readme(): Promise<void> {
  const { services } = await loadProto('route_guide.proto')
  const { RouteGuide } = services
  if (RouteGuide === undefined) throw new Error('no such service')
  const server = new Server()
  server.register(RouteGuide, {
    async getFeature(point) {
      if (point === undefined) throw new RpcError(Code.NotFound, 'no feature there')
      return { name: 'a hill', location: point }
    },
    async *listFeatures(rectangle) {
      yield rectangle
    },
    async recordRoute(points) {
      let pointCount = 0
      for await (const _ of points) pointCount++
      return { pointCount }
    },
    async *routeChat(notes) {
      for await (const note of notes) yield note
    },
  })
  const { port } = await server.listen('127.0.0.1:0')
  const conn = dial(`127.0.0.1:${port}`)
  const client = createClient(RouteGuide, conn, { timeoutMs: 1000 })
  const feature = await client.getFeature({ latitude: 1, longitude: 2 }, { timeoutMs: 500 })
  for await (const each of client.listFeatures({})) console.log(each.name, feature)
  const chat = client.routeChat()
  await chat.send({ message: 'hello' })
  chat.end()
  for await (const note of chat) console.log(note.message)
  conn.close()
  await server.gracefulStop()
}
