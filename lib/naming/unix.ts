// `unix:path`, `unix:///absolute/path` and `unix-abstract:name`: sockets of this machine.
// Source: grpc/doc/naming.md.
import type { ResolverBuilder } from './resolver.ts'
import { SETTLED_RESOLVER } from './static.ts'
import type { Target } from './target.ts'

/** Scheme `unix`. */
export const unixResolver: ResolverBuilder = unixBuilder('unix', ({ path }) => path)

/** Scheme `unix-abstract`: a name in Linux's abstract namespace. */
export const unixAbstractResolver: ResolverBuilder = unixBuilder(
  'unix-abstract',
  ({ endpoint }) => endpoint,
)

function unixBuilder(scheme: string, pathOf: (target: Target) => string): ResolverBuilder {
  return {
    scheme,
    build(target, cc) {
      const path = pathOf(target)
      if (target.authority !== '' || path === '' || path === '/') {
        throw new Error(`unix_target: got ${target.text}, want ${scheme}:path without an authority`)
      }
      cc.newAddress([{ address: `${scheme}:${path}` }])
      return SETTLED_RESOLVER
    },
    // A socket's path is no host name; grpc-go says localhost too.
    defaultAuthority: () => 'localhost',
  }
}
