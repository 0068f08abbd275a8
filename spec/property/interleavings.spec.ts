// Two real transports under random use, on random lines, in random pieces, on virtual time. Whatever
// happens: an independent model of each sender finds no fault, no octet is lost or out of order, each
// stream ends exactly once for each owner, and nothing is left.
import fc from 'fast-check'
import t from 'tap'
import {
  assertGone,
  assertQuiet,
  FakeClock,
  MEMORY_PEER,
  memoryPair,
} from '../../lib/testing/index.ts'
import {
  ClientTransport,
  type ErrorCode,
  ServerTransport,
  type Stream,
} from '../../lib/transport/index.ts'
import { traceWire } from '../../lib/transport/io/trace.ts'
import { HalfPhase } from '../../lib/transport/stream/half-phase.ts'
import { RecordingStream } from '../support/recording-stream.ts'
import { SenderModel } from '../support/sender-model.ts'
import { REQUEST, RESPONSE } from '../support/transport-bench.ts'

const CANCEL = 8 as ErrorCode

/** Counts octets whose values tell their place, and finds one that is not where it should be. */
class CheckedStream extends RecordingStream {
  public isInOrder = true
  /** Takes what comes as it comes. */
  public isGreedy = false
  public untaken = 0
  private putBytes = 0

  public override onData(buf: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at++) {
      if (buf[at] !== ((this.dataBytes + at - start) & 0xff)) this.isInOrder = false
    }
    this.untaken += end - start
    super.onData(buf, start, end)
    if (this.isGreedy) this.creditAll()
  }

  public put(bytes: number, end: boolean): void {
    if (this.stream.closed || this.stream.sendPhase !== HalfPhase.Body) return
    const buf = Buffer.alloc(bytes)
    for (let i = 0; i < bytes; i++) buf[i] = this.putBytes + i
    this.putBytes += bytes
    this.stream.data(buf, 0, bytes, end)
    buf.fill(0xee)
  }

  public creditAll(): void {
    this.stream.credit(this.untaken)
    this.untaken = 0
  }
}

class World {
  public readonly clock = new FakeClock()
  public readonly pair
  public readonly client: ClientTransport
  public readonly server: ServerTransport
  public readonly clientModel = new SenderModel('client')
  public readonly serverModel = new SenderModel('server')
  public readonly calls: CheckedStream[] = []
  public readonly served: CheckedStream[] = []

  public constructor(setup: Setup) {
    const { clock } = this
    const { chunks } = setup
    let next = 0
    const chunkBytes = (): number => chunks[next++ % chunks.length] as number
    this.pair = memoryPair(clock, {
      latencyMs: setup.latencyMs,
      chunkBytes,
      capacityBytes: setup.capacityBytes,
      bytesPerMs: setup.bytesPerMs,
      lend: setup.lend,
      record: false,
    })
    const options = {
      clock,
      initialStreamWindowBytes: setup.windowBytes,
      initialConnectionWindowBytes: Math.max(65_535, setup.windowBytes),
      growWindows: setup.growWindows,
      writeQuotaBytes: setup.writeQuotaBytes,
      blockedBytes: setup.blockedBytes,
      maxBufferedBytes: 50_000,
    }
    const clientWire = traceWire(this.pair.client, this.clientModel.sink)
    const serverWire = traceWire(this.pair.server, this.serverModel.sink)
    this.client = new ClientTransport(clientWire.wire, MEMORY_PEER, options)
    this.server = new ServerTransport(serverWire.wire, MEMORY_PEER, {
      ...options,
      maxConcurrentStreams: setup.maxStreams,
      onStream: (stream) => this.serve(stream),
    })
    this.pair.client.start(clientWire.tap(this.client.start()))
    this.pair.server.start(serverWire.tap(this.server.start()))
  }

  private serve(stream: Stream): CheckedStream {
    const served = new CheckedStream({ takes: false })
    served.stream = stream
    this.served.push(served)
    return served
  }

