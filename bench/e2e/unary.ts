// Unary calls of 100 octets on one connection, client and server in two processes, against a raw TCP
// echo of the same octets (the limit) and grpc-js.
import {
  type Absence,
  type Bar,
  type BenchOptions,
  type BenchReport,
  type Cores,
  type Figure,
  figure,
  type Measurement,
  medianOf,
} from '../report/result.ts'
import type { RoundPlan, RoundResult } from './closed-loop.ts'
import { OctetCounter } from './octet-counter.ts'
import { PeerProcess, type PeerScript } from './peer-process.ts'
import type { RawSizes } from './raw-echo.ts'

interface Subject {
  readonly name: string
  readonly server: PeerScript
  readonly client: PeerScript
}

const OURS = 'framewright, protobufjs'
const RAW = 'raw TCP echo'
const GRPC_JS = 'grpc-js, protobufjs'
const TO_RAW = 'of raw TCP'
const TO_GRPC_JS = 'x grpc-js'

/** In the order in which they take turns. */
const SUBJECTS: readonly Subject[] = [
  subject(OURS, 'framewright', 'protobufjs'),
  subject('framewright, bytes', 'framewright', 'bytes'),
  subject(RAW, 'raw'),
  subject(GRPC_JS, 'grpc-js'),
]

const CALLERS = [1, 10, 100]

interface Plan {
  readonly rounds: number
  readonly roundMs: number
  readonly warmUpMs: number
  readonly maxWarmUps: number
  readonly countMs: number
}

const FULL: Plan = { rounds: 5, roundMs: 2_000, warmUpMs: 500, maxWarmUps: 8, countMs: 500 }
const QUICK: Plan = { rounds: 3, roundMs: 200, warmUpMs: 150, maxWarmUps: 2, countMs: 100 }
/** Warm-up rounds that differ less are called stable. */
const STABLE_WITHIN = 0.03

/** A subject whose two processes run and are connected. */
interface Pair {
  readonly subject: Subject
  readonly server: PeerProcess
  readonly client: PeerProcess
  readonly port: number
}

/** One round of one subject. */
interface Round {
  readonly callsPerSecond: number
  readonly clientUs: number
  readonly serverUs: number
}

/** Measures calls per second and processor time per call. */
export async function run(options: BenchOptions): Promise<BenchReport> {
  const plan = options.quick ? QUICK : FULL
  const absent: Absence[] = []
  const pairs: Pair[] = []
  const measurements: Measurement[] = []
  try {
    for (const one of SUBJECTS) {
      const pair = await startPair(one, options.cores)
      if ('reason' in pair) absent.push(pair)
      else pairs.push(pair)
      options.progress(
        'reason' in pair ? `${one.name} cannot run: ${pair.reason}` : `${one.name} runs`,
      )
    }
    for (const callers of CALLERS) {
      measurements.push(...(await measureCallers(pairs, callers, plan, options.progress)))
    }
  } finally {
    await Promise.all(pairs.flatMap(({ client, server }) => [client.stop(), server.stop()]))
  }
  return {
    bench: 'unary',
    measurements,
    bars: barsOf(measurements),
    absent,
    notes: [CORES_NOTES[options.cores], ...NOTES],
  }
}

/** The cores of server and client. */
const PINNED: Readonly<Record<Cores, readonly number[]>> = { free: [], apart: [0, 1], same: [0, 0] }

const CORES_NOTES: Readonly<Record<Cores, string>> = {
  free: 'Client and server ran on the cores that the system chose.',
  apart: 'Client and server were each kept on a core of its own.',
  same: 'Client and server were kept on the same core.',
}

const NOTES = [
  `Medians of rounds taken in turns; ratios are medians of the ratios within a turn. CPU is processor
time of all threads of a process per call. The raw TCP echo carries as many octets per call each way
as "${OURS}" did under the same number of callers. Its callers are the same (a promise a call), each
message is copied into a batch, and all messages that one read brought about leave with one write: it
is what a closed loop of callers costs in this Node without any protocol.`.replaceAll('\n', ' '),
]

function subject(name: string, family: string, ...args: string[]): Subject {
  return {
    name,
    server: { name: `${family}-server`, args },
    client: { name: `${family}-client`, args },
  }
}

async function startPair(one: Subject, cores: Cores): Promise<Pair | Absence> {
  const server = new PeerProcess(one.server)
  const client = new PeerProcess(one.client)
  try {
    const [serverCore, clientCore] = PINNED[cores]
    if (serverCore !== undefined) await server.pinTo(serverCore)
    if (clientCore !== undefined) await client.pinTo(clientCore)
    const port = await server.ask<number>('listen')
    await client.ask('connect', port)
    await client.ask('round', { callers: 1, durationMs: 1 })
    return { subject: one, server, client, port }
  } catch (error) {
    await Promise.all([client.stop(), server.stop()])
    return { peer: one.name, reason: (error as Error).message }
  }
}

