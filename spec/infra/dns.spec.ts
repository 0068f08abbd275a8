// Names from a real DNS server, calls to real servers, while the zone changes.
import t, { type Test } from 'tap'
import { systemClock } from '../../lib/base/clock.ts'
import { systemRandom } from '../../lib/base/random.ts'
import { createClient, type DialOptions, dial, RpcError, Server } from '../../lib/grpc/index.ts'
import {
  addressesOf,
  createDnsResolver,
  findResolver,
  type ResolverState,
} from '../../lib/naming/index.ts'
import { Echo } from '../support/echo-service.ts'
import { BROKEN_ZONE, Knot, txtData, ZONE } from './knot.ts'

/** Fast enough for a spec. */
const POLLING = { minIntervalMs: 20, refreshIntervalMs: 40 }
const OPTIONS: DialOptions = {
  resolvers: [createDnsResolver({ ...POLLING, srv: true })],
  backoff: { baseMs: 20, maxMs: 50 },
}
const WAIT_MS = 10_000
/** As many answers of each backend in a row show who takes part. */
const ROUNDS = 3

const knot = await Knot.start()
t.teardown(() => knot.stop())

const target = (name: string): string => `dns://${knot.server}/${name}`

/** A server that answers with `name`. */
async function backend(t: Test, name: string, address: string): Promise<Backend> {
  const server = new Server()
  server.register(Echo, {
    unary: () => ({ text: name }),
    *list() {},
    sum: () => ({}),
    *chat() {},
  })
  const { port } = await server.listen(address)
  t.teardown(() => server.stop())
  return { port, stop: () => server.gracefulStop() }
}

interface Backend {
  readonly port: number
  stop(): Promise<void>
}

/** Calls one after the other, without a pause, for as long as the spec runs. */
class Caller {
  public readonly failures: unknown[] = []
  private readonly client
  private readonly ended: Promise<void>
  private stopping = false
  private answeredBy: string[] = []
  private waiting: (() => void)[] = []

  public constructor(t: Test, text: string, balancer = 'pick_first') {
    const conn = dial(text, { ...OPTIONS, balancer })
    this.client = createClient(Echo, conn, { waitForReady: true, timeoutMs: WAIT_MS })
    this.ended = this.run()
    t.teardown(() => {
      this.stopping = true
      conn.close()
    })
  }

  public get calls(): number {
    return this.answeredBy.length
  }

  /** Resolves when the newest calls were answered by these backends, and by no others, in turn. */
  public async answersFrom(...names: string[]): Promise<void> {
    const giveUp = AbortSignal.timeout(WAIT_MS)
    for (;;) {
      const newest = this.answeredBy.slice(-ROUNDS * names.length)
      const seen = [...new Set(newest)].sort()
      if (newest.length === ROUNDS * names.length && seen.join() === names.join()) return
      if (giveUp.aborted) throw new Error(`want answers from ${names}, got ${seen}`)
      await new Promise<void>((resolve) => this.waiting.push(resolve))
    }
  }

