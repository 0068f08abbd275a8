// Where a transport connects to or listens: a TCP address or a Unix socket, and its text form.
// Names are not looked up here; a host may be one.
import { formatHostPort, type HostPort, parseHostPort } from '../../base/ip-address.ts'
import { TransportUsageError } from '../errors.ts'

/** A Unix socket; a path that starts with NUL lies in Linux's abstract namespace. */
export interface UnixAddress {
  readonly path: string
}

/** A place that a socket can connect to or listen at. */
export type TransportAddress = HostPort | UnixAddress

const UNIX = 'unix:'
const UNIX_ABSTRACT = 'unix-abstract:'

/**
 * Reads `host:port`, `[v6]:port`, `:port` (localhost), `unix:path`, `unix:///path` or
 * `unix-abstract:name`. Throws {@link TransportUsageError} for anything else, a missing port included.
 */
export function parseTransportAddress(text: string): TransportAddress {
  if (text.startsWith(UNIX_ABSTRACT) && text.length > UNIX_ABSTRACT.length) {
    return { path: `\0${text.slice(UNIX_ABSTRACT.length)}` }
  }
  if (text.startsWith(UNIX) && text.length > UNIX.length) {
    const rest = text.slice(UNIX.length)
    return { path: rest.startsWith('///') ? rest.slice(2) : rest }
  }
  const parsed = parseHostPort(text, -1)
  if (parsed === undefined || parsed.port < 0) {
    throw new TransportUsageError(
      'address_malformed',
      `got address ${JSON.stringify(text)}, want host:port, [v6]:port, unix:path or unix-abstract:name`,
    )
  }
  return parsed
}

/** The text that {@link parseTransportAddress} reads. */
export function formatTransportAddress(address: TransportAddress): string {
  if (!('path' in address)) return formatHostPort(address.host, address.port)
  return address.path.startsWith('\0') ? UNIX_ABSTRACT + address.path.slice(1) : UNIX + address.path
}