async function measureCallers(
  pairs: readonly Pair[],
  callers: number,
  plan: Plan,
  progress: (line: string) => void,
): Promise<Measurement[]> {
  const workload = callers === 1 ? '1 caller' : `${callers} callers`
  const octets = await agreeOnOctets(pairs, callers, plan)
  progress(`${workload}: ${octets.requestBytes} + ${octets.responseBytes} octets a call`)
  for (const pair of pairs) {
    const warmUps = await warmUp(pair, callers, plan)
    progress(`${workload}: ${pair.subject.name} warm after ${warmUps} rounds`)
  }
  const turns: Round[][] = []
  for (let turn = 0; turn < plan.rounds; turn++) {
    const rounds: Round[] = []
    for (const pair of pairs) {
      rounds.push(await measureRound(pair, { callers, durationMs: plan.roundMs }))
    }
    const rates = rounds.map(({ callsPerSecond }) => Math.round(callsPerSecond)).join(', ')
    progress(`${workload}: turn ${turn + 1} of ${plan.rounds}: ${rates} calls/s`)
    turns.push(rounds)
  }
  return pairs.map(({ subject: { name } }, i) => ({
    workload,
    subject: name,
    figures: figuresOf(pairs, turns, i, name === OURS ? octets : undefined),
  }))
}

/** Has the raw echo carry what a call of ours takes on the wire, and says what that is. */
async function agreeOnOctets(
  pairs: readonly Pair[],
  callers: number,
  { countMs }: Plan,
): Promise<RawSizes> {
  const ours = pairs.find((pair) => pair.subject.name === OURS)
  if (ours === undefined) throw new Error('no octets to compare with: framewright cannot run')
  const sizes = await octetsPerCall(ours, { callers, durationMs: countMs })
  const raw = pairs.find((pair) => pair.subject.name === RAW)
  await raw?.server.ask('sizes', sizes)
  await raw?.client.ask('sizes', sizes)
  await raw?.client.ask('connect', raw.port)
  return sizes
}

/** Counted on a second connection, once its header tables are warm. */
async function octetsPerCall({ client, port }: Pair, plan: RoundPlan): Promise<RawSizes> {
  const counter = new OctetCounter(port)
  try {
    await client.ask('connect', await counter.listen())
    await client.ask('round', plan)
    const before = counter.counts
    const { calls } = await client.ask<RoundResult>('round', plan)
    const after = counter.counts
    return {
      requestBytes: Math.round((after.requestBytes - before.requestBytes) / calls),
      responseBytes: Math.round((after.responseBytes - before.responseBytes) / calls),
    }
  } finally {
    await client.ask('connect', port)
    counter.close()
  }
}

/** Rounds until two in a row are alike; says how many. */
async function warmUp(pair: Pair, callers: number, plan: Plan): Promise<number> {
  let last = 0
  for (let round = 1; round < plan.maxWarmUps; round++) {
    const { callsPerSecond } = await measureRound(pair, { callers, durationMs: plan.warmUpMs })
    if (Math.abs(callsPerSecond / last - 1) < STABLE_WITHIN) return round
    last = callsPerSecond
  }
  return plan.maxWarmUps
}

async function measureRound({ client, server }: Pair, plan: RoundPlan): Promise<Round> {
  const serverStartUs = await server.cpuUs()
  const { calls, elapsedMs, cpuUs } = await client.ask<RoundResult>('round', plan)
  const serverUs = (await server.cpuUs()) - serverStartUs
  return {
    callsPerSecond: (calls * 1000) / elapsedMs,
    clientUs: cpuUs / calls,
    serverUs: serverUs / calls,
  }
}

function figuresOf(
  pairs: readonly Pair[],
  turns: readonly Round[][],
  index: number,
  octets: RawSizes | undefined,
): Figure[] {
  const rounds = turns.map((turn) => turn[index]!)
  const ratios = (name: string, peer: string): Figure[] => {
    const peerIndex = pairs.findIndex((pair) => pair.subject.name === peer)
    if (peerIndex === -1 || peerIndex === index) return []
    const each = turns.map((turn) => turn[index]!.callsPerSecond / turn[peerIndex]!.callsPerSecond)
    return [figure(name, 'ratio', each)]
  }
  return [
    figure(
      'calls/s',
      '1/s',
      rounds.map(({ callsPerSecond }) => callsPerSecond),
    ),
    figure(
      'client CPU',
      'us',
      rounds.map(({ clientUs }) => clientUs),
    ),
    figure(
      'server CPU',
      'us',
      rounds.map(({ serverUs }) => serverUs),
    ),
    ...ratios(TO_RAW, RAW),
    ...ratios(TO_GRPC_JS, GRPC_JS),
    ...(octets === undefined
      ? []
      : [
          figure('request', 'B', [octets.requestBytes]),
          figure('response', 'B', [octets.responseBytes]),
        ]),
  ]
}

function barsOf(measurements: readonly Measurement[]): Bar[] {
  const bar = (workload: string, ratio: string, want: number): Bar => ({
    text: `${workload}, ${OURS}: calls/s ${ratio}`,
    bound: 'at least',
    want,
    got: medianOf(measurements, workload, OURS, ratio),
    unit: 'ratio',
  })
  return [
    bar('1 caller', TO_RAW, 0.8),
    bar('100 callers', TO_RAW, 0.2),
    bar('100 callers', TO_GRPC_JS, 30),
  ]
}
