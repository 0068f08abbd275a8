// rpc_soak and channel_soak: many large unary calls, on one channel or on a new one for each; how many
// may fail, and what counts as too slow, is for the flags to say.
import { setTimeout as delay } from 'node:timers/promises'
import { type ClientConn, createClient } from '../../../lib/grpc/index.ts'
import { expectPayload } from '../expectations.ts'
import { print } from '../program.ts'
import type { CaseContext, InteropCase } from './case.ts'

export const rpcSoak: InteropCase = (context) => new Soak(context, () => context.conn).run()

export const channelSoak: InteropCase = (context) => new Soak(context, context.dial).run()

class Soak {
  private readonly context: CaseContext
  private readonly channel: () => ClientConn
  private readonly startMs = performance.now()
  private readonly latenciesMs: number[] = []
  private begun = 0
  private failures = 0

  public constructor(context: CaseContext, channel: () => ClientConn) {
    this.context = context
    this.channel = channel
  }

  public async run(): Promise<void> {
    const { iterations, maxFailures, threads, overallTimeoutMs } = this.context.soak
    await Promise.all(Array.from({ length: Math.max(1, threads) }, () => this.work()))
    const done = this.latenciesMs.length + this.failures
    print(`soak: ${done} of ${iterations} iterations, ${this.failures} failed; ${this.latencies()}`)
    if (done < iterations) {
      throw new Error(`${done} of ${iterations} iterations in ${overallTimeoutMs} ms, want all`)
    }
    if (this.failures > maxFailures) {
      throw new Error(`${this.failures} iterations failed, want at most ${maxFailures}`)
    }
  }

  private get leftMs(): number {
    return this.startMs + this.context.soak.overallTimeoutMs - performance.now()
  }

  private async work(): Promise<void> {
    const { iterations, minIntervalMs } = this.context.soak
    while (this.begun < iterations && this.leftMs > 0) {
      const iteration = this.begun++
      const nextMs = performance.now() + minIntervalMs
      await this.iterate(iteration)
      const restMs = nextMs - performance.now()
      if (restMs > 0) await delay(restMs)
    }
  }

  private async iterate(iteration: number): Promise<void> {
    const { maxLatencyMs } = this.context.soak
    const conn = this.channel()
    const beginMs = performance.now()
    try {
      await this.call(conn)
      const latencyMs = performance.now() - beginMs
      if (latencyMs > maxLatencyMs) {
        throw new Error(`took ${latencyMs.toFixed(1)} ms, want at most ${maxLatencyMs}`)
      }
      this.latenciesMs.push(latencyMs)
    } catch (error) {
      this.failures++
      print(`soak: iteration ${iteration} failed: ${(error as Error).message}`)
    } finally {
      if (conn !== this.context.conn) conn.close()
    }
  }

  private async call(conn: ClientConn): Promise<void> {
    const { services, soak } = this.context
    const request = {
      responseSize: soak.responseBytes,
      payload: { body: Buffer.alloc(soak.requestBytes) },
    }
    const client = createClient(services.TestService, conn)
    const { payload } = await client.unaryCall(request, { timeoutMs: Math.max(1, this.leftMs) })
    expectPayload(payload, soak.responseBytes)
  }

  private latencies(): string {
    const sorted = [...this.latenciesMs].sort((a, b) => a - b)
    const at = (share: number): string =>
      (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1)
    return `latency in ms: median ${at(0.5)}, 90 % ${at(0.9)}, highest ${at(1)}`
  }
}
