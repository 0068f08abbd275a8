// Backends that come and go under load: their servers, the names that tell where they are, and one whose
// network falls silent. Which calls arrived where is noted in a ledger.
import { once } from 'node:events'
import {
  type AddressInfo,
  connect,
  createServer,
  type Server as NetServer,
  type Socket,
} from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { type ChannelOptions, Server } from '../../lib/grpc/index.ts'
import { createDnsResolver } from '../../lib/naming/index.ts'
import { createEtcdResolver, Registration } from '../../lib/plugins/etcd/index.ts'
import { Child } from '../conformance/process/child.ts'
import { Echo } from '../support/echo-service.ts'
import type { EtcdServer } from './etcd-server.ts'
import { type Knot, txtData, ZONE } from './knot.ts'

/** Where backends are found. */
export interface Names {
  readonly target: string
  readonly channel: ChannelOptions
  /** Where the next backend is to listen. */
  nextAddress(): string
  /** Clients are told of it from now on. */
  add(address: string): Promise<void>
  remove(address: string): Promise<void>
}

const SERVICE = 'demo/calls'
const TTL_SECONDS = 5

/** Fast enough for a spec in which etcd dies. */
const BACKOFF = { baseMs: 20, maxMs: 100 }

/** A lease of etcd for each backend. */
export class EtcdNames implements Names {
  public readonly target: string = `etcd:///${SERVICE}`
  public readonly channel: ChannelOptions
  private readonly endpoints: readonly string[]
  private readonly registrations = new Map<string, Registration>()

  public constructor(etcd: EtcdServer, serviceConfig: object) {
    this.endpoints = [etcd.endpoint]
    this.channel = {
      resolvers: [createEtcdResolver({ endpoints: this.endpoints, backoff: BACKOFF })],
      serviceConfig,
    }
  }

  public nextAddress(): string {
    return '127.0.0.1:0'
  }

  public async add(address: string): Promise<void> {
    const { endpoints } = this
    const entry = {
      endpoints,
      service: SERVICE,
      address,
      ttlSeconds: TTL_SECONDS,
      backoff: BACKOFF,
    }
    const registration = new Registration(entry)
    this.registrations.set(address, registration)
    await registration.registered()
  }

  public async remove(address: string): Promise<void> {
    await this.registrations.get(address)?.close()
    this.registrations.delete(address)
  }
}

const POLLING = { minIntervalMs: 20, refreshIntervalMs: 40 }
const FIRST_HOST = 2
const LAST_HOST = 254

/** An A record for each backend, all on one port; the service config is a TXT record. */
export class DnsNames implements Names {
  public readonly target: string
  public readonly channel: ChannelOptions = { resolvers: [createDnsResolver(POLLING)] }
  private readonly knot: Knot
  private readonly name: string
  private readonly port: number
  private nextHost = FIRST_HOST

  private constructor(knot: Knot, name: string, port: number) {
    this.knot = knot
    this.name = name
    this.port = port
    this.target = `dns://${knot.server}/${name}.${ZONE}:${port}`
  }

  public static async create(
    knot: Knot,
    name: string,
    port: number,
    serviceConfig: object,
  ): Promise<DnsNames> {
    const text = txtData(`grpc_config=${JSON.stringify([{ serviceConfig }])}`)
    await knot.replace(`_grpc_config.${name}`, 'TXT', text)
    return new DnsNames(knot, name, port)
  }

  public nextAddress(): string {
    const address = `127.0.0.${this.nextHost}:${this.port}`
    this.nextHost = this.nextHost === LAST_HOST ? FIRST_HOST : this.nextHost + 1
    return address
  }

  public add(address: string): Promise<void> {
    return this.knot.add(this.name, 'A', hostOf(address))
  }

  public remove(address: string): Promise<void> {
    return this.knot.remove(this.name, 'A', hostOf(address))
  }
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'))
}

/** How often each call, by its number, arrived at a server, and was answered to its caller. */
export class Ledger {
  public readonly arrived: Uint8Array
  public readonly answered: Uint8Array

  public constructor(calls: number) {
    this.arrived = new Uint8Array(calls)
    this.answered = new Uint8Array(calls)
  }
}

