// One read buffer for all client sockets of the process, by Node's `onread`: the kernel's octets go
// to the connection with no allocation and no stream in between. Possible because `receive` is
// synchronous and borrows. Sockets made by others (accepted, or handed in) cannot have it.
import type { OnReadOpts } from 'node:net'
import type { SocketWire } from './socket-wire.ts'

const READ_BYTES = 64 * 1024

let buffer: Buffer | undefined
let reader: SocketWire | undefined

/** Reads one socket into the common buffer; `wire` must be set before the socket can read. */
export class StaticRead {
  public wire: SocketWire | undefined
  /** The `onread` option of the socket. */
  public readonly onread: OnReadOpts

  public constructor() {
    buffer ??= Buffer.allocUnsafeSlow(READ_BYTES)
    this.onread = { buffer, callback: (bytes) => this.deliver(bytes) }
  }

  private deliver(bytes: number): boolean {
    // Cannot happen with Node's sockets, whose reads come from the event loop alone. Should one read
    // inside another, the outer one's octets are overwritten: it must not parse on.
    const outer = reader
    outer?.fail(new Error('read_buffer_shared: a socket was read while another was being parsed'))
    reader = this.wire
    this.wire!.read(buffer!, bytes)
    reader = outer
    return true
  }
}
