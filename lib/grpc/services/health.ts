// The standard health service, grpc.health.v1. Opt-in: nothing is served until it is added.
// Source: grpc/doc/health-checking.md.
import { Code } from '../../base/status.ts'
import { loadProto } from '../proto/load-proto.ts'
import {
  HEALTH_PROTO,
  type HealthCheckRequest,
  type HealthCheckResponse,
  type ServingStatus,
} from '../protocol/health-check.ts'
import type { MethodDefinition, ServiceDefinition } from '../protocol/method.ts'
import { RpcError } from '../protocol/rpc-error.ts'
import type { Server } from '../server/server.ts'

/** The service's definition, for clients of it. */
export type HealthService = ServiceDefinition<{
  check: MethodDefinition<HealthCheckRequest, HealthCheckResponse, 'unary'>
  watch: MethodDefinition<HealthCheckRequest, HealthCheckResponse, 'serverStream'>
}>

/** Loads the definition of grpc.health.v1.Health. */
export async function loadHealthService(): Promise<HealthService> {
  const { services } = await loadProto<{ Health: HealthService }>({
    text: HEALTH_PROTO,
    name: 'grpc/health/v1/health.proto',
  })
  return services.Health
}

/** What the health service answers. `''` is the server as a whole, SERVING from the start. */
export class Health {
  private readonly statuses = new Map<string, ServingStatus>([['', 'SERVING']])
  private readonly watchers = new Set<() => void>()
  private shut = false

  /** Sets the status of a service; after {@link Health.shutdown} it does nothing until resumed. */
  public setStatus(service: string, status: 'UNKNOWN' | 'SERVING' | 'NOT_SERVING'): void {
    if (this.shut) return
    this.statuses.set(service, status)
    this.notify()
  }

  /** Every service is NOT_SERVING from now on: the server is about to stop. */
  public shutdown(): void {
    for (const service of this.statuses.keys()) this.statuses.set(service, 'NOT_SERVING')
    this.shut = true
    this.notify()
  }

  /** Every service that is known is SERVING again. */
  public resume(): void {
    this.shut = false
    for (const service of this.statuses.keys()) this.statuses.set(service, 'SERVING')
    this.notify()
  }

  /** The status of a service; undefined when it is not known. */
  public status(service: string): ServingStatus | undefined {
    return this.statuses.get(service)
  }

  /** The statuses of a service, each once it differs from the one before, until `signal` is aborted. */
  public async *watch(service: string, signal: AbortSignal): AsyncGenerator<ServingStatus> {
    let told: ServingStatus | undefined
    while (!signal.aborted) {
      const status = this.statuses.get(service) ?? 'SERVICE_UNKNOWN'
      if (status !== told) {
        told = status
        yield status
        continue
      }
      await this.change(signal)
    }
  }

  private change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.watchers.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.watchers.add(done)
      signal.addEventListener('abort', done)
    })
  }

  private notify(): void {
    for (const wake of [...this.watchers]) wake()
  }
}

/** Adds the health service to a server that is not serving yet; set statuses on the result. */
export async function addHealth(server: Server): Promise<Health> {
  const health = new Health()
  server.register(await loadHealthService(), {
    check({ service }) {
      const status = health.status(service)
      if (status === undefined) {
        throw new RpcError(Code.NotFound, `unknown service ${JSON.stringify(service)}`, {
          token: 'health_service_unknown',
        })
      }
      return { status }
    },
    async *watch({ service }, call) {
      for await (const status of health.watch(service, call.signal)) yield { status }
    },
  })
  return health
}
