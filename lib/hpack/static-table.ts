// The static table, RFC 7541 appendix A.

const TABLE = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`

/** How many entries there are; the first is index 1, the newest dynamic entry follows the last. */
export const STATIC_LENGTH = 61

/** Field `i` is at `2 * i` (name) and `2 * i + 1` (value); index 0, which is no field, is empty. */
export const STATIC_FIELDS: readonly string[] = [
  '',
  '',
  ...TABLE.split('\n').flatMap((line) => /^(\S+) ?(.*)$/.exec(line)!.slice(1)),
]

/** The lowest index of each name; fields of one name are neighbours. */
export const STATIC_NAMES: ReadonlyMap<string, number> = lowestIndices()

function lowestIndices(): Map<string, number> {
  const indices = new Map<string, number>()
  for (let index = STATIC_LENGTH; index > 0; index--) indices.set(STATIC_FIELDS[2 * index]!, index)
  return indices
}

/** The index of a whole field whose name's lowest index is `lowest`; 0 when the value differs. */
export function staticIndexOf(lowest: number, name: string, value: string): number {
  for (let index = lowest; STATIC_FIELDS[2 * index] === name; index++) {
    if (STATIC_FIELDS[2 * index + 1] === value) return index
  }
  return 0
}
