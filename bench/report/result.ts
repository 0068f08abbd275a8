// What benches hand in: one shape for all of them, whole enough to be judged later. Printing it is
// tables.ts.

import { cpus } from 'node:os'
import { platform } from 'node:process'

/** A measured number: the median, and every sample behind it. */
export interface Figure {
  readonly name: string
  /** `ns`, `us`, `B`, `1/s`, `ratio`. */
  readonly unit: string
  readonly median: number
  readonly samples: readonly number[]
}

/** What one candidate did under one workload. */
export interface Measurement {
  readonly workload: string
  readonly subject: string
  readonly figures: readonly Figure[]
}

/** A target of ours, and what was measured. */
export interface Bar {
  readonly text: string
  readonly bound: 'at least' | 'at most'
  readonly want: number
  readonly got: number
  readonly unit: string
}

/** A peer that could not run. */
export interface Absence {
  readonly peer: string
  readonly reason: string
}

/** What one bench hands in. */
export interface BenchReport {
  readonly bench: string
  readonly measurements: readonly Measurement[]
  readonly bars: readonly Bar[]
  readonly absent: readonly Absence[]
  /** What a reader must know to read the figures right. */
  readonly notes: readonly string[]
}

/** Where and when it was measured. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly node: string
  /** ISO 8601. */
  readonly date: string
}

/** All of a run, as the JSON file has it. */
export interface Report {
  readonly machine: Machine
  /** A quick run shows that the benches work, not how fast anything is. */
  readonly quick: boolean
  readonly cores: Cores
  readonly benches: readonly BenchReport[]
}

/** Where client and server run: wherever the system puts them, on two cores, or on the same one. */
export const CORES = ['free', 'apart', 'same'] as const
export type Cores = (typeof CORES)[number]

/** A core each, as two machines have it; pinning needs Linux's taskset. */
export const DEFAULT_CORES: Cores = platform === 'linux' && cpus().length > 1 ? 'apart' : 'free'

/** What every bench takes. */
export interface BenchOptions {
  /** Fewer and shorter rounds: shows that it works, not how fast it is. */
  readonly quick: boolean
  /** Only benches with a client and a server that race look at it. */
  readonly cores: Cores
  /** Hears what was done, a line a step. */
  readonly progress: (line: string) => void
}

/** This machine, now. */
export function thisMachine(): Machine {
  const cores = cpus()
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    node: process.version,
    date: new Date().toISOString(),
  }
}

/** A figure of its samples. */
export function figure(name: string, unit: string, samples: readonly number[]): Figure {
  return { name, unit, median: median(samples), samples }
}

/** The middle one, or the mean of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The median of a figure, by whose and which it is. NaN when it was not measured. */
export function medianOf(
  measurements: readonly Measurement[],
  workload: string,
  subject: string,
  name: string,
): number {
  const found = measurements.find((one) => one.workload === workload && one.subject === subject)
  return found?.figures.find((one) => one.name === name)?.median ?? Number.NaN
}

/** Whether a bar was met. */
export function isMet({ bound, want, got }: Bar): boolean {
  return bound === 'at least' ? got >= want : got <= want
}
