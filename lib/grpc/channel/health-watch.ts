// What a server says of a service's health, as states of the SubConn: asked by `Health.Watch` over the
// SubConn's own connection. Source: gRFC A17, grpc/doc/health-checking.md, grpc-go health/client.go.
import { ConnectivityState, type SubConnListener, type SubConnState } from '../../balancer/index.ts'
import { Code } from '../../base/status.ts'
import {
  HEALTH_WATCH,
  type HealthCheckRequest,
  type HealthCheckResponse,
} from '../protocol/health-check.ts'
import type { RpcError } from '../protocol/rpc-error.ts'
import type { ChannelTransport } from './channel-transport.ts'
import type { Connector } from './connector.ts'
import { WatchCall } from './watch-call.ts'

/** Tells CONNECTING before a call's first word; a server without the service is healthy. */
export class HealthWatch {
  private readonly connector: Connector
  private readonly serviceName: string
  private readonly listener: SubConnListener
  private call: WatchCall<HealthCheckRequest, HealthCheckResponse> | undefined

  public constructor(connector: Connector, serviceName: string, listener: SubConnListener) {
    this.connector = connector
    this.serviceName = serviceName
    this.listener = listener
  }

  /** Asks over `transport` from now on, and over no other. */
  public use(transport: ChannelTransport): void {
    this.stop()
    const request = { service: this.serviceName }
    this.call = new WatchCall(this.connector, transport, HEALTH_WATCH, request, {
      onBegin: () => this.listener({ state: ConnectivityState.Connecting }),
      onResponse: ({ status }) => {
        const isServing = status === 'SERVING'
        this.listener(isServing ? READY : this.unhealthy(transport, `it is ${status}`))
      },
      onEnd: (error) => this.ended(transport, error),
    })
  }

  public stop(): void {
    this.call?.stop()
    this.call = undefined
  }

  private ended(transport: ChannelTransport, error: RpcError | undefined): boolean {
    // A17: who cannot be asked is taken for healthy.
    const isUnknown = error?.code === Code.Unimplemented
    const text = error?.message ?? 'the server ended the watch'
    this.listener(isUnknown ? READY : this.unhealthy(transport, text, error))
    return !isUnknown
  }

  private unhealthy({ peer }: ChannelTransport, text: string, cause?: unknown): SubConnState {
    const message = `${peer.address}: health check of "${this.serviceName}": ${text}`
    const error = { code: Code.Unavailable, message, cause }
    return { state: ConnectivityState.TransientFailure, error }
  }
}

const READY: SubConnState = { state: ConnectivityState.Ready }
