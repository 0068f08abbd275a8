// Reads what connectconformance prints with --vv: each case as its answer comes, at the end those that
// failed, then the sum.

/** One run's cases in the order of their names. */
export interface ConnectOutput {
  /** How many there are for the configuration. */
  readonly computed: number
  /** Those that came to a result; the reason is empty for the others. */
  readonly cases: readonly ConnectCase[]
  /** How many came to none, because a program ended or hung. */
  readonly notRun: number
}

/** A case by its full name. */
export interface ConnectCase {
  readonly name: string
  readonly reason: string | undefined
}

const COMPUTED = /^Computed (\d+) test case permutation\(s\)/m
const RECEIVED = /^Received response for "(.*)"\.\.\.$/gm
const FAILED = /^FAILED: (.*):\n((?:\t.*(?:\n|$)|\n(?=\t))*)/gm
const SUM = /^Total cases: (\d+)\n(\d+) passed, (\d+) failed$/m
const NOT_RUN = /^Another (\d+) could not be run/m

/** Throws when the sum is missing or is not that of the cases. */
export function readConnectOutput(output: string): ConnectOutput {
  const sum = SUM.exec(output)
  const computed = COMPUTED.exec(output)
  if (sum === null || computed === null) {
    throw new Error(`no count of cases in the output:\n${output.slice(-2_000)}`)
  }
  const reasons = new Map<string, string | undefined>()
  for (const [, name] of output.matchAll(RECEIVED)) reasons.set(name!, undefined)
  for (const [, name, reason] of output.matchAll(FAILED))
    reasons.set(name!, reason!.replaceAll(/^\t/gm, '').trim())
  const cases = [...reasons].map(([name, reason]) => ({ name, reason }))
  checkSum(sum, cases)
  return { computed: Number(computed[1]), cases, notRun: Number(NOT_RUN.exec(output)?.[1] ?? 0) }
}

function checkSum([text, all, passed]: RegExpExecArray, cases: readonly ConnectCase[]): void {
  const read = cases.filter(({ reason }) => reason === undefined).length
  if (Number(all) === cases.length && Number(passed) === read) return
  throw new Error(`the sum is "${text}"; ${cases.length} cases are named, ${read} passed`)
}
