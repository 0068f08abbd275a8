// A hundred callers of one channel while its backends join, leave, restart, drain their connections, fall
// silent and are killed: no unary call fails, each arrives at a server and is answered once. Run by
// `npm run test:infra`.
import t, { type Test } from 'tap'
import { type ClientConn, createClient, dial } from '../../lib/grpc/index.ts'
import { debianTool } from '../conformance/peers/debian.ts'
import { freePort } from '../conformance/process/ports.ts'
import { Echo, type Note } from '../support/echo-service.ts'
import { EtcdServer } from './etcd-server.ts'
import {
  Backend,
  BackendProcess,
  DnsNames,
  EtcdNames,
  Ledger,
  type Names,
  SilentWay,
} from './fleet.ts'
import { Knot } from './knot.ts'

const CALLERS = 100
/** Beyond what a silent connection takes to be found: 10 s is the least keepalive time of gRFC A8. */
const DEADLINE_MS = 30_000
const KEEPALIVE = { timeMs: 10_000, timeoutMs: 500 }
/** Fast enough for a spec. */
const BACKOFF = { baseMs: 20, maxMs: 50 }
/** Answers between two disturbances. */
const PAUSE_CALLS = 200
const CALLS_BETWEEN_KILLS = 20_000

const ROUND_ROBIN = { loadBalancingConfig: [{ round_robin: {} }] }
const RETRIES = {
  ...ROUND_ROBIN,
  methodConfig: [
    {
      name: [{}],
      retryPolicy: {
        maxAttempts: 5,
        initialBackoff: '0.01s',
        maxBackoff: '0.1s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
  ],
}

/** Calls from many callers, each one after the other, until so many were made. */
class Load {
  public readonly failures: string[] = []
  public readonly ledger: Ledger
  public readonly over: Promise<void>
  public isOver = false
  private readonly waiting = new Set<{ isDone(answer: Note): boolean; resolve(): void }>()
  private readonly calls: number
  private next = 0

  public constructor(conn: ClientConn, ledger: Ledger) {
    this.ledger = ledger
    this.calls = ledger.answered.length
    const client = createClient(Echo, conn, { waitForReady: true, timeoutMs: DEADLINE_MS })
    const callers = Array.from({ length: CALLERS }, () => this.run((n) => client.unary({ n })))
    this.over = Promise.all(callers).then(() => this.end())
  }

  /** Resolves after `count` more answers, or when the load is over. */
  public answers(count: number): Promise<void> {
    let left = count
    return this.until(() => --left <= 0)
  }

  /** Resolves when a call was answered by that backend, or when the load is over. */
  public answerOf({ name }: { readonly name: string }): Promise<void> {
    return this.until(({ text }) => text === name)
  }

  private until(isDone: (answer: Note) => boolean): Promise<void> {
    if (this.isOver) return Promise.resolve()
    return new Promise((resolve) => this.waiting.add({ isDone, resolve }))
  }

  private async run(call: (n: number) => Promise<Note>): Promise<void> {
    while (this.next < this.calls) {
      const n = this.next++
      try {
        this.take(n, await call(n))
      } catch (error) {
        this.failures.push(`call ${n}: ${error}`)
      }
    }
  }

  private take(n: number, answer: Note): void {
    if (answer.n === n) this.ledger.answered[n]! += 1
    else this.failures.push(`call ${n}: the answer of call ${answer.n}`)
    // It cannot write to the ledger itself.
    if (answer.text === BackendProcess.NAME) this.ledger.arrived[n]! += 1
    for (const waiter of this.waiting) {
      if (!waiter.isDone(answer)) continue
      this.waiting.delete(waiter)
      waiter.resolve()
    }
  }

  private end(): void {
    this.isOver = true
    for (const { resolve } of this.waiting) resolve()
  }
}

/** The backends that names tell of, and what happens to them. */
class Fleet {
  public readonly counts = { replaced: 0, restarted: 0, drained: 0 }
  private readonly names: Names
  private readonly ledger: Ledger
  private readonly backends = new Set<Backend>()
  private made = 0

  public constructor(names: Names, ledger: Ledger) {
    this.names = names
    this.ledger = ledger
  }

  public async add(): Promise<Backend> {
    const address = this.names.nextAddress()
    const backend = await Backend.serve(`backend ${this.made++}`, this.ledger, address)
    this.backends.add(backend)
    await this.names.add(backend.address)
    return backend
  }

  /** A new one joins; once it answers the one before leaves; and so on for as long as the load lasts. */
  public async replace(load: Load, first: Backend): Promise<void> {
    for (let old = first; !load.isOver; this.counts.replaced += 1) {
      const next = await this.add()
      await load.answerOf(next)
      await this.remove(old)
      old = next
      await load.answers(PAUSE_CALLS)
    }
  }

  /** One after the other goes away, by GOAWAY, while the names tell of it all the while. */
  public async roll(load: Load, backends: readonly Backend[]): Promise<void> {
    while (!load.isOver) {
      for (const backend of backends) {
        await backend.restart()
        await load.answerOf(backend)
        this.counts.restarted += 1
        await load.answers(PAUSE_CALLS)
        backend.drain()
        await load.answers(PAUSE_CALLS)
        await load.answerOf(backend)
        this.counts.drained += 1
      }
    }
  }

  public async stop(): Promise<void> {
    for (const backend of this.backends) await this.remove(backend)
  }

  /** As a server should: first out of the names, then out of service. */
  private async remove(backend: Backend): Promise<void> {
    this.backends.delete(backend)
    await this.names.remove(backend.address)
    await backend.stop()
  }
}

/** One more backend, whose network falls silent, is found out by keepalive, and comes back. */
async function silentBackend(t: Test, names: Names, ledger: Ledger): Promise<Episode> {
  const backend = await Backend.serve('silent', ledger, '127.0.0.1:0')
  const way = await SilentWay.to(backend, names.nextAddress())
  await names.add(way.address)
  t.teardown(async () => {
    await names.remove(way.address)
    way.close()
    await backend.stop()
  })
  return async (load) => {
    await load.answerOf(backend)
    await load.answers(ledger.arrived.length / 10)
    const began = Date.now()
    await way.silence()
    t.comment(`found silent after ${Date.now() - began} ms`)
    await load.answers(PAUSE_CALLS)
    way.reopen()
    await load.answerOf(backend)
    t.notOk(load.isOver, 'it answers again')
  }
}

/** One more backend, a process, which is killed over and over. */
async function killedBackend(t: Test, names: Names): Promise<Episode> {
  const backend = await BackendProcess.start(names.nextAddress())
  await names.add(backend.address)
  t.teardown(async () => {
    await names.remove(backend.address)
    await backend.stop()
  })
  return async (load) => {
    let kills = 0
    for (; !load.isOver; kills++) {
      await load.answerOf(backend)
      await load.answers(PAUSE_CALLS)
      await backend.restart()
    }
    t.ok(kills >= 3, `killed: ${kills}`)
  }
}

/** etcd forgets its history, dies and comes back, over and over. */
function killedEtcd(t: Test, etcd: EtcdServer): Episode {
  return async (load) => {
    await etcd.compact(await etcd.put('unrelated', 'value'))
    let kills = 0
    for (; !load.isOver; kills++) {
      await load.answers(PAUSE_CALLS)
      await etcd.kill()
      await load.answers(PAUSE_CALLS)
      await etcd.start()
      await load.answers(CALLS_BETWEEN_KILLS)
    }
    t.ok(kills >= 3, `etcd was killed: ${kills}`)
  }
}

type Episode = (load: Load) => Promise<void>

interface Rules {
  readonly calls: number
  /** Whether a backend falls silent, and one is killed. */
  readonly breakage: boolean
}

/** Calls while backends come and go, and what became of them. */
async function loadTest(
  t: Test,
  names: Names,
  { calls, breakage }: Rules,
  more: readonly Episode[] = [],
): Promise<void> {
  const ledger = new Ledger(calls)
  const fleet = new Fleet(names, ledger)
  t.teardown(() => fleet.stop())
  const [first, ...others] = [await fleet.add(), await fleet.add(), await fleet.add()]
  const episodes = breakage
    ? [await silentBackend(t, names, ledger), await killedBackend(t, names), ...more]
    : more
  const conn = dial(names.target, { ...names.channel, keepalive: KEEPALIVE, backoff: BACKOFF })
  t.teardown(() => conn.close())

  const began = Date.now()
  const load = new Load(conn, ledger)
  await Promise.all([
    load.over,
    fleet.replace(load, first),
    fleet.roll(load, others),
    ...episodes.map((run) => run(load)),
  ])
  const arrivals = ledger.arrived.reduce((sum, count) => sum + count, 0)
  t.comment(`${calls} calls, ${arrivals} arrivals, ${Date.now() - began} ms`)
  t.comment(JSON.stringify(fleet.counts))

  t.strictSame(load.failures.slice(0, 10), [])
  t.equal(load.failures.length, 0, 'no call failed')
  t.ok(
    ledger.arrived.every((count) => count > 0),
    'each call arrived at a server',
  )
  t.ok(
    ledger.answered.every((count) => count === 1),
    'each call was answered once',
  )
  for (const [what, count] of Object.entries(fleet.counts)) t.ok(count >= 3, `${what}: ${count}`)
}

t.setTimeout(5 * 60_000)
const RETRYING: Rules = { calls: 100_000, breakage: true }
const WAITING: Rules = { calls: 50_000, breakage: false }

t.test('etcd', async (t) => {
  const etcd = await EtcdServer.create(await debianTool('etcd', (line) => t.comment(line)))
  t.teardown(() => etcd.remove())
  await t.test('calls that are tried again outlive also silence and kills', (t) =>
    loadTest(t, new EtcdNames(etcd, RETRIES), RETRYING, [killedEtcd(t, etcd)]),
  )
  await t.test('calls that only wait for a connection outlive joins, leaves and GOAWAYs', (t) =>
    loadTest(t, new EtcdNames(etcd, ROUND_ROBIN), WAITING),
  )
})

t.test('DNS', async (t) => {
  const knot = await Knot.start()
  t.teardown(() => knot.stop())
  const names = async (name: string, config: object): Promise<Names> =>
    DnsNames.create(knot, name, await freePort(), config)
  await t.test('calls that are tried again outlive also silence and kills', async (t) =>
    loadTest(t, await names('retrying', RETRIES), RETRYING),
  )
  await t.test(
    'calls that only wait for a connection outlive joins, leaves and GOAWAYs',
    async (t) => loadTest(t, await names('waiting', ROUND_ROBIN), WAITING),
  )
})
