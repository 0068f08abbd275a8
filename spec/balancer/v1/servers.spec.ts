// A v1 round robin over real sockets: servers join and leave by the word of a v1 resolver, calls go on.
import t from 'tap'
import type { BalancerV1 } from '../../../lib/balancer/index.ts'
import { balancerFromV1, PickFirstV1, RoundRobinV1 } from '../../../lib/balancer/index.ts'
import { ClientConn } from '../../../lib/grpc/channel/client-conn.ts'
import { type Client, createClient } from '../../../lib/grpc/client/client.ts'
import { Server } from '../../../lib/grpc/server/server.ts'
import { Echo } from '../../support/echo-service.ts'
import { ScriptedNaming } from '../../support/scripted-naming.ts'

const CALLERS = 4

/** A server and what it has served. */
class Backend {
  public served = 0
  public address = ''
  private readonly server = new Server()
  private readonly watchers = new Set<() => void>()

  public static async start(): Promise<Backend> {
    const backend = new Backend()
    const unimplemented = (): never => {
      throw new Error('not for this spec')
    }
    backend.server.register(Echo, {
      unary: () => {
        backend.served += 1
        for (const watcher of backend.watchers) watcher()
        return { text: backend.address }
      },
      list: unimplemented,
      sum: unimplemented,
      chat: unimplemented,
    })
    const { port } = await backend.server.listen('127.0.0.1:0')
    backend.address = `127.0.0.1:${port}`
    return backend
  }

  /** Resolves once so many more calls have come. */
  public serves(calls: number): Promise<void> {
    const enough = this.served + calls
    return new Promise((resolve) => {
      const watcher = (): void => {
        if (this.served < enough) return
        this.watchers.delete(watcher)
        resolve()
      }
      this.watchers.add(watcher)
    })
  }

  public stop(): Promise<void> {
    return this.server.gracefulStop()
  }
}

/** A channel that calls all the time. */
class Traffic {
  public readonly naming = new ScriptedNaming()
  public readonly conn: ClientConn
  public readonly client: Client<typeof Echo>
  private stopped = false
  private readonly callers: Promise<void>[] = []

  public constructor(makeBalancer: (naming: ScriptedNaming) => BalancerV1) {
    this.conn = new ClientConn('passthrough:///service', {
      balancer: balancerFromV1('v1', () => makeBalancer(this.naming)),
    })
    this.client = createClient(Echo, this.conn, { waitForReady: true, timeoutMs: 5000 })
  }

  public start(): void {
    for (let caller = 0; caller < CALLERS; caller++) this.callers.push(this.callOnAndOn())
  }

  public join(backend: Backend): Promise<void> {
    return this.naming.tell({ op: 'add', address: backend.address })
  }

  public leave(backend: Backend): Promise<void> {
    return this.naming.tell({ op: 'delete', address: backend.address })
  }

  /** Rejects if any call failed. */
  public async stop(): Promise<void> {
    this.stopped = true
    await Promise.all(this.callers)
  }

  private async callOnAndOn(): Promise<void> {
    while (!this.stopped) await this.client.unary({})
  }
}

t.test('round robin: no call fails while servers join and leave', async (t) => {
  const traffic = new Traffic((naming) => new RoundRobinV1(naming))
  const a = await Backend.start()
  const b = await Backend.start()
  const c = await Backend.start()
  traffic.start()
  const first = a.serves(20)
  await traffic.join(a)
  await first

  await traffic.join(b)
  await Promise.all([a.serves(20), b.serves(20)])

  await traffic.join(c)
  await traffic.leave(a)
  await a.stop()
  const servedByA = a.served
  await Promise.all([b.serves(20), c.serves(20)])
  t.equal(a.served, servedByA, 'one that left gets no call')

  await traffic.leave(c)
  await c.stop()
  await b.serves(20)
  await traffic.stop()

  await traffic.leave(b)
  await t.rejects(traffic.client.unary({}, { waitForReady: false }), {
    message: 'UNAVAILABLE: there is no address available',
  })
  const waiting = traffic.client.unary({})
  await traffic.join(b)
  t.strictSame(await waiting, { text: b.address }, 'one that waits is there for who joins')
  traffic.conn.close()
  await b.stop()
})

t.test('pick first: calls stay with their server until it leaves', async (t) => {
  const traffic = new Traffic((naming) => new PickFirstV1(naming))
  const a = await Backend.start()
  const b = await Backend.start()
  traffic.start()
  const first = a.serves(20)
  await traffic.naming.tell({ op: 'add', address: a.address }, { op: 'add', address: b.address })
  await first
  t.equal(b.served, 0)
  await traffic.leave(a)
  await Promise.all([a.stop(), b.serves(20)])
  await traffic.stop()
  traffic.conn.close()
  await b.stop()
})
