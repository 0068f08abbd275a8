// What a channel costs that has many backends: an update of its names, a pick, a SubConn that idles.
// Connections are stubs: what is measured is naming and balancing alone.
import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { ChannelTransport } from '../../lib/grpc/channel/channel-transport.ts'
import { ClientConn } from '../../lib/grpc/channel/client-conn.ts'
import type { PendingPick } from '../../lib/grpc/channel/picker-wrapper.ts'
import { ManualResolver } from '../../lib/naming/index.ts'
import {
  type Bar,
  type BenchOptions,
  type BenchReport,
  type Figure,
  figure,
  type Measurement,
  medianOf,
} from '../report/result.ts'

const FEW = 100
const MANY = 1000
const POLICIES = ['pick_first', 'round_robin']
/** Of this one the bars are. */
const BAR_POLICY = 'round_robin'
const MAX_UPDATE_RATIO = 12
const MAX_PICK_RATIO = 1.3
const MAX_SUB_CONN_BYTES = 2048

interface Plan {
  readonly turns: number
  readonly updates: number
  readonly picks: number
  readonly channels: number
}

const FULL: Plan = { turns: 7, updates: 20, picks: 200_000, channels: 4 }
const QUICK: Plan = { turns: 2, updates: 3, picks: 20_000, channels: 1 }

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
  `An update moves one backend of the list; its time ends when the channel has taken it. A pick is that
of a call by a channel whose backends are all connected. Memory is the heap of a channel per backend.
Times are medians over turns; a ratio is the median of the ratios within a turn.`.replaceAll(
    '\n',
    ' ',
  ),
]

interface Sample {
  readonly updateUs: number
  readonly pickNs: number
  readonly subConnBytes: number
}

async function measurePolicy(policy: string, plan: Plan): Promise<Measurement[]> {
  const few: Sample[] = []
  const many: Sample[] = []
  for (let turn = -1; turn < plan.turns; turn++) {
    const pair = [await sample(policy, FEW, plan), await sample(policy, MANY, plan)] as const
    if (turn < 0) continue // the first turn compiles
    few.push(pair[0])
    many.push(pair[1])
  }
  return [
    { workload: `${FEW} backends`, subject: policy, figures: figuresOf(few) },
    {
      workload: `${MANY} backends`,
      subject: policy,
      figures: [...figuresOf(many), ...ratiosOf(few, many)],
    },
  ]
}

function figuresOf(samples: readonly Sample[]): Figure[] {
  return [
    figure(
      'update',
      'us',
      samples.map(({ updateUs }) => updateUs),
    ),
    figure(
      'pick',
      'ns',
      samples.map(({ pickNs }) => pickNs),
    ),
    figure(
      'memory',
      'B',
      samples.map(({ subConnBytes }) => subConnBytes),
    ),
  ]
}

const UPDATE_RATIO = 'update ratio'
const PICK_RATIO = 'pick ratio'

function ratiosOf(few: readonly Sample[], many: readonly Sample[]): Figure[] {
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
    ['the memory of an idle SubConn', 'memory', MAX_SUB_CONN_BYTES, 'B'],
  ]
  return rows.map(([text, name, want, unit]) => ({
    text: `${BAR_POLICY}: ${text}`,
    bound: 'at most',
    want,
    got: got(name),
    unit,
  }))
}

async function sample(policy: string, backends: number, plan: Plan): Promise<Sample> {
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  const channels = Array.from({ length: plan.channels }, () => new StubChannel(policy, backends))
  for (const channel of channels) await channel.connected()
  collectGarbage()
  const subConnBytes = (process.memoryUsage().heapUsed - before) / (plan.channels * backends)
  const [channel] = channels
  const updateUs = await channel!.updateUs(plan.updates)
  const pickNs = channel!.pickNs(plan.picks)
  for (const each of channels) each.conn.close()
  return { updateUs, pickNs, subConnBytes }
}

const collectGarbage = ((): (() => void) => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc')
})()

/** A channel of a policy whose connections are stubs. */
class StubChannel {
  public readonly conn: ClientConn
  private readonly names: ManualResolver
  private readonly addresses: string[]

  public constructor(policy: string, backends: number) {
    this.names = new ManualResolver('bench')
    this.addresses = Array.from({ length: backends }, (_, i) => `10.0.${i >> 8}.${i & 255}:443`)
    this.conn = new ClientConn(
      'bench:stub',
      { resolvers: [this.names], balancer: policy },
      { connect: async ({ address }) => new StubTransport(address) as unknown as ChannelTransport },
    )
  }

  /** Resolves when every backend that the policy connects to is connected. */
  public async connected(): Promise<void> {
    this.conn.connect()
    this.tell()
    await settled()
  }

  /** One backend leaves its place in the list and takes the last, again and again. */
  public async updateUs(updates: number): Promise<number> {
    const startMs = performance.now()
    for (let i = 0; i < updates; i++) {
      this.addresses.push(this.addresses.shift()!)
      this.tell()
      await Promise.resolve()
    }
    return ((performance.now() - startMs) * 1000) / updates
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
    this.names.newAddress(this.addresses.map((address) => ({ address })))
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
  public readonly peer: { readonly address: string }
  public readonly openStreams = 0
  public readonly canOpen = true

  public constructor(address: string) {
    this.peer = { address }
  }

  public close(): void {}

  public closeGracefully(): void {}
}

/** All that promises and queues have to do is done. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20))
}
