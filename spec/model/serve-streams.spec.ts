// ServeHTTP -> serveStreams -> handleStream -> processUnaryRPC / processStreamingRPC: a server that
// is given its connections, and one that shares its port with an http.Server.
import { createServer, get } from 'node:http'
import { type AddressInfo, connect, createServer as createNetServer, type Socket } from 'node:net'
import t from 'tap'
import { dial } from '../../lib/grpc/channel/client-conn.ts'
import { createClient } from '../../lib/grpc/client/client.ts'
import { Server } from '../../lib/grpc/server/server.ts'
import { ServerCall } from '../../lib/grpc/server/server-call.ts'
import { Echo, EchoBench, type EchoHandlers } from '../support/echo-service.ts'
import { handlesBackTo, openHandles } from '../support/handles.ts'
import { collect } from '../support/rpc-bench.ts'

const handlers: EchoHandlers = {
  unary: (request) => request,
  list: () => [{ n: 1 }, { n: 2 }],
  sum: async () => ({}),
  async *chat(requests) {
    for await (const request of requests) yield request
  },
}

t.test('one request due: processUnaryRPC; any number: processStreamingRPC', async (t) => {
  const path: string[] = []
  const { prototype } = ServerCall
  const { processUnaryRPC, processStreamingRPC } = prototype
  t.teardown(() => Object.assign(prototype, { processUnaryRPC, processStreamingRPC }))
  prototype.processUnaryRPC = function (): void {
    path.push(`unary ${this.method.name}`)
    processUnaryRPC.call(this)
  }
  prototype.processStreamingRPC = function (): void {
    path.push(`streaming ${this.method.name}`)
    processStreamingRPC.call(this)
  }
  const bench = new EchoBench()
  await bench.run(bench.client.unary({}))
  await collect(bench, bench.client.list({}))
  await bench.run(bench.client.sum([]))
  await collect(bench, bench.client.chat([]))
  t.strictSame(path, ['unary unary', 'unary list', 'streaming sum', 'streaming chat'])
  await bench.assertQuiet(t)
})

t.test("serveConnection: the accepting is somebody else's", async (t) => {
  const before = openHandles()
  const server = new Server().register(Echo, handlers)
  const acceptor = createNetServer((socket) => server.serveConnection(socket))
  await new Promise<void>((resolve) => acceptor.listen(0, '127.0.0.1', resolve))
  const { port } = acceptor.address() as AddressInfo
  const conn = dial(`127.0.0.1:${port}`)
  const client = createClient(Echo, conn)
  t.strictSame(await client.unary({ n: 5 }), { n: 5 })
  const notes: unknown[] = []
  for await (const note of client.list({})) notes.push(note)
  t.equal(notes.length, 2)
  t.equal(server.connections.length, 1)
  t.throws(() => server.register({ ...Echo, name: 'late' }, handlers), /register_late/)
  conn.close()
  await server.stop()
  acceptor.close()
  await handlesBackTo(before)
})

t.test('a port shared with an http.Server by the connection preface', async (t) => {
  const before = openHandles()
  const web = createServer((request, response) => {
    response.setHeader('connection', 'close')
    response.end(`web ${request.url}`)
  })
  const server = new Server().register(Echo, handlers)
  const { port } = await server.listen('127.0.0.1:0', { otherProtocol: web })
  const conn = dial(`127.0.0.1:${port}`)
  const client = createClient(Echo, conn)
  const [page, note] = await Promise.all([
    new Promise<string>((resolve, reject) => {
      const request = get({ host: '127.0.0.1', port, path: '/page', agent: false }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          text += part
        })
        response.on('end', () => resolve(text))
      })
      request.on('error', reject)
    }),
    client.unary({ n: 1 }),
  ])
  t.equal(page, 'web /page')
  t.strictSame(note, { n: 1 })
  conn.close()
  await server.stop()
  web.close()
  await handlesBackTo(before)
})

t.test('a connection that is no HTTP/2 is dropped and told to the logger', async (t) => {
  const before = openHandles()
  const server = new Server().register(Echo, handlers)
  const { port } = await server.listen('127.0.0.1:0')
  const socket: Socket = connect(port, '127.0.0.1')
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.on('error', () => {})
  socket.on('data', () => {})
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await closed
  t.strictSame(await call(port), { n: 9 }, 'the server lives')
  await server.stop()
  await handlesBackTo(before)
})

async function call(port: number): Promise<unknown> {
  const conn = dial(`127.0.0.1:${port}`)
  try {
    return await createClient(Echo, conn).unary({ n: 9 })
  } finally {
    conn.close()
  }
}
