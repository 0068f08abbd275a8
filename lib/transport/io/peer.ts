// Who is at the other end of a socket.
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { formatHostPort } from '../../base/ip-address.ts'
import { describeTls } from './tls.ts'
import type { Peer } from './wire.ts'

const IPV4_MAPPED = '::ffff:'

/** The part of `net.Socket` that says who is connected; a Duplex has none of it. */
interface Addressed {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
}

/** A peer as its socket has it; `address` and `localAddress` where the socket cannot say. */
export function peerOf(socket: Duplex, address: string, localAddress: string = ''): Peer {
  const { localAddress: localHost, localPort } = socket as Addressed
  const peer = {
    address: remoteName(socket) ?? address,
    localAddress: textOf(localHost, localPort) ?? localAddress,
  }
  return isTls(socket) ? { ...peer, tls: describeTls(socket) } : peer
}

/** The far side's `host:port`; undefined when there is none or it is no longer known. */
export function remoteName(socket: Duplex): string | undefined {
  const { remoteAddress, remotePort } = socket as Addressed
  return textOf(remoteAddress, remotePort)
}

/** What stands for the side of a Unix connection that has no name. */
export const UNNAMED_UNIX: string = 'unix:'

function isTls(socket: object): socket is TLSSocket {
  return (socket as { encrypted?: boolean }).encrypted === true
}

/** IPv4 over a dual-stack socket is shown as IPv4. */
function textOf(host: string | undefined, port: number | undefined): string | undefined {
  if (host === undefined || port === undefined) return undefined
  const isMapped = host.startsWith(IPV4_MAPPED) && host.includes('.')
  return formatHostPort(isMapped ? host.slice(IPV4_MAPPED.length) : host, port)
}
