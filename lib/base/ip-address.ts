// Text forms of IP addresses and of host:port pairs. No name lookups.

const IPV4 = /^(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/

/** 4 or 6 for a literal address without brackets (an IPv6 zone is allowed), 0 for anything else. */
export function ipVersion(text: string): 0 | 4 | 6 {
  if (IPV4.test(text)) return 4
  return isIpv6(text) ? 6 : 0
}

function isIpv6(text: string): boolean {
  const [address, zone, ...rest] = text.split('%')
  if (address === undefined || rest.length > 0 || zone === '') return false
  const halves = address.split('::')
  if (halves.length > 2) return false
  let groups = 0
  for (const [index, half] of halves.entries()) {
    if (half === '') continue
    const parts = half.split(':')
    const isTail = index === halves.length - 1
    for (const [at, part] of parts.entries()) {
      if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups += 1
      else if (isTail && at === parts.length - 1 && IPV4.test(part)) groups += 2
      else return false
    }
  }
  return halves.length === 2 ? groups < 8 : groups === 8
}

/** A host and a port; the host of an IPv6 address carries no brackets. */
export interface HostPort {
  readonly host: string
  readonly port: number
}

/** Writes `host:port`, with brackets around an IPv6 address. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/**
 * Reads `host`, `host:port`, `[v6]:port`, `[v6]`, a bare IPv6 address, or `:port` (localhost).
 * Undefined when the text is none of these or the port is not a number from 0 to 65535.
 */
export function parseHostPort(text: string, defaultPort: number): HostPort | undefined {
  if (ipVersion(text) === 6) return { host: text, port: defaultPort }
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text)
  if (match === null) return undefined
  const [, bracketed, plain, portText] = match
  if (bracketed !== undefined && ipVersion(bracketed) !== 6) return undefined
  const port = portText === undefined ? defaultPort : Number(portText)
  if (port > 65535) return undefined
  const host = bracketed ?? plain ?? ''
  if (host === '' && portText === undefined) return undefined
  return { host: host === '' ? 'localhost' : host, port }
}
