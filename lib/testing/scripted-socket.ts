// A scripted peer over a real socket, or any Duplex: the same frames and lines, but what comes back
// takes its time and is waited for.
import type { Duplex } from 'node:stream'
import { ScriptedPeer } from './scripted-peer.ts'

/** See {@link ScriptedPeer}. It owns the socket from then on. */
export class ScriptedSocket extends ScriptedPeer {
  /** Resolves when the socket is closed; errors of the socket are part of what a peer suffers. */
  public readonly closed: Promise<void>
  private readonly socket: Duplex
  private waiting: (() => void)[] = []
  private isOver = false

  public constructor(socket: Duplex, role: 'client' | 'server') {
    const arrived: Buffer[] = []
    super(
      {
        write: (bytes) => void socket.write(bytes),
        read: () => Buffer.concat(arrived.splice(0)),
      },
      role,
    )
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      arrived.push(chunk)
      this.wake()
    })
    socket.on('error', () => {})
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.isOver = true
        this.wake()
        resolve()
      })
    })
  }

  /**
   * Takes lines until one begins with a text or matches a pattern; resolves with all of them.
   * Rejects when the socket closes first.
   */
  public async until(wanted: string | RegExp): Promise<string[]> {
    const taken: string[] = []
    for (;;) {
      taken.push(...this.take())
      if (
        taken.some((line) =>
          typeof wanted === 'string' ? line.startsWith(wanted) : wanted.test(line),
        )
      ) {
        return taken
      }
      if (this.isOver)
        throw new Error(`socket_closed: no ${String(wanted)} in ${taken.join(' | ')}`)
      await new Promise<void>((resolve) => this.waiting.push(resolve))
    }
  }

  /** Sends no more (FIN). */
  public end(): void {
    this.socket.end()
  }

  /** Drops the socket, unread octets and all. */
  public destroy(): void {
    this.socket.destroy()
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve()
  }
}
