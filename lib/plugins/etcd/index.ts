// etcd as a source of names, and a server's own entry in it. Opt-in: a channel takes the resolver by
// its option `resolvers`, or the process by `registerResolver(createEtcdResolver(…))`.
export { decodeEndpoint, encodeEndpoint } from './endpoint-value.ts'
export type { EtcdOptions } from './etcd-options.ts'
export { createEtcdResolver } from './etcd-resolver.ts'
export {
  Registration,
  type RegistrationDependencies,
  type RegistrationOptions,
  type RegistrationState,
} from './registration.ts'
