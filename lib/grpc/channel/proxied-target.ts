// A target behind an HTTP proxy. A `dns` target is not looked up here: the proxy is given its name. Any
// other resolver is asked as ever, and its TCP addresses, as far as they need the proxy, are marked for
// the connector. The proxy's own name is looked up with each connection. Source: gRFC A1, grpc-go
// internal/resolver/delegatingresolver.
import { formatHostPort, parseHostPort } from '../../base/ip-address.ts'
import { Code } from '../../base/status.ts'
import {
  type Address,
  type ResolvableTarget,
  type ResolverBuilder,
  type ResolverClientConn,
  staticResolver,
  type Target,
} from '../../naming/index.ts'
import {
  type Environment,
  type HttpProxy,
  type ProxyChoice,
  parseProxy,
  proxyFromEnvironment,
} from '../../transport/index.ts'

/** The attribute of an address that is reached through a proxy. */
const PROXY_ATTRIBUTE = 'proxy'
/** As for a `dns` target without a port. */
const DEFAULT_PORT = 443
const UNIX = /^unix(-abstract)?:/

/** The proxy that an address was marked with. */
export function proxyOf({ attributes }: Address): HttpProxy | undefined {
  return attributes?.[PROXY_ATTRIBUTE] as HttpProxy | undefined
}

/** What the channel's option says, or else the environment. Throws for an option that means nothing. */
export function proxyChoice(
  option: string | false | undefined,
  environment: Environment,
): ProxyChoice | undefined {
  if (option === false) return undefined
  if (option === undefined) return proxyFromEnvironment(environment)
  const proxy = parseProxy(option)
  return () => proxy
}

/** The same target; what its resolver tells goes through the proxies that `choose` says, if any. */
export function throughProxy(
  resolvable: ResolvableTarget,
  choose: ProxyChoice | undefined,
): ResolvableTarget {
  const { target, builder } = resolvable
  if (choose === undefined) return resolvable
  const proxied: ResolverBuilder = {
    scheme: builder.scheme,
    build(_target, cc, options) {
      const where = target.scheme === 'dns' ? endpointOf(target) : undefined
      if (where === undefined) return builder.build(target, marking(cc, choose), options)
      const address = marked({ address: where }, choose)
      if (proxyOf(address) === undefined) return builder.build(target, cc, options)
      return staticResolver(target.scheme, [address]).build(target, cc, options)
    },
  }
  const { defaultAuthority } = builder
  if (defaultAuthority !== undefined) {
    proxied.defaultAuthority = (of) => defaultAuthority.call(builder, of)
  }
  return { target, builder: proxied }
}

/** The host and port of a `dns` target, unless that names a service or makes no sense. */
function endpointOf({ endpoint }: Target): string | undefined {
  if (endpoint.startsWith('_')) return undefined
  const parsed = parseHostPort(endpoint, DEFAULT_PORT)
  return parsed === undefined ? undefined : formatHostPort(parsed.host, parsed.port)
}

function marking(cc: ResolverClientConn, choose: ProxyChoice): ResolverClientConn {
  // A resolver is not to hear that the environment names no proxy that makes sense.
  const tell = (give: () => void): void => {
    try {
      give()
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause)
      cc.reportError({ code: Code.Unavailable, message, cause })
    }
  }
  return {
    updateState: (state) =>
      tell(() => {
        const endpoints = state.endpoints.map((endpoint) => ({
          ...endpoint,
          addresses: endpoint.addresses.map((address) => marked(address, choose)),
        }))
        cc.updateState({ ...state, endpoints })
      }),
    newAddress: (addresses) =>
      tell(() => cc.newAddress(addresses.map((address) => marked(address, choose)))),
    reportError: (status) => cc.reportError(status),
  }
}

function marked(address: Address, choose: ProxyChoice): Address {
  const hostPort = UNIX.test(address.address) ? undefined : parseHostPort(address.address, 0)
  const proxy = hostPort === undefined ? undefined : choose(hostPort)
  if (proxy === undefined) return address
  return { ...address, attributes: { ...address.attributes, [PROXY_ATTRIBUTE]: proxy } }
}
