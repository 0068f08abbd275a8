// One port for HTTP/2 with prior knowledge and for something else, usually HTTP/1: whoever does not
// begin with the client preface belongs to the other. Keeps no time: the listener does. RFC 9113 3.4.
import type { Duplex } from 'node:stream'
import { CONNECTION_PREFACE } from '../../frame/index.ts'

/** The 24 octets that a client of HTTP/2 begins with. */
export const CLIENT_PREFACE: Buffer = Buffer.from(CONNECTION_PREFACE, 'latin1')

/** What takes connections that are not HTTP/2; an `http.Server` is one. */
export interface OtherProtocol {
  emit(event: 'connection', socket: Duplex): unknown
}

/** Who gets the socket. Its first octets are back in it: whoever reads next reads them. */
export interface SniffRoutes {
  readonly http2: (socket: Duplex) => void
  readonly other: OtherProtocol
}

/**
 * Reads until the first octet that is not the preface's, or to its end, and hands `socket` on. A
 * socket that ends before that is destroyed.
 */
export function sniff(socket: Duplex, routes: SniffRoutes): void {
  let seen: Buffer = Buffer.alloc(0)
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
    const compared = Math.min(seen.length, CLIENT_PREFACE.length)
    const matches = CLIENT_PREFACE.compare(seen, 0, compared, 0, compared) === 0
    if (matches && compared < CLIENT_PREFACE.length) return
    socket.off('data', onData)
    socket.off('end', onEnd)
    socket.pause()
    socket.unshift(seen)
    if (matches) routes.http2(socket)
    else handToOther(socket, routes.other)
  }
  const onEnd = (): void => {
    socket.destroy()
  }
  socket.on('data', onData)
  socket.on('end', onEnd)
}

/** Gives a socket, whose first octets may have been read and put back, to the other protocol. */
export function handToOther(socket: Duplex, other: OtherProtocol): void {
  other.emit('connection', socket)
  // It was paused to be read; nobody but us knows.
  socket.resume()
}
