// NewServer, RegisterService, Serve: on real sockets, several listeners at once.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer as createNetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { dial } from '../../lib/grpc/channel/client-conn.ts'
import { createClient } from '../../lib/grpc/client/client.ts'
import { Server } from '../../lib/grpc/server/server.ts'
import { Echo, type EchoHandlers } from '../support/echo-service.ts'
import { handlesBackTo, openHandles } from '../support/handles.ts'

const handlers: EchoHandlers = {
  unary: (request, call) => ({ ...request, text: String(call.peer.localAddress !== '') }),
  list: () => [],
  sum: async () => ({}),
  chat: () => [],
}

async function call(target: string): Promise<unknown> {
  const conn = dial(target)
  try {
    return await createClient(Echo, conn).unary({ n: 1 }, { timeoutMs: 5000 })
  } finally {
    conn.close()
  }
}

t.test(
  'serve takes listeners of one’s own, several at once, and ends when the server does',
  async (t) => {
    const before = openHandles()
    const server = new Server().register(Echo, handlers)
    const listeners = [createNetServer(), createNetServer()]
    const served = listeners.map((listener) => server.serve(listener))
    for (const listener of listeners) {
      listener.listen(0, '127.0.0.1')
      await once(listener, 'listening')
      const { port } = listener.address() as AddressInfo
      t.match(await call(`127.0.0.1:${port}`), { n: 1 })
    }
    await server.gracefulStop()
    await Promise.all(served)
    t.notOk(
      listeners.some(({ listening }) => listening),
      'it closed them',
    )
    await t.rejects(server.serve(createNetServer()), { token: 'server_stopped' } as never)
    await handlesBackTo(before)
  },
)

t.test('several listeners serve at once, on ports and on a Unix socket', async (t) => {
  const before = openHandles()
  const folder = mkdtempSync(join(tmpdir(), 'spec-'))
  const path = join(folder, 's.sock')
  const server = new Server().register(Echo, handlers)
  const [first, second, unix] = await Promise.all([
    server.listen('127.0.0.1:0'),
    server.listen({ host: '127.0.0.1', port: 0 }),
    server.listen(`unix:${path}`),
  ])
  t.not(first.port, second.port)
  t.equal(unix.port, 0)
  for (const target of [`127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`, `unix:${path}`]) {
    t.match(await call(target), { n: 1 }, target)
  }
  await first.close()
  t.match(await call(`127.0.0.1:${first.port}`).catch((error) => error), { code: 14 })
  t.match(await call(`127.0.0.1:${second.port}`), { n: 1 }, 'one that closes leaves the others')
  await server.stop()
  t.match(await call(`127.0.0.1:${second.port}`).catch((error) => error), { code: 14 })
  rmSync(folder, { recursive: true })
  await handlesBackTo(before)
})

t.test('registering twice, late or with a handler missing is an error', async (t) => {
  const server = new Server().register(Echo, handlers)
  t.throws(() => server.register(Echo, handlers), /register_twice: spec\.Echo/)
  const { unary: _, ...some } = handlers
  t.throws(
    () => new Server().register(Echo, some as EchoHandlers),
    /handler_missing: spec\.Echo\.unary/,
  )
  await server.listen('127.0.0.1:0')
  const other = { ...Echo, name: 'spec.Other' }
  t.throws(() => server.register(other, handlers), /register_late: spec\.Other/)
  await server.stop()
})

t.test('a port in use rejects, and the server goes on', async (t) => {
  const server = new Server().register(Echo, handlers)
  const { port } = await server.listen('127.0.0.1:0')
  await t.rejects(server.listen(`127.0.0.1:${port}`), /EADDRINUSE/)
  t.match(await call(`127.0.0.1:${port}`), { n: 1 })
  await server.stop()
})

t.test('after stop nothing listens any more', async (t) => {
  const before = openHandles()
  const server = new Server().register(Echo, handlers)
  await server.stop()
  const listener = await server.listen('127.0.0.1:0').catch(() => undefined)
  if (listener !== undefined) {
    t.match(await call(`127.0.0.1:${listener.port}`).catch((error) => error), { code: 14 })
  }
  await server.gracefulStop()
  await handlesBackTo(before)
  t.pass('nothing is left')
})

t.test('`await using` stops the server at the end of its block', async (t) => {
  const before = openHandles()
  let port = 0
  const server = new Server().register(Echo, handlers)
  port = (await server.listen('127.0.0.1:0')).port
  t.match(await call(`127.0.0.1:${port}`), { n: 1 })
  await server[Symbol.asyncDispose]()
  t.match(await call(`127.0.0.1:${port}`).catch((error) => error), { code: 14 })
  await handlesBackTo(before)
})

t.test('a graceful stop while calls are open, over sockets', async (t) => {
  const before = openHandles()
  const server = new Server().register(Echo, {
    ...handlers,
    async *chat(requests) {
      for await (const request of requests) yield request
    },
  })
  const { port } = await server.listen('127.0.0.1:0')
  const conn = dial(`127.0.0.1:${port}`)
  const chat = createClient(Echo, conn).chat()
  await chat.send({ n: 1 })
  const answers = chat[Symbol.asyncIterator]()
  await answers.next()
  const stopped = server.gracefulStop()
  await chat.send({ n: 2 })
  t.match(await answers.next(), { value: { n: 2 } })
  chat.end()
  t.match(await answers.next(), { done: true })
  await stopped
  conn.close()
  await handlesBackTo(before)
})
