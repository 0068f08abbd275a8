// framewright/etcd against real etcds: backends join and leave, etcd crashes, and no call that waits
// for a connection fails. Run by `npm run test:infra`.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import {
  bytesCodec,
  type ChannelOptions,
  createClient,
  credentials,
  defineService,
  dial,
  Server,
  unary,
} from '../../lib/grpc/index.ts'
import {
  createEtcdResolver,
  type EtcdOptions,
  encodeEndpoint,
  Registration,
  type RegistrationOptions,
  type RegistrationState,
} from '../../lib/plugins/etcd/index.ts'
import type { Command } from '../conformance/process/child.ts'
import { ca, clientIdentity, otherCa } from '../support/certs.ts'
import { EtcdServer, VERSIONS } from './etcd-server.ts'

const Who = defineService('demo.Who', { who: unary(bytesCodec, bytesCodec) })
const SERVICE = 'demo/who'
const ALL_KEYS = { key: Buffer.from(`${SERVICE}/`), rangeEnd: Buffer.from(`${SERVICE}0`) }
const WITHIN_MS = 20_000
const PAUSE_MS = 5

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const giveUp = AbortSignal.timeout(WITHIN_MS)
  while (!(await condition())) {
    if (giveUp.aborted) throw new Error(`never came: ${what}`)
    await sleep(PAUSE_MS)
  }
}

/** A server that says its name, and its entry in etcd. */
class Backend {
  public readonly states: RegistrationState[] = []
  public readonly address: string
  private readonly server: Server
  private registration: Registration | undefined

  private constructor(server: Server, address: string) {
    this.server = server
    this.address = address
  }

  public static async serve(t: Test, name: string): Promise<Backend> {
    const server = new Server().register(Who, { who: () => Buffer.from(name) })
    const { port } = await server.listen('127.0.0.1:0')
    const backend = new Backend(server, `127.0.0.1:${port}`)
    t.teardown(async () => {
      await backend.registration?.close()
      await server.stop()
    })
    return backend
  }

  public async join(
    etcd: EtcdServer,
    options: Partial<RegistrationOptions> = {},
  ): Promise<Registration> {
    this.registration = new Registration({
      endpoints: [etcd.endpoint],
      service: SERVICE,
      address: this.address,
      ttlSeconds: 3,
      onState: (state) => this.states.push(state),
      ...options,
    })
    await this.registration.registered()
    return this.registration
  }

  /** As a server should: first out of etcd, then out of service. */
  public async leave(): Promise<void> {
    await this.registration?.close()
    await this.server.gracefulStop()
  }
}

/** Calls without end, one after the other, each waiting for a connection. */
class Calls {
  public last: string | undefined
  public count = 0
  public readonly failures: unknown[] = []
  private stopped = false

  public constructor(t: Test, options: EtcdOptions, channel: ChannelOptions = {}) {
    const conn = dial(`etcd:///${SERVICE}`, {
      resolvers: [createEtcdResolver(options)],
      ...channel,
    })
    const client = createClient(Who, conn, { waitForReady: true, timeoutMs: WITHIN_MS })
    const run = async (): Promise<void> => {
      while (!this.stopped) {
        try {
          this.last = Buffer.from(await client.who(new Uint8Array())).toString()
          this.count += 1
        } catch (error) {
          if (!this.stopped) this.failures.push(error)
        }
        await sleep(PAUSE_MS)
      }
    }
    const running = run()
    t.teardown(async () => {
      this.stopped = true
      conn.close()
      await running
    })
  }

  public answeredBy(name: string): Promise<void> {
    return until(() => this.last === name, `an answer of ${name}, not ${this.last}`)
  }

  /** Some more answers have come. */
  public async goOn(): Promise<void> {
    const goal = this.count + 10
    await until(() => this.count >= goal, 'more answers')
  }
}

/** A way to etcd that can be cut. */
class Way {
  public endpoint = ''
  private readonly sockets = new Set<Socket>()
  private isOpen = true

