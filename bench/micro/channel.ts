// What a channel costs that has many backends: connecting them all, an update of its names, a pick, a
// SubConn that idles.
// Connections are stubs: what is measured is naming and balancing alone.
import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type {
  ChannelTransport,
  TransportListener,
} from '../../lib/grpc/channel/channel-transport.ts'
import { ClientConn } from '../../lib/grpc/channel/client-conn.ts'
import type { PendingPick } from '../../lib/grpc/channel/picker-wrapper.ts'
import { type Address, ManualResolver } from '../../lib/naming/index.ts'
import {
  type Bar,
  type BenchOptions,
  type BenchReport,
  type Figure,
  figure,
  type Measurement,
  median,
  medianOf,
} from '../report/result.ts'

const FEW = 100
const MANY = 1000
const POLICIES = ['pick_first', 'round_robin', 'weighted_round_robin']
/** Of this one the bars are. */
const BAR_POLICY = 'round_robin'
const MAX_UPDATE_RATIO = 12
const MAX_PICK_RATIO = 1.3
const MAX_SUB_CONN_BYTES = 2048

interface Plan {
  readonly turns: number
  readonly updates: number
  /** Few and many take turns within a turn, too: so many times. */
  readonly slices: number
  readonly picksPerSlice: number
  /** Whose memory is measured together. */
  readonly channels: number
}

const FULL: Plan = { turns: 9, updates: 20, slices: 20, picksPerSlice: 10_000, channels: 4 }
const QUICK: Plan = { turns: 2, updates: 3, slices: 2, picksPerSlice: 5000, channels: 1 }

/** Measures each policy with few backends and with many, in turns. */
export async function run(options: BenchOptions): Promise<BenchReport> {
  const plan = options.quick ? QUICK : FULL
  const measurements: Measurement[] = []
  for (const policy of POLICIES) {
    measurements.push(...(await measurePolicy(policy, plan)))
    options.progress(`${policy} is measured`)
  }
  return { bench: 'channel', measurements, bars: barsOf(measurements), absent: [], notes: NOTES }
}

const NOTES = [
  `Connecting ends when every backend is connected; its stubs take no time. An update moves one backend of
the list; its time ends when the channel has taken it. A pick is that of a call by a channel whose
backends are all connected. Memory is the heap of a channel with connected backends, per backend; the
stub of a connection is part of it. Times are medians over turns, in each of which the channel with few
and the one with many take turns; a ratio is the median of the ratios within a turn.`.replaceAll(
    '\n',
    ' ',
  ),
]

interface Times {
  readonly connectUs: number
  readonly updateUs: number
  readonly pickNs: number
}

interface Turn {
  readonly few: Times
  readonly many: Times
  /** Of a channel with many; with few, the noise is as large. */
  readonly subConnBytes: number
}

async function measurePolicy(policy: string, plan: Plan): Promise<Measurement[]> {
  const turns: Turn[] = []
  for (let turn = -1; turn < plan.turns; turn++) {
    const measured = await measureTurn(policy, plan)
    if (turn >= 0) turns.push(measured) // the first one compiles
  }
  const few = turns.map((turn) => turn.few)
  const many = turns.map((turn) => turn.many)
  const bytes = turns.map(({ subConnBytes }) => subConnBytes)
  return [
    { workload: `${FEW} backends`, subject: policy, figures: figuresOf(few) },
    {
      workload: `${MANY} backends`,
      subject: policy,
      figures: [...figuresOf(many), figure(MEMORY, 'B', bytes), ...ratiosOf(few, many)],
    },
  ]
}

function figuresOf(times: readonly Times[]): Figure[] {
  const rows: [string, string, (of: Times) => number][] = [
    ['connect all', 'us', ({ connectUs }) => connectUs],
    ['update', 'us', ({ updateUs }) => updateUs],
    ['pick', 'ns', ({ pickNs }) => pickNs],
  ]
  return rows.map(([name, unit, of]) => figure(name, unit, times.map(of)))
}

const MEMORY = 'memory'
const UPDATE_RATIO = 'update ratio'
const PICK_RATIO = 'pick ratio'

function ratiosOf(few: readonly Times[], many: readonly Times[]): Figure[] {
  return [
    figure(
      UPDATE_RATIO,
      'ratio',
      many.map(({ updateUs }, i) => updateUs / few[i]!.updateUs),
    ),
    figure(
      PICK_RATIO,
      'ratio',
      many.map(({ pickNs }, i) => pickNs / few[i]!.pickNs),
    ),
  ]
}

