// Resolvers whose answer is known from the start and never changes.
import { type Address, endpointsOf, type Resolver, type ResolverBuilder } from './resolver.ts'

/** A resolver with nothing left to do. */
export const SETTLED_RESOLVER: Resolver = Object.freeze({ resolveNow() {}, close() {} })

/** A scheme of which every target means `addresses`; for the channel option `resolvers`. */
export function staticResolver(scheme: string, addresses: readonly Address[]): ResolverBuilder {
  return {
    scheme,
    build(_target, cc) {
      cc.updateState({ endpoints: endpointsOf(addresses) })
      return SETTLED_RESOLVER
    },
  }
}
