// The table of README: suites by row, stacks by column.
import type { Group, Subject, Suite, SuiteOptions, SuiteResult } from '../suite.ts'
import { groupCount } from './text.ts'

/** One row a suite; a cell is how many cases passed, `–` where the stack has no such part. */
export async function markdownTable(
  suites: readonly Suite[],
  subjects: readonly Subject[],
  results: readonly SuiteResult[],
  options: SuiteOptions,
): Promise<string> {
  const rows: string[][] = []
  for (const suite of suites) {
    const groups = suite.groups(options)
    const cells = subjects.map(({ name }) =>
      cellOf(results.find((one) => one.suite === suite.name && one.subject === name)),
    )
    const what = `${suite.summary}: ${groups.map(groupText).join('; ')}`
    const all = groups.reduce((sum, { cases }) => sum + cases, 0)
    rows.push([`\`${suite.name}\``, what, (await suite.peers()).join(', '), numeral(all), ...cells])
  }
  const head = ['suite', 'what', 'peers', 'cases', ...subjects.map(({ name }) => name)]
  const rule = head.map((_, i) => (i < 3 ? '---' : '---:'))
  return [head, rule, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

function groupText({ name, cases }: Group): string {
  return `${name} ${numeral(cases)}`
}

function cellOf(result: SuiteResult | undefined): string {
  if (result === undefined) return '–'
  const { groups, cases } = result
  return numeral(groups.reduce((sum, { name }) => sum + groupCount(cases, name), 0))
}

function numeral(count: number): string {
  return count.toLocaleString('en-US')
}
