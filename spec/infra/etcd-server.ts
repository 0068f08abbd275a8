// A real etcd of one member: its process, and what an operator does with it, by the admin calls of
// its API. Source of the messages: go.etcd.io/etcd/api/v3 (Apache License 2.0).
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Client,
  ClientConn,
  createClient,
  credentials,
  loadProto,
  type ServiceDefinition,
} from '../../lib/grpc/index.ts'
import { type EtcdServices, loadEtcdServices } from '../../lib/plugins/etcd/etcd-services.ts'
import { debianTool } from '../conformance/peers/debian.ts'
import { goTool } from '../conformance/peers/go.ts'
import { Child, type Command } from '../conformance/process/child.ts'
import { accepting, freePort } from '../conformance/process/ports.ts'
import { ca, clientIdentity } from '../support/certs.ts'

const ADMIN_PROTO = `
syntax = "proto3";
package etcdserverpb;
message Empty {}
message CompactionRequest { int64 revision = 1; bool physical = 2; }
message AuthenticateRequest { string name = 1; string password = 2; }
message AuthenticateResponse { string token = 2; }
message AuthUserAddRequest { string name = 1; string password = 2; }
message AuthRoleAddRequest { string name = 1; }
message AuthUserGrantRoleRequest { string user = 1; string role = 2; }
message Permission { int32 type = 1; bytes key = 2; bytes range_end = 3; }
message AuthRoleGrantPermissionRequest { string name = 1; Permission perm = 2; }
service KV { rpc Compact(CompactionRequest) returns (Empty); }
service Auth {
  rpc Authenticate(AuthenticateRequest) returns (AuthenticateResponse);
  rpc AuthEnable(Empty) returns (Empty);
  rpc UserAdd(AuthUserAddRequest) returns (Empty);
  rpc UserChangePassword(AuthUserAddRequest) returns (Empty);
  rpc RoleAdd(AuthRoleAddRequest) returns (Empty);
  rpc UserGrantRole(AuthUserGrantRoleRequest) returns (Empty);
  rpc RoleGrantPermission(AuthRoleGrantPermissionRequest) returns (Empty);
}
`

/** Which etcd: the newest, built from source, or that of Debian 12. */
export const VERSIONS: readonly (readonly [
  name: string,
  command: (progress: (line: string) => void) => Promise<Command>,
])[] = [
  ['etcd 3.7', async (progress) => ({ file: await goTool('etcd', progress), args: [] })],
  ['etcd 3.4', (progress) => debianTool('etcd', progress)],
]

const READY_MS = 20_000
const certs = 'spec/support/certs'
const TLS_FLAGS = [
  `--cert-file=${certs}/server.pem`,
  `--key-file=${certs}/server.key`,
  '--client-cert-auth',
  `--trusted-ca-file=${certs}/ca.pem`,
]

// biome-ignore lint/suspicious/noExplicitAny: the admin calls are loaded without types
type Untyped = any

/** See above. */
export class EtcdServer {
  public readonly endpoint: string
  public readonly kv: Client<EtcdServices['KV']>
  public readonly leases: Client<EtcdServices['Lease']>
  private readonly command: Command
  private readonly folder: string
  private readonly conn: ClientConn
  private readonly adminKv: Untyped
  private readonly auth: Untyped
  private child: Child | undefined

  private constructor(
    command: Command,
    port: number,
    folder: string,
    conn: ClientConn,
    services: EtcdServices,
    admin: Readonly<Record<string, ServiceDefinition>>,
  ) {
    const defaults = { waitForReady: true, timeoutMs: READY_MS }
    this.command = command
    this.folder = folder
    this.endpoint = `127.0.0.1:${port}`
    this.conn = conn
    this.kv = createClient(services.KV, conn, defaults)
    this.leases = createClient(services.Lease, conn, defaults)
    this.adminKv = createClient(admin['KV'] as ServiceDefinition, conn, defaults)
    this.auth = createClient(admin['Auth'] as ServiceDefinition, conn, defaults)
  }

  /** With `tls` it wants clients to prove who they are. */
  public static async create(command: Command, tls = false): Promise<EtcdServer> {
    const [port, peerPort] = [await freePort(), await freePort()]
    const folder = mkdtempSync(join(tmpdir(), 'framewright-etcd-'))
    const scheme = tls ? 'https' : 'http'
    const client = `${scheme}://127.0.0.1:${port}`
    const peer = `http://127.0.0.1:${peerPort}`
    const flags = {
      name: 'n1',
      'data-dir': join(folder, 'data'),
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': `n1=${peer}`,
    }
    const args = [
      ...command.args,
      ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
      ...(tls ? TLS_FLAGS : []),
    ]
    const conn = new ClientConn(
      `passthrough:///127.0.0.1:${port}`,
      tls ? { credentials: credentials.tls({ ca, ...clientIdentity }) } : {},
    )
    const { services } = await loadProto({ text: ADMIN_PROTO, name: 'admin.proto' })
    const etcdServices = await loadEtcdServices()
    const etcd = new EtcdServer({ ...command, args }, port, folder, conn, etcdServices, services)
    await etcd.start()
    return etcd
  }

  /** Starts it with the data and on the port that it had. */
  public async start(): Promise<void> {
    const child = new Child(this.command)
    this.child = child
    const port = Number(this.endpoint.split(':')[1])
    if (!(await accepting(port, READY_MS))) throw new Error(`no etcd: ${child.lastWords()}`)
  }

  /** As a crash. */
  public async kill(): Promise<void> {
    await this.child?.kill()
  }

  public async remove(): Promise<void> {
    this.conn.close()
    await this.child?.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  public async put(key: string, value: string, lease = 0n): Promise<bigint> {
    const { header } = await this.kv.put({
      key: Buffer.from(key),
      value: Buffer.from(value),
      lease,
    })
    return header!.revision
  }

  /** What calls of a user carry. */
  public async login(name: string, password: string): Promise<{ token: string }> {
    const { token } = await this.auth.authenticate({ name, password })
    return { token }
  }

  /** All of a user; etcd does so when its password is set. */
  public async forgetTokens(name: string, password: string): Promise<void> {
    const metadata = await this.login(name, password)
    await this.auth.userChangePassword({ name, password }, { metadata })
  }

  public async compact(revision: bigint): Promise<void> {
    await this.adminKv.compact({ revision, physical: true })
  }

  /** Users `root`, who may all, and `reader`, who may read what is under `prefix`. */
  public async enableAuth(prefix: string, password: string): Promise<void> {
    const { auth } = this
    await auth.userAdd({ name: 'root', password })
    await auth.roleAdd({ name: 'root' })
    await auth.userGrantRole({ user: 'root', role: 'root' })
    await auth.userAdd({ name: 'reader', password })
    await auth.roleAdd({ name: 'read' })
    const key = Buffer.from(prefix)
    const rangeEnd = Buffer.from(key)
    rangeEnd[rangeEnd.length - 1]! += 1
    await auth.roleGrantPermission({ name: 'read', perm: { type: 0, key, rangeEnd } })
    await auth.userGrantRole({ user: 'reader', role: 'read' })
    await auth.authEnable({})
  }

  /** How often a method was called since its start, by etcd's own metrics. */
  public async started(method: string): Promise<number> {
    const response = await fetch(`http://${this.endpoint}/metrics`)
    const line = new RegExp(
      `^grpc_server_started_total\\{grpc_method="${method}",.*\\} (\\d+)$`,
      'm',
    )
    return Number(line.exec(await response.text())?.[1] ?? 0)
  }
}
