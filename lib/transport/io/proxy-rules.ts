// Which targets go through a proxy: what `https_proxy` and `no_proxy` say. Connects nowhere.
// Source: golang.org/x/net/http/httpproxy, which grpc-go asks; gRFC A1.
import { BlockList } from 'node:net'
import { domainToASCII } from 'node:url'
import { type HostPort, ipVersion, parseHostPort } from '../../base/ip-address.ts'
import { type HttpProxy, parseProxy } from './proxy.ts'

/** The environment variables that count, as in `process.env`. */
export interface Environment {
  readonly https_proxy?: string | undefined
  readonly HTTPS_PROXY?: string | undefined
  readonly no_proxy?: string | undefined
  readonly NO_PROXY?: string | undefined
}

/** The proxy for a target, if it goes through one; the same object for the same proxy. */
export type ProxyChoice = (target: HostPort) => HttpProxy | undefined

/** Whether an entry of `no_proxy` covers a target. */
type Exclusion = (host: string, port: number) => boolean

/**
 * The choice that an environment makes. `https_proxy`, or else `HTTPS_PROXY`, names the proxy;
 * `no_proxy`, or else `NO_PROXY`, lists what goes without, by commas: `*`, an IP address, a range such as
 * `10.0.0.0/8`, a domain with its subdomains, or with a leading dot those alone; all but ranges may
 * have a `:port`. Neither `localhost` nor loopback addresses are ever proxied. Throws what
 * {@link parseProxy} does, but only for a target that needs the proxy.
 */
export function proxyFromEnvironment(environment: Environment): ProxyChoice {
  const url = environment.https_proxy || environment.HTTPS_PROXY
  if (!url) return () => undefined
  const exclusions = (environment.no_proxy || environment.NO_PROXY || '')
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== '')
    .map(exclusionOf)
  let proxy: HttpProxy | undefined
  return ({ host, port }) => {
    const name = hostName(host)
    if (name === 'localhost' || isLoopback(name)) return undefined
    if (exclusions.some((covers) => covers(name, port))) return undefined
    proxy ??= parseProxy(url)
    return proxy
  }
}

function exclusionOf(entry: string): Exclusion {
  if (entry === '*') return () => true
  const range = /^(.*)\/(\d{1,3})$/.exec(entry)
  if (range !== null) return rangeOf(range[1] as string, Number(range[2]))
  const parsed = parseHostPort(entry, -1)
  if (parsed === undefined) return () => false
  const { host } = parsed
  const covers =
    ipVersion(host) === 0 ? domainOf(host) : rangeOf(host, ipVersion(host) === 4 ? 32 : 128)
  return (name, port) => (parsed.port < 0 || parsed.port === port) && covers(name, port)
}

function rangeOf(address: string, prefixBits: number): Exclusion {
  const version = ipVersion(address)
  if (version === 0 || prefixBits > (version === 4 ? 32 : 128)) return () => false
  const range = new BlockList()
  range.addSubnet(address, prefixBits, version === 4 ? 'ipv4' : 'ipv6')
  return (name) => contains(range, name)
}

function domainOf(host: string): Exclusion {
  const suffix = host.replace(/^\*?\./, '')
  const isSubdomainsOnly = suffix !== host
  const domain = hostName(suffix)
  return (name) => {
    if (ipVersion(name) !== 0) return false
    return name.endsWith(`.${domain}`) || (!isSubdomainsOnly && name === domain)
  }
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

function isLoopback(name: string): boolean {
  return contains(LOOPBACK, name)
}

function contains(range: BlockList, name: string): boolean {
  const version = ipVersion(name)
  if (version === 0) return false
  const [address = ''] = name.split('%')
  return range.check(address, version === 4 ? 'ipv4' : 'ipv6')
}

/** Lower case, and what is not ASCII in its ASCII form. */
function hostName(host: string): string {
  const lower = host.trim().toLowerCase()
  return ipVersion(lower) === 0 ? domainToASCII(lower) || lower : lower
}
