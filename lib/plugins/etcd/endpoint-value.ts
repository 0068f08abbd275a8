// What stands under a key of a service: one server, as etcd's own naming packages write it, or its
// bare address. Source: go.etcd.io/etcd/client/v3 naming/endpoints (internal.Update).
import type { Address } from '../../naming/index.ts'

/** The value for a server at `address`; `metadata` is anything that JSON has. */
export function encodeEndpoint(address: string, metadata: unknown = null): string {
  return JSON.stringify({ Op: 0, Addr: address, Metadata: metadata })
}

/**
 * Reads `{"Op":0,"Addr":"host:port","Metadata":…}`, in which only Addr has to be, or a bare
 * `host:port`, `unix:path` or `unix-abstract:name`. Undefined for all else.
 */
export function decodeEndpoint(value: string): Address | undefined {
  if (!value.trimStart().startsWith('{')) return isAddress(value) ? { address: value } : undefined
  const { Addr: address, Metadata: metadata } = parsed(value)
  if (typeof address !== 'string' || !isAddress(address)) return undefined
  return metadata === undefined || metadata === null ? { address } : { address, metadata }
}

function isAddress(text: string): boolean {
  return (
    /^(unix|unix-abstract):[^\s]+$/.test(text) || /^([^\s:[\]]+|\[[^\s[\]]+\]):\d{1,5}$/.test(text)
  )
}

function parsed(json: string): { readonly Addr?: unknown; readonly Metadata?: unknown } {
  try {
    return JSON.parse(json)
  } catch {
    return {}
  }
}
