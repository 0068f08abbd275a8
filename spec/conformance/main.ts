// The command line of the conformance suites. `npm run conformance -- --help`.
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { junitXml } from './report/junit.ts'
import { markdownTable } from './report/markdown.ts'
import { countText, resultText, totalOf } from './report/text.ts'
import { SUBJECTS } from './subjects.ts'
import type { Subject, Suite, SuiteOptions, SuiteResult } from './suite.ts'
import { SuiteRun } from './suite-run.ts'
import { SUITES } from './suites.ts'

const NAME_COLUMNS = Math.max(...SUITES.map(({ name }) => name.length))
const OURS = SUBJECTS[0]!

const USAGE = `npm run conformance -- [SUITE…] [--full] [--report FILE] [--markdown] [--subject NAME]

Proves the wire against suites and stacks that others wrote; without a name, against all of them.
Peers are built or installed at pinned versions into .cache when they are first needed.

${SUITES.map(({ name, summary }) => `  ${name.padEnd(NAME_COLUMNS)}  ${summary}`).join('\n')}

  --full          also every compression that this Node has, and what takes long
  --report FILE   writes JUnit XML
  --markdown      measures the other stacks too, as far as they can take part, and
                  prints a table in Markdown
  --subject NAME  tests another stack: ${SUBJECTS.map(({ name }) => name).join(', ')}
  --help          prints this

The exit status is 1 when a case failed or did not run. Failing cases show their frames.`

interface Choice {
  readonly suites: readonly Suite[]
  readonly subject: Subject
  readonly options: SuiteOptions
  readonly markdown: boolean
  readonly reportFile: string | undefined
}

/** What the arguments ask for; undefined when it is help. Throws on what it does not know. */
function parseChoice(args: string[]): Choice | undefined {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      full: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      report: { type: 'string' },
      subject: { type: 'string', default: OURS.name },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const { full, markdown, report } = values
  return {
    suites: positionals.length === 0 ? SUITES : positionals.map((name) => named(SUITES, name)),
    subject: named(SUBJECTS, values.subject),
    options: { full },
    markdown,
    reportFile: report,
  }
}

function named<T extends { readonly name: string }>(all: readonly T[], name: string): T {
  const found = all.find((one) => one.name === name)
  if (found !== undefined) return found
  throw new Error(`${name} is unknown; there are ${all.map((one) => one.name).join(', ')}`)
}

/** Runs a suite for a subject; undefined when it cannot take part. */
async function runSuite(
  suite: Suite,
  subject: Subject,
  options: SuiteOptions,
): Promise<SuiteResult | undefined> {
  if (suite.roles.some((role) => subject.roles[role] === undefined)) return undefined
  const prefix = subject === OURS ? suite.name : `${suite.name}, ${subject.name}`
  const progress = (line: string): void => console.error(`${prefix}: ${line}`)
  return new SuiteRun(suite, subject, options, progress).execute()
}

async function run(choice: Choice): Promise<boolean> {
  const { suites, subject, options, markdown, reportFile } = choice
  const results: SuiteResult[] = []
  for (const suite of suites) {
    const result = await runSuite(suite, subject, options)
    if (result === undefined) {
      throw new Error(`${subject.name} cannot take part in ${suite.name}`)
    }
    results.push(result)
    console.log(resultText(result))
  }
  if (reportFile !== undefined) writeFileSync(reportFile, junitXml(results))
  if (markdown) console.log(`\n${await compare(choice, results)}\n`)
  const total = totalOf(results)
  console.log(countText(total))
  return total.failed === 0
}

/** Measures the others, whose failures are theirs, and makes the table. */
async function compare(
  { suites, options, subject }: Choice,
  results: readonly SuiteResult[],
): Promise<string> {
  const all = [...results]
  for (const other of SUBJECTS) {
    if (other === subject) continue
    for (const suite of suites) {
      const result = await runSuite(suite, other, options)
      if (result !== undefined) all.push(result)
    }
  }
  return markdownTable(suites, SUBJECTS, all, options)
}

try {
  const choice = parseChoice(process.argv.slice(2))
  if (choice === undefined) console.log(USAGE)
  else if (!(await run(choice))) process.exitCode = 1
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  console.error('\nnpm run conformance -- --help tells what there is')
  process.exitCode = 1
}
