// A TCP relay that counts the octets of one connection in each direction: what a call costs on the
// wire, whatever library is at its ends.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Octets so far. */
export interface OctetCounts {
  readonly requestBytes: number
  readonly responseBytes: number
}

/** Relays to `port` of this machine. */
export class OctetCounter {
  private readonly server: Server
  private near: Socket | undefined
  private far: Socket | undefined

  public constructor(port: number) {
    this.server = createServer({ noDelay: true }, (near) => {
      const far = connect({ port, host: '127.0.0.1', noDelay: true })
      this.near = near.on('error', () => far.destroy())
      this.far = far.on('error', () => near.destroy())
      near.pipe(far).pipe(near)
    })
  }

  /** The port to connect to instead. */
  public async listen(): Promise<number> {
    await once(this.server.listen(0, '127.0.0.1'), 'listening')
    return (this.server.address() as AddressInfo).port
  }

  public get counts(): OctetCounts {
    return {
      requestBytes: this.near?.bytesRead ?? 0,
      responseBytes: this.far?.bytesRead ?? 0,
    }
  }

  public close(): void {
    this.server.close()
    this.near?.destroy()
    this.far?.destroy()
  }
}
