// `passthrough:///text`: the text is the one address, looked up by the connector if at all.
import type { ResolverBuilder } from './resolver.ts'
import { SETTLED_RESOLVER } from './static.ts'

/** Scheme `passthrough`. */
export const passthroughResolver: ResolverBuilder = {
  scheme: 'passthrough',
  build(target, cc) {
    if (target.endpoint === '') {
      throw new Error(`passthrough_empty: got ${target.text}, want passthrough:///host:port`)
    }
    cc.newAddress([{ address: target.endpoint }])
    return SETTLED_RESOLVER
  },
}
