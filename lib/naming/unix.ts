// `unix:path`, `unix:///absolute/path` and `unix-abstract:name`: sockets of this machine.
// Source: grpc/doc/naming.md.
import type { ResolverBuilder } from './resolver.ts'
import { SETTLED_RESOLVER } from './static.ts'
import type { Target } from './target.ts'

/** Scheme `unix`. */
export const unixResolver: ResolverBuilder = unixBuilder('unix')

/** Scheme `unix-abstract`: a name in Linux's abstract namespace; a leading slash is part of it. */
export const unixAbstractResolver: ResolverBuilder = unixBuilder('unix-abstract')

function unixBuilder(scheme: string): ResolverBuilder {
  return {
    scheme,
    build(target, cc) {
      cc.newAddress([{ address: `${scheme}:${socketPath(target)}` }])
      return SETTLED_RESOLVER
    },
    // A socket's path is no host name; grpc-go says localhost too.
    defaultAuthority: () => 'localhost',
  }
}

function socketPath({ text, scheme, authority, path }: Target): string {
  if (authority !== '' || path === '' || path === '/') {
    throw new Error(`unix_target: got ${text}, want ${scheme}:path without an authority`)
  }
  if (path.includes('\0')) throw new Error(`unix_nul: got ${text}, want a path without NUL`)
  return path
}
