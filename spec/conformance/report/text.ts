// A run as text for a terminal: what failed and with which frames, then the counts.
import type { CaseResult, SuiteResult } from '../suite.ts'

/** Of one suite; the JUnit report has them all. */
const MAX_FAILURES = 20

/** How many cases passed and failed. */
export interface Count {
  readonly passed: number
  readonly failed: number
}

/** Counts cases. */
export function countOf(cases: readonly CaseResult[]): Count {
  const failed = cases.filter(({ failure }) => failure !== undefined).length
  return { passed: cases.length - failed, failed }
}

/** Counts all cases of several results. */
export function totalOf(results: readonly SuiteResult[]): Count {
  return countOf(results.flatMap(({ cases }) => cases))
}

/** `N passed, N failed`. */
export function countText({ passed, failed }: Count): string {
  return `${passed} passed, ${failed} failed`
}

/** A result: each failure in full, a line of groups, and the line with the count. */
export function resultText(result: SuiteResult): string {
  const { suite, cases, groups, ms } = result
  const failed = cases.filter(({ failure }) => failure !== undefined)
  const failures = failed.slice(0, MAX_FAILURES).map(failureText)
  if (failed.length > MAX_FAILURES) {
    failures.push(`  FAILED and ${failed.length - MAX_FAILURES} more`)
  }
  const lines = groups.map(
    ({ name, cases: pinned }) => `${name} ${groupCount(cases, name)}/${pinned}`,
  )
  const time = `${(ms / 1000).toFixed(1)} s`
  return [
    ...failures,
    `  ${lines.join(', ')} (${time})`,
    `${suite}: ${countText(countOf(cases))}`,
  ].join('\n')
}

/** How many cases of a group passed. */
export function groupCount(cases: readonly CaseResult[], group: string): number {
  return countOf(cases.filter((one) => one.group === group)).passed
}

function failureText({ group, name, failure }: CaseResult): string {
  const { reason, frames } = failure!
  const trace = frames === undefined ? '' : `\n${indented(frames, '      ')}`
  return `  FAILED ${group}: ${name}\n${indented(reason, '    ')}${trace}`
}

function indented(text: string, by: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => by + line)
    .join('\n')
}
