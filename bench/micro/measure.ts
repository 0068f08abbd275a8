// Times small pieces of work against each other in one process, for the benches in this folder.
//
// Only ratios count on a shared machine: candidates take turns (A B A B), the ratio is the median
// over the turns, each against the base in the same turn.
import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type BenchOptions, median } from '../report/result.ts'

/** One measured candidate. */
export interface BenchResult {
  readonly bench: string
  readonly name: string
  /** Median over the turns. */
  readonly nsPerOp: number
  /** The time of each turn, ns an operation. */
  readonly turns: readonly number[]
  /** Heap and buffer memory, before any collection. */
  readonly allocatedBytesPerOp: number
  /** Time as a multiple of another candidate's. */
  readonly ratioTo?: { readonly name: string; readonly ratio: number }
}

/** Something to measure. */
export interface Candidate {
  readonly name: string
  /** How many operations a run does. A run should take 10 us to 1 ms. */
  readonly ops: number
  /** Does the work; what it returns keeps the compiler from dropping it. */
  readonly run: () => number
}

interface Plan {
  readonly turns: number
  readonly turnMs: number
  readonly warmUpMs: number
}

const FULL: Plan = { turns: 15, turnMs: 40, warmUpMs: 300 }
const QUICK: Plan = { turns: 3, turnMs: 5, warmUpMs: 20 }
const ALLOCATION_SAMPLES = 9

type CollectGarbage = (options: { type: 'minor' }) => void

/** There without --expose-gc too. A minor one empties the new generation and keeps compiled code. */
const collectGarbage = ((): CollectGarbage => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc')
})()

/** What the runs returned, so that their work has a use. */
const kept = { value: 0 }

/** Measures candidates of one kind of operation; the first is the base of the ratios. */
export function measure(
  bench: string,
  candidates: readonly Candidate[],
  options: BenchOptions,
): BenchResult[] {
  const plan = options.quick ? QUICK : FULL
  for (const candidate of candidates) nsPerOp(candidate, plan.warmUpMs)
  const turns = candidates.map((): number[] => [])
  for (let turn = 0; turn < plan.turns; turn++) {
    candidates.forEach((candidate, i) => {
      turns[i]!.push(nsPerOp(candidate, plan.turnMs))
    })
  }
  return candidates.map((candidate, i) => {
    const ratio = median(turns[i]!.map((ns, turn) => ns / turns[0]![turn]!))
    const result: BenchResult = {
      bench,
      name: candidate.name,
      nsPerOp: median(turns[i]!),
      turns: turns[i]!,
      allocatedBytesPerOp: allocatedBytesPerOp(candidate),
      ...(i > 0 && { ratioTo: { name: candidates[0]!.name, ratio } }),
    }
    options.progress(describeResult(result))
    return result
  })
}

/** A result as a line of text. */
export function describeResult(result: BenchResult): string {
  const { bench, name, nsPerOp, allocatedBytesPerOp, ratioTo } = result
  const ratio = ratioTo === undefined ? '' : `, ${ratioTo.ratio.toFixed(2)} x ${ratioTo.name}`
  return `${bench}: ${name} ${nsPerOp.toFixed(2)} ns, ${allocatedBytesPerOp.toFixed(1)} B${ratio}`
}

function nsPerOp(candidate: Candidate, atLeastMs: number): number {
  const startMs = performance.now()
  let runs = 0
  let elapsedMs = 0
  do {
    kept.value ^= candidate.run()
    runs++
    elapsedMs = performance.now() - startMs
  } while (elapsedMs < atLeastMs)
  return (elapsedMs * 1e6) / (runs * candidate.ops)
}

function allocatedBytesPerOp(candidate: Candidate): number {
  const idle = (): number => 0
  const own = median(samples(() => allocatedBytes(idle)))
  const all = median(samples(() => allocatedBytes(candidate.run)))
  return Math.max(0, all - own) / candidate.ops
}

const samples = (take: () => number): number[] => Array.from({ length: ALLOCATION_SAMPLES }, take)

function allocatedBytes(run: () => number): number {
  collectGarbage({ type: 'minor' })
  const before = process.memoryUsage()
  kept.value ^= run()
  const after = process.memoryUsage()
  return after.heapUsed - before.heapUsed + (after.arrayBuffers - before.arrayBuffers)
}