  public open(endStream: boolean): void {
    const call = new CheckedStream({ takes: false })
    this.calls.push(call)
    call.stream = this.client.openStream(REQUEST, call, undefined, endStream)
  }
}

interface Setup {
  readonly chunks: readonly number[]
  readonly latencyMs: number
  readonly capacityBytes: number
  readonly bytesPerMs: number
  readonly lend: boolean
  readonly windowBytes: number
  readonly growWindows: boolean
  readonly writeQuotaBytes: number
  readonly blockedBytes: number
  readonly maxStreams: number
}

const setups: fc.Arbitrary<Setup> = fc.record({
  chunks: fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 70_000 })), {
    minLength: 1,
    maxLength: 8,
  }),
  latencyMs: fc.constantFrom(0, 1, 30),
  capacityBytes: fc.constantFrom(0, 5000, 100_000, 10_000_000),
  bytesPerMs: fc.constantFrom(100, 5000, 1_000_000),
  lend: fc.boolean(),
  windowBytes: fc.constantFrom(1024, 5000, 65_535, 100_000, 1_000_000),
  growWindows: fc.boolean(),
  writeQuotaBytes: fc.constantFrom(1, 1000, 65_536),
  blockedBytes: fc.constantFrom(1, 20_000, 262_144),
  maxStreams: fc.constantFrom(1, 2, 5, 100),
})

type Action = (world: World, pick: number, bytes: number, flag: boolean) => void

const anyOf = (streams: readonly CheckedStream[], pick: number): CheckedStream | undefined =>
  streams[pick % Math.max(1, streams.length)]

const actions: Record<string, Action> = {
  open: (world, _pick, _bytes, flag) => world.open(flag),
  clientData: ({ calls }, pick, bytes, flag) => anyOf(calls, pick)?.put(bytes, flag),
  clientTrailers: ({ calls }, pick) => anyOf(calls, pick)?.stream.trailers(['x', 'y']),
  clientReset: ({ calls }, pick) => anyOf(calls, pick)?.stream.reset(CANCEL, 'random'),
  clientCredit: ({ calls }, pick) => anyOf(calls, pick)?.creditAll(),
  clientExpect: ({ calls }, pick, bytes) => anyOf(calls, pick)?.stream.expect(bytes),
  respond: ({ served }, pick, _bytes, flag) => anyOf(served, pick)?.stream.headers(RESPONSE, flag),
  informational: ({ served }, pick) =>
    anyOf(served, pick)?.stream.informational([':status', '103']),
  serverData: ({ served }, pick, bytes, flag) => anyOf(served, pick)?.put(bytes, flag),
  serverTrailers: ({ served }, pick) => {
    const fields = ['x-pick', String(pick), 'x-noise', '~'.repeat(pick % 300)]
    anyOf(served, pick)?.stream.trailers(fields)
  },
  serverReset: ({ served }, pick, _bytes, flag) =>
    anyOf(served, pick)?.stream.reset(flag ? CANCEL : (0 as ErrorCode), 'random'),
  serverCredit: ({ served }, pick) => anyOf(served, pick)?.creditAll(),
  serverExpect: ({ served }, pick, bytes) => anyOf(served, pick)?.stream.expect(bytes),
  step: ({ pair }, pick) => {
    for (let i = 0; i < pick % 20; i++) pair.step()
  },
  drive: ({ pair }) => void pair.drive(),
  advance: ({ pair }, pick) => pair.advance(pick % 50),
}
const rare: Record<string, Action> = {
  drain: ({ server }) => server.drain('random'),
  closeGracefully: ({ client }) => client.closeGracefully(),
  closeClient: ({ client }) => client.close(),
  closeServer: ({ server }) => server.close(),
  cut: ({ pair }) => pair.cut(),
}

/** What takes a stream far. */
const OFTEN = new Set(['open', 'respond', 'clientData', 'serverData', 'drive', 'advance'])

