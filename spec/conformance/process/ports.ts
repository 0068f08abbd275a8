// Ports of 127.0.0.1 for programs that cannot choose one themselves.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'

const POLL_MS = 20

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Resolves with true once something accepts at `port`, with false after `withinMs`. */
export async function accepting(port: number, withinMs: number): Promise<boolean> {
  const giveUp = AbortSignal.timeout(withinMs)
  while (!giveUp.aborted) {
    if (await accepts(port)) return true
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  return false
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
