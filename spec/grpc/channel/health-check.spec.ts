// healthCheckConfig of a service config over real sockets: who is unwell gets no call, and comes back.
import t, { type Test } from 'tap'
import {
  addHealth,
  type Client,
  type ClientConn,
  createClient,
  defineService,
  dial,
  type Health,
  jsonCodec,
  Server,
  unary,
} from '../../../lib/grpc/index.ts'

/** Answers with the number of the server. */
const Who = defineService('spec.Who', { who: unary(jsonCodec<null>(), jsonCodec<number>()) })
const SERVICE_CONFIG = {
  loadBalancingConfig: [{ round_robin: {} }],
  healthCheckConfig: { serviceName: 'spec.Who' },
}
const SERVERS = 3
const CALLS = 300
/** More than it takes to hear of a server's health. */
const MANY_CALLS = 20_000
const ALL = [0, 1, 2]

async function serve(t: Test, n: number): Promise<{ address: string; health: Health }> {
  const server = new Server().register(Who, { who: () => n })
  const health = await addHealth(server)
  health.setStatus('spec.Who', 'SERVING')
  const { port } = await server.listen('127.0.0.1:0')
  t.teardown(() => server.stop())
  return { address: `127.0.0.1:${port}`, health }
}

async function fleet(t: Test): Promise<{
  healths: Health[]
  calls: Calls
  conn: ClientConn
  client: Client<typeof Who>
}> {
  const servers = []
  for (let n = 0; n < SERVERS; n++) servers.push(await serve(t, n))
  const addresses = servers.map(({ address }) => address).join()
  const conn = dial(`ipv4:${addresses}`, { serviceConfig: SERVICE_CONFIG })
  t.teardown(() => conn.close())
  const client = createClient(Who, conn, { waitForReady: true, timeoutMs: 5_000 })
  const healths = servers.map(({ health }) => health)
  return { healths, calls: new Calls(() => client.who(null)), conn, client }
}

/** Calls one after the other, and who answered them. */
class Calls {
  private readonly call: () => Promise<number>

  public constructor(call: () => Promise<number>) {
    this.call = call
  }

  /** How many of the next calls each server answered. */
  public async share(): Promise<Map<number, number>> {
    const share = new Map<number, number>()
    for (let i = 0; i < CALLS; i++) {
      const n = await this.call()
      share.set(n, (share.get(n) ?? 0) + 1)
    }
    return share
  }

  /** Resolves once the newest calls were answered by those servers, and by no others, in turn. */
  public async settleOn(servers: readonly number[]): Promise<void> {
    const want = String(servers)
    const newest: number[] = []
    for (let i = 0; i < MANY_CALLS; i++) {
      newest.push(await this.call())
      if (newest.length > 2 * servers.length) newest.shift()
      const isFull = newest.length === 2 * servers.length
      if (isFull && String([...new Set(newest)].sort()) === want) return
    }
    throw new Error(`want answers of ${want}, got ${newest}`)
  }
}

const evenly = (servers: readonly number[]): [number, number][] =>
  servers.map((n) => [n, CALLS / servers.length])

t.test('a server that says NOT_SERVING gets no calls until it serves again', async (t) => {
  const { healths, calls } = await fleet(t)
  await calls.settleOn(ALL)
  healths[1]?.setStatus('spec.Who', 'NOT_SERVING')
  await calls.settleOn([0, 2])
  t.strictSame([...(await calls.share())].sort(), evenly([0, 2]))
  healths[1]?.setStatus('spec.Who', 'SERVING')
  await calls.settleOn(ALL)
  t.strictSame([...(await calls.share())].sort(), evenly(ALL))
})

t.test(
  'the health of other services, and of the server as a whole, is not asked for',
  async (t) => {
    const { healths, calls } = await fleet(t)
    await calls.settleOn(ALL)
    healths[0]?.setStatus('spec.Other', 'NOT_SERVING')
    healths[0]?.setStatus('', 'NOT_SERVING')
    healths[1]?.setStatus('spec.Who', 'NOT_SERVING')
    await calls.settleOn([0, 2])
    t.strictSame([...(await calls.share())].sort(), evenly([0, 2]))
  },
)

t.test('while every server is unwell calls fail, and those that wait go on waiting', async (t) => {
  const { healths, calls, conn, client } = await fleet(t)
  await calls.settleOn(ALL)
  const isUnwell = new Promise<void>((resolve) => {
    conn.onStateChange((state) => state === 'TRANSIENT_FAILURE' && resolve())
  })
  for (const health of healths) health.setStatus('spec.Who', 'NOT_SERVING')
  await isUnwell
  const waiting = client.who(null)
  await t.rejects(client.who(null, { waitForReady: false }), {
    codeName: 'UNAVAILABLE',
    message: /NOT_SERVING/,
  })
  healths[2]?.setStatus('spec.Who', 'SERVING')
  t.equal(await waiting, 2)
})