/** A server that answers each call with the call's number and its own name. */
export class Backend {
  public readonly name: string
  /** Where it listens; the names may say another, see {@link SilentWay}. */
  public address = ''
  private readonly ledger: Ledger
  private server = new Server()

  private constructor(name: string, ledger: Ledger) {
    this.name = name
    this.ledger = ledger
  }

  public static async serve(name: string, ledger: Ledger, address: string): Promise<Backend> {
    const backend = new Backend(name, ledger)
    await backend.listen(address)
    return backend
  }

  /** Its connections go away, one by one, while it serves on. */
  public drain(): void {
    for (const connection of this.server.connections) connection.drain()
  }

  /** A new process, as it were, in the place of the old. */
  public async restart(): Promise<void> {
    await this.stop()
    await this.listen(this.address)
  }

  public stop(): Promise<void> {
    return this.server.gracefulStop()
  }

  private async listen(address: string): Promise<void> {
    const { name, ledger } = this
    this.server = new Server().register(Echo, {
      unary: async ({ n = 0 }) => {
        ledger.arrived[n]! += 1
        // So that calls are open when the server goes away.
        await setImmediate()
        return { n, text: name }
      },
      *list() {},
      sum: () => ({}),
      *chat() {},
    })
    const { port } = await this.server.listen(address)
    this.address = `${hostOf(address)}:${port}`
  }
}

const START_MS = 20_000

/** A backend that is a process of its own, so that it can be killed. */
export class BackendProcess {
  public static readonly NAME = 'process'
  public readonly name: string = BackendProcess.NAME
  public address = ''
  private child: Child | undefined

  public static async start(address: string): Promise<BackendProcess> {
    const backend = new BackendProcess()
    await backend.listen(address)
    return backend
  }

  /** SIGKILL, whatever it is at, and another one in its place. */
  public async restart(): Promise<void> {
    await this.stop()
    await this.listen(this.address)
  }

  public async stop(): Promise<void> {
    await this.child?.kill()
  }

  private async listen(address: string): Promise<void> {
    const args = ['dist/spec/infra/backend-process.js', this.name, address]
    this.child = new Child({ file: process.execPath, args })
    const [, port] = await this.child.line(/listening at port (\d+)/, START_MS)
    this.address = `${hostOf(address)}:${port}`
  }
}

/**
 * A way to a backend that can fall silent: what the client sends still arrives, what the backend answers
 * goes nowhere, and no connection is closed.
 */
export class SilentWay {
  public readonly address: string
  private readonly listener: NetServer
  private readonly silenced = new Map<Socket, Promise<unknown>>()
  private readonly open = new Map<Socket, Socket>()
  private isSilent = false

  private constructor(listener: NetServer, address: string) {
    this.listener = listener
    this.address = address
  }

  public static async to(backend: Backend, address: string): Promise<SilentWay> {
    const [host, port] = address.split(':')
    const listener = createServer()
    listener.listen(Number(port), host)
    await once(listener, 'listening')
    const way = new SilentWay(listener, `${host}:${(listener.address() as AddressInfo).port}`)
    listener.on('connection', (near) => way.accept(near, backend.address))
    return way
  }

  /** Resolves when a client has closed each connection that it had when it fell silent. */
  public async silence(): Promise<void> {
    this.isSilent = true
    for (const [near, far] of this.open) {
      far.unpipe(near).resume()
      this.silenced.set(near, once(near, 'close'))
    }
    await Promise.all(this.silenced.values())
  }

  /** New connections get through; those of the silence are closed. */
  public reopen(): void {
    this.isSilent = false
    for (const near of this.silenced.keys()) near.destroy()
    this.silenced.clear()
  }

  public close(): void {
    this.reopen()
    this.listener.close()
    for (const near of this.open.keys()) near.destroy()
  }

  private accept(near: Socket, backend: string): void {
    near.on('error', () => {})
    if (this.isSilent) {
      near.resume()
      this.silenced.set(near, once(near, 'close'))
      return
    }
    const [host, port] = backend.split(':')
    const far = connect(Number(port), host)
    far.on('error', () => near.destroy())
    far.on('close', () => near.destroy())
    near.on('close', () => {
      far.destroy()
      this.open.delete(near)
    })
    this.open.set(near, far)
    near.pipe(far).pipe(near)
  }
}
