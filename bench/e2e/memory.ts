// What a process holds for each served connection, and for each open idle stream, by its resident set
// size and by its heap. Every sample is of new processes.
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Absence,
  type Bar,
  type BenchOptions,
  type BenchReport,
  type Figure,
  figure,
  type Measurement,
  medianOf,
} from '../report/result.ts'
import type { MemoryHeld } from './answers.ts'
import { PeerProcess, type PeerScript } from './peer-process.ts'
import type { StreamsPlan } from './peers/framewright-holder.ts'

interface Plan {
  readonly samples: number
  readonly connections: number
  readonly warmUpConnections: number
  readonly streams: number
}

const FULL: Plan = { samples: 3, connections: 5_000, warmUpConnections: 500, streams: 10_000 }
const QUICK: Plan = { samples: 1, connections: 500, warmUpConnections: 100, streams: 1_000 }

const MAX_CONNECTION_BYTES = 14_000
const MAX_STREAM_BYTES = 1_500
const POLL_MS = 20
const MAX_WAIT_MS = 30_000

const OURS = 'framewright'
const WARM = 'RSS'
const FRESH = 'RSS, fresh'
const HEAP = 'heap'

interface Subject {
  readonly name: string
  readonly server: PeerScript
  readonly holder: PeerScript
}

const OUR_SERVER: PeerScript = { name: 'framewright-server', args: ['protobufjs'] }
const OUR_HOLDER: PeerScript = { name: 'framewright-holder', args: ['protobufjs'] }

/** The server is measured; grpc-js has our client, which changes nothing for it. */
const SUBJECTS: readonly Subject[] = [
  { name: OURS, server: OUR_SERVER, holder: OUR_HOLDER },
  { name: 'raw TCP', server: { name: 'raw-server' }, holder: { name: 'raw-holder' } },
  { name: 'grpc-js', server: { name: 'grpc-js-server' }, holder: OUR_HOLDER },
]

/** What the handler of an idle stream does; see the notes. */
const FORMS = ['wait', 'push', 'iterate'] as const
/** The handlers of the others have frames of their own. */
const BAR_FORM = 'wait'
const SIDES = ['server', 'client'] as const

/** Octets for each of the things opened. */
interface Sample {
  readonly warm: number
  readonly fresh: number
  readonly heap: number
}

/** Measures octets a connection and octets a stream. */
export async function run(options: BenchOptions): Promise<BenchReport> {
  const plan = options.quick ? QUICK : FULL
  const absent: Absence[] = []
  const measurements: Measurement[] = []
  const workloads = workloadsOf(plan)
  for (const one of SUBJECTS) {
    try {
      const samples = await repeat(plan.samples, () => connectionSample(one, plan))
      measurements.push(measurementOf(workloads.connections, one.name, samples, options.progress))
    } catch (error) {
      absent.push({ peer: one.name, reason: (error as Error).message })
      options.progress(`${one.name} cannot run: ${(error as Error).message}`)
    }
  }
  for (const form of FORMS) {
    const samples = await repeat(plan.samples, () => streamSample(form, plan))
    for (const side of SIDES) {
      const ofSide = samples.map((sample) => sample[side])
      const name = subjectOf(side, form)
      measurements.push(measurementOf(workloads.streams, name, ofSide, options.progress))
    }
  }
  const bars = barsOf(measurements, workloads)
  return { bench: 'memory', measurements, bars, absent, notes: notesOf(plan) }
}

interface Workloads {
  readonly connections: string
  readonly streams: string
}

function workloadsOf({ connections, streams }: Plan): Workloads {
  return {
    connections: `${connections.toLocaleString('en-US')} connections served`,
    streams: `${streams.toLocaleString('en-US')} idle streams`,
  }
}

function notesOf({ warmUpConnections }: Plan): string[] {
  return [
    `Connections: RSS of the server after less before, by the number of connections, garbage collected
at both times. Each connection had one finished unary call. "${WARM}" starts when the process has
served ${warmUpConnections} others, which stay open; "${FRESH}" when it has served none.`,
    `Streams: bidi calls on one connection that sent no message. "${WARM}" starts after as many were
opened and cancelled, so what that round left to be used again is not counted; "${FRESH}" is that
first round. "${HEAP}" is the JavaScript heap and what it holds outside, counted as "${WARM}" is. The
handler of "wait" gives a promise and holds nothing itself, that of "push" gives
requests.consume(…), that of "iterate" is an async generator, whose frame counts too.`,
  ].map((note) => note.replaceAll('\n', ' '))
}

