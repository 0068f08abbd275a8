// A small HTTP proxy: it answers CONNECT and carries octets, or does what a spec says instead.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface ConnectProxyOptions {
  /** Where a host of CONNECT really is. Default: where it says. */
  readonly hosts?: Readonly<Record<string, string>>
  /** The head to answer with, or undefined to say nothing. Default: 200. */
  readonly answer?: (head: string) => string | undefined
}

export interface ConnectProxy {
  readonly port: number
  /** The heads that came, as lines. */
  readonly heads: string[][]
  /** Ends it and all that it carries. */
  close(): void
}

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n'

export async function connectProxy(
  t: Test,
  { hosts = {}, answer = () => ESTABLISHED }: ConnectProxyOptions = {},
): Promise<ConnectProxy> {
  const heads: string[][] = []
  const sockets: Socket[] = []
  const track = (socket: Socket): Socket => {
    sockets.push(socket)
    return socket.on('error', () => {})
  }
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let head = ''
    const onData = (chunk: Buffer): void => {
      head += chunk.toString('latin1')
      if (!head.endsWith('\r\n\r\n')) return
      socket.off('data', onData)
      heads.push(head.split('\r\n').filter((line) => line !== ''))
      const said = answer(head)
      if (said === undefined) return
      if (!said.includes(' 200 ')) {
        socket.end(said)
        return
      }
      const [, host = '', port = ''] = /^CONNECT (.*):(\d+) /.exec(head) ?? []
      const far = track(
        connect({ host: hosts[host] ?? host, port: Number(port), allowHalfOpen: true }),
      )
      far.on('connect', () => {
        socket.write(said, 'latin1')
        socket.pipe(far).pipe(socket)
      })
    }
    track(socket).on('data', onData)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = (): void => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  t.teardown(close)
  return { port: (server.address() as AddressInfo).port, heads, close }
}
