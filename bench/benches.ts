// All benches by name. Their code is loaded when they run: a bench whose packages are missing harms
// no other, and what one loads changes nothing for those before it.
import type { BenchResult } from './micro/measure.ts'
import { type BenchOptions, type BenchReport, figure } from './report/result.ts'

/** A bench that can be asked for. */
export interface Bench {
  readonly name: string
  readonly summary: string
  readonly run: (options: BenchOptions) => Promise<BenchReport>
}

interface MicroModule {
  run(options: BenchOptions): BenchResult[]
}

/** In the order of a run of all. */
export const BENCHES: readonly Bench[] = [
  {
    name: 'frame',
    summary: 'frames decoded and encoded, against the barest loop',
    run: micro('frame', () => import('./micro/frame.ts')),
  },
  {
    name: 'hpack',
    summary: 'header blocks decoded and encoded, against hpack.js',
    run: micro('hpack', () => import('./micro/hpack.ts')),
  },
  {
    name: 'message',
    summary: 'messages, header sections and metadata of the gRPC layer',
    run: micro('message', () => import('./micro/message.ts')),
  },
  {
    name: 'channel',
    summary: 'a channel with 1,000 backends: updates of their names, picks, memory',
    run: async (options) => (await import('./micro/channel.ts')).run(options),
  },
  {
    name: 'unary',
    summary: 'unary calls of 1, 10 and 100 callers, against a raw TCP echo and grpc-js (5 min)',
    run: async (options) => (await import('./e2e/unary.ts')).run(options),
  },
  {
    name: 'memory',
    summary: 'memory of served connections and of open idle streams (3 min)',
    run: async (options) => (await import('./e2e/memory.ts')).run(options),
  },
]

function micro(name: string, load: () => Promise<MicroModule>): Bench['run'] {
  return async (options) => {
    const results = (await load()).run(options)
    const notes = ['Ratios are times as multiples of the first subject of the workload.']
    return { bench: name, measurements: results.map(measurementOf), bars: [], absent: [], notes }
  }
}

function measurementOf(result: BenchResult): BenchReport['measurements'][number] {
  const { bench, name, nsPerOp, allocatedBytesPerOp, ratioTo, turns } = result
  return {
    workload: bench,
    subject: name,
    figures: [
      { name: 'time', unit: 'ns', median: nsPerOp, samples: turns },
      figure('allocated', 'B', [allocatedBytesPerOp]),
      ...(ratioTo === undefined ? [] : [figure('ratio', 'ratio', [ratioTo.ratio])]),
    ],
  }
}