async function repeat<T>(times: number, take: () => Promise<T>): Promise<T[]> {
  const taken: T[] = []
  for (let i = 0; i < times; i++) taken.push(await take())
  return taken
}

function measurementOf(
  workload: string,
  subject: string,
  samples: readonly Sample[],
  progress: (line: string) => void,
): Measurement {
  const figures: Figure[] = [
    figure(
      WARM,
      'B',
      samples.map(({ warm }) => warm),
    ),
    figure(
      FRESH,
      'B',
      samples.map(({ fresh }) => fresh),
    ),
    figure(
      HEAP,
      'B',
      samples.map(({ heap }) => heap),
    ),
  ]
  const texts = figures.map(({ name, median }) => `${name} ${Math.round(median)} B`)
  progress(`${workload}: ${subject}: ${texts.join(', ')} each`)
  return { workload, subject, figures }
}

/** A server and a client of it, while `use` works with them. */
async function withProcesses<T>(
  { server: serverScript, holder: holderScript }: Omit<Subject, 'name'>,
  use: (server: PeerProcess, holder: PeerProcess) => Promise<T>,
): Promise<T> {
  const server = new PeerProcess(serverScript)
  const holder = new PeerProcess(holderScript)
  try {
    await holder.ask('target', await server.ask<number>('listen'))
    return await use(server, holder)
  } finally {
    await Promise.all([holder.stop(), server.stop()])
  }
}

async function connectionSample(subject: Subject, plan: Plan): Promise<Sample> {
  const fresh = await connectionGrowth(subject, plan.connections, 0)
  const warm = await connectionGrowth(subject, plan.connections, plan.warmUpConnections)
  return { warm: warm.rss, fresh: fresh.rss, heap: warm.heap }
}

function connectionGrowth(subject: Subject, count: number, warmUps: number): Promise<MemoryHeld> {
  return withProcesses(subject, async (server, holder) => {
    await holder.ask('openConnections', warmUps)
    const before = await server.memoryHeld()
    await holder.ask('openConnections', count)
    return growthOf(before, await server.memoryHeld(), count)
  })
}

type Form = (typeof FORMS)[number]
type Side = (typeof SIDES)[number]

function streamSample(form: Form, { streams }: Plan): Promise<Record<Side, Sample>> {
  const scripts = { server: OUR_SERVER, holder: OUR_HOLDER }
  return withProcesses(scripts, async (server, holder) => {
    const held = async () => ({
      server: await server.memoryHeld(),
      client: await holder.memoryHeld(),
    })
    const plan: StreamsPlan = { count: streams, form }
    await holder.ask('openConnections', 1)
    const freshBefore = await held()
    await holder.ask('openStreams', plan)
    await untilOpen(server, streams)
    const freshAfter = await held()
    await holder.ask('cancelStreams')
    await untilOpen(server, 0)
    const before = await held()
    await holder.ask('openStreams', plan)
    await untilOpen(server, streams)
    const after = await held()
    const sampleOf = (side: Side): Sample => {
      const warm = growthOf(before[side], after[side], streams)
      const fresh = growthOf(freshBefore[side], freshAfter[side], streams)
      return { warm: warm.rss, fresh: fresh.rss, heap: warm.heap }
    }
    return { server: sampleOf('server'), client: sampleOf('client') }
  })
}

/** Waits until the server's handlers run so many streams. */
async function untilOpen(server: PeerProcess, count: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < MAX_WAIT_MS; waitedMs += POLL_MS) {
    if ((await server.ask<number>('openStreams')) === count) return
    await sleep(POLL_MS)
  }
  throw new Error(`the server does not come to hold ${count} streams`)
}

function growthOf(before: MemoryHeld, after: MemoryHeld, count: number): MemoryHeld {
  return { rss: (after.rss - before.rss) / count, heap: (after.heap - before.heap) / count }
}

const subjectOf = (side: Side, form: Form): string => `${OURS} ${side}, ${form}`

function barsOf(measurements: readonly Measurement[], workloads: Workloads): Bar[] {
  const bar = (workload: string, subject: string, want: number): Bar => ({
    text: `${workload}: ${subject}, RSS each`,
    bound: 'at most',
    want,
    got: medianOf(measurements, workload, subject, WARM),
    unit: 'B',
  })
  return [
    bar(workloads.connections, OURS, MAX_CONNECTION_BYTES),
    ...SIDES.map((side) => bar(workloads.streams, subjectOf(side, BAR_FORM), MAX_STREAM_BYTES)),
  ]
}