  /** The last call is over when this resolves. */
  public end(): Promise<void> {
    this.stopping = true
    return this.ended
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      try {
        this.answeredBy.push((await this.client.unary({})).text ?? '')
      } catch (error) {
        this.failures.push(error)
      }
      for (const wake of this.waiting.splice(0)) wake()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

/** What a resolver tells: states and failures, each once. */
class Watched {
  public readonly states: ResolverState[] = []
  public readonly failures: string[] = []
  private wake: () => void = () => {}

  public constructor(t: Test, text: string) {
    const { target, builder } = findResolver(text, OPTIONS.resolvers)
    const resolver = builder.build(
      target,
      {
        updateState: (state) => this.tell(() => this.states.push(state)),
        newAddress: () => {},
        reportError: ({ message }) => this.tell(() => this.failures.push(message)),
      },
      { clock: systemClock, random: systemRandom, backoff: { baseMs: 20, maxMs: 50 } },
    )
    t.teardown(() => resolver.close())
  }

  /** The newest state, once it is as wanted. */
  public state(isWanted: (state: ResolverState) => boolean): Promise<ResolverState> {
    return this.told(() => this.states.slice(-1).find(isWanted))
  }

  public failure(): Promise<string> {
    return this.told(() => this.failures.at(-1))
  }

  private async told<T>(wanted: () => T | undefined): Promise<T> {
    const giveUp = AbortSignal.timeout(WAIT_MS)
    giveUp.addEventListener('abort', () => this.wake(), { once: true })
    for (;;) {
      const found = wanted()
      if (found !== undefined) return found
      if (giveUp.aborted) throw new Error(`told last: ${JSON.stringify(this.states.at(-1))}`)
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
  }

  private tell(keep: () => void): void {
    keep()
    this.wake()
  }
}

const textsOf = ({ endpoints }: ResolverState): string[] =>
  addressesOf(endpoints).map(({ address }) => address)

t.test('A and AAAA records are addresses, IPv4 first, and come and go', async (t) => {
  await knot.replace('both', 'A', '127.0.0.2')
  await knot.replace('both', 'AAAA', '::1')
  const watched = new Watched(t, target(`both.${ZONE}:80`))
  await watched.state((it) => textsOf(it).join() === '127.0.0.2:80,[::1]:80')
  await knot.replace('both', 'A')
  await watched.state((it) => textsOf(it).join() === '[::1]:80')
  await knot.replace('both', 'AAAA', '::1', '::2')
  await watched.state((it) => textsOf(it).sort().join() === '[::1]:80,[::2]:80')
  t.strictSame(watched.failures, [])
})

t.test('backends join and leave by A records, and no call fails', async (t) => {
  // One port for all: A records have none.
  const first = await backend(t, 'first', '127.0.0.2:0')
  const second = await backend(t, 'second', `127.0.0.3:${first.port}`)
  await knot.replace('web', 'A', '127.0.0.2')
  const caller = new Caller(t, target(`web.${ZONE}:${first.port}`), 'round_robin')
  await caller.answersFrom('first')
  await knot.replace('web', 'A', '127.0.0.2', '127.0.0.3')
  await caller.answersFrom('first', 'second')
  await backend(t, 'third', `127.0.0.4:${first.port}`)
  await knot.replace('web', 'A', '127.0.0.3', '127.0.0.4')
  await caller.answersFrom('second', 'third')
  await first.stop()
  await second.stop()
  await caller.answersFrom('third')
  await knot.replace('web', 'A', '127.0.0.4')
  await caller.end()
  t.strictSame(caller.failures, [])
})

t.test('backends join and leave by SRV records, the lowest priority first', async (t) => {
  const [first, second] = [
    await backend(t, 'first', '127.0.0.1:0'),
    await backend(t, 'second', '127.0.0.1:0'),
  ]
  const record = (priority: number, weight: number, { port }: Backend): string =>
    `${priority} ${weight} ${port} node.${ZONE}.`
  await knot.replace('node', 'A', '127.0.0.1')
  await knot.replace('_grpc._tcp.srv', 'SRV', record(10, 5, first), record(20, 0, second))
  const service = target(`_grpc._tcp.srv.${ZONE}`)
  const watched = new Watched(t, service)
  const { endpoints } = await watched.state(() => true)
  t.strictSame(endpoints, [
    {
      addresses: [{ address: `127.0.0.1:${first.port}` }],
      attributes: { weight: 5, priority: 10 },
    },
    {
      addresses: [{ address: `127.0.0.1:${second.port}` }],
      attributes: { weight: 1, priority: 20 },
    },
  ])
  const caller = new Caller(t, service)
  await caller.answersFrom('first')
  await knot.replace('_grpc._tcp.srv', 'SRV', record(20, 0, second))
  await caller.answersFrom('second')
  await first.stop()
  const third = await backend(t, 'third', '127.0.0.1:0')
  await knot.replace('_grpc._tcp.srv', 'SRV', record(1, 1, third), record(20, 0, second))
  await second.stop()
  await caller.answersFrom('third')
  await caller.end()
  t.strictSame(caller.failures, [])
})

t.test('a service config of many strings comes over TCP, and changes', async (t) => {
  const methodConfig = Array.from({ length: 100 }, (_, i) => ({
    name: [{ service: 'spec.Echo', method: `method${i}` }],
    timeout: '1.5s',
  }))
  const choices = [
    { clientLanguage: ['go'], serviceConfig: { wrong: true } },
    { clientLanguage: ['node'], percentage: 100, serviceConfig: { methodConfig } },
  ]
  const text = `grpc_config=${JSON.stringify(choices)}`
  t.ok(text.length > 7_000, 'more than a datagram of DNS holds')
  await knot.replace('conf', 'A', '127.0.0.1')
  await knot.replace('_grpc_config.conf', 'TXT', txtData('of others'), txtData(text))
  const watched = new Watched(t, target(`conf.${ZONE}`))
  const first = await watched.state(() => true)
  t.strictSame(first.serviceConfig, { methodConfig })
  t.strictSame(textsOf(first), ['127.0.0.1:443'])

  await knot.replace('_grpc_config.conf', 'TXT', txtData('grpc_config=[{"serviceConfig"}]'))
  const wrong = await watched.state((it) => it.serviceConfigError !== undefined)
  t.match(wrong.serviceConfigError?.message, /^txt_config: want JSON /)
  t.equal(wrong.serviceConfig, undefined)
  t.strictSame(textsOf(wrong), ['127.0.0.1:443'])

  await knot.replace('_grpc_config.conf', 'TXT')
  await watched.state((it) => !('serviceConfig' in it || 'serviceConfigError' in it))
  t.strictSame(watched.failures, [])
})

/** Which error a call without waitForReady has. */
async function callError(t: Test, name: string): Promise<RpcError> {
  const conn = dial(target(name), OPTIONS)
  t.teardown(() => conn.close())
  const failed = createClient(Echo, conn, { timeoutMs: WAIT_MS }).unary({})
  return failed.then(
    () => t.fail('the call went well') as never,
    (error) => error as RpcError,
  )
}

t.test('a name that does not exist fails calls; those that wait see it appear', async (t) => {
  const error = await callError(t, `later.${ZONE}:80`)
  t.type(error, RpcError)
  t.equal(error.codeName, 'UNAVAILABLE')
  t.match(error.message, `"later.${ZONE}" at ${knot.server}: no such host (ENOTFOUND)`)
  const late = await backend(t, 'late', '127.0.0.1:0')
  const caller = new Caller(t, target(`later.${ZONE}:${late.port}`))
  await knot.replace('later', 'A', '127.0.0.1')
  await caller.answersFrom('late')
  await caller.end()
  t.strictSame(caller.failures, [])
})

t.test('a server that fails, or refuses, is named', async (t) => {
  for (const [name, code] of [
    [`host.${BROKEN_ZONE}`, 'ESERVFAIL'],
    ['host.of-somebody-else', 'EREFUSED'],
  ] as const) {
    const { codeName, message } = await callError(t, name)
    t.equal(codeName, 'UNAVAILABLE')
    t.match(message, `"${name}" at ${knot.server}: `)
    t.match(message, code)
  }
})

t.test('while the DNS server is down calls go on; once it is back so do changes', async (t) => {
  const first = await backend(t, 'first', '127.0.0.2:0')
  const second = await backend(t, 'second', `127.0.0.3:${first.port}`)
  await knot.replace('down', 'A', '127.0.0.2')
  const caller = new Caller(t, target(`down.${ZONE}:${first.port}`))
  const watched = new Watched(t, target(`down.${ZONE}:${first.port}`))
  await caller.answersFrom('first')
  await watched.state(() => true)
  await knot.pause()
  const { codeName, message } = await callError(t, `new.${ZONE}`)
  t.equal(codeName, 'UNAVAILABLE')
  t.match(message, `"new.${ZONE}" at ${knot.server}: `)
  t.match(await watched.failure(), knot.server)
  const before = caller.calls
  await knot.resume()
  t.ok(caller.calls > before)
  await knot.replace('down', 'A', '127.0.0.3')
  await caller.answersFrom('second')
  await caller.end()
  t.strictSame(caller.failures, [])
  await second.stop()
})