function barsOf(measurements: readonly Measurement[]): Bar[] {
  const got = (name: string): number => medianOf(measurements, `${MANY} backends`, BAR_POLICY, name)
  const rows: [string, string, number, string][] = [
    [
      'an update with 1,000 backends, as a multiple of one with 100',
      UPDATE_RATIO,
      MAX_UPDATE_RATIO,
      'ratio',
    ],
    [
      'a pick with 1,000 backends, as a multiple of one with 100',
      PICK_RATIO,
      MAX_PICK_RATIO,
      'ratio',
    ],
    ['the memory of an idle SubConn', MEMORY, MAX_SUB_CONN_BYTES, 'B'],
  ]
  return rows.map(([text, name, want, unit]) => ({
    text: `${BAR_POLICY}: ${text}`,
    bound: 'at most',
    want,
    got: got(name),
    unit,
  }))
}

async function measureTurn(policy: string, plan: Plan): Promise<Turn> {
  const before = await heapBytes()
  const crowd: StubChannel[] = []
  for (let i = 0; i < plan.channels; i++) crowd.push(await StubChannel.connected(policy, MANY))
  const subConnBytes = ((await heapBytes()) - before) / (plan.channels * MANY)
  const pair = [await StubChannel.connected(policy, FEW), crowd[0]!]
  const updates = await inTurns(pair, plan.updates, (channel) => channel.updateUs())
  const picks = await inTurns(pair, plan.slices, (channel) => channel.pickNs(plan.picksPerSlice))
  for (const { conn } of [...pair, ...crowd]) conn.close()
  const [few, many] = pair.map(({ connectUs }, i) => {
    return { connectUs, updateUs: updates[i]!, pickNs: picks[i]! }
  })
  return { few: few!, many: many!, subConnBytes }
}

/** The medians of what is measured of each channel, which take turns. */
async function inTurns(
  channels: readonly StubChannel[],
  rounds: number,
  measure: (channel: StubChannel) => number | Promise<number>,
): Promise<number[]> {
  const samples: number[][] = channels.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [i, channel] of channels.entries()) samples[i]!.push(await measure(channel))
  }
  return samples.map(median)
}

/** Once what was closed is gone. */
async function heapBytes(): Promise<number> {
  // One collection may spare what the turn of the loop still holds, or another one that is under way.
  for (let i = 0; i < 3; i++) {
    await setImmediate()
    collectGarbage()
  }
  return process.memoryUsage().heapUsed
}

const collectGarbage = ((): (() => void) => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc')
})()

/** The same for all channels, so that their memory is not the channels'. */
const ADDRESSES: readonly Address[] = Array.from({ length: MANY }, (_, i) => ({
  address: `10.0.${i >> 8}.${i & 255}:443`,
}))

/** A channel of a policy whose connections are stubs. */
class StubChannel {
  public readonly conn: ClientConn
  /** How long it took until every backend that the policy connects to was connected. */
  public connectUs = 0
  private readonly names = new ManualResolver('bench')
  private readonly addresses: Address[]

  private constructor(policy: string, backends: number) {
    this.addresses = ADDRESSES.slice(0, backends)
    this.conn = new ClientConn(
      'bench:stub',
      { resolvers: [this.names], balancer: policy },
      {
        connect: async (address, _options, listener) =>
          new StubTransport(address, listener) as unknown as ChannelTransport,
      },
    )
  }

  public static async connected(policy: string, backends: number): Promise<StubChannel> {
    const channel = new StubChannel(policy, backends)
    const startMs = performance.now()
    channel.conn.connect()
    channel.tell()
    await setImmediate() // stubs connect in microtasks
    channel.connectUs = (performance.now() - startMs) * 1000
    return channel
  }

  /** One backend leaves its place in the list and takes the last. */
  public async updateUs(): Promise<number> {
    const startMs = performance.now()
    this.addresses.push(this.addresses.shift()!)
    this.tell()
    await Promise.resolve()
    return (performance.now() - startMs) * 1000
  }

  public pickNs(picks: number): number {
    const { conn } = this
    let found = 0
    const startMs = performance.now()
    for (let i = 0; i < picks; i++) {
      CALL.onPickDone = undefined
      if (conn.pick(CALL) !== undefined) found += 1
    }
    const ns = ((performance.now() - startMs) * 1e6) / picks
    if (found !== picks) throw new Error(`${picks - found} of ${picks} picks found no connection`)
    return ns
  }

  private tell(): void {
    this.names.newAddress(this.addresses)
  }
}

const CALL: PendingPick = {
  path: '/bench.Service/Method',
  waitForReady: false,
  onPickDone: undefined,
  latestFailure: undefined,
  header: () => undefined,
  onTransport() {},
  onPickFailed() {},
}

class StubTransport {
  public readonly peer: Address
  public readonly openStreams = 0
  public readonly canOpen = true
  private readonly listener: TransportListener

  public constructor(peer: Address, listener: TransportListener) {
    this.peer = peer
    this.listener = listener
  }

  public close(): void {
    queueMicrotask(() => this.listener.onClosed(undefined))
  }

  public closeGracefully(): void {
    this.close()
  }
}
