// Which of a policy's children an endpoint is for, and of the child's children, down to the last: a path
// that the resolver, or whoever sits above, gives the endpoint. Source: gRFC A56, grpc-go hierarchy.
import type { Endpoint } from '../naming/index.ts'

/**
 * The attribute of an endpoint that holds its path, a list of children's names: `['near', 'zone-a']` is
 * for `zone-a` of the policy that is the child `near`.
 */
export const PATH_ATTRIBUTE = 'path'

/**
 * The endpoints of each child by its name, each with what is left of its path. An endpoint without a path
 * is nobody's.
 */
export function groupByChild(endpoints: readonly Endpoint[]): Map<string, Endpoint[]> {
  const groups = new Map<string, Endpoint[]>()
  for (const endpoint of endpoints) {
    const path = endpoint.attributes?.[PATH_ATTRIBUTE]
    const [name, ...rest]: unknown[] = Array.isArray(path) ? path : []
    if (typeof name !== 'string') continue
    const below = { ...endpoint, attributes: { ...endpoint.attributes, [PATH_ATTRIBUTE]: rest } }
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [below])
    else group.push(below)
  }
  return groups
}
