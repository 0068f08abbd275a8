// orca_per_rpc and orca_oob: a server tells the load that it was told. In place of a balancing policy
// these read the reports where it would.
import { isDeepStrictEqual } from 'node:util'
import { type LoadReport, loadReportOf, watchLoadReports } from '../../../lib/grpc/index.ts'
import { expectEqual, next } from '../expectations.ts'
import type { TestOrcaReport } from '../test-service.ts'
import { type InteropCase, PATIENCE_MS } from './case.ts'

const PER_CALL: TestOrcaReport = {
  cpuUtilization: 0.821,
  memoryUtilization: 0.5847,
  requestCost: { cost: 3456.32 },
  utilization: { util: 0.30499 },
}

const OUT_OF_BAND: readonly TestOrcaReport[] = [
  { cpuUtilization: 0.821, memoryUtilization: 0.5847, utilization: { util: 0.30499 } },
  { cpuUtilization: 0.29309, memoryUtilization: 0.2, utilization: { util: 0.2039 } },
]

/** Servers have a minimum of their own. */
const REPORT_INTERVAL_MS = 100

export const orcaPerRpc: InteropCase = async ({ client }) => {
  let report: LoadReport | undefined
  await client.unaryCall(
    { orcaPerQueryReport: PER_CALL },
    {
      onTrailers: (trailers) => {
        report = loadReportOf(trailers)
      },
    },
  )
  expectEqual(report, reportOf(PER_CALL), 'load report')
}

export const orcaOob: InteropCase = async ({ conn, client }) => {
  const call = client.fullDuplexCall()
  const responses = call[Symbol.asyncIterator]()
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const reports = watchLoadReports(conn, { reportIntervalMs: REPORT_INTERVAL_MS, signal })
  for (const orcaOobReport of OUT_OF_BAND) {
    await call.send({ orcaOobReport, responseParameters: [{ size: 1 }] })
    await next(responses)
    await untilReported(reports, reportOf(orcaOobReport))
  }
  await reports.return(undefined)
  call.end()
  expectEqual(await responses.next(), { done: true, value: undefined }, 'after the last response')
}

async function untilReported(reports: AsyncGenerator<LoadReport>, want: LoadReport): Promise<void> {
  let latest: LoadReport | undefined
  while (!isDeepStrictEqual(latest, want)) {
    const { done, value } = await reports.next()
    // The end by time says what came last.
    if (done === true) return expectEqual(latest, want, 'latest load report')
    latest = value
  }
}

function reportOf(report: TestOrcaReport): LoadReport {
  return {
    cpuUtilization: report.cpuUtilization ?? 0,
    memUtilization: report.memoryUtilization ?? 0,
    applicationUtilization: 0,
    rpsFractional: 0,
    eps: 0,
    utilization: report.utilization ?? {},
    requestCost: report.requestCost ?? {},
    namedMetrics: {},
    rps: 0n,
  }
}