interface Move {
  readonly name: string
  readonly pick: number
  readonly bytes: number
  readonly flag: boolean
}

const moves = (names: readonly string[]): fc.Arbitrary<Move> =>
  fc.record({
    name: fc.constantFrom(...names, ...names.filter((name) => OFTEN.has(name))),
    pick: fc.nat(1000),
    bytes: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 150_000 })),
    flag: fc.boolean(),
  })

function faultOf(world: World): string | undefined {
  const { calls, served, clientModel, serverModel } = world
  const faults = [
    ...clientModel.faults.map((fault) => `client: ${fault}`),
    ...serverModel.faults.map((fault) => `server: ${fault}`),
  ]
  for (const [side, streams] of [
    ['client', calls],
    ['server', served],
  ] as const) {
    for (const { stream, isInOrder, closedTimes, log } of streams) {
      if (!isInOrder) faults.push(`${side}: octets of stream ${stream.id} out of order`)
      if (closedTimes > 1) faults.push(`${side}: stream ${stream.id} ended ${closedTimes} times`)
      const last = log.findIndex((line) => line.startsWith('closed'))
      if (last >= 0 && last !== log.length - 1) faults.push(`${side}: told after the end: ${log}`)
    }
  }
  return faults[0]
}

/** Lets everything come to its end: all is taken, sent and answered. */
function finish(world: World): void {
  const { pair, calls, served, client } = world
  for (let round = 0; round < 200 && client.load.streams > 0; round++) {
    pair.advance(1000)
    for (const stream of [...calls, ...served]) {
      stream.isGreedy = true
      stream.creditAll()
    }
    for (const call of calls) call.put(0, true)
    for (const { stream } of served) {
      stream.headers(RESPONSE, false)
      stream.trailers(['x', 'y'])
    }
  }
  pair.advance(5000)
}

function check(setup: Setup, script: readonly Move[]): void {
  const world = new World(setup)
  for (const { name, pick, bytes, flag } of script) {
    ;(actions[name] ?? (rare[name] as Action))(world, pick, bytes, flag)
    const fault = faultOf(world)
    if (fault !== undefined) throw new Error(`${name}: ${fault}`)
  }
  finish(world)
  const fault = faultOf(world)
  if (fault !== undefined) throw new Error(fault)
  const { calls, served, client, server, pair, clock } = world
  const left = [...calls, ...served].filter(({ closedTimes }) => closedTimes !== 1)
  if (left.length > 0) throw new Error(`${left.length} streams did not end: ${left[0]?.log}`)
  assertQuiet(client)
  assertQuiet(server)
  if (pair.client.state === 'open' && pair.server.state === 'open') {
    const [a, b] = [client.load, server.load]
    if (a.sendWindowBytes !== b.recvWindowBytes || b.sendWindowBytes !== a.recvWindowBytes) {
      throw new Error(`windows disagree: ${JSON.stringify([a, b])}`)
    }
  }
  client.close()
  server.close()
  pair.advance(60_000)
  assertGone(client, pair.client, clock)
  assertGone(server, pair.server, clock)
}

t.test('any use of two transports keeps the rules and leaves nothing', (t) => {
  const script = fc.array(moves(Object.keys(actions)), { minLength: 1, maxLength: 80, size: 'max' })
  fc.assert(fc.property(setups, script, check), { numRuns: 250 })
  t.pass()
  t.end()
})

t.test('also when the connection ends in the middle', (t) => {
  const before = fc.array(moves(Object.keys(actions)), { minLength: 1, maxLength: 50, size: 'max' })
  const end = fc.array(moves(Object.keys(rare)), { minLength: 1, maxLength: 2 })
  const after = fc.array(moves(Object.keys(actions)), { maxLength: 20, size: 'max' })
  const property = fc.property(setups, before, end, after, (setup, first, last, rest) =>
    check(setup, [...first, ...last, ...rest]),
  )
  fc.assert(property, { numRuns: 250 })
  t.pass()
  t.end()
})
