// A server that treats its clients by one script, on a real socket.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { Peer } from './peer.ts'
import type { ServerReport } from './report.ts'
import { type CaseName, scriptOf } from './scripts.ts'

/** A server that listens at 127.0.0.1. */
export interface NegativeServer {
  readonly port: number
  /** What it has seen so far. */
  report(): ServerReport
  /** Resolves once its clients have closed every connection. */
  abandoned(): Promise<void>
  /** Ends its connections and itself. */
  stop(): Promise<void>
}

/** Starts the server of a case; port 0 lets the system choose. */
export async function startNegativeServer(name: CaseName, port = 0): Promise<NegativeServer> {
  const script = scriptOf(name)
  const peers: Peer[] = []
  const server = createServer((socket) => {
    const peer = new Peer(socket, script.settings ?? [], (call) => {
      script.answer(call, peer).catch((error: unknown) => peer.fail(error))
    })
    peers.push(peer)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    report: () => ({ connections: peers.map(({ report }) => report) }),
    abandoned: async () => {
      await Promise.all(peers.map(({ closed }) => closed))
    },
    stop: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const peer of peers) peer.destroy()
      await closed
    },
  }
}
