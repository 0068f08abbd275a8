// From a request's :path to a method and its handler. Exact octets only: what interceptors see is
// what was routed.
import { Code } from '../../base/status.ts'
import {
  type MethodDefinition,
  type ServiceDefinition,
  splitMethodPath,
} from '../protocol/method.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import type { AnyHandler } from './handlers.ts'

/** A method with what serves it. */
export interface Route {
  readonly method: MethodDefinition
  readonly handler: AnyHandler
}

/** A service cannot be registered. */
export class RegistrationError extends Error {
  public readonly token: string

  public constructor(token: string, message: string) {
    super(`${token}: ${message}`)
    this.name = 'RegistrationError'
    this.token = token
  }
}

export class Router {
  private readonly routes = new Map<string, Route>()
  private readonly services = new Map<string, ServiceDefinition>()
  private frozen = false

  /** The registered services by name. */
  public get registered(): ReadonlyMap<string, ServiceDefinition> {
    return this.services
  }

  /** No service can be added from now on. */
  public freeze(): void {
    this.frozen = true
  }

  /** Adds a service. Throws RegistrationError: late, twice, or a handler is missing. */
  public register(service: ServiceDefinition, handlers: object): void {
    const { name } = service
    if (this.frozen) {
      throw new RegistrationError('register_late', `${name}: the server is serving already`)
    }
    if (this.services.has(name)) {
      throw new RegistrationError('register_twice', `${name} is registered already`)
    }
    const routes = Object.values(service.methods).map((method) => routeOf(method, handlers))
    this.services.set(name, service)
    for (const route of routes) this.routes.set(route.method.path, route)
  }

  public lookup(path: string): Route | undefined {
    return this.routes.get(path)
  }

  /** Why there is no route. grpc-go server.go handleStream. */
  public missing(path: string): RpcError {
    const parts = splitMethodPath(path)
    const message =
      parts === undefined
        ? `malformed method name: ${JSON.stringify(path.slice(0, 256))}`
        : this.services.has(parts.service)
          ? `unknown method ${parts.wireName} for service ${parts.service}`
          : `unknown service ${parts.service}`
    return new RpcError(Code.Unimplemented, message, { token: 'method_unknown' })
  }
}

function routeOf(method: MethodDefinition, handlers: object): Route {
  const handler: unknown = (handlers as Record<string, unknown>)[method.name]
  if (typeof handler !== 'function') {
    throw new RegistrationError(
      'handler_missing',
      `${method.service}.${method.name}: got ${typeof handler}, want a function`,
    )
  }
  return { method, handler: handler.bind(handlers) as AnyHandler }
}
