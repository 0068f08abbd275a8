// The command line of the benches: which to run, and where the results go. `npm run bench -- --help`.
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { BENCHES, type Bench } from './benches.ts'
import {
  type BenchReport,
  CORES,
  type Cores,
  DEFAULT_CORES,
  type Report,
  thisMachine,
} from './report/result.ts'
import { markdownReport, textReport } from './report/tables.ts'

const NAME_COLUMNS = Math.max(...BENCHES.map(({ name }) => name.length))

const USAGE = `npm run bench -- NAME… [--quick] [--json FILE] [--markdown] [--cores WHERE]

${[...BENCHES, { name: 'all', summary: 'all of these, in this order' }]
  .map(({ name, summary }) => `  ${name.padEnd(NAME_COLUMNS)}  ${summary}`)
  .join('\n')}

  --quick        short rounds: shows that a bench works, not how fast anything is
  --json FILE    writes everything measured, each sample too
  --markdown     prints tables in Markdown
  --cores WHERE  of unary's client and server: apart (a core each; the
                 default on Linux), same, or free (the system chooses)
  --help         prints this`

interface Choice {
  readonly benches: readonly Bench[]
  readonly quick: boolean
  readonly markdown: boolean
  readonly cores: Cores
  readonly jsonFile: string | undefined
}

/** What the arguments ask for; undefined when it is no run. Throws on what it does not know. */
function parseChoice(args: string[]): Choice | undefined {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      json: { type: 'string' },
      cores: { type: 'string', default: DEFAULT_CORES },
      help: { type: 'boolean', default: false },
    },
  })
  const { quick, markdown, json, help } = values
  const cores = CORES.find((one) => one === values.cores)
  if (cores === undefined) throw new Error(`--cores ${values.cores}: want ${CORES.join(', ')}`)
  if (help || positionals.length === 0) return undefined
  return { benches: chosen(positionals), quick, markdown, cores, jsonFile: json }
}

function chosen(names: readonly string[]): Bench[] {
  const unknown = names.find((name) => name !== 'all' && !BENCHES.some((one) => one.name === name))
  if (unknown !== undefined) throw new Error(`bench "${unknown}": no such bench`)
  return BENCHES.filter(({ name }) => names.includes(name) || names.includes('all'))
}

async function run(choice: Choice): Promise<void> {
  const { quick, cores } = choice
  const machine = thisMachine()
  const benches: BenchReport[] = []
  for (const { name, run } of choice.benches) {
    const progress = (line: string): void => console.error(`${name}: ${line}`)
    benches.push(await run({ quick, cores, progress }))
  }
  const report: Report = { machine, quick, cores, benches }
  if (choice.jsonFile !== undefined) writeFileSync(choice.jsonFile, JSON.stringify(report, null, 1))
  console.log(choice.markdown ? markdownReport(report) : textReport(report))
}

try {
  const choice = parseChoice(process.argv.slice(2))
  if (choice === undefined) console.log(USAGE)
  else await run(choice)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  console.error(`\n${USAGE}`)
  process.exitCode = 1
}
