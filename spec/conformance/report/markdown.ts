// The table of README: suites by row, stacks by column.
import type { Subject, Suite, SuiteOptions, SuiteResult } from '../suite.ts'
import { groupCount } from './text.ts'

/** One row a suite; a cell is what passed of each group, `–` where the stack has no such part. */
export async function markdownTable(
  suites: readonly Suite[],
  subjects: readonly Subject[],
  results: readonly SuiteResult[],
  options: SuiteOptions,
): Promise<string> {
  const rows: string[][] = []
  for (const suite of suites) {
    const groups = suite.groups(options)
    const bar = groups.map(({ cases }) => cases.toLocaleString('en-US')).join(' + ')
    const cells = subjects.map(({ name }) =>
      cellOf(results.find((one) => one.suite === suite.name && one.subject === name)),
    )
    rows.push([`\`${suite.name}\``, (await suite.peers()).join(', '), bar, ...cells])
  }
  const head = ['suite', 'peers', 'cases', ...subjects.map(({ name }) => name)]
  const rule = head.map((_, i) => (i < 2 ? '---' : '---:'))
  return [head, rule, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

function cellOf(result: SuiteResult | undefined): string {
  if (result === undefined) return '–'
  const { groups, cases } = result
  return groups.map(({ name }) => groupCount(cases, name).toLocaleString('en-US')).join(' + ')
}
