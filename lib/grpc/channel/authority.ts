// The `:authority` of a channel's calls. Source: grpc/doc/naming.md, RFC 3986 section 3.2, grpc-go
// clientconn.go initAuthority.
import type { ResolvableTarget } from '../../naming/index.ts'

/** `override` if given, else what the resolver says of the target, else the target's endpoint. */
export function channelAuthority(
  { target, builder }: ResolvableTarget,
  override: string | undefined,
): string {
  if (override !== undefined) return override
  const authority = builder.defaultAuthority?.(target) ?? target.endpoint
  return escapeAuthority(authority.startsWith(':') ? `localhost${authority}` : authority)
}

/** Escapes what RFC 3986 allows in neither a host, a port nor user information. */
function escapeAuthority(text: string): string {
  return text.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:[\]@]/gu, (character) =>
    encodeURIComponent(character),
  )
}