  public static async to(t: Test, endpoint: string): Promise<Way> {
    const way = new Way()
    const [host, port] = endpoint.split(':')
    const server = createServer((near) => {
      if (!way.isOpen) {
        near.destroy()
        return
      }
      const far = connect(Number(port), host)
      for (const socket of [near, far]) {
        way.sockets.add(socket)
        socket.on('error', () => {})
        socket.on('close', () => {
          near.destroy()
          far.destroy()
        })
      }
      near.pipe(far).pipe(near)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    way.endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`
    t.teardown(() => {
      way.cut()
      server.close()
    })
    return way
  }

  public cut(): void {
    this.isOpen = false
    for (const socket of this.sockets) socket.destroy()
    this.sockets.clear()
  }

  public open(): void {
    this.isOpen = true
  }
}

async function etcdFor(t: Test, command: Command, tls = false): Promise<EtcdServer> {
  const etcd = await EtcdServer.create(command, tls)
  t.teardown(() => etcd.remove())
  return etcd
}

// Building the newest etcd takes a minute or two.
t.setTimeout(20 * 60_000)

for (const [version, commandOf] of VERSIONS) {
  t.test(version, async (t) => {
    t.setTimeout(20 * 60_000)
    const command = await commandOf((line) => t.comment(line))

    t.test('backends join and leave while calls run', async (t) => {
      const etcd = await etcdFor(t, command)
      const calls = new Calls(t, { endpoints: [etcd.endpoint] })
      const [a, b] = [await Backend.serve(t, 'A'), await Backend.serve(t, 'B')]
      await a.join(etcd, { metadata: { zone: 'x' } })
      await calls.answeredBy('A')
      await b.join(etcd)
      await calls.goOn()
      await a.leave()
      await calls.answeredBy('B')
      await calls.goOn()
      t.strictSame(a.states, ['registered', 'closed'])
      t.strictSame(calls.failures, [])
    })

    t.test('a lease that nobody keeps alive takes its backend out', async (t) => {
      const etcd = await etcdFor(t, command)
      const calls = new Calls(t, { endpoints: [etcd.endpoint] })
      const [a, b] = [await Backend.serve(t, 'A'), await Backend.serve(t, 'B')]
      const { id } = await etcd.leases.leaseGrant({ ttl: 2, id: 0n })
      await etcd.put(`${SERVICE}/a`, encodeEndpoint(a.address), id)
      await calls.answeredBy('A')
      await etcd.put(`${SERVICE}/b`, b.address)
      await calls.answeredBy('B')
      t.strictSame(calls.failures, [])
    })

    t.test('a registration outlives its lease', async (t) => {
      const etcd = await etcdFor(t, command)
      const calls = new Calls(t, { endpoints: [etcd.endpoint] })
      const a = await Backend.serve(t, 'A')
      await a.join(etcd)
      await calls.answeredBy('A')
      const { kvs } = await etcd.kv.range(ALL_KEYS)
      await etcd.leases.leaseRevoke({ id: kvs[0]!.lease })
      await until(() => a.states.length === 3, 'the third state')
      t.strictSame(a.states, ['registered', 'registering', 'registered'])
      await calls.goOn()
      t.strictSame(calls.failures, [])
    })

    t.test('a watch whose history was compacted while it was away', async (t) => {
      const etcd = await etcdFor(t, command)
      const way = await Way.to(t, etcd.endpoint)
      const calls = new Calls(t, {
        endpoints: [way.endpoint],
        backoff: { baseMs: 50, maxMs: 200 },
      })
      const [a, b] = [await Backend.serve(t, 'A'), await Backend.serve(t, 'B')]
      await a.join(etcd)
      await calls.answeredBy('A')
      t.equal(await etcd.started('Range'), 1)
      way.cut()
      await b.join(etcd)
      await a.leave()
      const revision = await etcd.put('other', 'x')
      await etcd.compact(revision)
      way.open()
      await calls.answeredBy('B')
      t.equal(await etcd.started('Range'), 2, 'the keys were read again')
      t.strictSame(calls.failures, [])
    })

    t.test('a way that was cut for a moment: nothing is read again', async (t) => {
      const etcd = await etcdFor(t, command)
      const way = await Way.to(t, etcd.endpoint)
      const calls = new Calls(t, {
        endpoints: [way.endpoint],
        backoff: { baseMs: 50, maxMs: 200 },
      })
      const [a, b] = [await Backend.serve(t, 'A'), await Backend.serve(t, 'B')]
      await a.join(etcd)
      await calls.answeredBy('A')
      way.cut()
      await b.join(etcd)
      await a.leave()
      way.open()
      await calls.answeredBy('B')
      t.equal(await etcd.started('Range'), 1)
      t.strictSame(calls.failures, [])
    })

    t.test('etcd is killed and comes back while calls go on', async (t) => {
      const etcd = await etcdFor(t, command)
      const backoff = { baseMs: 100, maxMs: 500 }
      const calls = new Calls(t, { endpoints: [etcd.endpoint], backoff })
      const [a, b] = [await Backend.serve(t, 'A'), await Backend.serve(t, 'B')]
      const errors: string[] = []
      await a.join(etcd, { backoff, onError: ({ message }) => errors.push(message) })
      await calls.answeredBy('A')
      await etcd.kill()
      await until(() => errors.length > 2, 'errors of the registration')
      await calls.goOn()
      await etcd.start()
      await b.join(etcd, { backoff })
      await a.leave()
      await calls.answeredBy('B')
      await calls.goOn()
      t.match(errors[0], new RegExp(`^etcd ${etcd.endpoint}: UNAVAILABLE`))
      t.strictSame(calls.failures, [])
    })

    t.test('etcd is away for longer than the lease lives', async (t) => {
      const etcd = await etcdFor(t, command)
      const backoff = { baseMs: 100, maxMs: 500 }
      const calls = new Calls(t, { endpoints: [etcd.endpoint], backoff })
      const a = await Backend.serve(t, 'A')
      await a.join(etcd, { backoff })
      await calls.answeredBy('A')
      await etcd.kill()
      await until(() => a.states.at(-1) === 'registering', 'the end of the lease')
      await calls.goOn()
      await etcd.start()
      await until(() => a.states.at(-1) === 'registered', 'the registration')
      await calls.goOn()
      t.strictSame(calls.failures, [])
    })

    t.test('the next endpoint stands in for one that is away', async (t) => {
      const etcd = await etcdFor(t, command)
      const way = await Way.to(t, etcd.endpoint)
      const endpoints = [way.endpoint, etcd.endpoint]
      const calls = new Calls(t, { endpoints })
      const [a, b] = [await Backend.serve(t, 'A'), await Backend.serve(t, 'B')]
      const registration = await a.join(etcd, { endpoints })
      await calls.answeredBy('A')
      way.cut()
      await b.join(etcd)
      await a.leave()
      await calls.answeredBy('B')
      t.equal(registration.state, 'closed')
      t.strictSame(calls.failures, [])
    })

    t.test('users log in, and anew once etcd has forgotten their tokens', async (t) => {
      const password = 'secret'
      const etcd = await etcdFor(t, command)
      const backoff = { baseMs: 100, maxMs: 500 }
      await etcd.enableAuth(`${SERVICE}/`, password)
      const reader = { name: 'reader', password }
      const root = { user: { name: 'root', password }, backoff }
      const calls = new Calls(t, { endpoints: [etcd.endpoint], user: reader, backoff })
      const [a, b] = [await Backend.serve(t, 'A'), await Backend.serve(t, 'B')]
      const errors: string[] = []
      await a.join(etcd, { ...root, onError: ({ message }) => errors.push(message) })
      await calls.answeredBy('A')
      const logins = await etcd.started('Authenticate')
      await etcd.forgetTokens('root', password)
      const metadata = await etcd.login('root', password)
      const { kvs } = await etcd.kv.range(ALL_KEYS, { metadata })
      await etcd.leases.leaseRevoke({ id: kvs[0]!.lease }, { metadata })
      await until(() => a.states.length === 3, 'the third state')
      t.strictSame(a.states, ['registered', 'registering', 'registered'])
      t.equal(await etcd.started('Authenticate'), logins + 3, 'two of ours, one of the backend')
      t.strictSame(errors, [])
      await b.join(etcd, root)
      await a.leave()
      await calls.answeredBy('B')
      await etcd.kill()
      await etcd.start()
      const c = await Backend.serve(t, 'C')
      await c.join(etcd, root)
      await b.leave()
      await calls.answeredBy('C')
      t.strictSame(calls.failures, [])
    })

    t.test('who may not is told by whom', async (t) => {
      const password = 'secret'
      const etcd = await etcdFor(t, command)
      await etcd.enableAuth('elsewhere/', password)
      const cases: [EtcdOptions['user'], RegExp][] = [
        [undefined, /user name is empty/],
        [{ name: 'reader', password }, /PERMISSION_DENIED: etcdserver: permission denied/],
        [
          { name: 'reader', password: 'wrong' },
          /authentication failed, invalid user ID or password/,
        ],
      ]
      for (const [user, text] of cases) {
        const options = { endpoints: [etcd.endpoint], ...(user !== undefined && { user }) }
        const conn = dial(`etcd:///${SERVICE}`, { resolvers: [createEtcdResolver(options)] })
        const failure = await createClient(Who, conn).who(new Uint8Array()).then(String, String)
        conn.close()
        t.match(failure, text)
        t.match(failure, `UNAVAILABLE: `)
        t.match(failure, `etcd ${etcd.endpoint}: `)
      }
    })

    t.test('TLS with certificates of both sides', async (t) => {
      const etcd = await etcdFor(t, command, true)
      const tls = { credentials: credentials.tls({ ca, ...clientIdentity }) }
      const calls = new Calls(t, { endpoints: [etcd.endpoint], ...tls })
      const a = await Backend.serve(t, 'A')
      await a.join(etcd, tls)
      await calls.answeredBy('A')
      t.strictSame(calls.failures, [])
      const strangers = [{ ca }, { ca: otherCa, ...clientIdentity }]
      for (const stranger of strangers) {
        const options = { endpoints: [etcd.endpoint], credentials: credentials.tls(stranger) }
        const conn = dial(`etcd:///${SERVICE}`, { resolvers: [createEtcdResolver(options)] })
        const failure = await createClient(Who, conn).who(new Uint8Array()).then(String, String)
        conn.close()
        t.match(failure, new RegExp(`UNAVAILABLE: .*etcd ${etcd.endpoint}: `))
      }
    })
  })
}
